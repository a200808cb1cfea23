//! How often each rule was used.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter for every rule of a table.
#[derive(Debug)]
pub(crate) struct Uses(Box<[AtomicU64]>);

impl Uses {
    pub(crate) fn new(rules: usize) -> Self {
        Self((0..rules).map(|_| AtomicU64::new(0)).collect())
    }

    /// A rule of another, longer table is not counted.
    pub(crate) fn note(&self, position: usize) {
        if let Some(uses) = self.0.get(position) {
            uses.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn of(&self, position: usize) -> u64 {
        self.0.get(position).map_or(0, |uses| uses.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, position: usize, uses: u64) {
        if let Some(counter) = self.0.get(position) {
            counter.store(uses, Ordering::Relaxed);
        }
    }
}
