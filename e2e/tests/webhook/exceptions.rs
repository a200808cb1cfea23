//! Pods that Mimic skips.

use anyhow::Result;
use mimic_e2e::images;
use serde_json::json;

use crate::{pod, recorded_originals, registered, unregistered};

#[tokio::test]
async fn a_pod_that_opted_out_with_a_label_or_an_annotation_is_skipped() -> Result<()> {
    let Some((namespace, _server)) = registered("opted-out").await? else { return Ok(()) };
    for field in ["labels", "annotations"] {
        let mut out = pod(field, [("web", "nginx:1.27")]);
        out["metadata"][field] = json!({"mimic.cryptkcoding.com/rewrite": "false"});
        namespace.kubectl_create(&out)?;

        let stored = namespace.pod(field).await?;
        assert_eq!(images(&stored), [("web", "nginx:1.27")], "{field}");
        assert_eq!(recorded_originals(&stored), None, "{field}");
    }
    Ok(())
}

#[tokio::test]
async fn images_that_are_not_pulled_are_not_rewritten() -> Result<()> {
    let Some((namespace, _server)) = registered("not-pulled").await? else { return Ok(()) };
    let id = "sha256:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39";
    let mut web = pod("web", [("never", "nginx:1.27"), ("id", id), ("pulled", "nginx:1.27")]);
    web["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
    web["spec"]["volumes"] =
        json!([{"name": "model", "image": {"reference": "quay.io/acme/model:v3", "pullPolicy": "Never"}}]);
    namespace.kubectl_create(&web)?;

    let stored = namespace.pod("web").await?;
    let pulled = ("pulled", "harbor.example.com/dockerhub/library/nginx:1.27");
    assert_eq!(images(&stored), [("never", "nginx:1.27"), ("id", id), pulled, ("model", "quay.io/acme/model:v3")]);
    assert_eq!(recorded_originals(&stored), Some(json!({"pulled": "nginx:1.27"})));
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
