//! Mimic compared with a mirror that is configured on nodes, in containerd's `hosts.toml`.

use anyhow::Result;
use mimic_e2e::{Image, NodeCluster, eventually};
use serde_json::{Value, json};

use crate::{by_helm, ran};

/// A pod that Mimic rewrites, or not.
fn pod(name: &str, image: &str, rewrite: bool) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"mimic.cryptkcoding.com/rewrite": rewrite.to_string()}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    })
}

#[tokio::test]
async fn a_node_falls_back_to_the_upstream_and_mimic_does_not() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let Some(mimic) = by_helm(&nodes, "").await? else { return Ok(()) };
    let base = format!("http://{}/v2", nodes.registry().host());
    for node in nodes.nodes() {
        let hosts = format!(
            "server = \"{base}/upstream\"\n[host.\"{base}/mirror\"]\noverride_path = true\n\
             [host.\"{base}/upstream\"]\noverride_path = true\n"
        );
        node.set_hosts("docker.io", &hosts)?;
    }
    let (upstream, mirror) = (Image::running("of the upstream")?, Image::running("of the mirror")?);
    nodes.push(&upstream, "upstream/library/both:1")?;
    nodes.push(&mirror, "mirror/library/both:1")?;
    nodes.push(&upstream, "upstream/library/missing:1")?;
    let (upstream, mirror) = (upstream.content().digest(), mirror.content().digest());

    for (name, image, rewrite) in [
        ("node-both", "both:1", false),
        ("mimic-both", "both:1", true),
        ("node-missing", "missing:1", false),
        ("mimic-missing", "missing:1", true),
    ] {
        mimic.shop.kubectl_create(&pod(name, image, rewrite))?;
    }
    // The node's mirror is invisible in the pod: its image has the upstream's name and the mirror's content.
    for (name, image) in [
        ("node-both", format!("docker.io/library/both@{mirror}")),
        ("mimic-both", format!("{}/library/both@{mirror}", mimic.mirror())),
        ("node-missing", format!("docker.io/library/missing@{upstream}")),
    ] {
        mimic.shop.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{name}"), "--timeout=5m"])?;
        assert_eq!(ran(&mimic.shop.pod(name).await?)?[0].image, image, "{name}");
    }
    eventually("the mirror does not have it", async || {
        let waiting = "jsonpath={.status.containerStatuses[0].state.waiting}";
        let said = mimic.shop.kubectl(&["get", "pod", "mimic-missing", "-o", waiting])?.stdout;
        Ok(said.contains("mirror/library/missing:1") && said.contains("not found"))
    })
    .await
}
