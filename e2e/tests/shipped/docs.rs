//! Runs the commands of the pages on installation and troubleshooting.

use anyhow::{Context, Result, ensure};
use mimic_e2e::{Checkout, Cluster, Installation, Namespace, Page, objects};
use serde_json::json;

use crate::{ONE_STEP, STEPS};

/// The blocks of commands under a heading of a page.
fn commands(page: &str, heading: &str) -> Result<Vec<String>> {
    Page::read(format!("docs/{page}"))?.commands(heading)
}

/// This cluster never completes the deletion of a namespace, so commands must not wait for it.
fn without_waiting(commands: &str) -> String {
    let delete = |line: &str| line.starts_with("kubectl ") && line.contains(" delete ");
    let wait = |line: &str| if delete(line) { format!("{line} --wait=false\n") } else { format!("{line}\n") };
    format!("set -e\n{}", commands.lines().map(wait).collect::<String>())
}

#[tokio::test]
async fn the_commands_of_the_page_on_installation_work() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    let one_step = commands("install.md", "With kustomize")?;
    assert_eq!(one_step, [format!("{ONE_STEP}\n")]);
    let four_steps = commands("migrating.md", "In place")?;
    let removal = "kubectl -n mimic delete deployment mimic --ignore-not-found";
    assert_eq!(four_steps, [format!("{removal}\n{}\n", STEPS.join("\n"))]);
    let switches = commands("migrating.md", "Between")?;
    let [to_one_step, back] = &switches[..] else { panic!("expected two blocks: {switches:?}") };
    let source = || -> Result<String> {
        let env = ".spec.template.spec.containers[0].env[?(@.name==\"MIMIC_CERTIFICATE_SOURCE\")].value";
        Ok(checkout.run(&format!("kubectl -n mimic get deployment mimic -o jsonpath='{{{env}}}'"))?.stdout)
    };

    checkout.run(&without_waiting(&four_steps[0]))?;
    assert_eq!(source()?, "kubernetes");
    checkout.run(&without_waiting(to_one_step))?;
    assert_eq!(source()?, "managed");
    checkout.run("kubectl -n mimic delete secret mimic-certs")?;
    checkout.run(&without_waiting(&four_steps[0]))?;
    checkout.run(&without_waiting(back))?;
    assert_eq!(source()?, "kubernetes");
    let left = checkout.run("kubectl get roles,rolebindings,clusterroles,clusterrolebindings -n mimic -o name")?;
    ensure!(!left.stdout.contains("mimic-managed"), "{}", left.stdout);

    for block in commands("install.md", "Uninstalling")? {
        checkout.run(&without_waiting(&block))?;
    }
    let left = checkout.run("kubectl get all,cm,secret,sa,pdb,netpol,role,rolebinding -n mimic -o name")?;
    ensure!(!left.stdout.contains("/mimic\n") && !left.stdout.contains("/mimic-certs"), "{}", left.stdout);
    let left = checkout.run("kubectl get mutatingwebhookconfigurations,clusterroles,clusterrolebindings -o name")?;
    ensure!(!left.stdout.contains("/mimic"), "{}", left.stdout);
    Ok(())
}

/// Kustomize does not change the namespaces in a selector.
#[tokio::test]
async fn an_overlay_with_another_namespace_excludes_that_namespace() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    let samples = Page::read("docs/install.md")?.samples("Overlays")?;
    let [overlay, namespace] = &samples[..] else { panic!("expected two samples: {samples:?}") };
    let folder = checkout.path().join("overlay");
    std::fs::create_dir(&folder)?;
    let overlay = overlay.replace("mimic/deploy/", "../deploy/");
    std::fs::write(folder.join("kustomization.yaml"), format!("{overlay}{namespace}"))?;

    let rendered = objects(&checkout.run("kubectl kustomize overlay")?.stdout)?;
    let kind = |kind: &str| rendered.iter().find(|object| object["kind"] == kind);
    let webhook = &kind("MutatingWebhookConfiguration").context("there is a webhook configuration")?["webhooks"][0];
    let excluded = &webhook["namespaceSelector"]["matchExpressions"][0]["values"];
    assert_eq!(*excluded, json!(["kube-system", "kube-node-lease", "kube-public", "platform"]));
    assert_eq!(webhook["clientConfig"]["service"]["namespace"], "platform");
    assert_eq!(kind("Namespace").context("there is a Namespace")?["metadata"]["name"], "platform");
    for object in &rendered {
        let namespace = &object["metadata"]["namespace"];
        ensure!(namespace.is_null() || namespace == "platform", "{object}");
        for subject in object["subjects"].as_array().into_iter().flatten() {
            assert_eq!(subject["namespace"], "platform", "{object}");
        }
    }
    let mirrors = &kind("ConfigMap").context("there is a ConfigMap")?["data"];
    assert_eq!(*mirrors, json!({"docker.io": "harbor.example.com/dockerhub"}));
    Ok(())
}

/// Whether a line runs `mimic`, also on what another command prints, or in a pod, which does not run here.
fn is_mimic(line: &str) -> bool {
    line.starts_with("mimic ") || line.contains("| mimic ") || line.contains(" -- mimic ")
}

#[tokio::test]
async fn the_commands_of_the_page_on_troubleshooting_work() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &STEPS).await?;
    mimic.set_mirror("harbor.example.com/dockerhub").await?;
    let shop = Namespace::create(&cluster, "shop").await?;
    let replicas = mimic.start_replicas(1).await?;
    mimic.rewrites(&shop, "harbor.example.com/dockerhub/library/nginx").await?;
    shop.kubectl(&["run", "web", "--image=nginx:1.27"])?;
    for (heading, told) in [
        ("1. ", r#"{"web":"nginx:1.27"}"#),
        ("2. ", "harbor.example.com/dockerhub/library/nginx:1.27"),
        ("3. ", r#""caBundle":"LS0t"#),
        ("4. ", r#""values":["kube-system","kube-node-lease","kube-public","mimic"]"#),
        ("6. ", "harbor.example.com/dockerhub/library/nginx:1.27"),
        ("7. ", "harbor.example.com/dockerhub"),
        ("8. ", ""),
    ] {
        let blocks = commands("troubleshooting.md", heading)?;
        let mut said = String::new();
        for block in &blocks {
            // `mimic` is tested elsewhere.
            let block: Vec<&str> = block.lines().filter(|line| !is_mimic(line)).collect();
            said += &mimic.checkout().run(&without_waiting(&block.join("\n")))?.stdout;
        }
        ensure!(said.contains(told), "{heading}: {said}");
    }

    // Without replicas, the copy of the webhook configuration reports the failure.
    drop(replicas);
    let [block] = &commands("troubleshooting.md", "6. ")?[..] else { panic!("there is one block") };
    let said = mimic.checkout().fails(&without_waiting(&block.replace("mimic-check", "mimic-check-2")))?;
    ensure!(said.contains("failed calling webhook \"pods.mimic.cryptkcoding.com\""), "{said}");
    Ok(())
}
