//! The policy with the chart.

use anyhow::{Context, Result};
use mimic_e2e::{Checkout, Cluster, Installation, Namespace};

use crate::{policy, without_webhook};

#[tokio::test]
async fn upgrades_keep_the_policy_and_removal_leaves_it_to_its_owner() -> Result<()> {
    let Some(cluster) = Cluster::own_with_policies()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    let shop = Namespace::create(&cluster, "shop").await?;
    let options = "--namespace mimic --set policy.enabled=true,mirrors.docker\\\\.io=harbor.example.com/hub";
    let install = format!("helm install mimic deploy/chart --create-namespace {options}");
    let mimic = Installation::of(checkout, &[&install], "mimic", "mimic").await?;
    without_webhook(&mimic)?;
    let replicas = mimic.start_replicas(1).await?;
    mimic.rewrites(&shop, "harbor.example.com/hub/library/nginx").await?;
    replicas[0].reports(&["[+] policy: hash "]).await?;
    let stored = policy(mimic.own())?.context("there is a policy")?;

    mimic.checkout().run(&format!("helm upgrade mimic deploy/chart {options} --set commonLabels.team=platform"))?;
    assert_eq!(policy(mimic.own())?.as_ref(), Some(&stored), "an upgrade keeps the policy");
    drop(replicas);
    mimic.rewrites(&shop, "harbor.example.com/hub/library/nginx").await?;

    mimic.checkout().run("helm uninstall mimic --namespace mimic")?;
    let bindings = mimic.own().kubectl(&["get", "mutatingadmissionpolicybindings", "-o", "name"])?;
    assert_eq!(bindings.stdout, "", "the garbage collector, which this cluster does not have, then deletes the policy");
    Ok(())
}
