//! How much work the decisions on one pod may cost, counted in steps.
//!
//! Steps are counted instead of time, so that the same pod always has the same result. A step takes about a nanosecond at
//! worst. Each price is that of the worst case, since a pod's author can choose the images.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::unmet::Unmet;

/// Deciding on an image, apart from its length.
pub(crate) const IMAGE: u64 = 200;
/// Looking up a prefix.
pub(crate) const LOOKUP: u64 = 20;
/// Considering a rule whose upstream matches, or one of its mirrors.
pub(crate) const RULE: u64 = 10;
/// A byte of a domain that is looked up.
pub(crate) const DOMAIN_BYTE: u64 = 10;
/// A byte that is matched, for each state of an expression.
pub(crate) const STATE: u64 = 8;
/// A byte of a rewritten image, which is also kept in memory.
pub(crate) const OUTPUT_BYTE: u64 = 10;

/// The steps that are left for one pod, and which rules apply to it.
#[derive(Debug)]
pub(crate) struct Work {
    left: Cell<u64>,
    /// Results by the number of the rule. `None` for few images, for which evaluating again costs less.
    of_pod: Option<RefCell<HashMap<usize, Option<Unmet>, FixedState>>>,
}

impl Work {
    /// Without a limit: the caller chooses the images.
    pub(crate) fn unlimited() -> Self {
        Self { left: Cell::new(u64::MAX), of_pod: None }
    }

    /// With this number of steps. `remember` is whether to keep which rules apply to the pod.
    pub(crate) fn limited(steps: u64, remember: bool) -> Self {
        Self { left: Cell::new(steps), of_pod: remember.then(RefCell::default) }
    }

    pub(crate) fn spend(&self, steps: u64) {
        self.left.set(self.left.get().saturating_sub(steps));
    }

    pub(crate) fn left(&self) -> u64 {
        self.left.get()
    }

    /// Whether no steps are left. All results from then on are wrong, and the caller discards them.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Why the rule with this number does not apply to the pod, which `evaluate` finds out in this number of steps.
    pub(crate) fn of_pod(&self, rule: usize, steps: u64, evaluate: impl FnOnce() -> Option<Unmet>) -> Option<Unmet> {
        if let Some(known) = &self.of_pod
            && let Some(&unmet) = known.borrow().get(&rule)
        {
            return unmet;
        }
        self.spend(steps);
        if self.is_spent() {
            return Some(Unmet::Pod);
        }
        let unmet = evaluate();
        if let Some(known) = &self.of_pod {
            known.borrow_mut().insert(rule, unmet);
        }
        unmet
    }
}
