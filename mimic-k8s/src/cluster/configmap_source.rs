//! The mirror source that reads a ConfigMap.

use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use mimic_core::internal::parse_rules_part;
use mimic_core::{Hint as _, MirrorSource, Problem, Rule, RuleList, SourceError, SourceErrorKind, async_trait};
use tokio::sync::Mutex as AsyncMutex;

use super::configmap_data::parse_config_map;
use super::connect::Cluster;
use super::error::{ClusterError, ClusterErrorKind};
use super::events::Events;
use super::watch::ObjectWatch;
use crate::mirrors::{ConfigMapRules, RULES_FILE_KEY};

/// Mirrors from a ConfigMap in Mimic's namespace. If the ConfigMap does not exist or is deleted, there are none.
pub struct ConfigMapSource {
    name: String,
    /// Namespace and name, for messages.
    object: String,
    config_map: String,
    api: Api<ConfigMap>,
    events: Option<Events>,
    /// Locked while a result is awaited.
    watch: Option<AsyncMutex<ObjectWatch<ConfigMap>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last result of the watch.
    latest: Option<Result<Option<ConfigMap>, ClusterError>>,
    /// Whether the last result has not been loaded yet.
    is_news: bool,
    /// The last valid `mirrors.yaml`, used while a newer one cannot be parsed. The text needs less memory than its rules.
    file: String,
}

impl ConfigMapSource {
    /// The ConfigMap `name`. Each load reads it from the API server.
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        Self {
            name: format!("configmap:{name}"),
            object: format!("{}/{name}", cluster.namespace()),
            config_map: name.to_owned(),
            api: cluster.api(),
            events: None,
            watch: None,
            state: Mutex::default(),
        }
    }

    /// Watches the ConfigMap, so that changes apply immediately and loads need no request.
    #[must_use]
    pub fn watched(mut self) -> Self {
        self.watch = Some(AsyncMutex::new(ObjectWatch::new(self.api.clone(), &self.config_map)));
        self
    }

    /// Also reports invalid entries as Events on the ConfigMap.
    #[must_use]
    pub fn with_events(mut self, cluster: &Cluster) -> Self {
        self.events = Some(Events::new(cluster.client().clone()));
        self
    }

    /// Waits for the next result of the watch, unless the last one has not been loaded yet.
    async fn wait(&self, watch: &AsyncMutex<ObjectWatch<ConfigMap>>) {
        let mut watch = watch.lock().await;
        while !self.state().is_news {
            let result = watch.next().await;
            let mut state = self.state();
            // Changes of labels and other metadata are ignored.
            state.is_news = match (&state.latest, &result) {
                (Some(Ok(before)), Ok(now)) => content(before.as_ref()) != content(now.as_ref()),
                _ => true,
            };
            state.latest = Some(result);
        }
    }

    /// The rules of the ConfigMap. None if it does not exist.
    fn rules(&self, config_map: Option<&ConfigMap>) -> RuleList {
        let Some(config_map) = config_map else {
            log::info!(configmap = self.object.as_str(); "ConfigMap not found (or deleted): no mirrors from it");
            self.state().file.clear();
            return RuleList::default();
        };
        let ConfigMapRules { entries: mut list, file } = parse_config_map(&self.object, config_map);
        let mut state = self.state();
        match file {
            Ok(file) => {
                let text = config_map.data.as_ref().and_then(|data| data.get(RULES_FILE_KEY));
                text.map(String::as_str).unwrap_or_default().clone_into(&mut state.file);
                list.rules.extend(file.rules);
                list.problems.extend(file.problems);
            }
            Err(problem) => {
                let used = list.rules.iter().map(Rule::memory).sum();
                let kept =
                    parse_rules_part(RULES_FILE_KEY, &state.file, used).map_or_else(|_| Vec::new(), |file| file.rules);
                list.problems.push(keeping(problem, kept.len()));
                list.rules.extend(kept);
            }
        }
        drop(state);
        if let Some(events) = &self.events {
            events.report(config_map, &list.problems);
        }
        list
    }

    fn failure(&self, error: ClusterError) -> SourceError {
        let kind = match error.kind() {
            ClusterErrorKind::Unreachable | ClusterErrorKind::Expired => SourceErrorKind::Unavailable,
            ClusterErrorKind::Unauthorized | ClusterErrorKind::Forbidden => SourceErrorKind::Forbidden,
            _ => SourceErrorKind::Invalid,
        };
        let failure = SourceError::new(kind, format!("cannot read configmap {}", self.object));
        let failure = match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        };
        failure.with_cause(error)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements, so a panic elsewhere does no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MirrorSource for ConfigMapSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        let latest = match &self.watch {
            None => self.api.get_opt(&self.config_map).await.map_err(ClusterError::from),
            Some(watch) => {
                // The last object of the watch is the current state. Before the first result, and after an error that was
                // already returned, wait for the next one.
                let is_known = matches!(self.state().latest, Some(Ok(_)));
                if !is_known {
                    self.wait(watch).await;
                }
                let mut state = self.state();
                state.is_news = false;
                state.latest.clone().unwrap_or(Ok(None))
            }
        };
        match latest {
            Ok(config_map) => Ok(self.rules(config_map.as_ref())),
            Err(error) => Err(self.failure(error)),
        }
    }

    async fn changed(&self) {
        match &self.watch {
            None => std::future::pending().await,
            Some(watch) => self.wait(watch).await,
        }
    }
}

/// The parts of a ConfigMap that are read. `None` if it does not exist.
fn content(config_map: Option<&ConfigMap>) -> Option<(impl PartialEq + '_, impl PartialEq + '_)> {
    config_map.map(|config_map| (&config_map.data, &config_map.binary_data))
}

/// Adds to a problem with `mirrors.yaml` how many of its last valid rules stay in use.
fn keeping(problem: Problem, kept: usize) -> Problem {
    if kept == 0 {
        return problem;
    }
    let rules = if kept == 1 { "rule" } else { "rules" };
    let message = format!("{}; keeping the {kept} {rules} last read from `{RULES_FILE_KEY}`", problem.message());
    problem.with_message(message)
}
