//! The pod that an image belongs to.

use crate::selector::Labels;

/// The pod that an image belongs to, which the conditions of rules are checked against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    namespace: Option<&'a str>,
    labels: &'a dyn Labels,
}

impl Default for Context<'_> {
    /// No namespace and no labels: rules that include namespaces by name do not apply.
    fn default() -> Self {
        const NONE: &[(&str, &str)] = &[];
        Self { namespace: None, labels: &NONE }
    }
}

impl<'a> Context<'a> {
    /// Sets the pod's namespace.
    #[must_use]
    pub fn with_namespace(self, namespace: &'a str) -> Self {
        Self { namespace: Some(namespace), ..self }
    }

    /// Sets the pod's labels.
    #[must_use]
    pub fn with_labels(self, labels: &'a dyn Labels) -> Self {
        Self { labels, ..self }
    }

    pub(crate) fn namespace(&self) -> Option<&'a str> {
        self.namespace
    }

    pub(crate) fn labels(&self) -> &'a dyn Labels {
        self.labels
    }
}
