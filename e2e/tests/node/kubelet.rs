//! What the kubelet does with the names that Mimic writes: credentials, pull policies, images that are already there.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use mimic_e2e::{Image, Namespace, NodeCluster, eventually};
use serde_json::{Value, json};

use crate::{Mimic, by_helm, ran};

/// A pod on the first node.
fn pod(name: &str, image: &str, policy: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "app", "image": image, "imagePullPolicy": policy}],
        },
    })
}

/// Waits until a pod runs, and returns what.
async fn runs(namespace: &Namespace<'_>, name: &str) -> Result<String> {
    namespace.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{name}"), "--timeout=5m"])?;
    Ok(ran(&namespace.pod(name).await?)?.swap_remove(0).image)
}

/// Waits until the container of a pod waits for one of these reasons.
async fn waits(namespace: &Namespace<'_>, name: &str, reasons: &[&str]) -> Result<()> {
    eventually(&format!("{name} waits: {reasons:?}"), async || {
        let pod: Pod = namespace.pod(name).await?;
        let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
        let waiting = statuses.into_iter().find_map(|status| status.state?.waiting?.reason);
        Ok(waiting.is_some_and(|reason| reasons.contains(&reason.as_str())))
    })
    .await
}

const NOT_PULLED: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

#[tokio::test]
async fn images_that_a_node_has_are_found_under_the_mirrors_name_only() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let Some(mimic) = by_helm(&nodes, "").await? else { return Ok(()) };
    let node = nodes.nodes().first().context("there is a node")?;
    // As `kind load` and `ctr images import` do, under the name that the pod has.
    let loaded = nodes.push(&Image::running("loaded")?, "elsewhere:1")?;
    node.ctr(&["images", "pull", "--plain-http", &loaded])?;
    node.ctr(&["images", "tag", &loaded, "docker.io/library/loaded:1"])?;
    mimic.shop.kubectl_create(&pod("rewritten", "loaded:1", "IfNotPresent"))?;
    waits(&mimic.shop, "rewritten", &NOT_PULLED).await?;
    // Mimic does not rewrite what must not be pulled.
    mimic.shop.kubectl_create(&pod("never", "loaded:1", "Never"))?;
    runs(&mimic.shop, "never").await?;

    // What `docs/conflicts.md` advises: exclude it, or load it under the mirror's name.
    let mut excluded = pod("excluded", "loaded:1", "IfNotPresent");
    excluded["metadata"]["labels"] = json!({"mimic.cryptkcoding.com/rewrite": "false"});
    mimic.shop.kubectl_create(&excluded)?;
    runs(&mimic.shop, "excluded").await?;
    node.ctr(&["images", "tag", &loaded, &format!("{}/library/loaded:1", mimic.mirror())])?;
    mimic.shop.kubectl_create(&pod("renamed", "loaded:1", "IfNotPresent"))?;
    runs(&mimic.shop, "renamed").await?;
    Ok(())
}

#[tokio::test]
async fn only_always_needs_the_mirror_at_each_start() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let mirror = nodes.another_registry(5001, false).await?;
    let options = format!("--set 'mirrors.quay\\.io={}'", mirror.host());
    let Some(mimic) = by_helm(&nodes, &options).await? else { return Ok(()) };
    nodes.push_to(&mirror, false, &Image::running("pulled")?, "app:1")?;
    mimic.shop.kubectl_create(&pod("first", "quay.io/app:1", "Always"))?;
    runs(&mimic.shop, "first").await?;
    // The mirror is down.
    drop(mirror);
    mimic.shop.kubectl_create(&pod("present", "quay.io/app:1", "IfNotPresent"))?;
    runs(&mimic.shop, "present").await?;
    mimic.shop.kubectl_create(&pod("always", "quay.io/app:1", "Always"))?;
    waits(&mimic.shop, "always", &NOT_PULLED).await
}

/// The API server's plugin turns the other pull policies into `Always`, and Mimic sees the pod afterwards.
#[tokio::test]
async fn with_always_pull_images_every_start_needs_the_mirror() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly_with(&["--enable-admission-plugins=AlwaysPullImages"]).await? else {
        return Ok(());
    };
    let mirror = nodes.another_registry(5001, false).await?;
    let options = format!("--set 'mirrors.quay\\.io={}'", mirror.host());
    let Some(mimic) = by_helm(&nodes, &options).await? else { return Ok(()) };
    let image = Image::running("pulled")?;
    nodes.push_to(&mirror, false, &image, "app:1")?;
    let expected = format!("{}/app@{}", mirror.host(), image.content().digest());
    for policy in ["IfNotPresent", "Never"] {
        let name = format!("first-{}", policy.to_lowercase());
        mimic.shop.kubectl_create(&pod(&name, "quay.io/app:1", policy))?;
        assert_eq!(runs(&mimic.shop, &name).await?, expected, "{policy}");
    }
    // The mirror is down.
    drop(mirror);
    for policy in ["IfNotPresent", "Never"] {
        let name = format!("second-{}", policy.to_lowercase());
        mimic.shop.kubectl_create(&pod(&name, "quay.io/app:1", policy))?;
        waits(&mimic.shop, &name, &NOT_PULLED).await?;
    }
    Ok(())
}

/// The Secret of a mirror's user.
fn credentials(mimic: &Mimic<'_>, namespace: &Namespace<'_>, registry: &str) -> Result<()> {
    let server = format!("--docker-server={registry}");
    let create = ["create", "secret", "docker-registry", "mirror-pull", &server];
    namespace.kubectl(&[&create[..], &["--docker-username=user", "--docker-password=secret"]].concat())?;
    ensure!(mimic.nodes.registry().host() != registry, "another registry");
    Ok(())
}

#[tokio::test]
async fn a_rules_pull_secret_pulls_and_protects_the_image() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let mirror = nodes.another_registry(5001, true).await?;
    let host = mirror.host();
    let rules = json!([
        {"upstream": "quay.io", "mirrors": [host], "pullSecret": "mirror-pull", "namespaces": {"include": ["shop"]}},
        {"upstream": "quay.io", "mirrors": [host], "name": "without"},
    ]);
    let Some(mimic) = by_helm(&nodes, &format!("--set-json 'rules={rules}'")).await? else { return Ok(()) };
    let image = Image::running("private")?;
    nodes.push_to(&mirror, true, &image, "private:1")?;
    let other = Namespace::create(nodes.cluster(), "other").await?;

    // The Secret must exist in the pod's namespace.
    mimic.shop.kubectl_create(&pod("early", "quay.io/private:1", "IfNotPresent"))?;
    waits(&mimic.shop, "early", &NOT_PULLED).await?;
    credentials(&mimic, &mimic.shop, host)?;
    mimic.shop.kubectl_create(&pod("pulls", "quay.io/private:1", "IfNotPresent"))?;
    let expected = format!("{host}/private@{}", image.content().digest());
    assert_eq!(runs(&mimic.shop, "pulls").await?, expected);

    // `KubeletEnsureSecretPulledImages`: the node has the image, but the pod has no credentials.
    other.kubectl_create(&pod("without", "quay.io/private:1", "IfNotPresent"))?;
    waits(&other, "without", &NOT_PULLED).await
}
