//! Tables with an entry for each registry and one for all others, as containerd and k3s have them.

use std::collections::HashMap;

use mimic_core::{MirrorSpec, Problem, RuleSpec};

use crate::candidates::{Candidate, choose};
use crate::endpoint::is_same;
use crate::report::Report;
use crate::rewrite::{Rewrite, Rewritten};

/// The mirrors of one registry.
pub(crate) struct Host {
    /// `None` for all registries without an entry.
    pub(crate) registry: Option<String>,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) candidates: Vec<Candidate>,
    /// Rewrites of the repository, for the mirrors only.
    pub(crate) rewrites: Vec<Rewrite>,
}

/// Adds the rules of a table.
pub(crate) fn finish(hosts: Vec<Host>, report: &mut Report) {
    let mut tables: Vec<(Host, Vec<MirrorSpec>)> = Vec::new();
    for mut host in hosts {
        let mirrors = choose(&host.file, std::mem::take(&mut host.candidates), report);
        tables.push((host, mirrors));
    }
    warn_about_shared_mirrors(&tables, report);
    let has_default = tables.iter().any(|(host, mirrors)| host.registry.is_none() && !mirrors.is_empty());
    for (host, mirrors) in tables {
        let upstream = host.registry.clone().unwrap_or_else(|| "*".to_owned());
        // Without a rule of its own, the registry would get the mirror of the others.
        let keep = mirrors.is_empty() && has_default && host.registry.is_some();
        if mirrors.is_empty() && !keep {
            continue;
        }
        if !mirrors.is_empty() {
            rewrites(&host, &mirrors, report);
        }
        report.add(&host.file, host.line, RuleSpec { upstream: Some(upstream), mirrors, keep, ..RuleSpec::default() });
    }
}

/// A rule for each rewrite, all of them before the rule of the registry.
fn rewrites(host: &Host, mirrors: &[MirrorSpec], report: &mut Report) {
    for (number, rewrite) in host.rewrites.iter().enumerate() {
        let warning = |message: String| Problem::new(&host.file, message).at_line(rewrite.line);
        let written = &rewrite.pattern;
        let Rewritten { pattern, path, replaces_first } = match rewrite.translate(host.registry.as_deref()) {
            Ok(translated) => translated,
            Err(reason) => {
                report.warn(warning(format!("rewrite `{written}` {reason}; not imported")));
                continue;
            }
        };
        if replaces_first {
            report.warn(warning(format!("rewrite `{written}` replaces every match; Mimic replaces the first")));
        }
        if let Some(other) = host.rewrites[..number].iter().find(|other| other.can_overlap(rewrite)) {
            let other = &other.pattern;
            report.warn(warning(format!(
                "rewrites `{other}` and `{written}` can match the same image, and their order is random; Mimic uses the first"
            )));
        }
        let mirrors = mirrors
            .iter()
            .map(|mirror| MirrorSpec { location: format!("{}/{path}", mirror.location), ..mirror.clone() });
        let spec = RuleSpec {
            pattern: Some(pattern),
            mirrors: mirrors.collect(),
            // A registry is more specific than a pattern. All registries are not.
            priority: i32::from(host.registry.is_some()),
            ..RuleSpec::default()
        };
        report.add(&host.file, rewrite.line, spec);
    }
}

/// A runtime tells a mirror the registry, in the query `?ns=`. A reference cannot.
fn warn_about_shared_mirrors(tables: &[(Host, Vec<MirrorSpec>)], report: &mut Report) {
    let mut users: HashMap<&str, &str> = HashMap::new();
    for (host, mirrors) in tables {
        for MirrorSpec { location, .. } in mirrors {
            let what = match (&host.registry, users.get(location.as_str())) {
                (None, _) => "every registry".to_owned(),
                (Some(registry), Some(other)) if !is_same(registry, other) => format!("`{other}` and `{registry}`"),
                (Some(registry), _) => {
                    users.insert(location, registry);
                    continue;
                }
            };
            let message = format!(
                "`{location}` is the mirror of {what}: runtimes tell it the registry with `?ns=`, references cannot"
            );
            let hint = "give each registry a path of its own on the mirror";
            report.warn(Problem::new(&host.file, message).at_line(host.line).with_hint(hint));
        }
    }
}
