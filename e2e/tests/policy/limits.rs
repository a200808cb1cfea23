//! Large tables, and pods that cost more than a policy may.

use anyhow::{Result, ensure};
use mimic_core::{MirrorSpec, Rewriter, Rule, RuleSpec};
use mimic_e2e::{Cluster, Namespace};
use mimic_k8s::policy::{PolicyError, PolicySettings, compile};

use crate::{Governed, governed};

fn many_rules(count: usize) -> Result<Rewriter> {
    let rule = |number| {
        Ok(Rule::mirror(
            &format!("registry-{number:05}.example.org/team"),
            &format!("m.example.com/mirror-{number:05}"),
        )?)
    };
    let rules: Vec<Rule> = (0..count).map(rule).collect::<Result<_>>()?;
    Ok(Rewriter::new([("many", rules.into())]))
}

#[tokio::test]
async fn ten_thousand_rules_are_one_policy() -> Result<()> {
    let Some(cluster) = Cluster::shared_with_policies()? else { return Ok(()) };
    let namespace = Namespace::create(cluster, "limit-rules").await?;
    let governed = Governed::new(namespace, many_rules(10_000)?).await?;
    ensure!(governed.policy.claimed() == 10_000 && governed.policy.left().is_empty());
    let governed = governed.until_rewritten("registry-09999.example.org/team/app").await?;
    let written: Vec<String> =
        (0..100).map(|number| format!("registry-{:05}.example.org/team/app:1", number * 100)).collect();
    let written: Vec<&str> = written.iter().map(String::as_str).collect();
    for (image, stored) in written.iter().zip(governed.dry_run(&written).await?) {
        ensure!(stored == governed.expected(image) && stored != *image, "{image}: {stored}");
    }
    Ok(())
}

/// What can be many, so that it needs several variables, or is left to the webhook.
fn wide() -> Result<Rewriter> {
    let mirrors = |location: String| vec![MirrorSpec { location, ..MirrorSpec::default() }];
    let mut specs = Vec::new();
    for number in 0..1_200 {
        let pattern = format!(r"pattern-{number:05}\.example\.org/[a-z]+(/with-a-long-name)*/.+");
        specs.push(RuleSpec {
            pattern: Some(pattern),
            mirrors: mirrors("m.example.com/p/{repository}".to_owned()),
            ..RuleSpec::default()
        });
    }
    for number in 0..2_000 {
        let location = format!("m.example.com/a-stem-with-a-long-name-{number:05}-{{registry}}/{{repository}}");
        let upstream = Some(format!("stem-{number:05}.example.org"));
        let (priority, pull_secret) = (number, Some(format!("a-secret-with-a-long-name-{number:05}")));
        specs.push(RuleSpec { upstream, priority, pull_secret, mirrors: mirrors(location), ..RuleSpec::default() });
    }
    for number in 0..1_800 {
        let location = format!("{{registry}}.domain-{number:05}-with-a-long-name.example.net/{{repository}}");
        let upstream = Some(format!("*.domain-{number:05}.example.org"));
        specs.push(RuleSpec { upstream, mirrors: mirrors(location), ..RuleSpec::default() });
    }
    for number in 0..600 {
        let include = Some(vec![format!("shared.example.org/team-{number}/**:v{number}.*")]);
        let upstream = Some("shared.example.org".to_owned());
        specs.push(RuleSpec {
            upstream,
            include,
            mirrors: mirrors("m.example.com/shared".to_owned()),
            ..RuleSpec::default()
        });
    }
    let mut rules: Vec<Rule> = specs.into_iter().map(RuleSpec::check).collect::<Result<_, _>>()?;
    for number in 0..2_000 {
        rules.push(Rule::alias(&format!("alias-{number:05}.example.org"), &format!("stem-{number:05}.example.org"))?);
    }
    Ok(Rewriter::new([("wide", rules.into())]))
}

#[tokio::test]
async fn many_of_everything_is_one_policy() -> Result<()> {
    let Some(cluster) = Cluster::shared_with_policies()? else { return Ok(()) };
    let namespace = Namespace::create(cluster, "limit-wide").await?;
    let governed = Governed::new(namespace, wide()?).await?;
    ensure!(governed.policy.left().len() == 600, "{} rules are left", governed.policy.left().len());
    let governed = governed.until_rewritten("stem-00000.example.org/a").await?;
    for image in [
        "stem-01999.example.org/team/app:1",
        "alias-01999.example.org/team/app:1",
        "a.domain-01799.example.org/team/app:1",
        "pattern-01199.example.org/team/app:1",
        "pattern-01199.example.org/team",
        "m.example.com/a-stem-with-a-long-name-01999-x/y",
        "x.domain-01799-with-a-long-name.example.net/y",
        "stem-02000.example.org/team/app:1",
    ] {
        let stored = governed.dry_run(&[image]).await?;
        ensure!(stored == [governed.expected(image)], "{image}: {stored:?}");
    }
    let shared = "shared.example.org/team-599/app:v599.1";
    ensure!(governed.dry_run(&[shared]).await? == [shared] && governed.expected(shared) != shared);
    Ok(())
}

#[test]
fn a_table_that_cannot_be_stored_is_an_error() -> Result<()> {
    match compile(&many_rules(30_000)?, &PolicySettings::default()) {
        Err(PolicyError::TooLarge { size }) if size > 1_400_000 => Ok(()),
        other => anyhow::bail!("{:?}", other.map(|policy| policy.claimed())),
    }
}

#[tokio::test]
async fn a_pod_that_costs_too_much_is_stored_unchanged() -> Result<()> {
    let rules = "mirrors:\n  docker.io: m.example.com/hub\n";
    let Some(governed) = governed("limit-cost", rules).await? else { return Ok(()) };
    let governed = governed.until_rewritten("nginx").await?;
    // What a pod of a thousand containers costs is within the budget.
    let names: Vec<String> = (0..1_000).map(|number| format!("team/app-{number}:1.2.3")).collect();
    let written: Vec<&str> = names.iter().map(String::as_str).collect();
    ensure!(governed.dry_run(&written).await?.iter().all(|image| image.starts_with("m.example.com/hub/team/app-")));

    ensure!(failures(&governed)? == 0, "no evaluation failed");

    let long = format!("{}/app", vec!["a"; 120].join("/"));
    let written = vec![long.as_str(); 1_000];
    ensure!(governed.dry_run(&written).await? == written, "all images are as written");
    ensure!(failures(&governed)? > 0, "the API server counts it");
    Ok(())
}

/// How often the API server could not evaluate the policy.
fn failures(governed: &Governed<'_>) -> Result<u64> {
    let page = governed.namespace.kubectl(&["get", "--raw", "/metrics"])?.stdout;
    let policy = format!("policy=\"{}\"", governed.namespace.name());
    let counters = page.lines().filter(|line| {
        line.starts_with("apiserver_mutating_admission_policy_check_total{")
            && line.contains(&policy)
            && line.contains("error_type=\"invalid_error\"")
    });
    let values = counters.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    Ok(values.sum())
}
