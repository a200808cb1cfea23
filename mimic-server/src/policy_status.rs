//! What readiness and metrics say about the admission policy.

use std::fmt::Write as _;

use crate::counted::counted;

/// The state of the policy that Mimic keeps up to date.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PolicyStatus {
    /// How many rules the policy has, and how many it leaves to the webhook; `None` until they are compiled.
    pub(crate) rules: Option<(usize, usize)>,
    /// The hash in the stored policy's annotations; `None` if there is none.
    pub(crate) stored: Option<String>,
    /// When this replica wrote the policy last, in seconds since 1970.
    pub(crate) last_write: Option<f64>,
    /// Why the policy may not have this replica's rules; `None` if it has them.
    pub(crate) problem: Option<String>,
    /// Why the condition of the webhook may be outdated; `None` if it is not.
    pub(crate) condition: Option<String>,
}

impl PolicyStatus {
    /// Figures and reasons.
    pub(crate) fn detail(&self) -> String {
        let mut detail = match &self.stored {
            Some(stored) => format!("hash {stored}"),
            None => "no policy".to_owned(),
        };
        if let Some((rules, left)) = self.rules {
            let rules = counted(rules, "rule", "rules");
            let _ = write!(detail, "; {rules}, {left} left to the webhook");
        }
        if let Some(problem) = &self.problem {
            let _ = write!(detail, "; not up to date: {problem}");
        }
        if let Some(problem) = &self.condition {
            let _ = write!(detail, "; condition of the webhook not up to date: {problem}");
        }
        detail
    }

    /// Whether something needs attention.
    pub(crate) fn is_degraded(&self) -> bool {
        self.problem.is_some() || self.condition.is_some()
    }
}
