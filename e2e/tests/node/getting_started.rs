//! Follows `docs/getting-started.md` word for word. Only kind and Docker have stand-ins: the cluster of the test, its runtime, and
//! the way in which the test builds the image.

use std::time::Duration;

use anyhow::{Result, ensure};
use mimic_e2e::{Checkout, Image, NodeCluster, Page, eventually_within};

/// Does what a command of kind or Docker does. `None` if it is another command.
fn stand_in(command: &str, nodes: &NodeCluster) -> Option<Result<()>> {
    match command {
        "kind create cluster --name mimic" | "kind delete cluster --name mimic" => Some(Ok(())),
        "docker build -t mimic:latest ." => Some(nodes.push_mimic().map(|_| ())),
        "kind load docker-image mimic:latest --name mimic" => Some(load(nodes)),
        _ => None,
    }
}

/// As kind does: puts the image into containerd, under the name that a pod with `mimic:latest` gets.
fn load(nodes: &NodeCluster) -> Result<()> {
    let pushed = format!("{}/mimic:latest", nodes.registry().host());
    for node in nodes.nodes() {
        node.ctr(&["images", "pull", "--plain-http", &pushed])?;
        node.ctr(&["images", "tag", &pushed, "docker.io/library/mimic:latest"])?;
    }
    Ok(())
}

#[tokio::test]
async fn every_command_of_the_page_works_as_written() -> Result<()> {
    let Some(nodes) = NodeCluster::own().await? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(nodes.cluster())? else { return Ok(()) };
    // The page's mirror, which the nodes of a test do not reach.
    let mirror = format!("http://{}/v2/google", nodes.registry().host());
    let image = Image::running("nginx:1.27")?;
    nodes.push(&image, "google/library/nginx:1.27")?;
    for node in nodes.nodes() {
        let hosts = format!("server = \"{mirror}\"\n[host.\"{mirror}\"]\noverride_path = true\n");
        node.set_hosts("mirror.gcr.io", &hosts)?;
    }

    let steps = Page::read("docs/getting-started.md")?.steps();
    ensure!(steps.len() > 12, "the page has {} commands", steps.len());
    for step in &steps {
        let command = &step.command;
        if let Some(done) = stand_in(command, &nodes) {
            done?;
        } else if let Some(output) = &step.output {
            // "A few seconds later": these commands change nothing.
            let what = format!("{command} prints {output}");
            eventually_within(&what, Duration::from_mins(1), async || Ok(checkout.run(command)?.stdout == *output))
                .await?;
        } else {
            checkout.run(command)?;
        }
        if command.starts_with("kubectl wait ") {
            let id = "kubectl get pod web -o jsonpath='{.status.containerStatuses[0].imageID}'";
            let expected = format!("mirror.gcr.io/library/nginx@{}", image.content().digest());
            assert_eq!(checkout.run(id)?.stdout, expected);
        }
    }
    let left = checkout.run("kubectl get mutatingwebhookconfigurations,clusterroles,clusterrolebindings -o name")?;
    ensure!(!left.stdout.contains("/mimic"), "{}", left.stdout);
    Ok(())
}
