//! A rule and where it comes from.

use mimic_core::{Library, References, RuleSpec};

/// A rule that an import found.
pub(crate) struct Entry {
    pub(crate) spec: RuleSpec,
    /// The file.
    pub(crate) file: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
}

impl Entry {
    /// The upstream and the mirror, if the short form can express the rule.
    pub(crate) fn short(&self) -> Option<(&str, &str)> {
        let spec = &self.spec;
        let is_plain = spec.name.is_none()
            && spec.references == References::Any
            && spec.library == Library::Keep
            && spec.include.is_none()
            && spec.exclude.is_empty()
            && spec.include_namespaces.is_none()
            && spec.exclude_namespaces.is_empty()
            && spec.pod_selector.is_none()
            && spec.pull_secret.is_none()
            && spec.priority == 0;
        match (&spec.upstream, spec.mirrors.as_slice()) {
            (Some(upstream), [mirror]) if is_plain && mirror.references == References::Any => {
                Some((upstream, &mirror.location))
            }
            _ => None,
        }
    }
}
