//! The API server client, and where its configuration comes from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::client::ClientBuilder;
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config, Resource};
use tower::limit::RateLimitLayer;

use super::error::Cause;
use super::namespace::own_namespace;

/// The file with the token of a pod's service account
/// (<https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#without-using-a-proxy>).
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The variable that the kubelet sets in every pod.
const SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";

/// Timeout for connecting, including TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout for the next byte of a response. It is longer than a watch can be silent.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// An API server client, and the namespace that Mimic runs in. Clones share connections.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    address: String,
}

/// Why no API server client can be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no client configuration.
    #[error(
        "no cluster found: not running in a pod (`{SERVICE_HOST}` is not set or `{TOKEN}` is absent), `KUBECONFIG` is not \
         set, and `{0}` is absent"
    )]
    NotFound(PathBuf),
    /// The service account's files or the pod's variables are invalid.
    #[error("invalid in-cluster configuration")]
    InCluster(#[source] Cause),
    /// The kubeconfig is invalid.
    #[error("cannot use kubeconfig `{path}`")]
    Kubeconfig {
        /// Its path.
        path: String,
        /// Why.
        source: Cause,
    },
    /// The certificates or credentials in the configuration are invalid.
    #[error("cannot use the credentials for the cluster")]
    Credentials(#[source] Cause),
}

/// The rate limit for requests to the API server: bursts of 25, and 5 per second on average, which is client-go's default.
/// `kube` restarts an ended watch without a pause. The limit prevents a storm of requests if every watch ends at once.
pub fn request_limit() -> RateLimitLayer {
    RateLimitLayer::new(25, Duration::from_secs(5))
}

/// Where the client's configuration comes from.
#[derive(Debug, PartialEq, Eq)]
enum ConfigOrigin {
    Kubeconfig(String),
    Pod,
}

impl Cluster {
    /// Creates a client from the first that exists of: the kubeconfig in `KUBECONFIG`, the pod's service account,
    /// `~/.kube/config`. Opens no connection. Must be called in a tokio runtime.
    ///
    /// Mimic's namespace is the first that is set of: `configured`, the variable `POD_NAMESPACE`, the service account's
    /// namespace, the namespace of the kubeconfig's context, `default`.
    ///
    /// # Errors
    /// [`ConnectError`] if there is no configuration, or if it is invalid.
    pub async fn connect(configured: &str) -> Result<Self, ConnectError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let named = variable("KUBECONFIG").map(|path| path.to_string_lossy().into_owned());
        let in_pod = variable(SERVICE_HOST).is_some() && Path::new(TOKEN).exists();
        let home = std::env::home_dir().unwrap_or_default().join(".kube").join("config");
        let config = match config_origin(named, in_pod, &home) {
            Some(ConfigOrigin::Kubeconfig(path)) => Config::from_kubeconfig(&KubeConfigOptions::default())
                .await
                .map_err(|error| ConnectError::Kubeconfig { path, source: Cause::of(&error) })?,
            Some(ConfigOrigin::Pod) => {
                Config::incluster().map_err(|error| ConnectError::InCluster(Cause::of(&error)))?
            }
            None => return Err(ConnectError::NotFound(home)),
        };
        Self::with_config(config, configured)
    }

    /// Creates a client from `config`. `configured` is as in [`Cluster::connect`].
    ///
    /// # Errors
    /// [`ConnectError`] if the credentials are invalid.
    pub fn with_config(mut config: Config, configured: &str) -> Result<Self, ConnectError> {
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.reset_reader_on_write = true;
        // The callers retry, and report each failure.
        config.default_retry = false;
        let agent = concat!("mimic/", env!("CARGO_PKG_VERSION"));
        if let (Ok(name), Ok(value)) = ("user-agent".parse(), agent.parse()) {
            config.headers.push((name, value));
        }
        let namespace = own_namespace(configured).unwrap_or_else(|| config.default_namespace.trim().to_owned());
        let address = config.cluster_url.to_string();
        let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::Credentials(Cause::of(&error)))?;
        let client = builder.with_layer(&request_limit()).build();
        Ok(Self::with_client(client, &address, &namespace))
    }

    /// Uses an existing client, which should have the [`request_limit`]. `address` is the API server's name in logs, and
    /// `namespace` is Mimic's.
    pub fn with_client(client: Client, address: &str, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), address: address.to_owned() }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The namespace of Mimic and of its ConfigMap and Secret.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The URL of the API server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The API for one kind of object in Mimic's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

fn config_origin(named: Option<String>, in_pod: bool, home: &Path) -> Option<ConfigOrigin> {
    match named {
        Some(path) => Some(ConfigOrigin::Kubeconfig(path)),
        None if in_pod => Some(ConfigOrigin::Pod),
        None => home.exists().then(|| ConfigOrigin::Kubeconfig(home.display().to_string())),
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("address", &self.address)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubeconfig_variable_comes_first_and_the_home_folder_last() {
        let folder = tempfile::tempdir().expect("a folder can be created");
        let (home, absent) = (folder.path().join("config"), folder.path().join("absent"));
        std::fs::write(&home, "").expect("it can be written");
        let named = || Some("/named".to_owned());
        assert_eq!(config_origin(named(), true, &home), Some(ConfigOrigin::Kubeconfig("/named".to_owned())));
        assert_eq!(config_origin(None, true, &home), Some(ConfigOrigin::Pod));
        assert_eq!(config_origin(None, false, &home), Some(ConfigOrigin::Kubeconfig(home.display().to_string())));
        assert_eq!(config_origin(None, false, &absent), None);
    }
}
