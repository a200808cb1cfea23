//! A cluster with an installation of Mimic.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{ConfigMap, Container, EnvVar, Pod, PodSpec, Secret, Service, ServiceAccount},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    config::Kubeconfig,
};
use serde_json::{Value, json};

use crate::{
    Balancer, Checkout, Cluster, Namespace, Replica, images, rewrite::run_mimic_with, volumes::Volumes,
    wait::eventually,
};

/// The shipped files in their own cluster, and what a cluster would run: replicas of the Deployment, which authenticate with its
/// service account, behind the Service.
pub struct Installation<'c> {
    checkout: Checkout<'c>,
    own: Namespace<'c>,
    /// Name of all objects; the names of the ConfigMap and the Secret begin with it.
    name: String,
    balancer: Balancer,
}

impl<'c> Installation<'c> {
    /// Installs Mimic with these commands.
    pub async fn by(cluster: &'c Cluster, commands: &[&str]) -> Result<Self> {
        Self::of(Checkout::new(cluster)?, commands, "mimic", "mimic").await
    }

    /// Installs Mimic with these commands, in this namespace and with this object name.
    ///
    /// There is no kube-proxy, so the Service is replaced by one for loopback, and the webhook configuration uses its port. Pods
    /// are rejected if the webhook fails, so that tests see failures.
    pub async fn of(checkout: Checkout<'c>, commands: &[&str], namespace: &str, name: &str) -> Result<Self> {
        for command in commands {
            checkout.run(command)?;
        }
        let own = Namespace::existing(checkout.cluster(), namespace).await?;
        let balancer = Balancer::start()?;
        let services: Api<Service> = own.api();
        services.delete(name, &DeleteParams::default()).await?;
        let service = json!({
            "metadata": {"name": name},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        });
        services.create(&PostParams::default(), &serde_json::from_value(service)?).await?;
        let installation = Self { checkout, own, name: name.to_owned(), balancer };
        installation.route()?;
        Ok(installation)
    }

    /// Routes the webhook to the replicas. Repeating the installation undoes this.
    pub fn route(&self) -> Result<()> {
        // The API server uses the change a moment later; `Installation::rewrites` waits for that.
        self.change_webhook(&json!([
            {"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": self.balancer.port()},
            {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"},
        ]))
    }

    /// The checkout that the commands run in.
    pub fn checkout(&self) -> &Checkout<'c> {
        &self.checkout
    }

