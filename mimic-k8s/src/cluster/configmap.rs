//! Mirrors from a ConfigMap.

use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use mimic_core::{MirrorSource, Problem, Rule, RuleList, SourceError, SourceErrorKind, async_trait};
use tokio::sync::Mutex as AsyncMutex;

use super::connect::Cluster;
use super::error::{ClusterError, ClusterErrorKind};
use super::events::Events;
use super::follow::Follower;
use super::mirrors::{LONG_FORM, Mirrors, read_mirrors};

/// The mirrors that a ConfigMap in Mimic's namespace names. One that does not exist names none.
pub struct ConfigMapSource {
    name: String,
    /// Namespace and name, for people.
    object: String,
    config_map: String,
    api: Api<ConfigMap>,
    events: Option<Events>,
    /// Held while something is awaited of it.
    follower: Option<AsyncMutex<Follower<ConfigMap>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was heard last, and whether nobody has been told yet.
    latest: Option<Result<Option<ConfigMap>, ClusterError>>,
    is_news: bool,
    /// The rules last read from the long form, for a time when it cannot be read.
    long: Vec<Rule>,
}

impl ConfigMapSource {
    /// The ConfigMap `name`, which is read whenever it is asked for.
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        Self {
            name: format!("configmap:{name}"),
            object: format!("{}/{name}", cluster.namespace()),
            config_map: name.to_owned(),
            api: cluster.api(),
            events: None,
            follower: None,
            state: Mutex::default(),
        }
    }

    /// Watches it, so that changes are known at once.
    #[must_use]
    pub fn watched(mut self) -> Self {
        self.follower = Some(AsyncMutex::new(Follower::new(self.api.clone(), &self.config_map)));
        self
    }

    /// Reports bad entries as Events on the ConfigMap as well.
    #[must_use]
    pub fn with_events(mut self, cluster: &Cluster) -> Self {
        self.events = Some(Events::new(cluster.client().clone()));
        self
    }

    /// Waits for the next thing that is heard of the ConfigMap, unless there is something that nobody was told yet.
    async fn hear(&self, follower: &AsyncMutex<Follower<ConfigMap>>) {
        let mut follower = follower.lock().await;
        while !self.state().is_news {
            let heard = follower.next().await;
            let mut state = self.state();
            // A ConfigMap of which only labels and the like have changed says nothing new.
            state.is_news = match (&state.latest, &heard) {
                (Some(Ok(before)), Ok(now)) => content(before.as_ref()) != content(now.as_ref()),
                _ => true,
            };
            state.latest = Some(heard);
        }
    }

    /// The rules of the ConfigMap, or none when it is absent.
    fn read(&self, config_map: Option<&ConfigMap>) -> RuleList {
        let Some(config_map) = config_map else {
            log::info!(configmap = self.object.as_str(); "the ConfigMap does not exist, so it has no mirrors");
            self.state().long.clear();
            return RuleList::default();
        };
        let Mirrors { short: mut list, long } = read_mirrors(&self.object, config_map);
        let mut state = self.state();
        match long {
            Ok(long) => {
                state.long.clone_from(&long.rules);
                list.rules.extend(long.rules);
                list.problems.extend(long.problems);
            }
            Err(problem) => {
                list.rules.extend(state.long.iter().cloned());
                list.problems.push(unread(problem, state.long.len()));
            }
        }
        drop(state);
        if let Some(events) = &self.events {
            events.report(config_map, &list.problems);
        }
        list
    }

    fn failure(&self, error: &ClusterError) -> SourceError {
        let kind = match error.kind() {
            ClusterErrorKind::Unreachable | ClusterErrorKind::Expired => SourceErrorKind::Unavailable,
            ClusterErrorKind::Unauthorized | ClusterErrorKind::Forbidden => SourceErrorKind::Forbidden,
            _ => SourceErrorKind::Invalid,
        };
        let hint = error.hint().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
        SourceError::new(kind, format!("configmap {} cannot be read: {error}{hint}", self.object))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MirrorSource for ConfigMapSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        let latest = match &self.follower {
            None => self.api.get_opt(&self.config_map).await.map_err(ClusterError::from),
            Some(follower) => {
                // What the watch saw last is the state now. After a failure that was told, what comes next has to be
                // waited for, as it has to be for the first list.
                let is_known = matches!(self.state().latest, Some(Ok(_)));
                if !is_known {
                    self.hear(follower).await;
                }
                let mut state = self.state();
                state.is_news = false;
                state.latest.clone().unwrap_or(Ok(None))
            }
        };
        match latest {
            Ok(config_map) => Ok(self.read(config_map.as_ref())),
            Err(error) => Err(self.failure(&error)),
        }
    }

    async fn changed(&self) {
        match &self.follower {
            None => std::future::pending().await,
            Some(follower) => self.hear(follower).await,
        }
    }
}

/// What of a ConfigMap is read, of one that exists.
fn content(config_map: Option<&ConfigMap>) -> Option<(impl PartialEq + '_, impl PartialEq + '_)> {
    config_map.map(|config_map| (&config_map.data, &config_map.binary_data))
}

/// Says of a long form that cannot be read at all what is used instead.
fn unread(problem: Problem, kept: usize) -> Problem {
    if kept == 0 {
        return problem;
    }
    let message = format!("{}; the {kept} rules last read from `{LONG_FORM}` stay in use", problem.message());
    problem.with_message(message)
}
