//! How often each rule was used.

use std::sync::atomic::{AtomicU64, Ordering};

/// One counter for each rule of a rewriter.
#[derive(Debug)]
pub(crate) struct Uses(Box<[AtomicU64]>);

impl Uses {
    pub(crate) fn new(rules: usize) -> Self {
        Self((0..rules).map(|_| AtomicU64::new(0)).collect())
    }

    /// Ignores the rule of another rewriter if this one has fewer rules.
    pub(crate) fn note(&self, number: usize) {
        if let Some(uses) = self.0.get(number) {
            uses.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn of(&self, number: usize) -> u64 {
        self.0.get(number).map_or(0, |uses| uses.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, number: usize, uses: u64) {
        if let Some(counter) = self.0.get(number) {
            counter.store(uses, Ordering::Relaxed);
        }
    }
}
