//! What the scripts say when they cannot do their work.

use anyhow::Result;
use mimic_e2e::{Checkout, Cluster};

use crate::STEPS;

const CREATE: &str = "./deploy/scripts/webhook-create-signed-cert.sh";
const PATCH: &str = "./deploy/scripts/webhook-patch-ca-bundle.sh";
const TEMPLATE: &str = "./deploy/manifests/templates/mutatingwebhookconfiguration.yaml";

#[tokio::test]
async fn the_scripts_say_what_is_wrong_and_what_to_do() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    let mistakes = |mistakes: &[(&str, &str)]| -> Result<()> {
        for (line, expected) in mistakes {
            let said = checkout.fails(line)?;
            let expected: Vec<&str> = expected.split(" / ").collect();
            assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{line}");
        }
        Ok(())
    };
    let no_namespace = "error: there is no namespace `mimic` / hint: kubectl apply -f ./deploy/manifests/namespace";
    mistakes(&[
        (STEPS[1], no_namespace),
        (&format!("{CREATE} --service"), "error: --service needs a value / hint: see --help"),
        (&format!("{CREATE} --servce mimic"), "error: unknown argument `--servce` / hint: see --help"),
        (&format!("{CREATE} --service Mimic"), "error: `Mimic` cannot be the name of a Service"),
        (&format!("{CREATE} --secret mimic_certs"), "error: `mimic_certs` cannot be the name of a Secret"),
        (&format!("{CREATE} --namespace mimic.svc"), "error: `mimic.svc` cannot be the name of a namespace"),
        (&format!("{CREATE} --days 1y"), "error: --days is `1y`; it must be a number from 1 to 3649"),
        (&format!("{CREATE} --days 3650"), "error: --days is `3650`; it must be a number from 1 to 3649"),
        (PATCH, "error: TEMPLATE and OUTPUT are needed / hint: see --help"),
        (&format!("{PATCH} a b c"), "error: `c` is one argument too many / hint: see --help"),
        (&format!("{PATCH} --secret"), "error: --secret needs a value / hint: see --help"),
        (&format!("{PATCH} absent.yaml out.yaml"), "error: cannot read the template `absent.yaml`"),
        (
            &format!("{PATCH} ./deploy/manifests/service.yaml out.yaml"),
            "error: there is no ${CA_BUNDLE} in `./deploy/manifests/service.yaml` / hint: is it the template, or what was made of it?",
        ),
    ])?;
    checkout.run(STEPS[0])?;
    let unreadable = checkout.fails(STEPS[2])?;
    assert!(
        unreadable.starts_with("error: kubectl could not read the Secret `mimic-certs` in the namespace `mimic`: ")
    );
    assert!(unreadable.ends_with("\nhint: webhook-create-signed-cert.sh makes it\n"), "{unreadable}");

    checkout.run("kubectl -n mimic create secret generic kept --from-literal=tls.crt=kept")?;
    checkout.run("kubectl -n mimic create secret generic rubbish --from-literal=ca.crt=rubbish")?;
    mistakes(&[
        (
            &format!("{CREATE} --secret kept"),
            "error: the Secret `kept` has a tls.crt: something else, such as cert-manager or Mimic itself, keeps it / hint: leave it to that, or choose another Secret with --secret and MIMIC_KUBERNETES_CERTSECRET",
        ),
        (
            &format!("{PATCH} --secret kept {TEMPLATE} out.yaml"),
            "error: the Secret `kept` in the namespace `mimic` has no ca.crt / hint: webhook-create-signed-cert.sh makes it",
        ),
        (
            &format!("{PATCH} --secret rubbish {TEMPLATE} out.yaml"),
            "error: the ca.crt in the Secret `rubbish` is not a certificate",
        ),
    ])?;
    assert!(!checkout.path().join("out.yaml").exists(), "nothing is written on failure");

    let unreachable = checkout.fails(&format!("KUBECONFIG=/dev/null {CREATE}"))?;
    assert!(unreachable.starts_with("error: kubectl could not read from the cluster: "), "{unreachable}");
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

/// A certificate that the API server trusts must not need a second look at the webhook's registration.
#[tokio::test]
async fn an_authority_that_is_damaged_or_ends_too_soon_is_replaced() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    checkout.run(STEPS[0])?;
    let new = |options: &str| -> Result<bool> {
        Ok(checkout.run(&format!("{} {options}", STEPS[1]))?.stdout.contains("Its authority is new"))
    };
    assert!(new("--days 30")?);
    assert!(!new("--days 3649")?);
    checkout.run(
        "kubectl -n mimic patch secret mimic-certs --type=json -p '[{\"op\": \"remove\", \"path\": \"/data/ca.key\"}]'",
    )?;
    assert!(new("")?, "without its key it signs nothing");
    checkout.run("kubectl -n mimic patch secret mimic-certs -p '{\"data\": {\"ca.crt\": \"cnViYmlzaA==\"}}'")?;
    assert!(new("")?, "what is no certificate is no authority");
    assert!(!new("")?);
    let annotations = checkout.run("kubectl -n mimic get secret mimic-certs -o jsonpath='{.metadata.annotations}'")?;
    assert_eq!(annotations.stdout, "", "there is no copy of the keys in an annotation");
    Ok(())
}
