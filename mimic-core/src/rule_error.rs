//! What is wrong with a rule.

use std::borrow::Cow;

use crate::glob::GlobError;
use crate::hint::Hint;

/// Why a rule is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    field: Option<&'static str>,
    message: String,
    hint: Option<String>,
}

impl RuleError {
    pub(crate) fn new(field: &'static str, message: String, hint: Option<String>) -> Self {
        Self { field: Some(field), message, hint }
    }

    pub(crate) fn whole(message: &str, hint: &str) -> Self {
        Self { field: None, message: format!("rule {message}"), hint: Some(hint.to_owned()) }
    }

    pub(crate) fn upstream(text: &str, reason: &str, hint: String) -> Self {
        Self::new("upstream", format!("upstream `{text}` {reason}"), Some(hint))
    }

    pub(crate) fn with_hint(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }

    pub(crate) fn alias(text: &str, reason: &str) -> Self {
        let hint = "an alias is a `host` or `host:port` with another one, as in `k8s.gcr.io: registry.k8s.io`";
        Self::new("aliases", format!("alias `{text}` {reason}"), Some(hint.to_owned()))
    }

    pub(crate) fn location(text: &str, reason: &str, hint: String) -> Self {
        Self::new("mirrors", format!("location `{text}` {reason}"), Some(hint))
    }

    pub(crate) fn pattern(text: &str, reason: &str) -> Self {
        Self::new("pattern", format!("pattern `{text}` is not a regular expression: {reason}"), None)
    }

    pub(crate) fn glob(field: &'static str, error: &GlobError) -> Self {
        Self::new(field, error.to_string(), None)
    }

    /// The key of `mirrors.yaml` that is wrong; `None` when it is the rule as a whole.
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }
}

impl Hint for RuleError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Into::into)
    }
}
