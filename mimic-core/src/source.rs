//! Sources of rules.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::hint::Hint;
use crate::problem::Problem;
use crate::rule_list::RuleList;

/// Loads rules from a file, a ConfigMap or the API of a registry.
///
/// A source returns its whole list on every load. The caller (a server, a command, a controller) decides when to load
/// again, how to back off and when to stop, so a source needs no clock and no runtime.
///
/// ```
/// use mimic_core::{MirrorSource, Rule, RuleList, SourceError, async_trait};
///
/// struct Fixed(Vec<Rule>);
///
/// #[async_trait]
/// impl MirrorSource for Fixed {
///     fn name(&self) -> &str {
///         "fixed"
///     }
///     async fn load(&self) -> Result<RuleList, SourceError> {
///         Ok(RuleList { rules: self.0.clone(), problems: Vec::new() })
///     }
/// }
/// ```
#[async_trait]
pub trait MirrorSource: Send + Sync {
    /// The source's name in logs, metrics and explanations; unique among the sources of a catalog.
    fn name(&self) -> &str;

    /// Loads the whole list. Invalid entries are skipped and reported with it.
    ///
    /// # Errors
    /// [`SourceError`] if the list cannot be loaded; the caller keeps the last one.
    async fn load(&self) -> Result<RuleList, SourceError>;

    /// Why the list that was loaded last is not quite what the source listed, for example because the source keeps
    /// entries whose removal looks like a fault; `None` if it is. The default is `None`.
    fn degraded(&self) -> Option<Problem> {
        None
    }

    /// Resolves when the list may have changed. The default never resolves.
    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

/// Why the list of a source cannot be loaded.
#[derive(Debug)]
pub struct SourceError {
    kind: SourceErrorKind,
    /// `None` for the message of `cause`.
    message: Option<String>,
    hint: Option<String>,
    retry_after: Option<Duration>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// Types of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// The source is unavailable; a later attempt may succeed.
    Unavailable,
    /// The source denies access; a permission or a credential is missing.
    Forbidden,
    /// The source responded, but the response is not valid.
    Invalid,
}

impl SourceErrorKind {
    /// A stable name: `unavailable`, `forbidden` or `invalid`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid",
        }
    }
}

impl SourceError {
    /// An error with a message: what failed, on which input.
    pub fn new(kind: SourceErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: Some(message.into()), hint: None, retry_after: None, cause: None }
    }

    /// An error with the message, the source and the hint of another one.
    pub fn from_error(kind: SourceErrorKind, error: impl Hint + Send + Sync + 'static) -> Self {
        let hint = error.hint().map(Cow::into_owned);
        Self { kind, message: None, hint, retry_after: None, cause: Some(Box::new(error)) }
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_cause(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// Sets how to fix it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Sets how long the source asks to wait before the next load.
    #[must_use]
    pub fn with_retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// The type of failure.
    pub fn kind(&self) -> SourceErrorKind {
        self.kind
    }

    /// How long the source asks to wait before the next load.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.message, &self.cause) {
            (Some(message), _) => f.write_str(message),
            (None, Some(cause)) => write!(f, "{cause}"),
            (None, None) => Ok(()),
        }
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_deref()?;
        if self.message.is_some() { Some(cause) } else { cause.source() }
    }
}

impl Hint for SourceError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Into::into)
    }
}