    /// Mimic's namespace.
    pub fn own(&self) -> &Namespace<'c> {
        &self.own
    }

    /// The load balancer that replaces the Service.
    pub fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// Starts a replica with the settings of the stored Deployment. It gets no requests yet.
    pub async fn start_replica(&self) -> Result<Replica> {
        self.start_replica_with(&[]).await
    }

    /// The same with more variables.
    pub async fn start_replica_with(&self, more: &[(&str, &str)]) -> Result<Replica> {
        let pod = self.pod().await?;
        let (directory, mut variables) = self.container(&pod).await?;
        variables.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let account = pod.service_account_name.as_deref().unwrap_or("default");
        Replica::start(variables, &self.kubeconfig(account, &directory).await?)
    }

    /// Runs the command `mimic` with the variables and the files of a pod's container, as `kubectl exec` does. Returns its
    /// standard output.
    ///
    /// # Errors
    /// If it fails, or prints an error or a warning.
    pub async fn exec_mimic(&self, arguments: &[&str]) -> Result<String> {
        let (_, variables) = self.container(&self.pod().await?).await?;
        run_mimic_with(&variables, arguments)
    }

    /// Mounts the volumes of a pod's container. Returns the directory with them, and the variables of the container.
    async fn container(&self, pod: &PodSpec) -> Result<(PathBuf, Vec<(String, String)>)> {
        let container = pod.containers.first().context("its pods have a container")?;
        // One per replica, so that no replica reads files that are being written for another.
        let directory = tempfile::Builder::new().prefix("replica-").tempdir_in(self.checkout.path())?.keep();
        let volumes = Volumes::mount(&self.own, pod, container, &directory).await?;
        let variables = self.variables(container)?.into_iter().map(|(name, value)| (name, volumes.located(&value)));
        Ok((directory, variables.collect()))
    }

    /// Starts replicas, and waits until they get requests.
    pub async fn start_replicas(&self, count: usize) -> Result<Vec<Replica>> {
        let mut replicas = Vec::new();
        for _ in 0..count {
            let replica = self.start_replica().await?;
            self.balancer.add(replica.port(), replica.admin_port());
            replicas.push(replica);
        }
        for replica in &mut replicas {
            replica.is_ready().await?;
        }
        self.balancer.has_ready(count).await?;
        Ok(replicas)
    }

    /// The pod template of the Deployment.
    pub async fn pod(&self) -> Result<PodSpec> {
        let deployment: Deployment = self.own.api().get(&self.name).await?;
        deployment.spec.and_then(|spec| spec.template.spec).context("the Deployment has a template")
    }

    /// The variables of a container.
    fn variables(&self, container: &Container) -> Result<Vec<(String, String)>> {
        let resolve = |variable: &EnvVar| {
            let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
            let value = match field.map(|field| field.field_path.as_str()) {
                None => variable.value.clone().unwrap_or_default(),
                Some("metadata.namespace") => self.own.name().to_owned(),
                Some(other) => bail!("`{}` is the field {other}, which the tests do not support", variable.name),
            };
            Ok((variable.name.clone(), value))
        };
        container.env.iter().flatten().map(resolve).collect()
    }

    /// A kubeconfig with the token of a service account.
    async fn kubeconfig(&self, account: &str, directory: &Path) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = self.own.api();
        // With the default audience and lifetime.
        let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
        let token = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        let token = token.status.context("the API server issues a token")?.token;
        let mut kubeconfig = serde_json::to_value(Kubeconfig::read_from(self.own.cluster().kubeconfig())?)?;
        kubeconfig["users"][0]["user"] = json!({"token": token});
        let path = directory.join("kubeconfig");
        fs::write(&path, kubeconfig.to_string())?;
        Ok(path)
    }

    /// Sets the mirror of Docker Hub.
    pub async fn set_mirror(&self, location: &str) -> Result<()> {
        self.set_mirrors(&json!({"docker.io": location})).await
    }

    /// Merges this into the data of the ConfigMap.
    pub async fn set_mirrors(&self, data: &Value) -> Result<()> {
        let configmaps: Api<ConfigMap> = self.own.api();
        let name = format!("{}-mirrors", self.name);
        configmaps.patch(&name, &PatchParams::default(), &Patch::Merge(json!({"data": data}))).await?;
        Ok(())
    }

    /// The CA in the Secret, in PEM.
    pub async fn ca(&self) -> Result<Vec<u8>> {
        let secret: Secret = self.own.api().get(&format!("{}-certs", self.name)).await?;
        let data = secret.data.unwrap_or_default();
        Ok(data.get("ca.crt").context("the Secret has a CA")?.0.clone())
    }

    /// Changes the webhook configuration with a JSON Patch.
    pub fn change_webhook(&self, patch: &Value) -> Result<()> {
        let patch = patch.to_string();
        self.own.kubectl(&["patch", "mutatingwebhookconfiguration", &self.name, "--type=json", "--patch", &patch])?;
        Ok(())
    }

    /// Waits until a pod with the image `nginx` in this namespace would get this image.
    pub async fn rewrites(&self, namespace: &Namespace<'_>, image: &str) -> Result<()> {
        let pods: Api<Pod> = namespace.api();
        let probe = Pod {
            metadata: ObjectMeta { name: Some("probe".to_owned()), ..ObjectMeta::default() },
            spec: serde_json::from_value(json!({"containers": [{"name": "probe", "image": "nginx"}]}))?,
            ..Pod::default()
        };
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let last = RefCell::new(String::new());
        let what = format!("pods get the image {image}");
        let rewritten = eventually(&what, async || {
            // Until the webhook is called and reachable, the result shows why not.
            let answer = pods.create(&dry_run, &probe).await;
            *last.borrow_mut() = answer.as_ref().map_or_else(ToString::to_string, |pod| format!("{:?}", images(pod)));
            Ok(answer.is_ok_and(|pod| images(&pod) == [("probe", image)]))
        });
        rewritten.await.map_err(|error| error.context(last.take()))
    }
}
