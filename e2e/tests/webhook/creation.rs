//! Creation of pods.

use anyhow::Result;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::Api;
use mimic_e2e::{Namespace, Recorder, eventually_some, images};
use serde_json::{Value, json};

use crate::{pod, recorded_originals, registered, unregistered};

const DIGEST: &str = "sha256:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39";

/// A pod with images of every kind except ephemeral containers, which cannot be created with a pod.
fn pod_with_images_of_every_kind() -> Value {
    let mut pod = pod(
        "full",
        [
            ("untagged", "nginx"),
            ("tag", "ghcr.io/acme/api:1.4.2"),
            ("digest", &format!("quay.io/acme/worker@{DIGEST}")),
            ("tag-and-digest", &format!("registry.k8s.io/pause:3.10@{DIGEST}")),
            ("port", "localhost:5000/acme/app:7"),
            ("unparsable", "Nginx:Latest!"),
            ("without-mirror", "registry.example.org/team/tool:2"),
            ("on-mirror", "harbor.example.com/dockerhub/library/redis:7"),
        ],
    );
    pod["spec"]["initContainers"] = json!([
        {"name": "setup", "image": "docker.io/library/busybox:1.36"},
        {"name": "sidecar", "image": "envoyproxy/envoy:v1.31.0", "restartPolicy": "Always"},
    ]);
    pod["spec"]["volumes"] = json!([
        {"name": "scratch", "emptyDir": {}},
        {"name": "model", "image": {"reference": "quay.io/acme/model:v3"}},
    ]);
    pod
}

#[tokio::test]
async fn images_of_every_kind_are_rewritten_and_recorded() -> Result<()> {
    let Some((namespace, _server)) = registered("every-kind").await? else { return Ok(()) };

    let created = namespace.kubectl_create(&pod_with_images_of_every_kind())?;

    let stored = namespace.pod("full").await?;
    assert_eq!(
        images(&stored),
        [
            ("untagged", "harbor.example.com/dockerhub/library/nginx"),
            ("tag", "harbor.example.com/ghcr/acme/api:1.4.2"),
            ("digest", &format!("harbor.example.com/quay/acme/worker@{DIGEST}")),
            ("tag-and-digest", &format!("harbor.example.com/k8s/pause:3.10@{DIGEST}")),
            ("port", "harbor.example.com/local/acme/app:7"),
            ("unparsable", "Nginx:Latest!"),
            ("without-mirror", "registry.example.org/team/tool:2"),
            ("on-mirror", "harbor.example.com/dockerhub/library/redis:7"),
            ("setup", "harbor.example.com/dockerhub/library/busybox:1.36"),
            ("sidecar", "harbor.example.com/dockerhub/envoyproxy/envoy:v1.31.0"),
            ("model", "harbor.example.com/quay/acme/model:v3"),
        ]
    );
    let originals = json!({
        "untagged": "nginx",
        "tag": "ghcr.io/acme/api:1.4.2",
        "digest": format!("quay.io/acme/worker@{DIGEST}"),
        "tag-and-digest": format!("registry.k8s.io/pause:3.10@{DIGEST}"),
        "port": "localhost:5000/acme/app:7",
        "setup": "docker.io/library/busybox:1.36",
        "sidecar": "envoyproxy/envoy:v1.31.0",
        "volumes/model": "quay.io/acme/model:v3",
    });
    assert_eq!(recorded_originals(&stored), Some(originals));
    let warnings: Vec<&str> = created.stderr.lines().collect();
    assert!(
        matches!(warnings[..], [one] if one.starts_with("Warning: mimic: image of container `unparsable` not rewritten: ")),
        "one warning, about the image that cannot be parsed: {warnings:?}"
    );
    Ok(())
}

