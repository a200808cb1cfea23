//! The account of a decision, for people.

use std::fmt;

use crate::outcome::{Outcome, RuleRef};
use crate::reference::ImageRef;
use crate::rule::Unmet;

/// Every step of one decision; `Display` prints it, a line a step.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// The image as written.
    pub image: &'a str,
    /// The steps in the order they were taken.
    pub steps: Vec<String>,
    /// What became of the image.
    pub outcome: Outcome<'a>,
}

/// One step.
pub(crate) enum Step<'a, 's> {
    Parsed(ImageRef<'a>),
    Candidate { rule: RuleRef<'a>, unmet: Option<Unmet> },
    Winner(RuleRef<'a>),
    MirrorUnfit { location: &'a str },
    MirrorRefused { image: &'s str, error: &'s str },
    Excluded { glob: &'a str },
}

impl fmt::Display for Step<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parsed(image) => {
                write!(f, "parsed as registry `{}`, repository `{}`, ", image.registry(), image.repository())?;
                match image.tag() {
                    Some(tag) => write!(f, "tag `{tag}`, ")?,
                    None => f.write_str("no tag, ")?,
                }
                match image.digest() {
                    Some(digest) => write!(f, "digest `{digest}`"),
                    None => f.write_str("no digest"),
                }
            }
            Self::Candidate { rule, unmet: None } => write!(f, "candidate {rule}: `{}` matches", rule.rule.upstream()),
            Self::Candidate { rule, unmet: Some(unmet) } => {
                write!(f, "candidate {rule}: `{}` matches, but {unmet}", rule.rule.upstream())
            }
            Self::Winner(rule) => {
                write!(f, "winner {rule}: the first of the candidates that applies, the most specific coming first")
            }
            Self::MirrorUnfit { location } => {
                write!(f, "mirror `{location}` passed over: it serves another kind of reference")
            }
            Self::Excluded { glob } => write!(f, "its `exclude` has `{glob}`, which matches"),
            Self::MirrorRefused { image, error } => write!(f, "mirror passed over: `{image}` cannot be used, {error}"),
        }
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is no reference can hold anything, and this goes to terminals.
        writeln!(f, "{}", self.image.escape_debug())?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        write!(f, "  {}", self.outcome)
    }
}
