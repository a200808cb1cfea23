//! From projects to rules: which are used, and which of several for one upstream.

use std::collections::HashMap;

use mimic_core::{MirrorSpec, References, Rule, RuleSpec};

use crate::api::{Project, Registry};
use crate::filter::Filter;
use crate::report::{Entry, LeftOut, is_healthy};
use crate::settings::Settings;
use crate::upstream::upstream_of;

/// What is known of the registry endpoint of a project.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    Known(Registry),
    /// Nobody asked: the project is not used, or has an override.
    NotAsked,
    NotPermitted,
    Gone,
}

/// Whether a project is to be used, as far as it tells itself.
pub(crate) fn is_wanted(project: &Project, settings: &Settings) -> Result<(), LeftOut> {
    if !settings.projects.is_match(&project.name) {
        Err(LeftOut::NotSelected)
    } else if !settings.private && !project.is_public() {
        Err(LeftOut::Private)
    } else {
        Ok(())
    }
}

/// Decides every project, in the order of their names.
pub(crate) fn choose(projects: Vec<(Project, Endpoint)>, registry: &str, settings: &Settings) -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        projects.into_iter().map(|(project, endpoint)| entry(&project, &endpoint, registry, settings)).collect();
    entries.sort_by(|a, b| a.project.cmp(&b.project));
    settle(&mut entries);
    entries
}

/// What becomes of a project regardless of the others.
fn entry(project: &Project, endpoint: &Endpoint, registry: &str, settings: &Settings) -> Entry {
    let public = project.is_public();
    let mut entry = Entry {
        project: project.name.clone(),
        public,
        upstream: None,
        mirror: format!("{registry}/{}", project.name),
        health: None,
        filter: project.metadata.as_ref().and_then(Filter::of),
        pull_secret: settings.pull_secret.clone().filter(|_| !public),
        left_out: None,
        rule: None,
    };
    if let Endpoint::Known(endpoint) = endpoint {
        entry.health = Some(endpoint.status.clone()).filter(|status| !status.is_empty());
    }
    let upstream = match (settings.overrides.get(&project.name), endpoint) {
        (Some(upstream), _) => Ok(upstream.to_owned()),
        (None, Endpoint::Known(endpoint)) => upstream_of(&endpoint.kind, &endpoint.url).map_err(LeftOut::from),
        (None, Endpoint::Gone) => Err(LeftOut::NoEndpoint),
        (None, Endpoint::NotPermitted | Endpoint::NotAsked) => Err(LeftOut::NotPermitted),
    };
    entry.upstream = upstream.as_ref().ok().cloned();
    match is_wanted(project, settings).and(upstream).and_then(|upstream| rule(&entry, &upstream, registry, settings)) {
        Ok(rule) => entry.rule = Some(rule),
        Err(reason) => entry.left_out = Some(reason),
    }
    entry
}

fn rule(entry: &Entry, upstream: &str, registry: &str, settings: &Settings) -> Result<Rule, LeftOut> {
    if upstream.split('/').next() == registry.split('/').next() {
        return Err(LeftOut::Itself);
    }
    if let Some(health) = entry.health.as_ref().filter(|health| !settings.unhealthy && !is_healthy(health)) {
        return Err(LeftOut::Unhealthy(health.clone()));
    }
    let mut spec = RuleSpec {
        name: Some(entry.project.clone()),
        pull_secret: entry.pull_secret.clone(),
        mirrors: vec![MirrorSpec { location: entry.mirror.clone(), references: References::Any }],
        ..RuleSpec::default()
    };
    match &entry.filter {
        None => spec.upstream = Some(upstream.to_owned()),
        Some(filter) => {
            spec.pattern = Some(format!("{}/(?P<rest>{})", regex::escape(upstream), filter.expression()?));
            spec.mirrors[0].location.push_str("/{rest}");
        }
    }
    spec.check().map_err(|error| LeftOut::Invalid(error.to_string()))
}

/// Lets one project serve an upstream. One without a filter goes before those with one; among those that serve the same,
/// public goes before private, then healthy before other, then the name decides.
fn settle(entries: &mut [Entry]) {
    let rank = |entry: &Entry| {
        let unhealthy = entry.health.as_deref().is_some_and(|health| !is_healthy(health));
        (!entry.public, unhealthy, entry.project.clone())
    };
    let mut contenders: Vec<usize> = (0..entries.len()).filter(|&i| entries[i].left_out.is_none()).collect();
    contenders.sort_by_cached_key(|&i| (entries[i].filter.is_some(), rank(&entries[i])));
    let mut winners: HashMap<(String, Option<Filter>), usize> = HashMap::new();
    for i in contenders {
        let upstream = entries[i].upstream.clone().unwrap_or_default();
        let whole = winners.get(&(upstream.clone(), None)).copied();
        let winner = match whole {
            Some(winner) => winner,
            None => *winners.entry((upstream, entries[i].filter.clone())).or_insert(i),
        };
        if winner != i {
            entries[i].left_out = Some(LeftOut::Lost { to: entries[winner].project.clone() });
            entries[i].rule = None;
        }
    }
}
