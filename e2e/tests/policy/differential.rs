//! Policy and webhook decide the same.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mimic_core::{MirrorSpec, Rewriter, Rule, RuleSpec};
use mimic_e2e::{Cluster, Namespace};
use serde_json::Value;

use crate::random::Random;
use crate::{Governed, rules};

/// Images of one pod.
const IMAGES: usize = 100;
/// Tables whose policies are in use at the same time.
const TABLES: usize = 20;
/// Number of random references. More with the variable `MIMIC_E2E_POLICY_REFERENCES`.
const REFERENCES: usize = 5_600;
/// An image that every table rewrites, which shows that its policy is in use.
const PROBE: &str = "probe.example.org/probe";

/// Adds the rule for [`PROBE`] and compiles.
fn with_probe(mut rules: Vec<Rule>) -> Result<Rewriter> {
    let mirrors = vec![MirrorSpec { location: "probes.example.com/probe".to_owned(), ..MirrorSpec::default() }];
    let upstream = Some("probe.example.org".to_owned());
    rules.push(RuleSpec { upstream, mirrors, priority: 1_000, ..RuleSpec::default() }.check()?);
    Ok(Rewriter::new([("random", rules.into())]))
}

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mimic-core/tests/data").join(path)
}

/// The strings of a file with a JSON object on each line.
fn strings(path: &Path, member: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(path)?;
    let string = |line: &str| {
        let case: Value = serde_json::from_str(line)?;
        Ok(case[member].as_str().context("the case has the member")?.to_owned())
    };
    text.lines().map(string).collect()
}

/// Whether the API server accepts an image in a pod.
fn is_allowed(image: &str) -> bool {
    !image.is_empty() && image.trim() == image
}

/// What was compared.
#[derive(Debug, Default)]
struct Compared {
    images: usize,
    rewritten: usize,
    left: usize,
    differences: Vec<String>,
}

/// Compares all images, and that what the policy rewrote is unchanged the second time.
async fn compare(governed: &Governed<'_>, images: &[String], compared: &mut Compared) -> Result<()> {
    let name = governed.namespace.name();
    for written in images.chunks(IMAGES) {
        let written: Vec<&str> = written.iter().map(String::as_str).collect();
        let stored = governed.dry_run(&written).await?;
        for (&image, stored) in written.iter().zip(&stored) {
            let expected = governed.expected(image);
            compared.images += 1;
            compared.rewritten += usize::from(stored != image);
            compared.left += usize::from(stored == image && expected != image);
            compared.differences.extend(governed.difference(image, stored).map(|text| format!("{name}: {text}")));
        }
        let again: Vec<&str> = stored.iter().map(String::as_str).collect();
        let twice = governed.dry_run(&again).await?;
        for ((&image, once), twice) in written.iter().zip(&stored).zip(&twice) {
            if once != twice {
                compared.differences.push(format!("{name}: `{image}`: `{once}`, the second time `{twice}`"));
            }
        }
    }
    Ok(())
}

fn report(compared: &Compared, what: &str) -> Result<()> {
    let Compared { images, rewritten, left, differences } = compared;
    eprintln!(
        "{what}: {images} images, {rewritten} rewritten, {left} left to the webhook, {} differences",
        differences.len()
    );
    ensure!(differences.is_empty(), "{what}:\n{}", differences[..differences.len().min(40)].join("\n"));
    Ok(())
}

#[tokio::test]
async fn the_golden_table_of_references_comes_out_as_with_the_webhook() -> Result<()> {
    let Some(cluster) = Cluster::shared_with_policies()? else { return Ok(()) };
    let mut images = strings(&data("reference/cases.jsonl"), "input")?;
    images.retain(|image| is_allowed(image));
    ensure!(images.len() > 2_500, "the table is gone");
    let rules = vec![
        Rule::mirror("*", "m.example.com/{host}/{repository}")?,
        Rule::mirror("docker.io", "m.example.com/hub")?,
        Rule::mirror("docker.io/library", "m.example.com/official")?,
    ];
    let namespace = Namespace::create(cluster, "golden-references").await?;
    let governed = Governed::new(namespace, with_probe(rules)?).await?.until_rewritten(PROBE).await?;
    let mut compared = Compared::default();
    compare(&governed, &images, &mut compared).await?;
    ensure!(compared.rewritten > 600 && compared.left < 20, "{compared:?}");
    report(&compared, "golden references")
}

#[tokio::test]
async fn the_golden_rules_come_out_as_with_the_webhook() -> Result<()> {
    let Some(cluster) = Cluster::shared_with_policies()? else { return Ok(()) };
    let mut all = Vec::new();
    for folder in fs::read_dir(data("rewrite"))? {
        let folder = folder?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut images = strings(&folder.join("cases.jsonl"), "image")?;
        images.retain(|image| is_allowed(image));
        all.push((format!("golden-{name}"), fs::read_to_string(folder.join("mirrors.yaml"))?, images));
    }
    ensure!(all.len() > 12, "the tables are gone");
    let mut compared = Compared::default();
    for (name, mirrors, images) in all {
        let namespace = Namespace::create(cluster, &name).await?;
        let governed = Governed::new(namespace, with_probe(rules(&mirrors)?)?).await?.until_rewritten(PROBE).await?;
        compare(&governed, &images, &mut compared).await?;
    }
    ensure!(compared.rewritten > 100, "{compared:?}");
    report(&compared, "golden rules")
}

#[tokio::test]
async fn random_references_over_random_rules_come_out_as_with_the_webhook() -> Result<()> {
    let Some(cluster) = Cluster::shared_with_policies()? else { return Ok(()) };
    let count =
        std::env::var("MIMIC_E2E_POLICY_REFERENCES").ok().map(|count| count.parse()).transpose()?.unwrap_or(REFERENCES);
    let seed = std::env::var("MIMIC_E2E_POLICY_SEED").ok().map(|seed| seed.parse()).transpose()?.unwrap_or(1);
    eprintln!("seed {seed}");
    let mut random = Random::new(seed);
    let mut compared = Compared::default();
    let mut lefts = (0, 0);
    let tables = TABLES.max(count / 1_000);
    for round in 0..tables.div_ceil(TABLES) {
        // Each waits for its policy, so they do it together.
        let rewriters: Vec<Rewriter> =
            (0..TABLES).map(|number| with_probe(random.rules(number % 4 > 0))).collect::<Result<_>>()?;
        let governed = stream::iter(rewriters.into_iter().enumerate()).map(|(number, rewriter)| async move {
            let namespace = Namespace::create(cluster, &format!("random-{}", round * TABLES + number)).await?;
            Governed::new(namespace, rewriter).await?.until_rewritten(PROBE).await
        });
        let governed: Vec<Governed<'_>> = governed.buffered(TABLES).try_collect().await?;
        for governed in &governed {
            let images: Vec<String> =
                (0..count.div_ceil(tables)).map(|_| random.image()).filter(|image| is_allowed(image)).collect();
            compare(governed, &images, &mut compared).await?;
            lefts.0 += governed.policy.left().len();
            lefts.1 += governed.policy.claimed();
        }
    }
    eprintln!("{} rules in policies, {} left to the webhook", lefts.1, lefts.0);
    ensure!(compared.images >= count * 9 / 10, "{compared:?}");
    ensure!(lefts.0 > 0 && lefts.1 > 4 * lefts.0, "{lefts:?}");
    report(&compared, "random rules")?;
    ensure!(compared.rewritten > compared.images / 8 && compared.left < compared.images / 10, "{compared:?}");
    Ok(())
}
