//! Pods that Mimic skips.

use anyhow::Result;
use mimic_e2e::images;
use serde_json::json;

use crate::{pod, recorded_originals, registered, unregistered};

#[tokio::test]
async fn a_pod_that_opted_out_is_skipped() -> Result<()> {
    let Some((namespace, _server)) = registered("opted-out").await? else { return Ok(()) };
    let mut out = pod("out", [("web", "nginx:1.27")]);
    out["metadata"]["labels"] = json!({"mimic.cryptkcoding.com/rewrite": "false"});
    namespace.kubectl_create(&out)?;

    let stored = namespace.pod("out").await?;
    assert_eq!(images(&stored), [("web", "nginx:1.27")]);
    assert_eq!(recorded_originals(&stored), None);
    Ok(())
}

#[tokio::test]
async fn a_pod_that_opts_out_with_the_same_update_is_skipped() -> Result<()> {
    let Some((namespace, _server)) = registered("opting-out").await? else { return Ok(()) };
    namespace.kubectl_create(&pod("web", [("web", "nginx:1.27")]))?;
    // The API server still calls, because the stored pod has no such label.
    let update = r#"{
        "metadata": {"labels": {"mimic.cryptkcoding.com/rewrite": "false"}},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.28"}]}
    }"#;
    namespace.kubectl(&["patch", "pod/web", "--patch", update])?;
    assert_eq!(images(&namespace.pod("web").await?), [("web", "nginx:1.28")]);
    Ok(())
}

#[tokio::test]
async fn the_mirror_pod_of_a_static_pod_is_skipped() -> Result<()> {
    let Some((namespace, _server)) = registered("static-pods").await? else { return Ok(()) };
    let mut mirror = pod("etcd-node", [("etcd", "registry.k8s.io/etcd:3.6.5")]);
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "0123"});
    mirror["spec"]["nodeName"] = json!("node");
    namespace.kubectl_create(&mirror)?;

    let stored = namespace.pod("etcd-node").await?;
    assert_eq!(images(&stored), [("etcd", "registry.k8s.io/etcd:3.6.5")]);
    assert_eq!(recorded_originals(&stored), None);
    Ok(())
}

#[tokio::test]
async fn pods_in_kube_system_are_skipped() -> Result<()> {
    let Some((namespace, server)) = unregistered("beside-kube-system").await? else { return Ok(()) };
    server.register(&namespace, &["kube-system"]).await?;

    let system = namespace.existing_sibling("kube-system").await?;
    system.kubectl_create(&pod("web", [("web", "nginx:1.27")]))?;
    assert_eq!(images(&system.pod("web").await?), [("web", "nginx:1.27")]);
    Ok(())
}
