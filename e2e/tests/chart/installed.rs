//! The chart with managed certificates, from installation to removal.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use mimic_e2e::{Checkout, Cluster, Installation, Namespace, Page, definitions, eventually, objects};
use serde_json::Value;

use crate::value_files;

/// Kinds and names of all objects that must be deleted explicitly. Others expire, or are deleted with their owner.
pub(crate) fn inventory(checkout: &Checkout<'_>) -> Result<BTreeSet<String>> {
    let kinds = checkout.run("kubectl api-resources --verbs=list -o name")?.stdout;
    let kinds: Vec<&str> =
        kinds.lines().filter(|kind| !kind.starts_with("events") && !kind.starts_with("leases")).collect();
    let list = checkout.run(&format!("kubectl get {} --all-namespaces -o json", kinds.join(",")))?.stdout;
    let list: Value = serde_json::from_str(&list)?;
    let objects = list["items"].as_array().context("it is a list")?.iter();
    let name = |object: &Value| {
        let [kind, namespace, name] = [&object["kind"], &object["metadata"]["namespace"], &object["metadata"]["name"]]
            .map(|text| text.as_str().unwrap_or_default());
        format!("{kind} {namespace}/{name}")
    };
    Ok(objects.filter(|object| object["metadata"].get("ownerReferences").is_none()).map(name).collect())
}

/// The fields that an upgrade must keep.
fn kept(checkout: &Checkout<'_>, name: &str, namespace: &str) -> Result<[String; 3]> {
    let field = |object: &str, path: &str| -> Result<String> {
        Ok(checkout.run(&format!("kubectl -n {namespace} get {object} -o jsonpath='{{{path}}}'"))?.stdout)
    };
    Ok([
        field(&format!("mutatingwebhookconfiguration {name}"), ".webhooks[0].clientConfig.caBundle")?,
        field(&format!("secret {name}-certs"), ".data")?,
        field(&format!("secret {name}-certs"), ".metadata.annotations.mimic\\.cryptkcoding\\.com/managed")?,
    ])
}

async fn generation(mimic: &Installation<'_>) -> Result<Option<i64>> {
    Ok(mimic.own().api::<Deployment>().get("mimic").await?.metadata.generation)
}

#[tokio::test]
async fn a_release_is_installed_upgraded_and_removed_without_remains() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    checkout.run("kubectl create namespace mimic")?;
    checkout.run("kubectl label namespace mimic pod-security.kubernetes.io/enforce=restricted")?;
    let shop = Namespace::create(&cluster, "shop").await?;
    Namespace::existing(&cluster, "mimic").await?;
    let before = inventory(&checkout)?;

    let commands = Page::read("docs/install.md")?.commands("With Helm")?;
    let [install, upgrade, uninstall] = &commands[..] else { panic!("expected three commands: {commands:?}") };
    let upgrade = upgrade.trim_end();
    let mimic = Installation::of(checkout, &[install], "mimic", "mimic").await?;
    eventually("the namespace accepts the pods", async || Ok(mimic.own().pods().await?.len() == 2)).await?;
    let mut replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, "harbor.example.com/dockerhub/library/nginx").await?;

    let before_upgrade = kept(mimic.checkout(), "mimic", "mimic")?;
    ensure!(before_upgrade.iter().all(|part| !part.is_empty()), "{before_upgrade:?}");
    let deployed = generation(&mimic).await?;
    mimic.checkout().run(upgrade)?;
    assert_eq!(kept(mimic.checkout(), "mimic", "mimic")?, before_upgrade, "an upgrade keeps the fields");
    assert_eq!(generation(&mimic).await?, deployed, "nothing is restarted");
    mimic.route()?;
    mimic.rewrites(&shop, "harbor.example.com/hub/library/nginx").await?;

    // An upgrade that changes all objects, and a rollback.
    mimic.checkout().run(&format!("{upgrade} --set commonLabels.team=platform"))?;
    assert_eq!(kept(mimic.checkout(), "mimic", "mimic")?, before_upgrade);
    mimic.checkout().run("helm rollback mimic 2 --namespace mimic")?;
    assert_eq!(kept(mimic.checkout(), "mimic", "mimic")?, before_upgrade);

    mimic.checkout().run(uninstall)?;
    // The replicas still run for a while, and must not recreate anything.
    for replica in &mut replicas {
        ensure!(replica.leave().await?, "the replica exits successfully");
    }
    let after = inventory(mimic.checkout())?;
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), [""; 0], "remaining objects");
    Ok(())
}

/// Two releases with names other than `mimic`, one of them in another namespace, too.
#[tokio::test]
async fn releases_with_other_names_run_side_by_side() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    let shop = Namespace::create(&cluster, "shop").await?;
    let other = "helm install other deploy/chart --namespace platform --create-namespace \
        --set 'mirrors.docker\\.io=harbor.example.com/other,log.level=debug,serviceAccount.name=rewriter'";
    let second = "helm install second deploy/chart --namespace platform --set fullnameOverride=images";
    let mimic = Installation::of(checkout, &[other, second], "platform", "other-mimic").await?;
    let replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, "harbor.example.com/other/library/nginx").await?;
    replicas[0].reports(&["\nready\n"]).await?;
    let [bundle, ..] = kept(mimic.checkout(), "other-mimic", "platform")?;
    ensure!(!bundle.is_empty(), "the caBundle of its own webhook configuration is set");
    let foreign = mimic
        .checkout()
        .run("kubectl get mutatingwebhookconfiguration images -o jsonpath='{.webhooks[0].clientConfig.caBundle}'")?;
    assert_eq!(foreign.stdout, "", "other webhook configurations are not changed");
    // Mimic skips pods of its own namespace.
    mimic.rewrites(mimic.own(), "nginx").await?;
    mimic.checkout().run("helm uninstall other second --namespace platform")?;
    let left: Vec<String> = inventory(mimic.checkout())?.into_iter().filter(|name| name.contains("platform")).collect();
    assert_eq!(left, ["Namespace /platform", "ServiceAccount platform/default"]);
    Ok(())
}

#[tokio::test]
async fn the_api_server_accepts_all_objects_without_unknown_fields() -> Result<()> {
    let Some(cluster) = Cluster::own_with_policies()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    checkout.run("kubectl create namespace mimic")?;
    for file in definitions()? {
        checkout.run(&format!("kubectl create -f {}", file.display()))?;
    }
    checkout.run("kubectl wait --for=condition=Established crd --all")?;
    let mut kinds = BTreeSet::new();
    for options in value_files()?.iter().map(|file| format!("--values {file}")).chain([String::new()]) {
        let template = format!("helm template mimic deploy/chart --namespace mimic --is-upgrade {options}");
        let made = checkout.run(&template)?.stdout;
        kinds.extend(objects(&made)?.into_iter().filter_map(|object| Some(object["kind"].as_str()?.to_owned())));
        let apply = "kubectl apply --server-side --dry-run=server --validate=strict -f -";
        let said = checkout.run(&format!("set -o pipefail; {template} | {apply}"))?;
        // Kubernetes 1.35 has no newer version.
        let beta = "Warning: admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicyBinding is deprecated in";
        let other: Vec<&str> = said.stderr.lines().filter(|line| !line.starts_with(beta)).collect();
        assert_eq!(other, [""; 0], "{options}");
    }
    let all = [
        "Certificate",
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Issuer",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PriorityClass",
        "PrometheusRule",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), all);
    Ok(())
}
