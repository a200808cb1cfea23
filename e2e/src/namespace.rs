//! A namespace for tests.

use anyhow::{Result, ensure};
use k8s_openapi::{
    api::core::v1::{Namespace as NamespaceObject, Pod, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use serde_json::Value;

use crate::{Cluster, wait::eventually};

/// The output of a successful kubectl command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubectl {
    /// The objects or the message.
    pub stdout: String,
    /// Includes warnings of the API server and of webhooks.
    pub stderr: String,
}

/// A namespace of a test.
#[derive(Clone)]
pub struct Namespace<'c> {
    cluster: &'c Cluster,
    client: Client,
    name: String,
}

impl<'c> Namespace<'c> {
    /// Creates one and waits until pods can be created in it.
    pub async fn create(cluster: &'c Cluster, name: &str) -> Result<Self> {
        let client = cluster.client().await?;
        let object = NamespaceObject {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..NamespaceObject::default()
        };
        Api::all(client.clone()).create(&PostParams::default(), &object).await?;
        Self { cluster, client, name: name.to_owned() }.awaited().await
    }

    /// An existing namespace.
    pub async fn existing(cluster: &'c Cluster, name: &str) -> Result<Self> {
        Self { cluster, client: cluster.client().await?, name: name.to_owned() }.awaited().await
    }

    /// Creates another one in the same cluster.
    pub async fn sibling(&self, name: &str) -> Result<Self> {
        Self::create(self.cluster, name).await
    }

    /// A namespace of every cluster, such as `kube-system`.
    pub async fn existing_sibling(&self, name: &str) -> Result<Self> {
        Self { name: name.to_owned(), ..self.clone() }.awaited().await
    }

    /// Waits for the default service account, without which pods are rejected.
    async fn awaited(self) -> Result<Self> {
        let accounts: Api<ServiceAccount> = self.api();
        eventually("the default service account", async || Ok(accounts.get_opt("default").await?.is_some())).await?;
        Ok(self)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it is in.
    pub(crate) fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// The client, for objects outside of the namespace.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The API for a kind in it.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Runs kubectl in it.
    ///
    /// # Errors
    /// If kubectl fails, with its output.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Kubectl> {
        self.kubectl_with(arguments, &Value::Null)
    }

    /// Runs kubectl in it with an object on standard input (for `-f -`).
    ///
    /// # Errors
    /// If kubectl fails, with its output.
    pub fn kubectl_with(&self, arguments: &[&str], object: &Value) -> Result<Kubectl> {
        let arguments = [&["--namespace", &self.name], arguments].concat();
        let output = self.cluster.kubectl(&arguments, object.to_string().as_bytes())?;
        let stdout = String::from_utf8(output.stdout)?;
        let stderr = String::from_utf8(output.stderr)?;
        ensure!(output.status.success(), "kubectl {} failed:\n{stdout}{stderr}", arguments.join(" "));
        Ok(Kubectl { stdout, stderr })
    }

    /// Creates an object with `kubectl create`.
    pub fn kubectl_create(&self, object: &Value) -> Result<Kubectl> {
        self.kubectl_with(&["create", "-f", "-"], object)
    }

    /// A stored pod.
    pub async fn pod(&self, name: &str) -> Result<Pod> {
        Ok(self.api().get(name).await?)
    }

    /// The stored pods.
    pub async fn pods(&self) -> Result<Vec<Pod>> {
        Ok(self.api().list(&ListParams::default()).await?.items)
    }
}

/// The images of a pod, by name: containers, init containers, ephemeral containers, volumes.
pub fn images(pod: &Pod) -> Vec<(&str, &str)> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let containers = containers.map(|container| (&container.name, container.image.as_deref()));
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    let ephemeral = ephemeral.map(|container| (&container.name, container.image.as_deref()));
    let volumes = spec.volumes.iter().flatten();
    let volumes = volumes.filter_map(|volume| Some((&volume.name, volume.image.as_ref()?.reference.as_deref())));
    let images = containers.chain(ephemeral).chain(volumes);
    images.map(|(name, image)| (name.as_str(), image.unwrap_or_default())).collect()
}
