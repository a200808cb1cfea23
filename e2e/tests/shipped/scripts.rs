//! Error messages of the scripts.

use anyhow::Result;
use mimic_e2e::{Checkout, Cluster};

use crate::STEPS;

const CREATE: &str = "./deploy/scripts/webhook-create-signed-cert.sh";
const PATCH: &str = "./deploy/scripts/webhook-patch-ca-bundle.sh";
const TEMPLATE: &str = "./deploy/manifests/templates/mutatingwebhookconfiguration.yaml";

#[tokio::test]
async fn the_scripts_fail_with_an_error_and_a_hint() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    let check = |cases: &[(&str, &str)]| -> Result<()> {
        for (line, expected) in cases {
            let said = checkout.fails(line)?;
            let expected: Vec<&str> = expected.split(" / ").collect();
            assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{line}");
        }
        Ok(())
    };
    let no_namespace = "error: no namespace `mimic` / hint: kubectl apply -f ./deploy/manifests/namespace";
    check(&[
        (STEPS[1], no_namespace),
        (&format!("{CREATE} --service"), "error: --service needs a value / hint: see --help"),
        (&format!("{CREATE} --servce mimic"), "error: unknown argument `--servce` / hint: see --help"),
        (&format!("{CREATE} --service Mimic"), "error: invalid name of a Service: `Mimic`"),
        (&format!("{CREATE} --secret mimic_certs"), "error: invalid name of a Secret: `mimic_certs`"),
        (&format!("{CREATE} --namespace mimic.svc"), "error: invalid name of a namespace: `mimic.svc`"),
        (&format!("{CREATE} --days 1y"), "error: invalid --days `1y`: must be a number from 1 to 3649"),
        (&format!("{CREATE} --days 3650"), "error: invalid --days `3650`: must be a number from 1 to 3649"),
        (PATCH, "error: TEMPLATE and OUTPUT are required / hint: see --help"),
        (&format!("{PATCH} a b c"), "error: unexpected argument `c` / hint: see --help"),
        (&format!("{PATCH} --secret"), "error: --secret needs a value / hint: see --help"),
        (&format!("{PATCH} absent.yaml out.yaml"), "error: cannot read the template `absent.yaml`"),
        (
            &format!("{PATCH} ./deploy/manifests/service.yaml out.yaml"),
            "error: no ${CA_BUNDLE} in `./deploy/manifests/service.yaml` / hint: pass the template, not the file written from it",
        ),
    ])?;
    checkout.run(STEPS[0])?;
    let unreadable = checkout.fails(STEPS[2])?;
    assert!(unreadable.starts_with("error: cannot read the Secret `mimic-certs` in the namespace `mimic`: "));
    assert!(unreadable.ends_with("\nhint: create it with webhook-create-signed-cert.sh\n"), "{unreadable}");

    checkout.run("kubectl -n mimic create secret generic kept --from-literal=tls.crt=kept")?;
    checkout.run("kubectl -n mimic create secret generic rubbish --from-literal=ca.crt=rubbish")?;
    check(&[
        (
            &format!("{CREATE} --secret kept"),
            "error: the Secret `kept` has a tls.crt: another tool, such as cert-manager, or Mimic manages it / hint: choose another Secret with --secret and MIMIC_KUBERNETES_CERTSECRET",
        ),
        (
            &format!("{PATCH} --secret kept {TEMPLATE} out.yaml"),
            "error: the Secret `kept` in the namespace `mimic` has no ca.crt / hint: create it with webhook-create-signed-cert.sh",
        ),
        (
            &format!("{PATCH} --secret rubbish {TEMPLATE} out.yaml"),
            "error: the ca.crt in the Secret `rubbish` is not a certificate",
        ),
    ])?;
    assert!(!checkout.path().join("out.yaml").exists(), "a failure writes no file");

    let unreachable = checkout.fails(&format!("KUBECONFIG=/dev/null {CREATE}"))?;
    assert!(unreachable.starts_with("error: cannot read from the cluster: "), "{unreachable}");
    let tools = checkout.path().join("bin");
    std::fs::create_dir(&tools)?;
    for script in [CREATE, &format!("{PATCH} {TEMPLATE} out.yaml")] {
        let said = checkout.fails(&format!("bash=$(command -v bash) PATH={}; $bash {script}", tools.display()))?;
        assert!(said.contains("not installed") || said.contains("not found"), "{said}");
    }
    for script in [CREATE, PATCH] {
        let help = checkout.run(&format!("{script} --help"))?.stdout;
        assert!(help.contains(&format!("Usage: {}", &script["./deploy/scripts/".len()..])), "{help}");
    }
    Ok(())
}

/// Otherwise the caBundle stays valid.
#[tokio::test]
async fn a_ca_that_is_damaged_or_expires_too_soon_is_replaced() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    checkout.run(STEPS[0])?;
    let new = |options: &str| -> Result<bool> {
        Ok(checkout.run(&format!("{} {options}", STEPS[1]))?.stdout.contains("Its CA is new"))
    };
    assert!(new("--days 30")?);
    assert!(!new("--days 3649")?);
    checkout.run(
        "kubectl -n mimic patch secret mimic-certs --type=json -p '[{\"op\": \"remove\", \"path\": \"/data/ca.key\"}]'",
    )?;
    assert!(new("")?, "a CA without a key is replaced");
    checkout.run("kubectl -n mimic patch secret mimic-certs -p '{\"data\": {\"ca.crt\": \"cnViYmlzaA==\"}}'")?;
    assert!(new("")?, "a CA that is no certificate is replaced");
    assert!(!new("")?);
    let annotations = checkout.run("kubectl -n mimic get secret mimic-certs -o jsonpath='{.metadata.annotations}'")?;
    assert_eq!(annotations.stdout, "", "no annotation holds a copy of the keys");
    Ok(())
}
