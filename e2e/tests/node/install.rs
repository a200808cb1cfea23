//! The documented ways to install Mimic.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use mimic_e2e::{Checkout, Namespace, NodeCluster, images};

use crate::{Mimic, by_helm, ran};

/// Mimic's replicas run, and a Deployment's pods run with what the mirror has.
async fn works(mimic: &Mimic<'_>) -> Result<()> {
    let published = mimic.publish("app", "1")?;
    mimic.shop.kubectl(&["create", "deployment", "web", "--image=app:1", "--replicas=2"])?;
    for pod in mimic.rolled_out("deployment/web").await? {
        assert_eq!(images(&pod), [("app", format!("{}/library/app:1", mimic.mirror()).as_str())]);
        let [app] = &ran(&pod)?[..] else { panic!("one container: {pod:?}") };
        assert_eq!((&app.image, app.restarts), (&published, 0));
    }

    let own = Namespace::existing(mimic.nodes.cluster(), "mimic").await?;
    let replicas = own.pods().await?;
    ensure!(replicas.len() == 2, "{} replicas", replicas.len());
    let node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    ensure!(node(&replicas[0]) != node(&replicas[1]), "the replicas are on different nodes");
    for replica in &replicas {
        let [server] = &ran(replica)?[..] else { panic!("one container: {replica:?}") };
        assert_eq!(server.restarts, 0);
        let spec = replica.spec.as_ref().context("a replica has a spec")?;
        let context = spec.containers[0].security_context.as_ref().context("with the shipped security context")?;
        assert_eq!((context.read_only_root_filesystem, context.allow_privilege_escalation), (Some(true), Some(false)));
    }
    Ok(())
}

#[tokio::test]
async fn helm() -> Result<()> {
    let Some(nodes) = NodeCluster::own().await? else { return Ok(()) };
    let Some(mimic) = by_helm(&nodes, "").await? else { return Ok(()) };
    works(&mimic).await
}

#[tokio::test]
async fn kustomize() -> Result<()> {
    let Some(nodes) = NodeCluster::own().await? else { return Ok(()) };
    let checkout = Checkout::new(nodes.cluster())?;
    // As in `docs/install.md`: the image and the mirrors are set before.
    let commands = [
        "sed -i 's|image: mimic$|image: IMAGE:latest|' deploy/manifests/deployment.yaml",
        "kubectl apply -k deploy/kustomize",
        "kubectl -n mimic patch configmap mimic-mirrors --type=merge --patch '{\"data\": {\"docker.io\": \"MIRROR\"}}'",
    ];
    works(&Mimic::by(&nodes, checkout, &commands).await?).await
}

#[tokio::test]
async fn script() -> Result<()> {
    let Some(nodes) = NodeCluster::own().await? else { return Ok(()) };
    let checkout = Checkout::new(nodes.cluster())?;
    let steps = mimic_e2e::Page::read("docs/migrating.md")?.commands("In place")?;
    let mut commands = vec!["sed -i 's|image: mimic$|image: IMAGE:latest|' deploy/manifests/deployment.yaml"];
    commands.extend(steps.iter().map(String::as_str));
    commands.push(
        "kubectl -n mimic patch configmap mimic-mirrors --type=merge --patch '{\"data\": {\"docker.io\": \"MIRROR\"}}'",
    );
    works(&Mimic::by(&nodes, checkout, &commands).await?).await
}
