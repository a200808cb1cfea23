//! Finding the cluster.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::client::ClientBuilder;
use kube::config::{InClusterError, KubeConfigOptions, KubeconfigError};
use kube::{Api, Client, Config, Resource};
use tower::limit::RateLimitLayer;

use super::namespace::own_namespace;

/// Where a pod finds its service account's token
/// (<https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#without-using-a-proxy>).
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Set in every pod by the kubelet.
const SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";

/// Longest time to get a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time without a byte of an answer. Longer than any watch stays silent, see [`super::follow`].
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// A way to the API server, and Mimic's place in the cluster. Clones share connections.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    address: String,
}

/// Why there is no way to a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is nothing that says where a cluster is.
    #[error(
        "no cluster was found: this is not a pod (`{SERVICE_HOST}` is not set or `{TOKEN}` is absent), `KUBECONFIG` is not \
         set, and `{0}` is absent"
    )]
    NotFound(PathBuf),
    /// The files of the service account, or the variables beside them, cannot be used.
    #[error("the pod's way to the cluster cannot be used: {0}")]
    InCluster(InClusterError),
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig `{path}` cannot be used: {error}")]
    Kubeconfig {
        /// Which.
        path: String,
        /// Why.
        error: Box<KubeconfigError>,
    },
    /// The certificates or credentials that they name cannot be used.
    #[error("the credentials for the cluster cannot be used: {0}")]
    Credentials(Box<kube::Error>),
}

/// Most requests to the API server: on average the five a second that client-go allows itself, in bursts of 25. `kube`
/// takes up a watch that ended without a pause, and this keeps one that ends at once every time from becoming a storm.
pub fn request_limit() -> RateLimitLayer {
    RateLimitLayer::new(25, Duration::from_secs(5))
}

/// Where to look.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Kubeconfig(String),
    Pod,
}

impl Cluster {
    /// Finds the cluster: the kubeconfig that `KUBECONFIG` names, or else the service account of the pod, or else
    /// `~/.kube/config`. Opens no connection yet. Needs a tokio runtime.
    ///
    /// Mimic's namespace is `configured`, or when that is empty the variable `POD_NAMESPACE`, the service account's
    /// namespace, that of the kubeconfig's context, or `default`.
    ///
    /// # Errors
    /// [`ConnectError`] when there is no cluster, or its credentials cannot be read.
    pub async fn connect(configured: &str) -> Result<Self, ConnectError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let named = variable("KUBECONFIG").map(|path| path.to_string_lossy().into_owned());
        let in_pod = variable(SERVICE_HOST).is_some() && Path::new(TOKEN).exists();
        let home = std::env::home_dir().unwrap_or_default().join(".kube").join("config");
        let config = match place(named, in_pod, &home) {
            Some(Place::Kubeconfig(path)) => Config::from_kubeconfig(&KubeConfigOptions::default())
                .await
                .map_err(|error| ConnectError::Kubeconfig { path, error: Box::new(error) })?,
            Some(Place::Pod) => Config::incluster().map_err(ConnectError::InCluster)?,
            None => return Err(ConnectError::NotFound(home)),
        };
        Self::with_config(config, configured)
    }

    /// The cluster that `config` leads to; `configured` as in [`Cluster::connect`].
    ///
    /// # Errors
    /// [`ConnectError`] when its credentials cannot be read.
    pub fn with_config(mut config: Config, configured: &str) -> Result<Self, ConnectError> {
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.reset_reader_on_write = true;
        // Whoever asks here tries again by itself, and reports what went wrong meanwhile.
        config.default_retry = false;
        let agent = concat!("mimic/", env!("CARGO_PKG_VERSION"));
        if let (Ok(name), Ok(value)) = ("user-agent".parse(), agent.parse()) {
            config.headers.push((name, value));
        }
        let namespace = own_namespace(configured).unwrap_or_else(|| config.default_namespace.trim().to_owned());
        let address = config.cluster_url.to_string();
        let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::Credentials(Box::new(error)))?;
        let client = builder.with_layer(&request_limit()).build();
        Ok(Self::with_client(client, &address, &namespace))
    }

    /// The cluster that a client of one's own making leads to; it had better have the [`request_limit`] too. `address` is
    /// what the API server is called in logs, `namespace` is Mimic's.
    pub fn with_client(client: Client, address: &str, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), address: address.to_owned() }
    }

    /// The client, for objects of any kind.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The namespace that Mimic runs in, which has its ConfigMap and its Secret.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// URL of the API server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The API of a kind of objects in Mimic's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

fn place(named: Option<String>, in_pod: bool, home: &Path) -> Option<Place> {
    match named {
        Some(path) => Some(Place::Kubeconfig(path)),
        None if in_pod => Some(Place::Pod),
        None => home.exists().then(|| Place::Kubeconfig(home.display().to_string())),
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
    fn a_kubeconfig_that_is_named_comes_first_and_that_of_the_home_folder_last() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (home, absent) = (folder.path().join("config"), folder.path().join("absent"));
        std::fs::write(&home, "").expect("it can be written");
        let named = || Some("/named".to_owned());
        assert_eq!(place(named(), true, &home), Some(Place::Kubeconfig("/named".to_owned())));
        assert_eq!(place(None, true, &home), Some(Place::Pod));
        assert_eq!(place(None, false, &home), Some(Place::Kubeconfig(home.display().to_string())));
        assert_eq!(place(None, false, &absent), None);
    }
}