#[tokio::test]
async fn nothing_but_images_and_one_annotation_changes() -> Result<()> {
    let Some((plain, server)) = unregistered("without-mimic").await? else { return Ok(()) };
    plain.kubectl_create(&pod_with_images_of_every_kind())?;
    let mut without = plain.pod("full").await?;
    let mimicked = plain.sibling("with-mimic").await?;
    server.register(&mimicked, &[]).await?;
    mimicked.kubectl_create(&pod_with_images_of_every_kind())?;
    let mut with = mimicked.pod("full").await?;

    for stored in [&mut without, &mut with] {
        let spec = stored.spec.as_mut().expect("a pod has a spec");
        for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
            container.image = None;
        }
        for image in spec.volumes.iter_mut().flatten().filter_map(|volume| volume.image.as_mut()) {
            image.reference = None;
        }
    }
    assert_eq!(with.spec, without.spec);
    assert_eq!(with.metadata.labels, without.metadata.labels);
    let annotations: Vec<&String> =
        with.metadata.annotations.iter().flat_map(|annotations| annotations.keys()).collect();
    assert_eq!(annotations, [crate::ORIGINAL_IMAGES]);
    assert_eq!(without.metadata.annotations, None);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_shows_the_rewritten_image_and_stores_nothing() -> Result<()> {
    let Some((namespace, _server)) = registered("dry-run").await? else { return Ok(()) };
    let dry_run = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    let shown = namespace.kubectl_with(&dry_run, &pod("web", [("web", "nginx:1.27")]))?;
    let shown: Pod = serde_json::from_str(&shown.stdout)?;
    assert_eq!(images(&shown), [("web", "harbor.example.com/dockerhub/library/nginx:1.27")]);
    assert_eq!(namespace.pods().await?, []);
    Ok(())
}

#[tokio::test]
async fn containers_that_another_webhook_adds_are_rewritten() -> Result<()> {
    let Some((namespace, _server)) = registered("injector").await? else { return Ok(()) };
    let injector = Recorder::injecting(&json!({"name": "injected", "image": "quay.io/acme/proxy:1"}))?;
    injector.register(&namespace, &[]).await?;
    namespace.kubectl_create(&pod("web", [("web", "nginx:1.27")]))?;

    let stored = namespace.pod("web").await?;
    assert_eq!(
        images(&stored),
        [
            ("web", "harbor.example.com/dockerhub/library/nginx:1.27"),
            ("injected", "harbor.example.com/quay/acme/proxy:1")
        ]
    );
    let originals = json!({"web": "nginx:1.27", "injected": "quay.io/acme/proxy:1"});
    assert_eq!(recorded_originals(&stored), Some(originals));
    Ok(())
}

#[tokio::test]
async fn an_entry_that_the_author_of_a_pod_forged_is_not_stored() -> Result<()> {
    let Some((namespace, _server)) = registered("forged").await? else { return Ok(()) };
    let mut forged = pod("web", [("web", "nginx"), ("miner", "evil.example/miner")]);
    forged["metadata"]["annotations"] = json!({crate::ORIGINAL_IMAGES: r#"{"miner":"docker.io/library/nginx"}"#});
    namespace.kubectl_create(&forged)?;
    assert_eq!(recorded_originals(&namespace.pod("web").await?), Some(json!({"web": "nginx"})));
    Ok(())
}

#[tokio::test]
async fn pods_of_a_deployment_are_rewritten_and_its_template_is_not() -> Result<()> {
    let Some((namespace, _server)) = registered("deployment").await? else { return Ok(()) };
    namespace.kubectl(&["create", "deployment", "web", "--image=nginx:1.27", "--replicas=2"])?;

    let pods = pods_of_the_deployment(&namespace).await?;
    for pod in &pods {
        assert_eq!(images(pod), [("nginx", "harbor.example.com/dockerhub/library/nginx:1.27")]);
        assert_eq!(recorded_originals(pod), Some(json!({"nginx": "nginx:1.27"})));
    }
    let deployments: Api<Deployment> = namespace.api();
    let template = deployments.get("web").await?.spec.map(|spec| spec.template).expect("a deployment has a template");
    let as_pod = Pod { spec: template.spec, ..Pod::default() };
    assert_eq!(images(&as_pod), [("nginx", "nginx:1.27")]);
    Ok(())
}

async fn pods_of_the_deployment(namespace: &Namespace<'_>) -> Result<Vec<Pod>> {
    eventually_some("the deployment has its pods", async || {
        let pods = namespace.pods().await?;
        Ok((pods.len() == 2).then_some(pods))
    })
    .await
}
