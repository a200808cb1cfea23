//! What is applied, and applied again.

use anyhow::{Context, Result};
use mimic_e2e::{Checkout, Cluster};

use crate::{ONE_STEP, STEPS};

/// What must be equal after a step was repeated.
fn versions(checkout: &Checkout<'_>, what: &str) -> Result<String> {
    let columns = "KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation";
    Ok(checkout.run(&format!("kubectl get {what} -o custom-columns={columns}"))?.stdout)
}

fn field(checkout: &Checkout<'_>, object: &str, path: &str) -> Result<String> {
    Ok(checkout.run(&format!("kubectl get {object} -o jsonpath='{{{path}}}'"))?.stdout)
}

const SECRET: &str = "secret/mimic-certs -n mimic";
const WEBHOOK: &str = "mutatingwebhookconfiguration/mimic";
const CA_BUNDLE: &str = ".webhooks[0].clientConfig.caBundle";

#[tokio::test]
async fn the_four_steps_work_and_each_can_be_repeated() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    for step in STEPS {
        checkout.run(step)?;
        checkout.run(step)?;
    }
    let applied = versions(&checkout, "-f ./deploy/manifests")?;
    let authority = field(&checkout, SECRET, r".data.ca\.crt")?;
    assert_eq!(field(&checkout, WEBHOOK, CA_BUNDLE)?, authority);
    let certificate = field(&checkout, SECRET, r".data.cert\.pem")?;

    checkout.run(
        r#"kubectl -n mimic patch configmap mimic-mirrors -p '{"data": {"docker.io": "harbor.example.com/hub"}}'"#,
    )?;
    for step in STEPS {
        checkout.run(step)?;
    }
    assert_eq!(versions(&checkout, "-f ./deploy/manifests")?, applied, "the same objects, with the same specification");
    assert_ne!(field(&checkout, SECRET, r".data.cert\.pem")?, certificate, "the certificate was renewed");
    assert_eq!(field(&checkout, WEBHOOK, CA_BUNDLE)?, authority, "by the authority that is trusted already");
    let mirrors = field(&checkout, "configmap/mimic-mirrors -n mimic", ".data")?;
    assert_eq!(mirrors, r#"{"docker.io":"harbor.example.com/hub"}"#, "the shipped file takes nothing away");
    Ok(())
}

#[tokio::test]
async fn one_step_does_the_same_and_takes_nothing_away_when_repeated() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    checkout.run(ONE_STEP)?;
    assert_eq!(field(&checkout, SECRET, ".data")?, "", "there is no certificate that others have too");
    assert_eq!(field(&checkout, WEBHOOK, CA_BUNDLE)?, "");
    let applied = versions(&checkout, "-k deploy/kustomize")?;

    // As Mimic and its users do.
    checkout.run(r#"kubectl -n mimic patch secret mimic-certs -p '{"data": {"tls.key": "a2V5"}}'"#)?;
    checkout.run(
        r#"kubectl -n mimic patch configmap mimic-mirrors -p '{"data": {"docker.io": "harbor.example.com/hub"}}'"#,
    )?;
    let authority = authority(&checkout)?;
    let bundle = format!(r#"[{{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "{authority}"}}]"#);
    checkout.run(&format!("kubectl patch {WEBHOOK} --type=json -p '{bundle}'"))?;
    checkout.run(ONE_STEP)?;
    // Only its caBundle has changed since, once.
    let others = |versions: &str| -> String { versions.lines().filter(|line| !line.starts_with("Mutating")).collect() };
    assert_eq!(others(&versions(&checkout, "-k deploy/kustomize")?), others(&applied));
    checkout.run("kubectl apply --server-side --force-conflicts -k deploy/kustomize")?;
    assert_eq!(field(&checkout, SECRET, ".data")?, r#"{"tls.key":"a2V5"}"#);
    assert_eq!(field(&checkout, WEBHOOK, CA_BUNDLE)?, authority);
    assert_eq!(
        field(&checkout, "configmap/mimic-mirrors -n mimic", ".data")?,
        r#"{"docker.io":"harbor.example.com/hub"}"#
    );
    Ok(())
}

/// A certificate in PEM, in base64.
fn authority(checkout: &Checkout<'_>) -> Result<String> {
    let make =
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=test 2>/dev/null | openssl base64 -A";
    Ok(checkout.run(make)?.stdout)
}

#[tokio::test]
async fn every_object_is_accepted_without_a_field_unknown_or_dropped() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    let strict = "--server-side --validate=strict";
    for line in [
        "kubectl apply --server-side --validate=strict -f ./deploy/manifests/namespace",
        STEPS[1],
        STEPS[2],
        &format!("kubectl apply {strict} --field-manager=manifests -f ./deploy/manifests"),
    ] {
        let output = checkout.run(line)?;
        assert_eq!(output.stderr, "", "{line} warns of nothing");
    }
    // What was dropped or means something else to the API server would be a difference.
    assert_eq!(checkout.run("kubectl diff --server-side --field-manager=manifests -f ./deploy/manifests")?.stdout, "");
    let names = |what: &str| -> Result<Vec<String>> {
        let names = checkout.run(&format!("kubectl get {what} -o name"))?.stdout;
        Ok(names.lines().map(ToOwned::to_owned).collect())
    };
    let by_files = names("-f ./deploy/manifests")?;

    let output = checkout
        .run(&format!("kubectl apply {strict} --force-conflicts --field-manager=kustomize -k deploy/kustomize"))?;
    assert_eq!(output.stderr, "");
    let diff = "kubectl diff --server-side --force-conflicts --field-manager=kustomize -k deploy/kustomize";
    assert_eq!(checkout.run(diff)?.stdout, "");
    let by_kustomize = names("-k deploy/kustomize")?;
    let forgotten: Vec<&String> = by_files.iter().filter(|name| !by_kustomize.contains(name)).collect();
    assert_eq!(forgotten, [""; 0], "files that deploy/manifests/Kustomization does not name");
    Ok(())
}

/// The shipped ConfigMap has its example in comments.
#[tokio::test]
async fn the_example_of_mirrors_is_a_configmap_once_its_comments_are_taken_away() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    checkout.run(STEPS[0])?;
    let shipped = std::fs::read_to_string(checkout.path().join("deploy/manifests/configmap.yaml"))?;
    let (before, example) = shipped.split_once("# data:").context("the example begins with `data:`")?;
    let example: Vec<&str> = example.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    std::fs::write(checkout.path().join("mirrors.yaml"), format!("{before}data:{}", example.join("\n")))?;
    checkout.run("kubectl apply --validate=strict -f mirrors.yaml")?;
    let data = field(&checkout, "configmap/mimic-mirrors -n mimic", ".data")?;
    assert!(data.contains(r#""quay.io":"harbor.example.com/quay""#), "{data}");
    Ok(())
}
