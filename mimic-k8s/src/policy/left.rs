//! Rules that a policy leaves to the webhook.

use std::fmt;

/// A rule that a policy leaves to the webhook, and why. The policy does not change images that the rule might match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftRule {
    /// The rule's name.
    pub rule: String,
    /// Why the policy cannot have it, as a clause: ``it has a `podSelector` ``.
    pub reason: &'static str,
}

impl fmt::Display for LeftRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}`: {}", self.rule, self.reason)
    }
}
