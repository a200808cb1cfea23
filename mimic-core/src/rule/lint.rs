//! What warnings about rules need to know of a rule.

use super::Rule;
use crate::rule_spec::References;

impl Rule {
    /// Whether the rule applies to some of the images of its upstream, namespaces or pods only. Requires the feature `lint`.
    pub fn is_conditional(&self) -> bool {
        self.references != References::Any
            || self.conditions.as_ref().is_some_and(|conditions| {
                conditions.include.is_some()
                    || conditions.include_namespaces.is_some()
                    || !conditions.exclude_namespaces.is_empty()
                    || conditions.pod_selector.is_some()
            })
    }
}
