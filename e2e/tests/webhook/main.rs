//! Pods that a real kube-apiserver stores with Mimic's webhook.

mod audit;
mod creation;
mod exceptions;
mod manifests;
mod operation;
mod updates;

use anyhow::Result;
use mimic_e2e::{Cluster, MimicServer, Namespace};
use serde_json::{Value, json};

const MIRRORS: &str = "
mirrors:
  docker.io: harbor.example.com/dockerhub
  ghcr.io: harbor.example.com/ghcr
  quay.io: harbor.example.com/quay
  registry.k8s.io: harbor.example.com/k8s
  localhost:5000: harbor.example.com/local
";

const ORIGINAL_IMAGES: &str = "mimic.cryptkcoding.com/original-images";

/// A namespace of the shared cluster, and a server without webhook configuration. `None` if the test is skipped.
async fn unregistered(name: &str) -> Result<Option<(Namespace<'static>, MimicServer)>> {
    let Some(cluster) = Cluster::shared()? else { return Ok(None) };
    let namespace = Namespace::create(cluster, name).await?;
    Ok(Some((namespace, MimicServer::start(MIRRORS).await?)))
}

/// The same with a webhook configuration. The test must keep the server as long as it needs the webhook.
async fn registered(name: &str) -> Result<Option<(Namespace<'static>, MimicServer)>> {
    let started = unregistered(name).await?;
    if let Some((namespace, server)) = &started {
        server.register(namespace, &[]).await?;
    }
    Ok(started)
}

/// A pod with these containers.
fn pod<const N: usize>(name: &str, containers: [(&str, &str); N]) -> Value {
    let containers: Value = containers.iter().map(|(name, image)| json!({"name": name, "image": image})).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        // The volume of the token would have a random name.
        "spec": {"containers": containers, "automountServiceAccountToken": false},
    })
}

/// The original images in the annotation of a stored pod.
fn recorded_originals(pod: &k8s_openapi::api::core::v1::Pod) -> Option<Value> {
    let text = pod.metadata.annotations.as_ref()?.get(ORIGINAL_IMAGES)?;
    Some(serde_json::from_str(text).expect("the annotation is JSON"))
}
