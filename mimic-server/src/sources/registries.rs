//! What registry products such as Harbor have in common as sources: several can be listed, and each is polled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mimic_core::{MirrorSource, Problem, RuleList, SourceError, async_trait};

use crate::backoff::around;
use crate::config::{Layers, Setting};
use crate::polling::PolledFiles;

/// Reads the registries of a group: the single one, or all that the file lists. Each of several must have a name of its
/// own. `read` gets the name, and returns `None` for a registry that is not enabled.
pub(super) fn read_each<T>(
    layers: &mut Layers,
    group: &'static str,
    name_setting: &Setting<String>,
    read: fn(&mut Layers, String) -> Option<T>,
) -> Vec<T> {
    let length = layers.list_length(group);
    let mut registries = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for index in 0..length.unwrap_or(1) {
        if length.is_some() {
            layers.enter(group, index);
        }
        let name = layers.read(name_setting);
        if length.is_some_and(|length| length > 1) {
            if name.is_empty() {
                layers.note(name_setting, "not set, but required for each entry of a list", "");
            } else if names.contains(&name) {
                layers.note(name_setting, format!("`{name}` is already the name of another entry"), "");
            }
        }
        names.push(name.clone());
        registries.extend(read(layers, name));
    }
    layers.leave();
    registries
}

/// The name of a registry's source: `harbor`, or `harbor:NAME`.
pub(super) fn source_name(kind: &str, name: &str) -> String {
    if name.is_empty() { kind.to_owned() } else { format!("{kind}:{name}") }
}

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
