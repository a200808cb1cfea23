//! Runs the commands of `docs/operation.md`: switching Mimic off and rolling back.

use anyhow::Result;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Api, api::PostParams};
use mimic_e2e::{Cluster, Installation, Namespace, Page, eventually, images};
use serde_json::json;

#[tokio::test]
async fn a_change_is_rolled_back_and_mimic_is_switched_off() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let steps = Page::read("docs/migrating.md")?.commands("In place")?;
    let mimic = Installation::by(&cluster, &[&format!("set -e\n{}", steps[0])]).await?;
    mimic.set_mirror("harbor.example.com/dockerhub").await?;
    let shop = Namespace::create(&cluster, "shop").await?;
    let _replicas = mimic.start_replicas(1).await?;
    mimic.rewrites(&shop, "harbor.example.com/dockerhub/library/nginx").await?;
    let deployments: Api<Deployment> = mimic.own().api();
    // The previous revision must exist.
    let revision = async |expected: &str| {
        eventually(&format!("the Deployment is at revision {expected}"), async || {
            let annotations = deployments.get("mimic").await?.metadata.annotations.unwrap_or_default();
            Ok(annotations.get("deployment.kubernetes.io/revision").is_some_and(|revision| revision == expected))
        })
        .await
    };
    let is_dry_run = async || -> Result<bool> {
        let deployment = serde_json::to_value(deployments.get("mimic").await?)?;
        let variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().cloned();
        Ok(variables.unwrap_or_default().contains(&json!({"name": "MIMIC_DRYRUN", "value": "true"})))
    };

    let blocks = Page::read("docs/operation.md")?.commands("Switch Mimic off")?;
    let [switch_off, stop_rejecting, dry_run, undo] = &blocks[..] else { panic!("four blocks: {blocks:?}") };
    mimic.change_webhook(&json!([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]))?;
    mimic.checkout().run(stop_rejecting)?;
    let policy = "kubectl get mutatingwebhookconfiguration mimic -o jsonpath='{.webhooks[*].failurePolicy}'";
    assert_eq!(mimic.checkout().run(policy)?.stdout, "Ignore");
    revision("1").await?;
    mimic.checkout().run(dry_run)?;
    assert!(is_dry_run().await?);
    revision("2").await?;
    mimic.checkout().run(undo)?;
    assert!(!is_dry_run().await?);

    mimic.checkout().run(switch_off)?;
    let pods: Api<Pod> = shop.api();
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "nginx"}]},
    }))?;
    let not_stored = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the API server no longer calls Mimic", async || {
        Ok(images(&pods.create(&not_stored, &pod).await?) == [("web", "nginx")])
    })
    .await
}
