use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mimic_core::{Catalog, Hint as _, MirrorSource, RuleList, SourceError, Warning};

use crate::health::Health;
use crate::metrics::Metrics;

/// The shortest and the longest time between two attempts to load a source that fails.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Keeps the catalog in step with its sources.
#[derive(Clone)]
pub(crate) struct Runner {
    catalog: Arc<Catalog>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    /// The warnings of the table in use, so that one that stays is logged once.
    warned: Arc<Mutex<BTreeSet<Warning>>>,
}

impl Runner {
    pub(crate) fn new(catalog: Arc<Catalog>, health: Arc<Health>, metrics: Arc<Metrics>) -> Self {
        Self { catalog, health, metrics, warned: Arc::default() }
    }

    /// Compiles and publishes a source's list.
    pub(crate) fn publish(&self, source: &str, list: RuleList) {
        let (rules, skipped) = (list.rules.len(), list.problems.len());
        let before = self.health.entries_skipped(source, list.problems.clone());
        // A source that is asked again and again need not repeat itself.
        for problem in list.problems.iter().filter(|problem| !before.contains(problem)) {
            log::error!(source, problem:% = problem.full_message(); "an entry of a mirror source was skipped");
        }
        let warnings = self.catalog.publish(source, list.rules);
        self.metrics.source_loaded(source);
        log::info!(source, rules, skipped; "mirrors loaded");

        let current = BTreeSet::from_iter(warnings);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in current.difference(&warned) {
            log::warn!(warning:%; "the mirror rules have a flaw");
        }
        *warned = current;
    }

    /// Loads a source, unless it has `loaded` already, and again whenever it changed if `watch` is set.
    pub(crate) async fn follow(self, source: Arc<dyn MirrorSource>, watch: bool, mut loaded: bool) {
        let mut failures = 0;
        loop {
            if failures == 0 && loaded {
                if !watch {
                    return;
                }
                source.changed().await;
            }
            match source.load().await {
                Ok(list) => {
                    failures = 0;
                    loaded = true;
                    self.publish_apart(source.name(), list).await;
                }
                Err(error) => {
                    failures += 1;
                    let wait = pause(failures, error.retry_after());
                    self.note(&*source, &error, failures, wait);
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = source.changed() => {}
                    }
                }
            }
        }
    }

    /// Publishes without holding up the other tasks of this thread.
    async fn publish_apart(&self, source: &str, list: RuleList) {
        let (runner, name) = (self.clone(), source.to_owned());
        if let Err(error) = tokio::task::spawn_blocking(move || runner.publish(&name, list)).await {
            log::error!(source, error:%; "mirrors could not be compiled");
        }
    }

    fn note(&self, source: &dyn MirrorSource, error: &SourceError, failures: u32, wait: Duration) {
        let (name, kind) = (source.name(), error.kind().as_str());
        let error = error.full_message();
        log::warn!(
            source = name, error:%, kind, failures, retry_in:? = wait;
            "a mirror source failed and keeps its last list"
        );
        self.catalog.fail(name, error.to_string());
        self.metrics.source_failed(name);
    }
}

/// How long to wait after so many failures in a row: twice as long each time, up to a limit, give or take a quarter so
/// that replicas do not ask in step; never shorter than what the source asked for.
pub(crate) fn pause(failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = BACKOFF.0.saturating_mul(1 << failures.saturating_sub(1).min(16));
    // Every `RandomState` has keys of its own, which is all the randomness that this needs.
    let random = RandomState::new().hash_one(failures);
    let share = f64::from(u16::try_from(random % 1000).unwrap_or_default()) / 1000.0;
    doubled.min(BACKOFF.1).mul_f64(0.75 + share / 2.0).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_are_never_shorter_than_asked_for() {
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)] {
            let around = Duration::from_secs(seconds);
            for _ in 0..100 {
                let pause = pause(failures, None);
                assert!(pause >= around.mul_f64(0.75) && pause <= around.mul_f64(1.25), "{failures}: {pause:?}");
            }
        }
        let asked = Duration::from_mins(5);
        assert_eq!(pause(1, Some(asked)), asked);
        let pauses: BTreeSet<Duration> = (0..100).map(|_| pause(3, None)).collect();
        assert!(pauses.len() > 10, "replicas do not ask in step");
    }
}
