//! Not part of the public API: what the target in `fuzz/` checks. It is compiled only for it.

use std::collections::{HashMap, HashSet};

use mimic_core::Rule;
use serde_json::Value;

use crate::address::Address;
use crate::api::{Project, Registry};
use crate::project_rules::{self, Endpoint};
use crate::report::ProxyProject;
use crate::settings::HarborSettings;

/// The registry address of the Harbor.
pub const REGISTRY: &str = "harbor.example.com";

/// The projects of a Harbor, each with the rule made from it. `text` is JSON objects in any order: projects and registry
/// endpoints, as Harbor lists them. `None` if it cannot be read.
pub fn evaluate(text: &str, private: bool, reversed: bool) -> Option<Vec<(ProxyProject, Option<Rule>)>> {
    let (mut projects, mut endpoints) = (Vec::new(), HashMap::new());
    let mut names = HashSet::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.ok()?;
        if value.get("project_id").is_some() {
            let project: Project = serde_json::from_value(value).ok()?;
            // Harbor's names are unique, and not empty.
            if project.endpoint().is_some() && !project.name.is_empty() && names.insert(project.name.clone()) {
                projects.push(project);
            }
        } else {
            let registry: Registry = serde_json::from_value(value).ok()?;
            endpoints.insert(registry.id, Endpoint::Known(registry));
        }
    }
    let mut settings = HarborSettings::new(Address::parse(REGISTRY).ok()?);
    settings.private = private;
    settings.pull_secret = Some("harbor-pull".to_owned());
    if reversed {
        projects.reverse();
    }
    let endpoint = |project: &Project| {
        let known = project.endpoint().and_then(|id| endpoints.get(&id));
        known.cloned().unwrap_or(Endpoint::Deleted)
    };
    let projects = projects.into_iter().map(|project| (endpoint(&project), project));
    let projects = projects.map(|(endpoint, project)| (project, endpoint)).collect();
    let mut projects = project_rules::evaluate_all(projects, REGISTRY, &settings);
    project_rules::skip_outranked(&mut projects);
    Some(projects.into_iter().map(|project| (project.clone(), project.rule)).collect())
}
