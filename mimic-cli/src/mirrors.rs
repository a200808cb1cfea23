//! `mimic mirrors`

use std::collections::HashMap;

use mimic_core::{Hint as _, Rule, RuleRef};
use mimic_harbor::{Entry, Filter, Report};
use serde::Serialize;

use crate::args::{Format, MirrorsArgs};
use crate::harbor;
use crate::output::Output;
use crate::rules::{self, Lists};

/// The source of what a Harbor mirrors, as in the server.
const HARBOR: &str = "harbor";

/// One mirror, used or not.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// `None` for a project whose upstream is not known.
    upstream: Option<String>,
    /// In order of preference; none for a rule that keeps what it matches.
    mirrors: Vec<String>,
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
    hint: Option<&'static str>,
}

pub(crate) fn run(args: MirrorsArgs, out: &mut Output) -> anyhow::Result<()> {
    // What is wrong has been reported.
    let Some(mut lists) = rules::lists(args.rules, out) else { return Ok(()) };
    let report = match args.harbor.settings()? {
        None => None,
        Some(settings) => match harbor::ask(&settings)? {
            Ok(report) => Some(report),
            Err(error) => {
                match error.hint() {
                    Some(hint) => out.error(format_args!("{error} (hint: {hint})")),
                    None => out.error(error),
                }
                None
            }
        },
    };
    if let Some(report) = &report {
        lists.push((HARBOR.to_owned(), report.rule_list().rules.into()));
        for problem in report.problems() {
            out.error(problem.full_message());
        }
    }
    let rows = rows(&lists, report.as_ref());
    match out.format() {
        // The reason has been told.
        _ if rows.is_empty() && out.failed() => {}
        Format::Json => rows.iter().try_for_each(|row| out.json(row))?,
        Format::Text => write(&rows, out),
    }
    Ok(())
}

/// All rules in order of precedence, then the projects that gave none.
fn rows(lists: &Lists, report: Option<&Report>) -> Vec<Row> {
    let rewriter = rules::compile(lists);
    let entries: HashMap<&str, &Entry> =
        report.iter().flat_map(|report| &report.projects).map(|entry| (entry.project.as_str(), entry)).collect();
    let mut first: HashMap<String, RuleRef<'_>> = HashMap::new();
    let mut rows = Vec::new();
    for rule in rewriter.rules() {
        let upstream = rule.rule.upstream().to_string();
        let entry = entries.get(rule.rule.name()).copied().filter(|_| rule.source == HARBOR);
        let before = first.get(&upstream).copied();
        if before.is_none() && !rule.rule.is_conditional() {
            first.insert(upstream.clone(), rule);
        }
        let mut row = match entry {
            Some(entry) => of_project(entry),
            None => of_rule(rule.rule, rule.source, upstream),
        };
        row.used = before.is_none();
        row.reason = before.map(|before| format!("{before} is for the same upstream and comes first"));
        rows.push(row);
    }
    let left_out = report.iter().flat_map(|report| &report.projects).filter(|entry| entry.left_out.is_some());
    rows.extend(left_out.map(of_project));
    rows
}

fn of_rule(rule: &Rule, source: &str, upstream: String) -> Row {
    Row {
        upstream: Some(upstream),
        mirrors: rule.mirrors().iter().map(|mirror| mirror.location().as_str().to_owned()).collect(),
        source: source.to_owned(),
        rule: rule.name().to_owned(),
        pull_secret: rule.pull_secret().map(str::to_owned),
        ..Row::default()
    }
}

fn of_project(entry: &Entry) -> Row {
    Row {
        upstream: entry.upstream.clone(),
        mirrors: vec![entry.mirror.clone()],
        source: HARBOR.to_owned(),
        rule: entry.project.clone(),
        access: Some(if entry.public { "public" } else { "private" }),
        health: entry.health.clone(),
        filter: entry.filter.clone(),
        pull_secret: entry.pull_secret.clone(),
        used: entry.left_out.is_none(),
        reason: entry.left_out.as_ref().map(ToString::to_string),
        hint: entry.left_out.as_ref().and_then(mimic_harbor::LeftOut::hint),
    }
}

/// A table of what is used, and a list of what is not.
fn write(rows: &[Row], out: &mut Output) {
    const HEAD: [&str; 7] = ["UPSTREAM", "MIRROR", "SOURCE", "RULE", "ACCESS", "HEALTH", "FILTER"];
    let (used, left_out): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.used);
    let table: Vec<[String; 7]> =
        std::iter::once(HEAD.map(str::to_owned)).chain(used.iter().map(|row| cells(row))).collect();
    let width = |column: usize| table.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    for line in &table {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        out.text(cells.join("  ").trim_end());
    }
    if left_out.is_empty() {
        return;
    }
    out.text("\nleft out:");
    for row in left_out {
        let upstream = row.upstream.as_ref().map(|upstream| format!(" ({upstream})")).unwrap_or_default();
        let reason = row.reason.as_deref().unwrap_or_default();
        out.text(format_args!("  {} of {}{upstream}: {reason}", row.rule, row.source));
        if let Some(hint) = row.hint {
            out.text(format_args!("    hint: {hint}"));
        }
    }
}

fn cells(row: &Row) -> [String; 7] {
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let mirrors = if row.mirrors.is_empty() { "(left as they are)".to_owned() } else { row.mirrors.join(", ") };
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
