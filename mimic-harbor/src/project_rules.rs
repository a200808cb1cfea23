//! Makes rules from projects: selects the projects to use, and one project for each upstream.

use std::collections::HashMap;

use mimic_core::{MirrorSpec, References, Rule, RuleSpec};

use crate::api::{Project, Registry};
use crate::filter::Filter;
use crate::report::{ProxyProject, SkipReason, is_healthy};
use crate::settings::HarborSettings;
use crate::upstream::upstream_of;

/// The registry endpoint of a project.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    Known(Registry),
    /// Not needed: the project is not selected, or has an override.
    NotRequested,
    NotPermitted,
    Deleted,
}

/// Whether the settings select a project by its name and visibility.
pub(crate) fn check_selected(project: &Project, settings: &HarborSettings) -> Result<(), SkipReason> {
    if !settings.projects.is_match(&project.name) {
        Err(SkipReason::NotSelected)
    } else if !settings.private && !project.is_public() {
        Err(SkipReason::Private)
    } else {
        Ok(())
    }
}

/// Evaluates all projects, without regard to each other, and returns them in the order of their names.
pub(crate) fn evaluate_all(
    projects: Vec<(Project, Endpoint)>,
    registry: &str,
    settings: &HarborSettings,
) -> Vec<ProxyProject> {
    let mut projects: Vec<ProxyProject> =
        projects.into_iter().map(|(project, endpoint)| evaluate(&project, &endpoint, registry, settings)).collect();
    projects.sort_by(|a, b| a.name.cmp(&b.name));
    projects
}

/// Evaluates one project, without regard to the others.
fn evaluate(project: &Project, endpoint: &Endpoint, registry: &str, settings: &HarborSettings) -> ProxyProject {
    let public = project.is_public();
    let mut evaluated = ProxyProject {
        name: project.name.clone(),
        public,
        upstream: None,
        mirror: format!("{registry}/{}", project.name),
        health: None,
        filter: project.metadata.as_ref().and_then(Filter::of),
        pull_secret: settings.pull_secret.clone().filter(|_| !public),
        skipped: None,
        rule: None,
    };
    if let Endpoint::Known(endpoint) = endpoint {
        evaluated.health = Some(endpoint.status.clone()).filter(|status| !status.is_empty());
    }
    let upstream = match (settings.overrides.get(&project.name), endpoint) {
        (Some(upstream), _) => Ok(upstream.to_owned()),
        (None, Endpoint::Known(endpoint)) => upstream_of(&endpoint.kind, &endpoint.url).map_err(SkipReason::from),
        (None, Endpoint::Deleted) => Err(SkipReason::EndpointDeleted),
        (None, Endpoint::NotPermitted | Endpoint::NotRequested) => Err(SkipReason::NotPermitted),
    };
    evaluated.upstream = upstream.as_ref().ok().cloned();
    match check_selected(project, settings)
        .and(upstream)
        .and_then(|upstream| rule(&evaluated, &upstream, registry, settings))
    {
        Ok(rule) => evaluated.rule = Some(rule),
        Err(reason) => evaluated.skipped = Some(reason),
    }
    evaluated
}

fn rule(project: &ProxyProject, upstream: &str, registry: &str, settings: &HarborSettings) -> Result<Rule, SkipReason> {
    if upstream.split('/').next() == registry.split('/').next() {
        return Err(SkipReason::OwnHarbor);
    }
    if let Some(health) = project.health.as_ref().filter(|health| !settings.unhealthy && !is_healthy(health)) {
        return Err(SkipReason::Unhealthy(health.clone()));
    }
    let mut spec = RuleSpec {
        name: Some(project.name.clone()),
        pull_secret: project.pull_secret.clone(),
        mirrors: vec![MirrorSpec { location: project.mirror.clone(), references: References::Any }],
        ..RuleSpec::default()
    };
    match &project.filter {
        None => spec.upstream = Some(upstream.to_owned()),
        Some(filter) => {
            spec.pattern = Some(format!("{}/(?P<rest>{})", regex::escape(upstream), filter.expression()?));
            spec.mirrors[0].location.push_str("/{rest}");
        }
    }
    spec.check().map_err(SkipReason::from)
}

/// Keeps one project for each upstream. A project without a filter takes precedence over projects with one. Among
/// projects that serve the same repositories: public before private, then healthy before others, then by name.
pub(crate) fn skip_outranked(projects: &mut [ProxyProject]) {
    let rank = |project: &ProxyProject| {
        let unhealthy = project.health.as_deref().is_some_and(|health| !is_healthy(health));
        (!project.public, unhealthy, project.name.clone())
    };
    let mut candidates: Vec<usize> = (0..projects.len()).filter(|&i| projects[i].skipped.is_none()).collect();
    candidates.sort_by_cached_key(|&i| (projects[i].filter.is_some(), rank(&projects[i])));
    let mut winners: HashMap<(String, Option<Filter>), usize> = HashMap::new();
    for i in candidates {
        let upstream = projects[i].upstream.clone().unwrap_or_default();
        let whole = winners.get(&(upstream.clone(), None)).copied();
        let winner = match whole {
            Some(winner) => winner,
            None => *winners.entry((upstream, projects[i].filter.clone())).or_insert(i),
        };
        if winner != i {
            projects[i].skipped = Some(SkipReason::Outranked { by: projects[winner].name.clone() });
            projects[i].rule = None;
        }
    }
}
