//! One budget of bytes for all bodies that are being received and all responses that are being sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest body, with its overhead, that can use the whole budget. Larger ones leave it a quarter.
const SMALL: usize = (256 << 10) + GRAIN;

/// Bytes are counted in steps of this size, so that a body that arrives in small pieces does not count each of them.
const GRAIN: usize = 16 << 10;

/// The bytes that all connections together can hold.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    held: AtomicUsize,
    held_by_large: AtomicUsize,
}

/// A connection's part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    held: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), held_by_large: AtomicUsize::new(0) })
    }

    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), held: 0 }
    }
}

impl Share {
    /// Changes the part to `bytes`. Returns `false`, and changes nothing, if the budget does not have them.
    #[must_use]
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let bytes = bytes.next_multiple_of(GRAIN);
        let large = |bytes: usize| if bytes > SMALL { bytes } else { 0 };
        let (budget, before) = (&*self.budget, self.held);
        if bytes == before {
            return true;
        }
        if !change(&budget.held, before, bytes, budget.limit) {
            return false;
        }
        if !change(&budget.held_by_large, large(before), large(bytes), budget.limit - budget.limit / 4) {
            change(&budget.held, bytes, before, usize::MAX);
            return false;
        }
        self.held = bytes;
        true
    }

    /// Gives all of it back.
    pub(super) fn release(&mut self) {
        let released = self.hold(0);
        debug_assert!(released, "less is always possible");
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

/// Replaces the part `from` of a sum by `to`, unless that exceeds `limit`.
fn change(sum: &AtomicUsize, from: usize, to: usize, limit: usize) -> bool {
    if to <= from {
        sum.fetch_sub(from - to, Ordering::Relaxed);
        return true;
    }
    let more = to - from;
    let fits = sum.fetch_add(more, Ordering::Relaxed).saturating_add(more) <= limit;
    if !fits {
        sum.fetch_sub(more, Ordering::Relaxed);
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn large_bodies_leave_a_quarter_to_small_ones() {
        let budget = Budget::new(8 * MIB);
        let mut large: Vec<Share> = (0..3).map(|_| budget.share()).collect();
        assert!(large.iter_mut().all(|share| share.hold(2 * MIB)));
        assert!(!budget.share().hold(SMALL + 1), "three quarters are in use");
        let mut small: Vec<Share> = (0..8).map(|_| budget.share()).collect();
        let fits = small.iter_mut().map(|share| share.hold(256 << 10)).filter(|fits| *fits).count();
        assert_eq!(fits, 8);
        // One that grows beyond the small size would use the quarter.
        assert!(!small[0].hold(MIB));
        assert_eq!(small[0].held, 256 << 10);
        drop(large);
        assert!(small[0].hold(MIB));
    }

    #[test]
    fn small_bodies_can_use_all_of_it_and_no_more() {
        let budget = Budget::new(MIB);
        let mut shares: Vec<Share> = (0..5).map(|_| budget.share()).collect();
        let fits: Vec<bool> = shares.iter_mut().map(|share| share.hold(256 << 10)).collect();
        assert_eq!(fits, [true, true, true, true, false]);
        shares[0].release();
        assert!(shares[4].hold(1));
    }

    #[test]
    fn everything_is_given_back() {
        let budget = Budget::new(64 * MIB);
        for bytes in [1, GRAIN, SMALL, SMALL + 1, 8 * MIB, 7 * MIB, 3, 40 * MIB, 60 * MIB, 0] {
            let mut share = budget.share();
            let _ = share.hold(bytes);
            let _ = share.hold(bytes / 2);
        }
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        assert_eq!(budget.held_by_large.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn threads_together_do_not_exceed_it() {
        let budget = Budget::new(MIB);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let mut share = budget.share();
                        let _ = share.hold(400 << 10);
                    }
                });
            }
        });
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        let mut share = budget.share();
        assert!(share.hold(700 << 10));
    }
}
