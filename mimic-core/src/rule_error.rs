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

/// What is wrong with a value, to be written after it, and how to write it.
pub(crate) struct Advice {
    reason: Cow<'static, str>,
    hint: Cow<'static, str>,
}

impl Advice {
    /// An empty hint is none.
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }

    #[cfg(feature = "lint")]
    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

impl RuleError {
    pub(crate) fn new(field: &'static str, message: String, hint: &str) -> Self {
        Self { field: Some(field), message, hint: (!hint.is_empty()).then(|| hint.to_owned()) }
    }

    pub(crate) fn whole(message: &str, hint: &str) -> Self {
        Self { field: None, ..Self::new("", format!("rule {message}"), hint) }
    }

    /// `what` says what the value `text` of the key `field` is.
    pub(crate) fn advised(field: &'static str, what: &str, text: &str, advice: &Advice) -> Self {
        let value = if text.is_empty() { String::new() } else { format!(" `{text}`") };
        Self::new(field, format!("{what}{value} {}", advice.reason), &advice.hint)
    }

    /// A glob that can match no image.
    pub(crate) fn never(field: &'static str, glob: &str, advice: &Advice) -> Self {
        Self::new(field, format!("glob `{glob}` {} and never matches", advice.reason), &advice.hint)
    }

    pub(crate) fn alias(text: &str, reason: &str) -> Self {
        let hint = "write a `host` or `host:port` on both sides, as in `k8s.gcr.io: registry.k8s.io`";
        Self::new("aliases", format!("alias `{text}` {reason}"), hint)
    }

    #[cfg(feature = "file")]
    pub(crate) fn chained_alias(alias: &str, of: &str) -> Self {
        let of = crate::host::as_read(of);
        let message = format!("alias `{alias}` names `{of}`, which is itself an alias");
        Self::new("aliases", message, "write the registry that has rules")
    }

    pub(crate) fn glob(field: &'static str, error: &GlobError) -> Self {
        Self::new(field, error.to_string(), "")
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
