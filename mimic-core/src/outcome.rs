//! What became of an image, and why.

use std::fmt;

use crate::reference::ParseError;
use crate::rule::Rule;

/// What became of one image, and why.
#[derive(Clone, Debug)]
pub enum Outcome<'a> {
    /// It is pulled from a mirror now.
    Rewritten {
        /// The reference at the mirror; tag and digest are those that were written.
        image: String,
        /// The rule that said so.
        rule: RuleRef<'a>,
    },
    /// It stays as it was written.
    Unchanged(Reason<'a>),
    /// It is no reference, and stays as it was written.
    Invalid(ParseError),
}

/// A rule and the name of the source it came from.
#[derive(Clone, Copy, Debug)]
pub struct RuleRef<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Name of its source.
    pub source: &'a str,
    /// Its number among all rules of its table, from 0.
    pub(crate) position: usize,
}

/// Why an image stays as it was written.
#[derive(Clone, Debug)]
pub enum Reason<'a> {
    /// It lies at a configured location already, so it is final.
    OnMirror {
        /// That location.
        location: &'a str,
    },
    /// No rule speaks of it.
    NoRule,
    /// The rule that won excludes it.
    Excluded(RuleRef<'a>),
    /// The rule that won keeps all it matches.
    Kept(RuleRef<'a>),
    /// None of the winning rule's mirrors serves this kind of reference.
    NoMirror(RuleRef<'a>),
    /// At the mirror it would have no valid name, or that of another image.
    InvalidResult {
        /// The rule that won.
        rule: RuleRef<'a>,
        /// What the rewrite would have given.
        image: String,
        /// What is wrong with that.
        error: String,
    },
    /// Empty, or the placeholder `auto` that an injector replaces later.
    Placeholder,
}

impl<'a> Outcome<'a> {
    /// Every word that [`Outcome::reason`] may give.
    pub const REASONS: [&'static str; 9] = [
        "rewritten",
        "on_mirror",
        "no_rule",
        "excluded",
        "kept",
        "no_mirror",
        "invalid_result",
        "placeholder",
        "invalid_reference",
    ];

    /// `rewritten`, `unchanged` or `invalid`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Rewritten { .. } => "rewritten",
            Self::Unchanged(_) => "unchanged",
            Self::Invalid(_) => "invalid",
        }
    }

    /// One word for why, one of [`Outcome::REASONS`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Rewritten { .. } => "rewritten",
            Self::Invalid(_) => "invalid_reference",
            Self::Unchanged(reason) => match reason {
                Reason::OnMirror { .. } => "on_mirror",
                Reason::NoRule => "no_rule",
                Reason::Excluded(_) => "excluded",
                Reason::Kept(_) => "kept",
                Reason::NoMirror(_) => "no_mirror",
                Reason::InvalidResult { .. } => "invalid_result",
                Reason::Placeholder => "placeholder",
            },
        }
    }

    /// The rule that decided, where one did.
    pub fn rule(&self) -> Option<RuleRef<'a>> {
        match self {
            Self::Rewritten { rule, .. } => Some(*rule),
            Self::Invalid(_) => None,
            Self::Unchanged(reason) => match reason {
                Reason::Excluded(rule)
                | Reason::Kept(rule)
                | Reason::NoMirror(rule)
                | Reason::InvalidResult { rule, .. } => Some(*rule),
                Reason::OnMirror { .. } | Reason::NoRule | Reason::Placeholder => None,
            },
        }
    }

    /// The reference at the mirror, if there is one.
    pub fn rewritten(&self) -> Option<&str> {
        match self {
            Self::Rewritten { image, .. } => Some(image),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rewritten { image, rule } => write!(f, "rewritten to `{image}` by {rule}"),
            Self::Invalid(error) => write!(f, "unchanged: {error}"),
            Self::Unchanged(reason) => match reason {
                Reason::OnMirror { location } => write!(f, "unchanged: it lies at the mirror `{location}` already"),
                Reason::NoRule => f.write_str("unchanged: no rule speaks of it"),
                Reason::Excluded(rule) => write!(f, "unchanged: excluded by {rule}"),
                Reason::Kept(rule) => write!(f, "unchanged: kept by {rule}"),
                Reason::NoMirror(rule) => write!(f, "unchanged: no mirror of {rule} serves this kind of reference"),
                Reason::InvalidResult { rule, image, error } => {
                    write!(f, "unchanged: {rule} would make it `{image}`, but {error}")
                }
                Reason::Placeholder => f.write_str("unchanged: it is empty or a placeholder"),
            },
        }
    }
}

impl fmt::Display for RuleRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` of {}", self.rule.name(), self.source)
    }
}
