//! A cluster with Mimic in it, as users install it.

use std::{cell::RefCell, io::Write, path::PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    config::Kubeconfig,
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{Balancer, Checkout, Cluster, Namespace, Replica, images, wait::eventually};

const NAME: &str = "mimic";
const CONFIGMAP: &str = "mimic-mirrors";
const SECRET: &str = "mimic-certs";

/// The shipped files in a cluster of their own, and what a cluster would do with them: replicas of the Deployment, which
/// reach the API server as its service account, and the Service in front of them.
pub struct Installation<'c> {
    checkout: Checkout<'c>,
    own: Namespace<'c>,
    balancer: Balancer,
}

impl<'c> Installation<'c> {
    /// Installs Mimic with these commands.
    ///
    /// No kube-proxy serves the Service, so another one with the same name leads to loopback, and the webhook
    /// configuration names the port there. A pod for which the webhook fails is refused, so that failures are seen.
    pub async fn by(cluster: &'c Cluster, commands: &[&str]) -> Result<Self> {
        let checkout = Checkout::new(cluster)?;
        for command in commands {
            checkout.run(command)?;
        }
        let own = Namespace::existing(cluster, NAME).await?;
        let balancer = Balancer::start()?;
        let services: Api<Service> = own.api();
        services.delete(NAME, &DeleteParams::default()).await?;
        let service = json!({
            "metadata": {"name": NAME},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        });
        services.create(&PostParams::default(), &serde_json::from_value(service)?).await?;
        let installation = Self { checkout, own, balancer };
        installation.change_webhook(&json!([
            {"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": installation.balancer.port()},
            {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"},
        ]))?;
        // What is stored, the API server heeds a moment later; `Installation::rewrites` waits for that.
        Ok(installation)
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
        let more = more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let variables: Vec<_> = self.variables().await?.into_iter().chain(more).collect();
        let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Replica::start(variables, &self.kubeconfig().await?)
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

    /// The variables of the Deployment's container.
    async fn variables(&self) -> Result<Vec<(String, String)>> {
        let deployment: Deployment = self.own.api().get(NAME).await?;
        let template = deployment.spec.and_then(|spec| spec.template.spec).context("the Deployment has a template")?;
        let container = template.containers.into_iter().next().context("its pods have a container")?;
        let resolve = |variable: k8s_openapi::api::core::v1::EnvVar| {
            let field = variable.value_from.and_then(|from| from.field_ref).map(|field| field.field_path);
            let value = match field.as_deref() {
                None => variable.value.unwrap_or_default(),
                Some("metadata.namespace") => NAME.to_owned(),
                Some(other) => anyhow::bail!("`{}` is the field {other}, of which tests know nothing", variable.name),
            };
            Ok((variable.name, value))
        };
        container.env.into_iter().flatten().map(resolve).collect()
    }

    /// A kubeconfig with a token of the Deployment's service account instead of an administrator's.
    async fn kubeconfig(&self) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = self.own.api();
        // For the API server and for as long as it deems right.
        let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
        let token = accounts.create_token_request(NAME, &PostParams::default(), &request).await?;
        let token = token.status.context("the API server issues a token")?.token;
        let mut kubeconfig = serde_json::to_value(Kubeconfig::read_from(self.own.cluster().kubeconfig())?)?;
        kubeconfig["users"][0]["user"] = json!({"token": token});
        // One for each replica: none may read what is being written for another.
        let (mut file, path) = NamedTempFile::new_in(self.checkout.path())?.keep()?;
        file.write_all(kubeconfig.to_string().as_bytes())?;
        Ok(path)
    }

    /// Names the mirror of Docker Hub.
    pub async fn set_mirror(&self, location: &str) -> Result<()> {
        self.set_mirrors(&json!({"docker.io": location})).await
    }

    /// Merges this into the data of the ConfigMap.
    pub async fn set_mirrors(&self, data: &Value) -> Result<()> {
        let configmaps: Api<ConfigMap> = self.own.api();
        configmaps.patch(CONFIGMAP, &PatchParams::default(), &Patch::Merge(json!({"data": data}))).await?;
        Ok(())
    }

    /// The authority that the script has made, in PEM.
    pub async fn authority(&self) -> Result<Vec<u8>> {
        let secret: Secret = self.own.api().get(SECRET).await?;
        let data = secret.data.unwrap_or_default();
        Ok(data.get("ca.crt").context("the Secret has an authority")?.0.clone())
    }

    /// Changes the webhook's registration by a JSON Patch.
    pub fn change_webhook(&self, patch: &Value) -> Result<()> {
        let patch = patch.to_string();
        self.own.kubectl(&["patch", "mutatingwebhookconfiguration", NAME, "--type=json", "--patch", &patch])?;
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
