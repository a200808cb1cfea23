//! Where rules come from.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::hint::Hint;
use crate::rules_file::RuleList;

/// Something that knows mirrors: a file, a ConfigMap, a registry's API.
///
/// A source hands over its whole list whenever it is asked. The host (a server, a command, somebody's controller)
/// decides how often to ask, how to back off and when to stop, so a source needs no clock and no runtime.
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

    /// The whole list, now. Entries that are wrong are left out of it and reported with it.
    ///
    /// # Errors
    /// [`SourceError`] when the list cannot be had; the host keeps the last one.
    async fn load(&self) -> Result<RuleList, SourceError>;

    /// Resolves when the list may have changed. The default never does.
    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

/// Why a source's list cannot be had.
#[derive(Debug)]
pub struct SourceError {
    kind: SourceErrorKind,
    /// `None` for the message of `cause`.
    message: Option<String>,
    hint: Option<String>,
    retry_after: Option<Duration>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// It is away: asking again later may help.
    Unavailable,
    /// It refuses to answer: somebody has to give a permission or a credential.
    Forbidden,
    /// It answered, but with nothing that can be read.
    Invalid,
}

impl SourceErrorKind {
    /// One stable word: `unavailable`, `forbidden` or `invalid`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid",
        }
    }
}

impl SourceError {
    /// An error with a sentence that says what could not be done.
    pub fn new(kind: SourceErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: Some(message.into()), hint: None, retry_after: None, cause: None }
    }

    /// An error with the message, the source and the hint of another one.
    pub fn from_error(kind: SourceErrorKind, error: impl Hint + Send + Sync + 'static) -> Self {
        let hint = error.hint().map(Cow::into_owned);
        Self { kind, message: None, hint, retry_after: None, cause: Some(Box::new(error)) }
    }

    /// Adds what lies behind it.
    #[must_use]
    pub fn with_cause(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// Adds how to fix it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds how long the source asks to be left alone.
    #[must_use]
    pub fn with_retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> SourceErrorKind {
        self.kind
    }

    /// How long the source asks to be left alone.
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
