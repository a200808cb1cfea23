//! Whether all workers run. A worker that is stuck in a request serves none of its connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long a worker can be silent before it counts as stuck. Far longer than any review, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The heartbeats of all workers.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    start: Instant,
    patience: Duration,
    /// When each worker last reported, in milliseconds since the start.
    workers: Mutex<Vec<Weak<AtomicU64>>>,
}

/// The heartbeat of one worker; drop it when the worker ends.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    start: Instant,
    last: Arc<AtomicU64>,
}

impl Heartbeats {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { start: Instant::now(), patience, workers: Mutex::default() }
    }

    /// Adds a worker.
    pub(crate) fn add(&self) -> Heartbeat {
        let heartbeat = Heartbeat { start: self.start, last: Arc::default() };
        heartbeat.beat();
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(&heartbeat.last));
        heartbeat
    }

    /// How long the worker that is stuck for the longest time has been silent; `None` if none is stuck.
    pub(crate) fn stuck(&self) -> Option<Duration> {
        let now = self.start.elapsed();
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let last = workers.iter().filter_map(Weak::upgrade).map(|last| last.load(Ordering::Relaxed)).min()?;
        let silence = now.saturating_sub(Duration::from_millis(last));
        (silence > self.patience).then_some(silence)
    }
}

impl Heartbeat {
    /// Reports that the worker runs.
    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_silent_worker_among_others_is_stuck_until_it_ends() {
        let heartbeats = Heartbeats::new(Duration::from_secs(1));
        assert_eq!(heartbeats.stuck(), None);
        let (runs, silent) = (heartbeats.add(), heartbeats.add());
        assert_eq!(heartbeats.stuck(), None);
        // As if the server had started ten minutes ago.
        let start = Instant::now().checked_sub(Duration::from_mins(10)).expect("the machine has run that long");
        let heartbeats = Heartbeats { start, ..heartbeats };
        Heartbeat { start, last: Arc::clone(&runs.last) }.beat();
        assert!(heartbeats.stuck().is_some_and(|silence| silence >= Duration::from_mins(9)));
        drop(silent);
        assert_eq!(heartbeats.stuck(), None);
    }
}
