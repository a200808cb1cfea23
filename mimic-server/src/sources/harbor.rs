use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mimic_core::{MirrorSource, Problem, RuleList, SourceError, async_trait};
use mimic_harbor::{Harbor, HarborSource};

use super::Configured;
use crate::config::Settings;
use crate::polling::Watched;

/// The Harbors that the settings name, in order of precedence, or what is wrong with them. Nothing is asked yet.
pub(crate) fn from_harbors(settings: &Settings) -> Result<Vec<Configured>, Vec<Problem>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for configured in &settings.harbors {
        let name = configured.source_name();
        match Harbor::new(configured.settings.clone()) {
            Ok(harbor) => {
                let source = Refreshed::new(HarborSource::new(name, harbor), configured.interval);
                let watch = settings.watch_mirrors && configured.watch;
                sources.push(Configured::Asked { source: Arc::new(source), watch, first: None });
            }
            Err(error) => problems.push(Problem::from_error(&configured.source_name(), &error)),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

/// A Harbor that is asked again on an interval, and at once when one of its files changes.
struct Refreshed {
    source: HarborSource,
    interval: Duration,
    files: Watched,
    /// Whether it failed last time. Then it is the runner who waits, longer each time.
    failed: AtomicBool,
}

impl Refreshed {
    fn new(source: HarborSource, interval: Duration) -> Self {
        let files = Watched::new(source.files());
        Self { source, interval, files, failed: AtomicBool::new(false) }
    }
}

#[async_trait]
impl MirrorSource for Refreshed {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        self.files.note();
        let loaded = self.source.load().await;
        self.failed.store(loaded.is_err(), Ordering::Relaxed);
        loaded
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

/// The interval, give or take a tenth, so that replicas do not ask in step.
fn around(interval: Duration) -> Duration {
    // Every `RandomState` has keys of its own, which is all the randomness that this needs.
    let random = RandomState::new().hash_one(interval);
    let share = f64::from(u16::try_from(random % 1000).unwrap_or_default()) / 1000.0;
    interval.mul_f64(0.9 + share / 5.0)
}

#[cfg(test)]
mod tests {
    use mimic_harbor::{Address, HarborSettings};
    use tokio::time::Instant;

    use super::*;

    fn refreshed(interval: Duration) -> Refreshed {
        let address = Address::parse("harbor.example.com").expect("a good address");
        let harbor = Harbor::new(HarborSettings::new(address)).expect("good settings");
        Refreshed::new(HarborSource::new("harbor", harbor), interval)
    }

    #[tokio::test(start_paused = true)]
    async fn harbor_is_asked_again_after_the_interval_give_or_take_a_tenth() {
        let interval = Duration::from_mins(5);
        let source = refreshed(interval);
        let mut pauses = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let before = Instant::now();
            source.changed().await;
            let pause = before.elapsed();
            assert!(pause >= interval.mul_f64(0.9) && pause <= interval.mul_f64(1.1), "{pause:?}");
            pauses.insert(pause);
        }
        assert!(pauses.len() > 10, "replicas do not ask in step");
    }

    #[tokio::test(start_paused = true)]
    async fn a_harbor_that_failed_is_not_asked_by_the_interval() {
        let source = refreshed(Duration::from_secs(1));
        source.failed.store(true, Ordering::Relaxed);
        let changed = tokio::time::timeout(Duration::from_hours(1), source.changed()).await;
        assert!(changed.is_err(), "how long to wait is the runner's");
    }
}
