//! Reloads and downtime of Mimic.

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::PostParams};
use mimic_e2e::{eventually, images, load::Load};

use crate::{pod, registered, unregistered};

#[tokio::test]
async fn pods_are_created_while_mimic_is_down() -> Result<()> {
    let Some((namespace, mut server)) = registered("down").await? else { return Ok(()) };
    server.kill()?;
    namespace.kubectl_create(&pod("web", [("web", "nginx:1.27")]))?;
    assert_eq!(images(&namespace.pod("web").await?), [("web", "nginx:1.27")]);
    Ok(())
}

#[tokio::test]
async fn a_changed_mirrors_file_is_used_for_the_next_pod() -> Result<()> {
    let Some((namespace, server)) = registered("reload").await? else { return Ok(()) };
    namespace.kubectl_create(&pod("before", [("web", "nginx:1.27")]))?;

    server.replace_mirrors("mirrors: {docker.io: mirror.example.net/hub}")?;
    let pods: Api<Pod> = namespace.api();
    let probe: Pod = serde_json::from_value(pod("probe", [("web", "nginx")]))?;
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the new mirror is used", async || {
        Ok(images(&pods.create(&dry_run, &probe).await?) == [("web", "mirror.example.net/hub/library/nginx")])
    })
    .await?;

    namespace.kubectl_create(&pod("after", [("web", "nginx:1.27"), ("side", "quay.io/acme/side:1")]))?;
    assert_eq!(
        images(&namespace.pod("after").await?),
        [("web", "mirror.example.net/hub/library/nginx:1.27"), ("side", "quay.io/acme/side:1")]
    );
    assert_eq!(
        images(&namespace.pod("before").await?),
        [("web", "harbor.example.com/dockerhub/library/nginx:1.27")],
        "stored pods do not change"
    );
    Ok(())
}

#[tokio::test]
async fn an_invalid_mirrors_file_keeps_the_last_mirrors_in_use() -> Result<()> {
    let Some((namespace, server)) = registered("broken-file").await? else { return Ok(()) };
    server.replace_mirrors("mirrors: [")?;
    server.logged("not valid YAML").await?;
    namespace.kubectl_create(&pod("web", [("web", "nginx:1.27")]))?;
    assert_eq!(images(&namespace.pod("web").await?), [("web", "harbor.example.com/dockerhub/library/nginx:1.27")]);
    Ok(())
}

/// In a cluster, the API server calls Mimic through its Service instead of a URL.
#[tokio::test]
async fn the_webhook_works_through_a_service() -> Result<()> {
    let Some((namespace, server)) = unregistered("through-service").await? else { return Ok(()) };
    server.register_service(&namespace).await?;
    for name in ["first", "second"] {
        namespace.kubectl_create(&pod(name, [("web", "nginx:1.27")]))?;
        assert_eq!(images(&namespace.pod(name).await?), [("web", "harbor.example.com/dockerhub/library/nginx:1.27")]);
    }
    Ok(())
}

/// The files are replaced as the kubelet replaces a mounted Secret.
#[tokio::test]
async fn pods_are_rewritten_while_certificate_files_are_replaced() -> Result<()> {
    let Some((namespace, server)) = registered("renewed-files").await? else { return Ok(()) };
    Load::during(&namespace, async |load| {
        for _ in 0..3 {
            load.more(20).await?;
            let certificate = server.replace_certificate()?;
            eventually("the new certificate is served", async || Ok(server.certificate()? == certificate)).await?;
        }
        load.more(20).await
    })
    .await
}
