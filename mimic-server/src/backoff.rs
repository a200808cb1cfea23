//! Random pauses, so that replicas do not send their requests at the same moments.

use std::time::Duration;

use backon::{BackoffBuilder as _, ConstantBuilder, ExponentialBackoff, ExponentialBuilder};

/// The first and the last step of the pauses. Each pause is up to twice as long, at random: at most a minute.
const STEPS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Pauses between attempts that fail: longer after each failure in a row.
#[derive(Debug)]
pub(crate) struct Backoff {
    pauses: ExponentialBackoff,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        let (shortest, longest) = STEPS;
        let builder = ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest);
        Self { pauses: builder.without_max_times().with_jitter().build(), failures: 0 }
    }

    /// Counts a failure and returns the pause until the next attempt, which is never shorter than `requested`.
    pub(crate) fn next(&mut self, requested: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.pauses.next().unwrap_or(STEPS.1).max(requested.unwrap_or_default())
    }

    /// Failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Notes a success.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}

/// A random duration within a tenth of `interval`.
pub(crate) fn around(interval: Duration) -> Duration {
    // The jitter adds up to the whole delay: between 0.2 and 0.4 of the interval, to which 0.7 is added.
    let fifth = ConstantBuilder::new().with_delay(interval / 5).with_jitter().build().next();
    interval.mul_f64(0.7) + fifth.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_are_never_shorter_than_requested() {
        let mut third = BTreeSet::new();
        for _ in 0..100 {
            let mut backoff = Backoff::new();
            for millis in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
                let pause = backoff.next(None);
                let step = Duration::from_millis(millis);
                assert!(pause >= step && pause <= 2 * step, "{pause:?} at {step:?}");
                if millis == 2_000 {
                    third.insert(pause);
                }
            }
            assert_eq!(backoff.failures(), 8);
            let requested = Duration::from_mins(5);
            assert_eq!(backoff.next(Some(requested)), requested);
            backoff.reset();
            assert!(backoff.failures() == 0 && backoff.next(None) <= Duration::from_secs(1));
        }
        assert!(third.len() > 10, "replicas do not retry at the same moments");
    }

    #[test]
    fn intervals_vary_by_a_tenth() {
        let interval = Duration::from_mins(5);
        let pauses: BTreeSet<Duration> = (0..100).map(|_| around(interval)).collect();
        assert!(pauses.iter().all(|pause| *pause >= interval.mul_f64(0.9) && *pause <= interval.mul_f64(1.1)));
        assert!(pauses.len() > 10, "replicas do not query at the same moments");
    }
}
