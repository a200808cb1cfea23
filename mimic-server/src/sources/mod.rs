//! Where mirrors come from, and the one loop that keeps them up to date.

mod file;
mod harbor;
mod runner;

use std::sync::Arc;

use mimic_core::{MirrorSource, Problem, Rule, parse_rules_file, parse_short_form};
use mimic_k8s::cluster::{Cluster, ConfigMapSource};

use crate::config::Settings;
pub(crate) use harbor::from_harbors;
pub(crate) use runner::{Runner, pause};

/// Name of the source that `MIMIC_MIRRORS` is.
const ENVIRONMENT: &str = "environment";

/// Name of the source that the example of `--demo` is.
const EXAMPLE: &str = "example";

/// A source with what is known of it before anything runs.
pub(crate) enum Configured {
    /// A list that is part of the configuration and never changes, and its name.
    Fixed(&'static str, Vec<Rule>),
    /// One that has to be asked.
    Asked {
        source: Arc<dyn MirrorSource>,
        /// Whether it is asked again after its first list.
        watch: bool,
        /// Its first list, if the configuration could not be checked without it.
        first: Option<Vec<Rule>>,
    },
}

/// The sources that the settings themselves name, in order of precedence, each with its first list. Any problem in them
/// is a mistake in the configuration, so all of them are returned instead.
///
/// `example` is an example list, used when no other mirrors are named.
pub(crate) fn from_settings(settings: &Settings, example: Option<&str>) -> Result<Vec<Configured>, Vec<Problem>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    let mirrors = &settings.mirrors;
    if !mirrors.text.is_empty() {
        let (origin, line) = &mirrors.place;
        let list = parse_short_form(origin, &mirrors.text);
        problems.extend(list.problems.into_iter().map(|problem| problem.at_line(*line)));
        sources.push(Configured::Fixed(ENVIRONMENT, list.rules));
    }
    for path in &settings.files.paths {
        let source = file::File::new(path);
        match source.read() {
            Ok(list) => {
                problems.extend(list.problems);
                let watch = settings.watch_mirrors && settings.files.watch;
                sources.push(Configured::Asked { source: Arc::new(source), watch, first: Some(list.rules) });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if let Some(example) =
        example.filter(|_| mirrors.text.is_empty() && settings.files.paths.is_empty() && settings.harbors.is_empty())
    {
        match parse_rules_file(EXAMPLE, example) {
            Ok(list) => sources.push(Configured::Fixed(EXAMPLE, list.rules)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

/// The ConfigMap, if the settings ask for it. It comes after the sources that the settings themselves name.
pub(crate) fn from_cluster(settings: &Settings, cluster: &Cluster) -> Option<Configured> {
    let kubernetes = &settings.kubernetes;
    if !kubernetes.enabled {
        return None;
    }
    let watch = settings.watch_mirrors && kubernetes.watch;
    let source = ConfigMapSource::new(cluster, &kubernetes.config_map);
    let source = if watch { source.watched() } else { source };
    let source = if kubernetes.events { source.with_events(cluster) } else { source };
    Some(Configured::Asked { source: Arc::new(source), watch, first: None })
}

impl Configured {
    /// What the source is called in logs, metrics and explanations.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Fixed(name, _) => name,
            Self::Asked { source, .. } => source.name(),
        }
    }
}
