//! Runs the commands of `docs/migrating.md`.

use anyhow::{Context, Result, ensure};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::api::PostParams;
use mimic_e2e::{Checkout, Cluster, Installation, Namespace, Page, TestCa};
use openssl::base64;
use serde_json::json;

const BEFORE: &str = concat!("kubectl apply -f ", env!("CARGO_MANIFEST_DIR"), "/tests/docs/data/kubernetes-mimic.yaml");

fn page() -> Result<Page> {
    Page::read("docs/migrating.md")
}

/// The only block of commands below a heading.
fn block(heading: &str) -> Result<String> {
    let mut blocks = page()?.commands(heading)?;
    ensure!(blocks.len() == 1, "`{heading}`: {blocks:?}");
    Ok(format!("set -e\n{}", blocks.remove(0)))
}

/// The Secret as the script of kubernetes-mimic created it: a certificate and its key, without the CA, which is in the `caBundle`.
async fn certificate_of_before(mimic: &Installation<'_>) -> Result<()> {
    let issuer = TestCa::new()?;
    let (certificate, key) = issuer.issue()?;
    let data = [("cert.pem", certificate.to_pem()?), ("key.pem", key.private_key_to_pem_pkcs8()?)];
    let mut secret = Secret::default();
    secret.metadata.name = Some("mimic-certs".to_owned());
    secret.data = Some(data.map(|(key, value)| (key.to_owned(), ByteString(value))).into());
    mimic.own().api::<Secret>().create(&PostParams::default(), &secret).await?;
    let bundle = base64::encode_block(&issuer.pem()?);
    mimic.change_webhook(&json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]))
}

#[tokio::test]
async fn an_existing_installation_works_with_the_new_image() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &[BEFORE]).await?;
    certificate_of_before(&mimic).await?;
    let shop = Namespace::create(&cluster, "shop").await?;

    mimic.checkout().run(&block("Only the image")?)?;
    let _replicas = mimic.start_replicas(1).await?;
    mimic.rewrites(&shop, "our.internal.mirror.hostname/library/nginx").await?;
    // It still watches the ConfigMap.
    mimic.set_mirror("harbor.example.com/dockerhub").await?;
    mimic.rewrites(&shop, "harbor.example.com/dockerhub/library/nginx").await?;
    Ok(())
}

#[tokio::test]
async fn the_script_installation_replaces_kubernetes_mimic() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &[BEFORE, &block("In place")?]).await?;
    let mirrors: ConfigMap = mimic.own().api().get("mimic-mirrors").await?;
    assert_eq!(mirrors.data, None, "entries that were applied from a file are removed, as the page warns");

    let shop = Namespace::create(&cluster, "shop").await?;
    let _replicas = mimic.start_replicas(2).await?;
    mimic.set_mirror("harbor.example.com/dockerhub").await?;
    mimic.rewrites(&shop, "harbor.example.com/dockerhub/library/nginx").await?;
    let selector = "jsonpath={.spec.selector.matchLabels.app}";
    assert_eq!(mimic.own().kubectl(&["get", "deployment", "mimic", "-o", selector])?.stdout, "");
    Ok(())
}

#[tokio::test]
async fn the_chart_replaces_kubernetes_mimic_side_by_side() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    let blocks = page()?.commands("Side by side")?;
    let [install, look, remove] = &blocks[..] else { panic!("three steps: {blocks:?}") };
    let (install, wait) = install.trim_end().split_once('\n').context("the first step has two commands")?;
    ensure!(wait.trim_start().starts_with("kubectl -n mimic rollout status"), "{wait}");
    checkout.run(BEFORE)?;
    checkout
        .run("kubectl -n mimic create secret generic mimic-certs --from-literal=cert.pem=… --from-literal=key.pem=…")?;
    // Without ReplicaSets and pods, which are created asynchronously.
    let all = "kubectl get deployment,service,configmap,secret,serviceaccount,role,rolebinding -n mimic -o name";
    let before = checkout.run(all)?.stdout;

    // A rollback before anything is removed.
    checkout.run(install)?;
    checkout.run("helm uninstall mimic-webhook --namespace mimic")?;
    assert_eq!(checkout.run(all)?.stdout, before);

    let mimic = Installation::of(checkout, &[install], "mimic", "mimic-webhook").await?;
    let _replicas = mimic.start_replicas(2).await?;
    let default = Namespace::existing(&cluster, "default").await?;
    let mirrored = "our.internal.mirror.hostname/library/nginx";
    mimic.rewrites(&default, mirrored).await?;
    assert_eq!(mimic.checkout().run(&unindented(look))?.stdout, format!("{mirrored}\n"));

    mimic.checkout().run(&format!("set -e\n{}", unindented(remove)))?;
    mimic.rewrites(&default, mirrored).await?;
    let kinds = "all,configmap,secret,serviceaccount,role,rolebinding,mutatingwebhookconfiguration";
    let left = mimic.checkout().run(&format!("kubectl get {kinds} -n mimic -o name"))?;
    let left: Vec<&str> =
        left.stdout.lines().filter(|name| name.ends_with("/mimic") || name.ends_with("/mimic-certs")).collect();
    assert_eq!(left, [""; 0], "only the ConfigMap of kubernetes-mimic remains");
    let mirrors: ConfigMap = mimic.own().api().get("mimic-mirrors").await?;
    assert!(mirrors.data.is_some());
    Ok(())
}

/// A code block of a list item.
fn unindented(block: &str) -> String {
    block.lines().flat_map(|line| [line.strip_prefix("   ").unwrap_or(line), "\n"]).collect()
}

/// All variables of kubernetes-mimic are documented.
#[test]
fn the_configuration_page_has_every_variable_of_kubernetes_mimic() -> Result<()> {
    let before: serde_json::Value =
        serde_saphyr::from_multiple::<serde_json::Value>(include_str!("data/kubernetes-mimic.yaml"))?
            .into_iter()
            .find(|object| object["kind"] == "Deployment")
            .context("there is a Deployment")?;
    let variables =
        before["spec"]["template"]["spec"]["containers"][0]["env"].as_array().context("it has variables")?;
    assert_eq!(variables.len(), 16);
    let configuration = Page::read("docs/configuration.md")?;
    for variable in variables {
        let name = variable["name"].as_str().context("a variable has a name")?;
        ensure!(configuration.text().contains(&format!("\n\n`{name}`")), "{name} is a setting");
    }
    Ok(())
}
