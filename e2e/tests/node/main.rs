//! Pods that run: Mimic is installed as users do it, and nodes pull the images that it writes.
//!
//! Each test has its own cluster. One runs at a time.

mod cert_manager;
mod getting_started;
mod install;
mod kinds;
mod kubelet;
mod node_mirrors;
mod operation;
mod prometheus;
mod sidecars;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use mimic_e2e::{Checkout, Image, Kubectl, Namespace, NodeCluster, eventually, images};

/// A cluster with Mimic, and a namespace whose pods it rewrites.
struct Mimic<'c> {
    nodes: &'c NodeCluster,
    checkout: Checkout<'c>,
    shop: Namespace<'c>,
}

impl<'c> Mimic<'c> {
    /// Installs Mimic with these commands, in which `IMAGE` stands for its repository and `MIRROR` for the mirror of Docker Hub.
    async fn by(nodes: &'c NodeCluster, checkout: Checkout<'c>, commands: &[&str]) -> Result<Self> {
        let image = nodes.push_mimic()?;
        let mimic = Self { nodes, checkout, shop: Namespace::create(nodes.cluster(), "shop").await? };
        for command in commands {
            mimic.run(&command.replace("IMAGE", &image).replace("MIRROR", &mimic.mirror()))?;
        }
        mimic.is_ready().await?;
        Ok(mimic)
    }

    /// Installs it with Helm and more options.
    async fn with_helm(nodes: &'c NodeCluster, checkout: Checkout<'c>, options: &str) -> Result<Self> {
        let install = format!(
            "helm install mimic deploy/chart --namespace mimic --create-namespace --set image.repository=IMAGE \
             --set image.tag=latest --set 'mirrors.docker\\.io=MIRROR' {options}"
        );
        Self::by(nodes, checkout, &[&install]).await
    }

    /// Waits until all replicas are ready and the API server calls them.
    async fn is_ready(&self) -> Result<()> {
        self.run("kubectl -n mimic rollout status deployment/mimic --timeout=5m")?;
        let expected = format!("{}/library/probe", self.mirror());
        eventually("pods are rewritten", async || {
            let pod = self.shop.kubectl(&["run", "probe", "--image=probe", "--dry-run=server", "-o", "json"])?;
            let pod: Pod = serde_json::from_str(&pod.stdout)?;
            Ok(images(&pod) == [("probe", expected.as_str())])
        })
        .await
    }

    /// Where Docker Hub's images are.
    fn mirror(&self) -> String {
        format!("{}/mirror", self.nodes.registry().host())
    }

    /// Pushes an image to the mirror of Docker Hub; returns how it is called there, with its digest in place of a tag.
    fn publish(&self, name: &str, tag: &str) -> Result<String> {
        let image = Image::running(&format!("{name}:{tag} of the mirror"))?;
        self.nodes.push(&image, &format!("mirror/library/{name}:{tag}"))?;
        Ok(format!("{}/library/{name}@{}", self.mirror(), image.content().digest()))
    }

    /// Pushes another image to what stands for Docker Hub, for nodes that reach it there; returns how it is called.
    fn upstream(nodes: &NodeCluster, name: &str, tag: &str) -> Result<String> {
        let image = Image::running(&format!("{name}:{tag} of Docker Hub"))?;
        nodes.push(&image, &format!("upstream/library/{name}:{tag}"))?;
        Ok(format!("docker.io/library/{name}@{}", image.content().digest()))
    }

    fn run(&self, command: &str) -> Result<Kubectl> {
        self.checkout.run(command)
    }

    /// The pods of an app, when all of them are ready.
    async fn rolled_out(&self, kind_and_name: &str) -> Result<Vec<Pod>> {
        self.shop.kubectl(&["rollout", "status", kind_and_name, "--timeout=5m"])?;
        let pods = self.shop.pods().await?;
        Ok(pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect())
    }
}

/// Mimic, installed with Helm and more options. `None` if Helm is missing.
async fn by_helm<'c>(nodes: &'c NodeCluster, options: &str) -> Result<Option<Mimic<'c>>> {
    let Some(checkout) = Checkout::with_helm(nodes.cluster())? else { return Ok(None) };
    Mimic::with_helm(nodes, checkout, options).await.map(Some)
}

/// A container as the kubelet reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ran {
    name: String,
    /// What was pulled, with the digest that the registry gave.
    image: String,
    /// Changes when it is started again.
    container: String,
    restarts: i32,
}

/// The containers of a pod: init containers, containers, ephemeral containers.
fn ran(pod: &Pod) -> Result<Vec<Ran>> {
    let status = pod.status.as_ref().context("the pod has a status")?;
    let all = [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    let all = all.into_iter().flatten().flatten();
    let ran = all.map(|status| Ran {
        name: status.name.clone(),
        image: status.image_id.clone(),
        container: status.container_id.clone().unwrap_or_default(),
        restarts: status.restart_count,
    });
    Ok(ran.collect())
}
