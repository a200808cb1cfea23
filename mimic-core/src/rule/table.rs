//! The conditions of a rule as data.

use super::{Conditions, Rule};
use crate::rule_spec::References;
use crate::table::ImageExpression;
use crate::upstream::Pattern;

impl Rule {
    /// Which references the rule matches. Requires the feature `table`.
    pub fn references(&self) -> References {
        self.references
    }

    /// Whether the rule depends on the pod's namespace by `namespaces`. Requires the feature `table`.
    pub fn has_namespaces(&self) -> bool {
        self.conditions().is_some_and(|conditions| {
            conditions.include_namespaces.is_some() || !conditions.exclude_namespaces.is_empty()
        })
    }

    /// Whether the rule depends on the pod's labels. Requires the feature `table`.
    pub fn has_pod_selector(&self) -> bool {
        self.conditions().is_some_and(|conditions| conditions.pod_selector.is_some())
    }

    /// The images that the rule matches, of which one must match; `None` if it has no `include`. Requires the feature
    /// `table`.
    pub fn include(&self) -> Option<Vec<ImageExpression>> {
        Some(self.conditions()?.include.as_ref()?.expressions())
    }

    /// The images that the rule excludes. Requires the feature `table`.
    pub fn exclude(&self) -> Vec<ImageExpression> {
        self.conditions().map_or_else(Vec::new, |conditions| conditions.exclude.expressions())
    }

    fn conditions(&self) -> Option<&Conditions> {
        self.conditions.as_deref()
    }
}

impl Pattern {
    /// What every name that it matches begins with; often empty. Requires the feature `table`.
    pub fn literal_start(&self) -> &str {
        self.start()
    }
}
