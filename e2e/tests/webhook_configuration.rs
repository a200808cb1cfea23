//! The shipped webhook configuration: a real kube-apiserver accepts it, and calls the webhook for the right requests.

use anyhow::Result;
use mimic_e2e::{Cluster, Namespace, Recorder, TestCa, shipped_webhook_configuration};
use serde_json::{Value, json};

/// A pod with one container, with `more` in its metadata.
fn pod(name: &str, mut more: Value) -> Value {
    more["name"] = json!(name);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": more,
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
    })
}

/// A namespace with a `Recorder` that is registered like Mimic.
async fn recorded(cluster: &'static Cluster, name: &str) -> Result<(Namespace<'static>, Recorder)> {
    let namespace = Namespace::create(cluster, name).await?;
    let recorder = Recorder::start()?;
    recorder.register(&namespace, &["kube-system"]).await?;
    Ok((namespace, recorder))
}

#[tokio::test]
async fn the_shipped_file_is_accepted_without_changes() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let namespace = Namespace::create(cluster, "shipped").await?;
    let shipped: Value = serde_saphyr::from_str(&shipped_webhook_configuration(&TestCa::new()?.pem()?)?)?;
    let create = ["create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-"];
    let mut stored: Value = serde_json::from_str(&namespace.kubectl_with(&create, &shipped)?.stdout)?;
    for made_by_the_server in ["creationTimestamp", "generation", "uid"] {
        stored["metadata"].as_object_mut().and_then(|metadata| metadata.remove(made_by_the_server));
    }
    assert_eq!(stored, shipped, "nothing was defaulted or dropped");
    Ok(())
}

#[tokio::test]
async fn creation_calls_the_webhook_except_for_mirror_pods_and_those_that_opted_out() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let (namespace, recorder) = recorded(cluster, "creation").await?;

    namespace.kubectl_create(&pod("plain", json!({})))?;
    assert_eq!(recorder.take(), ["CREATE pods plain"]);
    namespace.kubectl_create(&pod("other-annotation", json!({"annotations": {"a": "b"}})))?;
    assert_eq!(recorder.take(), ["CREATE pods other-annotation"]);
    namespace.kubectl_create(&pod("opted-in", json!({"labels": {"mimic.cryptkcoding.com/rewrite": "true"}})))?;
    assert_eq!(recorder.take(), ["CREATE pods opted-in"]);

    namespace.kubectl_create(&pod("opted-out", json!({"labels": {"mimic.cryptkcoding.com/rewrite": "false"}})))?;
    let mut mirror = pod("static", json!({"annotations": {"kubernetes.io/config.mirror": "0123"}}));
    mirror["spec"]["nodeName"] = json!("node");
    namespace.kubectl_create(&mirror)?;
    let system = namespace.existing_sibling("kube-system").await?;
    system.kubectl_create(&pod("in-kube-system", json!({})))?;
    assert_eq!(recorder.take(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn updates_call_the_webhook_only_when_an_image_changes() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let (namespace, recorder) = recorded(cluster, "updates").await?;
    let mut full = pod("full", json!({"annotations": {"a": "b"}}));
    full["spec"]["initContainers"] = json!([
        {"name": "setup", "image": "busybox:1"},
        {"name": "proxy", "image": "envoy:1", "restartPolicy": "Always"},
    ]);
    full["spec"]["volumes"] = json!([
        {"name": "scratch", "emptyDir": {}},
        {"name": "model", "image": {"reference": "quay.io/acme/model:1"}},
    ]);
    namespace.kubectl_create(&full)?;
    namespace.kubectl_create(&pod("bare", json!({})))?;
    recorder.take();

    for pod in ["pod/full", "pod/bare"] {
        namespace.kubectl(&["label", pod, "tier=front"])?;
        namespace.kubectl(&["annotate", pod, "--overwrite", "a=c"])?;
        namespace.kubectl(&["patch", pod, "--patch", r#"{"spec": {"activeDeadlineSeconds": 1000}}"#])?;
        namespace.kubectl(&["set", "image", pod, "web=nginx:1.27"])?;
    }
    assert_eq!(recorder.take(), [""; 0]);

    namespace.kubectl(&["set", "image", "pod/bare", "web=nginx:1.28"])?;
    assert_eq!(recorder.take(), ["UPDATE pods bare"]);
    namespace.kubectl(&["set", "image", "pod/full", "web=nginx:1.28"])?;
    assert_eq!(recorder.take(), ["UPDATE pods full"]);
    namespace.kubectl(&["set", "image", "pod/full", "setup=busybox:2"])?;
    assert_eq!(recorder.take(), ["UPDATE pods full"]);
    // Kubernetes rejects changes of volumes, but only after it has called the webhooks.
    let model = r#"{"spec": {"volumes": [{"name": "model", "image": {"reference": "quay.io/acme/model:2"}}]}}"#;
    assert!(namespace.kubectl(&["patch", "pod/full", "--patch", model]).is_err());
    assert_eq!(recorder.take(), ["UPDATE pods full"]);
    Ok(())
}

#[tokio::test]
async fn the_status_and_the_deletion_of_a_pod_do_not_call_the_webhook() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let (namespace, recorder) = recorded(cluster, "no-calls").await?;
    namespace.kubectl_create(&pod("web", json!({"finalizers": ["example.com/hold"]})))?;
    recorder.take();

    namespace.kubectl(&[
        "patch",
        "pod/web",
        "--subresource=status",
        "--patch",
        r#"{"status": {"phase": "Running"}}"#,
    ])?;
    namespace.kubectl(&["delete", "pod/web", "--now", "--wait=false"])?;
    namespace.kubectl(&[
        "patch",
        "pod/web",
        "--type=json",
        "--patch",
        r#"[{"op": "remove", "path": "/metadata/finalizers"}]"#,
    ])?;
    assert_eq!(recorder.take(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn each_ephemeral_container_calls_the_webhook() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let (namespace, recorder) = recorded(cluster, "ephemeral").await?;
    namespace.kubectl_create(&pod("web", json!({})))?;
    recorder.take();

    for name in ["first", "second"] {
        namespace.kubectl(&["debug", "web", "--image=busybox", &format!("--container={name}")])?;
        assert_eq!(recorder.take(), ["UPDATE pods/ephemeralcontainers web"]);
    }
    Ok(())
}

#[tokio::test]
async fn pods_of_workloads_call_the_webhook_but_the_workloads_do_not() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let (namespace, recorder) = recorded(cluster, "workloads").await?;
    namespace.kubectl(&["create", "deployment", "web", "--image=nginx:1.27"])?;
    mimic_e2e::eventually("the deployment has its pod", async || Ok(namespace.pods().await?.len() == 1)).await?;
    // With `generateName`, the name is set after admission.
    assert_eq!(recorder.take(), ["CREATE pods "]);
    Ok(())
}
