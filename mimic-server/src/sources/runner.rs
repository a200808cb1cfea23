//! The loop that loads a source and publishes its list.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mimic_core::{Catalog, Hint as _, MirrorSource, RuleList, SourceError, Warning};
use tokio::sync::Notify;

use super::kind::ConfiguredSource;
use crate::backoff::Backoff;
use crate::health::Health;
use crate::metrics::Metrics;

/// Keeps the catalog up to date with its sources.
#[derive(Clone)]
pub(crate) struct Runner {
    catalog: Arc<Catalog>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    /// The warnings of the current rules, so that a lasting warning is logged once.
    warned: Arc<Mutex<BTreeSet<Warning>>>,
    /// Notified when rules were published.
    published: Arc<Notify>,
}

impl Runner {
    pub(crate) fn new(catalog: Arc<Catalog>, health: Arc<Health>, metrics: Arc<Metrics>) -> Self {
        Self { catalog, health, metrics, warned: Arc::default(), published: Arc::default() }
    }

    /// Is notified when rules were published. There can be one listener.
    pub(crate) fn published(&self) -> Arc<Notify> {
        Arc::clone(&self.published)
    }

    /// Publishes the lists that are known already, and starts to load the sources.
    pub(crate) fn run(&self, sources: Vec<ConfiguredSource>) {
        let publish = |name: &str, rules| self.publish(name, RuleList { rules, problems: Vec::new() });
        for configured in sources {
            match configured {
                ConfiguredSource::Fixed(name, rules) => publish(name, rules),
                ConfiguredSource::Loaded { source, watch, first } => {
                    let loaded = first.is_some();
                    if let Some(rules) = first {
                        publish(source.name(), rules);
                    }
                    tokio::task::spawn_local(self.clone().follow(source, watch, loaded));
                }
            }
        }
    }

    /// Compiles and publishes a source's list.
    fn publish(&self, source: &str, list: RuleList) {
        let (rules, skipped) = (list.rules.len(), list.problems.len());
        let before = self.health.entries_skipped(source, list.problems.clone());
        // A source that is polled need not repeat its problems.
        for problem in list.problems.iter().filter(|problem| !before.contains(problem)) {
            log::error!(source, problem:% = problem.full_message(); "invalid mirror entry skipped");
        }
        let warnings = self.catalog.publish(source, list.rules);
        self.metrics.source_loaded(source);
        self.published.notify_one();
        log::info!(source, rules, skipped; "mirrors loaded");

        let current = BTreeSet::from_iter(warnings);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in current.difference(&warned) {
            log::warn!(warning:%; "problem in mirror rules");
        }
        *warned = current;
    }

    /// Loads a source, unless it is `loaded` already, and again whenever it changed if `watch` is set.
    async fn follow(self, source: Arc<dyn MirrorSource>, watch: bool, mut loaded: bool) {
        let mut backoff = Backoff::new();
        loop {
            if backoff.failures() == 0 && loaded {
                if !watch {
                    return;
                }
                source.changed().await;
            }
            match source.load().await {
                Ok(list) => {
                    backoff.reset();
                    loaded = true;
                    self.report_degraded(&*source);
                    self.publish_on_thread(source.name(), list).await;
                }
                Err(error) => {
                    let pause = backoff.next(error.retry_after());
                    self.report_failure(&*source, &error, backoff.failures(), pause);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = source.changed() => {}
                    }
                }
            }
        }
    }

    /// Publishes without blocking the other tasks of this thread.
    async fn publish_on_thread(&self, source: &str, list: RuleList) {
        let (runner, name) = (self.clone(), source.to_owned());
        if let Err(error) = tokio::task::spawn_blocking(move || runner.publish(&name, list)).await {
            log::error!(source, error:%; "compiling mirrors failed");
        }
    }

    fn report_degraded(&self, source: &dyn MirrorSource) {
        let (name, problem) = (source.name(), source.degraded());
        let before = self.health.source_degraded(name, problem.clone());
        match problem {
            Some(problem) if before.as_ref() != Some(&problem) => {
                log::warn!(source = name, problem:% = problem.full_message(); "keeping mirrors that the source no longer lists");
            }
            None if before.is_some() => log::info!(source = name; "mirrors match the list of the source again"),
            _ => {}
        }
    }

    fn report_failure(&self, source: &dyn MirrorSource, error: &SourceError, failures: u32, pause: Duration) {
        let (name, kind) = (source.name(), error.kind().as_str());
        let error = error.full_message();
        log::warn!(
            source = name, error:%, kind, failures, retry_in:? = pause;
            "loading a mirror source failed; keeping its last good rules"
        );
        self.catalog.fail(name, error.to_string());
        self.metrics.source_failed(name);
    }
}
