//! Runs the commands of `docs/getting-started.md`, except those that need Docker or a node; `tests/node/` runs those.

use anyhow::{Context, Result, ensure};
use mimic_e2e::{Checkout, Cluster, Installation, Namespace, Page, Replica, Step, eventually, run_mimic};

/// Replaces a command that needs Docker or a node.
#[derive(Clone, Copy)]
enum Instead {
    /// Skipped: the test has a cluster and replicas.
    Nothing,
    /// Checks the log of the replicas.
    Log,
    /// Runs the command of the image outside of it.
    Mimic,
}

/// All other commands run as written.
const INSTEAD: [(&str, Instead); 6] = [
    ("kind ", Instead::Nothing),
    ("docker ", Instead::Nothing),
    ("kubectl -n mimic rollout status ", Instead::Nothing),
    ("kubectl wait ", Instead::Nothing),
    ("kubectl -n mimic logs ", Instead::Log),
    ("kubectl -n mimic exec deployment/mimic -- mimic ", Instead::Mimic),
];

/// The replacement of a command, and the rest of the command after its prefix.
fn instead(command: &str) -> Option<(Instead, &str)> {
    INSTEAD.iter().find_map(|(begin, instead)| Some((*instead, command.strip_prefix(begin)?)))
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
        // These commands change nothing, and the API server uses a new webhook configuration a moment later.
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
    let steps = Page::read("docs/getting-started.md")?.steps();
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
    // Helm restored the Service, which has no replicas here.
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
