//! Whether an image was rewritten, and why.

use std::fmt;

use crate::internal::named_variants;
use crate::parse_error::ParseError;
use crate::rule::Rule;
use crate::unmet::Unmet;

/// Whether one image was rewritten, and why.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The image is pulled from a mirror.
    Rewritten {
        /// The reference at the mirror, with the tag and the digest as written.
        image: String,
        /// The rule that matched.
        rule: RuleRef<'a>,
    },
    /// The image is unchanged.
    Unchanged(Reason<'a>),
    /// The image is not a valid reference and is unchanged.
    Invalid(ParseError),
}

/// A rule and the name of its source.
#[derive(Clone, Copy, Debug)]
pub struct RuleRef<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Name of its source.
    pub source: &'a str,
    /// Its index among all rules of the rewriter, in order of precedence.
    pub(crate) number: usize,
}

/// Why an image is unchanged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reason<'a> {
    /// The image already points at a mirror of some rule.
    OnMirror {
        /// The location of that mirror.
        location: &'a str,
    },
    /// No rule applies to the image.
    NoRule {
        /// The most specific rule whose upstream matches, with its condition that does not; `None` if no upstream
        /// matches.
        unmet: Option<(RuleRef<'a>, Unmet)>,
    },
    /// The selected rule excludes the image.
    Excluded(RuleRef<'a>),
    /// The selected rule keeps all images that it matches.
    Kept(RuleRef<'a>),
    /// No mirror of the selected rule accepts this type of reference, or a registry with a port.
    NoMirror(RuleRef<'a>),
    /// The rewritten image would not be a valid reference, or would refer to another image.
    InvalidResult {
        /// The selected rule.
        rule: RuleRef<'a>,
        /// The result of the rewrite.
        image: String,
        /// Why it is not valid.
        error: String,
    },
    /// The image is empty, or the placeholder `auto` that a sidecar injector replaces later.
    Placeholder,
    /// The image is an image ID, which the container runtime looks up on the node. It has no other name.
    ImageId,
    /// The image is never pulled (`imagePullPolicy: Never`): under another name it would not be on the node.
    NeverPulled,
    /// The selected rule has a pull secret, which the pod does not name and which cannot be added to it any more.
    PullSecretMissing(RuleRef<'a>),
}

named_variants! {
    /// The [`Reason`] of an outcome without its data, for logs, metrics and JSON.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[non_exhaustive]
    pub enum ReasonCode {
        /// [`Outcome::Rewritten`]
        Rewritten = "rewritten",
        /// [`Reason::OnMirror`]
        OnMirror = "on_mirror",
        /// [`Reason::NoRule`]
        NoRule = "no_rule",
        /// [`Reason::Excluded`]
        Excluded = "excluded",
        /// [`Reason::Kept`]
        Kept = "kept",
        /// [`Reason::NoMirror`]
        NoMirror = "no_mirror",
        /// [`Reason::InvalidResult`]
        InvalidResult = "invalid_result",
        /// [`Reason::Placeholder`]
        Placeholder = "placeholder",
        /// [`Reason::ImageId`]
        ImageId = "image_id",
        /// [`Reason::NeverPulled`]
        NeverPulled = "never_pulled",
        /// [`Reason::PullSecretMissing`]
        PullSecretMissing = "pull_secret_missing",
        /// [`Outcome::Invalid`]
        InvalidReference = "invalid_reference",
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> Outcome<'a> {
    /// `rewritten`, `unchanged` or `invalid`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Rewritten { .. } => "rewritten",
            Self::Unchanged(_) => "unchanged",
            Self::Invalid(_) => "invalid",
        }
    }

    /// Why the outcome is what it is.
    pub fn reason(&self) -> ReasonCode {
        self.reason_and_rule().0
    }

    /// The rule that was selected; `None` if no rule was.
    pub fn rule(&self) -> Option<RuleRef<'a>> {
        self.reason_and_rule().1
    }

    fn reason_and_rule(&self) -> (ReasonCode, Option<RuleRef<'a>>) {
        match self {
            Self::Rewritten { rule, .. } => (ReasonCode::Rewritten, Some(*rule)),
            Self::Invalid(_) => (ReasonCode::InvalidReference, None),
            Self::Unchanged(reason) => match reason {
                Reason::OnMirror { .. } => (ReasonCode::OnMirror, None),
                Reason::NoRule { .. } => (ReasonCode::NoRule, None),
                Reason::Excluded(rule) => (ReasonCode::Excluded, Some(*rule)),
                Reason::Kept(rule) => (ReasonCode::Kept, Some(*rule)),
                Reason::NoMirror(rule) => (ReasonCode::NoMirror, Some(*rule)),
                Reason::InvalidResult { rule, .. } => (ReasonCode::InvalidResult, Some(*rule)),
                Reason::Placeholder => (ReasonCode::Placeholder, None),
                Reason::ImageId => (ReasonCode::ImageId, None),
                Reason::NeverPulled => (ReasonCode::NeverPulled, None),
                Reason::PullSecretMissing(rule) => (ReasonCode::PullSecretMissing, Some(*rule)),
            },
        }
    }

    /// The reference at the mirror; `None` if the image is unchanged.
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
                Reason::OnMirror { location } => write!(f, "unchanged: already points at mirror `{location}`"),
                Reason::NoRule { unmet: None } => f.write_str("unchanged: no rule matches it"),
                Reason::NoRule { unmet: Some((rule, unmet)) } => {
                    write!(f, "unchanged: no rule matches it: {rule} would, but {unmet}")
                }
                Reason::Excluded(rule) => write!(f, "unchanged: excluded by {rule}"),
                Reason::Kept(rule) => write!(f, "unchanged: kept by {rule}"),
                Reason::NoMirror(rule) => {
                    write!(
                        f,
                        "unchanged: no mirror of {rule} accepts this reference (its tag or digest, or its registry's port)"
                    )
                }
                Reason::InvalidResult { rule, image, error } => {
                    write!(f, "unchanged: {rule} rewrites it to `{image}`, which is not valid: {error}")
                }
                Reason::Placeholder => f.write_str("unchanged: empty or a placeholder"),
                Reason::ImageId => f.write_str("unchanged: an image ID, which is looked up on the node"),
                Reason::NeverPulled => f.write_str("unchanged: never pulled (pull policy `Never`)"),
                Reason::PullSecretMissing(rule) => {
                    let secret = rule.rule.pull_secret().unwrap_or_default();
                    write!(f, "unchanged: {rule} needs the pull secret `{secret}`, which cannot be added to this pod")
                }
            },
        }
    }
}

impl fmt::Display for RuleRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` of {}", self.rule.name(), self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_name() {
        let names: std::collections::BTreeSet<&str> = ReasonCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ReasonCode::ALL.len());
    }
}
