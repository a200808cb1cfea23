//! `mimic mirrors`

use std::collections::HashMap;

use mimic_core::{Hint, Rule, RuleRef};
use mimic_harbor::{Filter, ProxyProject};
use serde::Serialize;

use crate::args::MirrorsArgs;
use crate::harbor::Discovered;
use crate::output::{Format, Output};
use crate::rules::{self, Lists};

/// One mirror, used or not.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// `None` for a project whose upstream is unknown.
    upstream: Option<String>,
    /// In order of preference; empty for a rule with `keep`.
    mirrors: Vec<String>,
    /// For an entry of `aliases`: the registry whose rules apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_of: Option<String>,
    source: String,
    rule: String,
    /// `public` or `private`, for a project.
    access: Option<&'static str>,
    health: Option<String>,
    filter: Option<Filter>,
    pull_secret: Option<String>,
    used: bool,
    /// Why it is not used.
    reason: Option<String>,
    hint: Option<String>,
}

pub(crate) fn run(args: MirrorsArgs, out: &mut Output) -> anyhow::Result<()> {
    // The errors have been reported.
    let Some((lists, harbors)) = rules::discover(args.rules, &args.harbor, out)? else { return Ok(()) };
    let mut rows = rows(&lists, &harbors);
    for text in rows.iter_mut().flat_map(|row| [&mut row.reason, &mut row.hint]).flatten() {
        *text = args.harbor.named(text);
    }
    match out.format() {
        // The errors have been reported.
        _ if rows.is_empty() && out.failed() => {}
        Format::Json => rows.iter().try_for_each(|row| out.json(row))?,
        Format::Text => write(&rows, out),
    }
    Ok(())
}

/// All rules in order of precedence, then the projects without a rule.
fn rows(lists: &Lists, harbors: &[Discovered]) -> Vec<Row> {
    let rewriter = rules::compile(lists);
    let projects = || {
        harbors.iter().flat_map(|harbor| {
            let projects = harbor.report.iter().flat_map(|report| &report.projects);
            projects.map(|project| (harbor.source.as_str(), project))
        })
    };
    let by_name: HashMap<(&str, &str), &ProxyProject> =
        projects().map(|(source, project)| ((source, project.name.as_str()), project)).collect();
    let mut first: HashMap<String, RuleRef<'_>> = HashMap::new();
    let mut rows = Vec::new();
    for rule in rewriter.rules() {
        let upstream = rule.rule.upstream().to_string();
        let project = by_name.get(&(rule.source, rule.rule.name()));
        let before = first.get(&upstream).copied();
        if before.is_none() && !rule.rule.is_conditional() {
            first.insert(upstream.clone(), rule);
        }
        let mut row = match project {
            Some(project) => project_row(project, rule.source),
            None => rule_row(rule.rule, rule.source, upstream),
        };
        row.used = before.is_none();
        row.reason = before.map(|before| format!("{before} has precedence for the same upstream"));
        rows.push(row);
    }
    let skipped = projects().filter(|(_, project)| project.skipped.is_some());
    rows.extend(skipped.map(|(source, project)| project_row(project, source)));
    rows
}

fn rule_row(rule: &Rule, source: &str, upstream: String) -> Row {
    Row {
        upstream: Some(upstream),
        mirrors: rule.mirrors().iter().map(|mirror| mirror.location().as_str().to_owned()).collect(),
        alias_of: rule.alias_of().map(str::to_owned),
        source: source.to_owned(),
        rule: rule.name().to_owned(),
        pull_secret: rule.pull_secret().map(str::to_owned),
        ..Row::default()
    }
}

fn project_row(project: &ProxyProject, source: &str) -> Row {
    Row {
        upstream: project.upstream.clone(),
        mirrors: vec![project.mirror.clone()],
        alias_of: None,
        source: source.to_owned(),
        rule: project.name.clone(),
        access: Some(if project.public { "public" } else { "private" }),
        health: project.health.clone(),
        filter: project.filter.clone(),
        pull_secret: project.pull_secret.clone(),
        used: project.skipped.is_none(),
        reason: project.skipped.as_ref().map(ToString::to_string),
        hint: project.skipped.as_ref().and_then(Hint::hint).map(Into::into),
    }
}

/// A table of the mirrors in use, and a list of those not used.
fn write(rows: &[Row], out: &mut Output) {
    const HEAD: [&str; 7] = ["UPSTREAM", "MIRROR", "SOURCE", "RULE", "ACCESS", "HEALTH", "FILTER"];
    let (used, unused): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.used);
    let table: Vec<[String; 7]> =
        std::iter::once(HEAD.map(str::to_owned)).chain(used.iter().map(|row| cells(row))).collect();
    let width = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    for line in &table {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.text(cells.join("  ").trim_end());
    }
    if unused.is_empty() {
        return;
    }
    out.text("\nnot used:");
    for row in unused {
        let upstream = row.upstream.as_ref().map(|upstream| format!(" ({upstream})")).unwrap_or_default();
        let reason = row.reason.as_deref().unwrap_or_default();
        out.text(format_args!("  {} of {}{upstream}: {reason}", row.rule, row.source));
        if let Some(hint) = &row.hint {
            out.text(format_args!("    hint: {hint}"));
        }
    }
}

fn cells(row: &Row) -> [String; 7] {
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let mirrors = match &row.alias_of {
        Some(registry) => format!("(as {registry})"),
        None if row.mirrors.is_empty() => "(not rewritten)".to_owned(),
        None => row.mirrors.join(", "),
    };
    [
        or_dash(row.upstream.clone()),
        mirrors,
        row.source.clone(),
        row.rule.clone(),
        or_dash(row.access.map(str::to_owned)),
        or_dash(row.health.clone()),
        or_dash(row.filter.as_ref().map(ToString::to_string)),
    ]
}
