//! Updates of pods.

use anyhow::Result;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use mimic_e2e::images;
use serde_json::json;

use crate::{pod, recorded_originals, registered, unregistered};

#[tokio::test]
async fn ephemeral_containers_are_rewritten_and_earlier_ones_are_not_touched() -> Result<()> {
    let Some((namespace, server)) = unregistered("debug").await? else { return Ok(()) };
    let debug = |name: &str, image: &str| {
        namespace.kubectl(&["debug", "web", &format!("--image={image}"), &format!("--container={name}")])
    };
    namespace.kubectl_create(&pod("web", [("web", "nginx:1.27")]))?;
    debug("before-mimic", "busybox:1.36")?;
    server.register(&namespace, &[]).await?;

    debug("first", "busybox:1.37")?;
    let first = ("first", "harbor.example.com/dockerhub/library/busybox:1.37");
    let untouched = [("web", "nginx:1.27"), ("before-mimic", "busybox:1.36")];
    assert_eq!(images(&namespace.pod("web").await?), [untouched[0], untouched[1], first]);

    debug("second", "quay.io/acme/tools@sha256:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39")?;
    let second = (
        "second",
        "harbor.example.com/quay/acme/tools@sha256:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39",
    );
    assert_eq!(images(&namespace.pod("web").await?), [untouched[0], untouched[1], first, second]);
    Ok(())
}

#[tokio::test]
async fn labels_and_annotations_of_an_older_pod_change_no_image() -> Result<()> {
    let Some((namespace, server)) = unregistered("older-pod").await? else { return Ok(()) };
    namespace.kubectl_create(&pod("web", [("web", "nginx:1.27"), ("side", "quay.io/acme/side:1")]))?;
    server.register(&namespace, &[]).await?;

    namespace.kubectl(&["label", "pod/web", "tier=front"])?;
    namespace.kubectl(&["annotate", "pod/web", "note=seen"])?;

    let stored = namespace.pod("web").await?;
    assert_eq!(images(&stored), [("web", "nginx:1.27"), ("side", "quay.io/acme/side:1")]);
    let ObjectMeta { labels, annotations, .. } = stored.metadata;
    assert_eq!(labels, Some([("tier".to_owned(), "front".to_owned())].into()));
    assert_eq!(annotations, Some([("note".to_owned(), "seen".to_owned())].into()));
    Ok(())
}

#[tokio::test]
async fn a_new_image_of_an_older_pod_is_rewritten_and_the_others_are_not() -> Result<()> {
    let Some((namespace, server)) = unregistered("set-image").await? else { return Ok(()) };
    let mut older = pod("web", [("web", "nginx:1.27"), ("side", "quay.io/acme/side:1")]);
    older["spec"]["initContainers"] = json!([{"name": "setup", "image": "busybox:1.36"}]);
    namespace.kubectl_create(&older)?;
    server.register(&namespace, &[]).await?;

    namespace.kubectl(&["set", "image", "pod/web", "web=nginx:1.28"])?;
    let stored = namespace.pod("web").await?;
    let web = ("web", "harbor.example.com/dockerhub/library/nginx:1.28");
    assert_eq!(images(&stored), [web, ("side", "quay.io/acme/side:1"), ("setup", "busybox:1.36")]);
    assert_eq!(recorded_originals(&stored), None, "an update patches nothing but images");

    namespace.kubectl(&["set", "image", "pod/web", "setup=busybox:1.37"])?;
    let setup = ("setup", "harbor.example.com/dockerhub/library/busybox:1.37");
    assert_eq!(images(&namespace.pod("web").await?), [web, ("side", "quay.io/acme/side:1"), setup]);
    Ok(())
}

#[tokio::test]
async fn applying_the_original_manifest_again_changes_nothing() -> Result<()> {
    let Some((namespace, _server)) = registered("apply").await? else { return Ok(()) };
    let apply: [&[&str]; 2] = [&["apply", "-f", "-"], &["apply", "--server-side", "-f", "-"]];
    for (name, apply) in ["client-side", "server-side"].into_iter().zip(apply) {
        let manifest = pod(name, [("web", "nginx:1.27"), ("side", "quay.io/acme/side:1")]);
        namespace.kubectl_with(apply, &manifest)?;
        let first = namespace.pod(name).await?;
        assert_eq!(
            images(&first),
            [
                ("web", "harbor.example.com/dockerhub/library/nginx:1.27"),
                ("side", "harbor.example.com/quay/acme/side:1")
            ]
        );

        namespace.kubectl_with(apply, &manifest)?;
        let second = namespace.pod(name).await?;
        assert_eq!(second, first, "{name}: the same object at the same resourceVersion");
    }
    Ok(())
}
