//! Why there is no rule for a filter.

/// A filter for which there is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It cannot be parsed. Harbor serves nothing through a project with such a filter.
    #[error("cannot parse its filter `{pattern}`: {reason}")]
    Invalid {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Harbor understands it, but Mimic cannot write it as a rule with exactly the same meaning.
    #[error("cannot translate its filter `{pattern}` exactly: {reason}")]
    Unsupported {
        /// The pattern.
        pattern: String,
        /// Which part of it Mimic cannot translate.
        reason: &'static str,
    },
    /// It matches no repository, so Harbor serves nothing through the project.
    #[error("its filter `{pattern}` matches no repository")]
    MatchesNothing {
        /// The pattern.
        pattern: String,
    },
}

/// The parsers' part of a [`FilterError`].
pub(super) enum ParseError {
    Invalid(String),
    Unsupported(&'static str),
}

impl ParseError {
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

/// The reason for filters whose translation would be too large.
pub(super) const UNSUPPORTED_SIZE: &str = "it is too complex";
