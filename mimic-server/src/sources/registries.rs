//! What registry products such as Harbor have in common as sources: each is polled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mimic_core::{MirrorSource, Problem, RuleList, SourceError, async_trait};

use crate::backoff::around;
use crate::polling::PolledFiles;

/// A registry that is polled: after an interval, and at once when one of its files changes.
pub(super) struct PolledRegistry<S> {
    source: S,
    interval: Duration,
    files: PolledFiles,
    /// Whether the last load failed. The runner then decides when to load again.
    failed: AtomicBool,
}

impl<S: MirrorSource> PolledRegistry<S> {
    pub(super) fn new(source: S, files: PolledFiles, interval: Duration) -> Self {
        Self { source, interval, files, failed: AtomicBool::new(false) }
    }
}

#[async_trait]
impl<S: MirrorSource> MirrorSource for PolledRegistry<S> {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        self.files.note().await;
        let loaded = self.source.load().await;
        self.failed.store(loaded.is_err(), Ordering::Relaxed);
        loaded
    }

    fn degraded(&self) -> Option<Problem> {
        self.source.degraded()
    }

    async fn changed(&self) {
        if self.failed.load(Ordering::Relaxed) {
            return self.files.changed().await;
        }
        tokio::select! {
            () = tokio::time::sleep(around(self.interval)) => {}
            () = self.files.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    struct Empty;

    #[async_trait]
    impl MirrorSource for Empty {
        fn name(&self) -> &'static str {
            "empty"
        }

        async fn load(&self) -> Result<RuleList, SourceError> {
            Ok(RuleList::default())
        }

        async fn changed(&self) {
            std::future::pending::<()>().await;
        }
    }

    fn polled(interval: Duration) -> PolledRegistry<Empty> {
        PolledRegistry::new(Empty, PolledFiles::new([]), interval)
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_is_polled_after_the_interval_plus_or_minus_a_tenth() {
        let interval = Duration::from_mins(5);
        let registry = polled(interval);
        let mut pauses = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let before = Instant::now();
            registry.changed().await;
            let pause = before.elapsed();
            assert!(pause >= interval.mul_f64(0.9) && pause <= interval.mul_f64(1.1), "{pause:?}");
            pauses.insert(pause);
        }
        assert!(pauses.len() > 10, "replicas do not poll at the same moments");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_the_interval_does_not_apply() {
        let registry = polled(Duration::from_secs(1));
        registry.failed.store(true, Ordering::Relaxed);
        let changed = tokio::time::timeout(Duration::from_hours(1), registry.changed()).await;
        assert!(changed.is_err(), "the runner decides how long to wait");
    }
}
