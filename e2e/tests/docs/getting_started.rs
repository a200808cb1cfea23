//! `docs/getting-started.md`, followed word for word.

use anyhow::{Context, Result, ensure};
use mimic_e2e::{Checkout, Cluster, Installation, Namespace, Page, Replica, eventually, run_mimic};

/// What becomes of a command that needs Docker or a node, of which there are none here.
#[derive(Clone, Copy)]
enum Instead {
    /// The test has seen to it: there is a cluster, and there are replicas.
    Nothing,
    /// The replicas' own log is looked at.
    Log,
    /// The command in the image is run outside it.
    Mimic,
}

/// Every other command is run as it is written.
const INSTEAD: [(&str, Instead); 6] = [
    ("kind ", Instead::Nothing),
    ("docker ", Instead::Nothing),
    ("kubectl -n mimic rollout status ", Instead::Nothing),
    ("kubectl wait ", Instead::Nothing),
    ("kubectl -n mimic logs ", Instead::Log),
    ("kubectl -n mimic exec deployment/mimic -- mimic ", Instead::Mimic),
];

/// What is done instead of a command, and what follows the words by which it is known.
fn instead(command: &str) -> Option<(Instead, &str)> {
    INSTEAD.iter().find_map(|(begin, instead)| Some((*instead, command.strip_prefix(begin)?)))
}

/// A command, and what it prints if the page says so.
struct Step {
    command: String,
    output: Option<String>,
}

fn steps(page: &Page) -> Vec<Step> {
    let blocks = page.text().split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let steps = blocks.flat_map(|block| match block.strip_prefix("$ ").and_then(|rest| rest.split_once('\n')) {
        Some((command, output)) => vec![Step { command: command.to_owned(), output: Some(output.to_owned()) }],
        None => block.lines().map(|line| Step { command: line.to_owned(), output: None }).collect(),
    });
    steps.collect()
}

async fn follow(step: &Step, mimic: &Installation<'_>, replicas: &[Replica]) -> Result<()> {
    let Step { command, output } = step;
    match (instead(command), output) {
        (Some((Instead::Nothing, _)), None) => {}
        (Some((Instead::Log, rest)), None) => {
            let (_, sought) = rest.split_once("grep '").context("the log is searched")?;
            let sought = sought.trim_end_matches('\'');
            ensure!(replicas.iter().any(|replica| replica.count_logged(sought) > 0), "`{sought}` is in a log");
        }
        (Some((Instead::Mimic, arguments)), Some(output)) => {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            assert_eq!(&run_mimic(&arguments)?, output);
        }
        (None, None) => {
            mimic.checkout().run(command)?;
        }
        // Those change nothing, and a new registration is heeded a moment later.
        (None, Some(output)) => {
            eventually(&format!("{command} prints {output}"), async || {
                Ok(mimic.checkout().run(command)?.stdout == *output)
            })
            .await?;
        }
        _ => panic!("whether {command} prints anything is not as expected"),
    }
    Ok(())
}

#[tokio::test]
async fn the_page_leads_to_a_rewritten_pod_and_back() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    let steps = steps(&Page::read("docs/getting-started.md")?);
    let position = |begin: &str| {
        steps.iter().position(|step| step.command.starts_with(begin)).with_context(|| format!("a step is {begin}"))
    };
    let (install, upgrade, uninstall) =
        (position("helm install")?, position("helm upgrade")?, position("helm uninstall")?);
    let is_skipped = |step: &Step| matches!(instead(&step.command), Some((Instead::Nothing, _)));
    assert!(steps[..install].iter().all(is_skipped), "before the installation there is a cluster and an image");

    let mimic = Installation::of(checkout, &[&steps[install].command], "mimic", "mimic").await?;
    let replicas = mimic.start_replicas(2).await?;
    let default = Namespace::existing(&cluster, "default").await?;
    mimic.rewrites(&default, "mirror.gcr.io/library/nginx").await?;
    for step in &steps[install + 1..=upgrade] {
        follow(step, &mimic, &replicas).await?;
    }
    // Helm has led the webhook back to where no replica is.
    mimic.route()?;
    mimic.rewrites(&default, "mirror.gcr.io/library/nginx").await?;
    for step in &steps[upgrade + 1..=uninstall] {
        follow(step, &mimic, &replicas).await?;
    }
    assert!(steps[uninstall + 1..].iter().all(is_skipped), "afterwards only the cluster is left");
    let left =
        mimic.checkout().run("kubectl get mutatingwebhookconfigurations,clusterroles,clusterrolebindings -o name")?;
    ensure!(!left.stdout.contains("/mimic"), "{}", left.stdout);
    Ok(())
}
