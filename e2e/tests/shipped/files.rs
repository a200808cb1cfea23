//! Applying the shipped files, repeatedly.

use anyhow::{Context, Result};
use mimic_e2e::{Checkout, Cluster};

use crate::{ONE_STEP, STEPS};

/// The fields that must not change if a step is repeated.
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
async fn the_steps_of_the_script_work_and_can_be_repeated() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    for step in STEPS {
        checkout.run(step)?;
        checkout.run(step)?;
    }
    let applied = versions(&checkout, "-f ./deploy/manifests")?;
    let ca = field(&checkout, SECRET, r".data.ca\.crt")?;
    assert_eq!(field(&checkout, WEBHOOK, CA_BUNDLE)?, ca);
    let certificate = field(&checkout, SECRET, r".data.cert\.pem")?;

    checkout.run(
        r#"kubectl -n mimic patch configmap mimic-mirrors -p '{"data": {"docker.io": "harbor.example.com/hub"}}'"#,
    )?;
    for step in STEPS {
        checkout.run(step)?;
    }
    assert_eq!(versions(&checkout, "-f ./deploy/manifests")?, applied, "the objects and their specs are unchanged");
    assert_ne!(field(&checkout, SECRET, r".data.cert\.pem")?, certificate, "the certificate was renewed");
    assert_eq!(field(&checkout, WEBHOOK, CA_BUNDLE)?, ca, "the CA is unchanged");
    let mirrors = field(&checkout, "configmap/mimic-mirrors -n mimic", ".data")?;
    assert_eq!(mirrors, r#"{"docker.io":"harbor.example.com/hub"}"#, "the shipped file removes no mirrors");
    Ok(())
}

#[tokio::test]
async fn kustomize_works_and_can_be_repeated() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    checkout.run(ONE_STEP)?;
    assert_eq!(field(&checkout, SECRET, ".data")?, "", "the shipped Secret is empty");
    assert_eq!(field(&checkout, WEBHOOK, CA_BUNDLE)?, "");
    let applied = versions(&checkout, "-k deploy/kustomize")?;

    // Changes as by Mimic and its users.
    checkout.run(r#"kubectl -n mimic patch secret mimic-certs -p '{"data": {"tls.key": "a2V5"}}'"#)?;
    checkout.run(
        r#"kubectl -n mimic patch configmap mimic-mirrors -p '{"data": {"docker.io": "harbor.example.com/hub"}}'"#,
    )?;
    let ca = ca(&checkout)?;
    let bundle = format!(r#"[{{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "{ca}"}}]"#);
    checkout.run(&format!("kubectl patch {WEBHOOK} --type=json -p '{bundle}'"))?;
    checkout.run(ONE_STEP)?;
    // Only the caBundle has changed, once.
    let others = |versions: &str| -> String { versions.lines().filter(|line| !line.starts_with("Mutating")).collect() };
    assert_eq!(others(&versions(&checkout, "-k deploy/kustomize")?), others(&applied));
    checkout.run("kubectl apply --server-side --force-conflicts -k deploy/kustomize")?;
    assert_eq!(field(&checkout, SECRET, ".data")?, r#"{"tls.key":"a2V5"}"#);
    assert_eq!(field(&checkout, WEBHOOK, CA_BUNDLE)?, ca);
    assert_eq!(
        field(&checkout, "configmap/mimic-mirrors -n mimic", ".data")?,
        r#"{"docker.io":"harbor.example.com/hub"}"#
    );
    Ok(())
}

/// A certificate in PEM, in base64.
fn ca(checkout: &Checkout<'_>) -> Result<String> {
    let make =
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=test 2>/dev/null | openssl base64 -A";
    Ok(checkout.run(make)?.stdout)
}

#[tokio::test]
async fn every_object_is_accepted_without_unknown_or_dropped_fields() -> Result<()> {
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
        assert_eq!(output.stderr, "", "{line} prints no warnings");
    }
    // A field that the API server drops or changes would be a difference.
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
    assert_eq!(forgotten, [""; 0], "files that deploy/manifests/Kustomization lacks");
    Ok(())
}

/// The shipped ConfigMap has an example in comments.
#[tokio::test]
async fn the_example_of_mirrors_is_valid_without_its_comment_marks() -> Result<()> {
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
