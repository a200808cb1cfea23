//! A cluster with Mimic in it, as users install it.

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

use crate::{Balancer, Checkout, Cluster, Namespace, Replica, images, volumes::Volumes, wait::eventually};

/// The shipped files in a cluster of their own, and what a cluster would do with them: replicas of the Deployment, which
/// reach the API server as its service account, and the Service in front of them.
pub struct Installation<'c> {
    checkout: Checkout<'c>,
    own: Namespace<'c>,
    /// Of all its objects; those of the ConfigMap and the Secret begin with it.
    name: String,
    balancer: Balancer,
}

impl<'c> Installation<'c> {
    /// Installs Mimic with these commands.
    pub async fn by(cluster: &'c Cluster, commands: &[&str]) -> Result<Self> {
        Self::of(Checkout::new(cluster)?, commands, "mimic", "mimic").await
    }

    /// Installs Mimic with these commands, in this namespace and under this name.
    ///
    /// No kube-proxy serves the Service, so another one with the same name leads to loopback, and the webhook
    /// configuration names the port there. A pod for which the webhook fails is refused, so that failures are seen.
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

    /// Leads the webhook to the replicas, which a command that installs again undoes.
    pub fn route(&self) -> Result<()> {
        // What is stored, the API server heeds a moment later; `Installation::rewrites` waits for that.
        self.change_webhook(&json!([
            {"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": self.balancer.port()},
            {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"},
        ]))
    }

    /// Where the commands ran.
    pub fn checkout(&self) -> &Checkout<'c> {
        &self.checkout
    }

    /// Mimic's namespace.
    pub fn own(&self) -> &Namespace<'c> {
        &self.own
    }

    /// The Service.
    pub fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// Starts a replica with what the container of the stored Deployment is given. It gets no requests yet.
    pub async fn start_replica(&self) -> Result<Replica> {
        self.start_replica_with(&[]).await
    }

    /// The same with more variables.
    pub async fn start_replica_with(&self, more: &[(&str, &str)]) -> Result<Replica> {
        let pod = self.pod().await?;
        let container = pod.containers.first().context("its pods have a container")?;
        // One for each replica: none may read what is being written for another.
        let directory = tempfile::Builder::new().prefix("replica-").tempdir_in(self.checkout.path())?.keep();
        let volumes = Volumes::mount(&self.own, &pod, container, &directory).await?;
        let variables = self.variables(container)?.into_iter().map(|(name, value)| (name, volumes.located(&value)));
        let more = more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let variables: Vec<_> = variables.chain(more).collect();
        let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let account = pod.service_account_name.as_deref().unwrap_or("default");
        Replica::start(variables, &self.kubeconfig(account, &directory).await?)
    }

    /// Starts this many replicas, and waits until they get requests.
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

    /// What the pods of the Deployment are to be.
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
                Some(other) => bail!("`{}` is the field {other}, of which tests know nothing", variable.name),
            };
            Ok((variable.name.clone(), value))
        };
        container.env.iter().flatten().map(resolve).collect()
    }

    /// A kubeconfig with a token of a service account instead of an administrator's.
    async fn kubeconfig(&self, account: &str, directory: &Path) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = self.own.api();
        // For the API server and for as long as it deems right.
        let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
        let token = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        let token = token.status.context("the API server issues a token")?.token;
        let mut kubeconfig = serde_json::to_value(Kubeconfig::read_from(self.own.cluster().kubeconfig())?)?;
        kubeconfig["users"][0]["user"] = json!({"token": token});
        let path = directory.join("kubeconfig");
        fs::write(&path, kubeconfig.to_string())?;
        Ok(path)
    }

    /// Names the mirror of Docker Hub.
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

    /// The authority in the Secret, in PEM.
    pub async fn authority(&self) -> Result<Vec<u8>> {
        let secret: Secret = self.own.api().get(&format!("{}-certs", self.name)).await?;
        let data = secret.data.unwrap_or_default();
        Ok(data.get("ca.crt").context("the Secret has an authority")?.0.clone())
    }

    /// Changes the webhook's registration by a JSON Patch.
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
            // While the webhook is not called yet or cannot be reached, what comes back says so.
            let answer = pods.create(&dry_run, &probe).await;
            *last.borrow_mut() = answer.as_ref().map_or_else(ToString::to_string, |pod| format!("{:?}", images(pod)));
            Ok(answer.is_ok_and(|pod| images(&pod) == [("probe", image)]))
        });
        rewritten.await.map_err(|error| error.context(last.take()))
    }
}
