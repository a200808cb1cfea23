//! Policy and webhook together, and the condition that spares calls.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use mimic_e2e::{Cluster, Installation, Namespace, eventually, images};
use serde_json::{Value, json};

use crate::INSTALL;

/// One rule for the policy, and one that it leaves to the webhook.
const RULES: &str = "
rules:
  - {upstream: docker.io, mirrors: [one.example.com]}
  - {upstream: quay.io, mirrors: [two.example.com/quay], namespaces: {include: [shop]}}
";

fn pod(name: &str, containers: &[(&str, &str)]) -> Result<Pod> {
    let containers = containers.iter().map(|(name, image)| json!({"name": name, "image": image}));
    let containers: Value = containers.collect();
    let pod = json!({"metadata": {"name": name}, "spec": {"containers": containers}});
    Ok(serde_json::from_value(pod)?)
}

fn condition(mimic: &Installation<'_>) -> Result<String> {
    let path = "jsonpath={.webhooks[0].matchConditions[?(@.name==\"an-image-is-not-on-a-mirror\")].expression}";
    Ok(mimic.own().kubectl(&["get", "mutatingwebhookconfiguration", "mimic", "-o", path])?.stdout)
}

#[tokio::test]
async fn the_webhook_does_what_the_policy_leaves_and_is_not_called_for_the_others() -> Result<()> {
    let Some(cluster) = Cluster::own_with_policies()? else { return Ok(()) };
    // With `failurePolicy: Fail`.
    let mimic = Installation::by(&cluster, &[INSTALL]).await?;
    assert_eq!(condition(&mimic)?, "true");
    let shop = Namespace::create(&cluster, "shop").await?;
    mimic.set_mirrors(&json!({"mirrors.yaml": RULES})).await?;
    let replicas = mimic.start_replicas(2).await?;
    for replica in &replicas {
        replica.reports(&["[+] policy: hash ", "; 1 rule, 1 left to the webhook\n", "\nready\n"]).await?;
    }
    mimic.rewrites(&shop, "one.example.com/library/nginx").await?;
    eventually("the condition is set", async || Ok(condition(&mimic)?.contains("one.example.com/"))).await?;

    let pods: Api<Pod> = shop.api();
    let both = pod("both", &[("hub", "nginx"), ("quay", "quay.io/acme/app:1")])?;
    let both = pods.create(&PostParams::default(), &both).await?;
    let rewritten = [("hub", "one.example.com/library/nginx"), ("quay", "two.example.com/quay/acme/app:1")];
    assert_eq!(images(&both), rewritten);
    let annotations = both.metadata.annotations.context("there are annotations")?;
    let originals: Value = serde_json::from_str(&annotations["mimic.cryptkcoding.com/original-images"])?;
    assert_eq!(originals, json!({"hub": "nginx", "quay": "quay.io/acme/app:1"}), "of the policy and of the webhook");

    // From now on, a call rejects the pod.
    drop(replicas);
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    eventually("pods whose images are all on a mirror need no call", async || {
        let created =
            pods.create(&dry_run, &pod("done", &[("hub", "nginx"), ("direct", "two.example.com/quay/a/b")])?).await;
        Ok(created.is_ok_and(|pod| {
            images(&pod) == [("hub", "one.example.com/library/nginx"), ("direct", "two.example.com/quay/a/b")]
        }))
    })
    .await?;
    for image in ["quay.io/acme/app:1", "registry.example.com/ours"] {
        let called = pods.create(&dry_run, &pod("called", &[("hub", "nginx"), ("other", image)])?).await;
        let error = called.err().with_context(|| format!("{image}: Mimic is called"))?.to_string();
        ensure!(error.contains("failed calling webhook"), "{image}: {error}");
    }

    // Applying the files again takes the condition back, until Mimic sets it again.
    mimic.checkout().run(INSTALL)?;
    assert_eq!(condition(&mimic)?, "true");
    let replica = mimic.start_replica().await?;
    eventually("the condition is set", async || Ok(condition(&mimic)?.contains("one.example.com/"))).await?;
    drop(replica);
    mimic.checkout().run("kubectl apply -k deploy/kustomize")?;
    assert_eq!(condition(&mimic)?, "", "without the policy there is no condition");
    Ok(())
}
