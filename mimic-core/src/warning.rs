//! Warnings about a set of rules.

use std::fmt;

use crate::outcome::RuleRef;

/// Something suspicious about the rules of a [`Rewriter`](crate::Rewriter). It does not change any outcome.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Warning {
    /// The rule never applies, because an earlier one has the same upstream and no conditions.
    Shadowed {
        /// The rule that never applies.
        rule: RuleName,
        /// The earlier rule.
        by: RuleName,
        /// The upstream of both.
        upstream: String,
    },
    /// The rule with a pattern never applies, because a rule for all that the pattern matches comes before patterns.
    PatternNeverReached {
        /// The rule with the pattern.
        rule: RuleName,
        /// The other rule.
        by: RuleName,
    },
    /// The rule never applies, because its upstream is on a mirror, where images are not rewritten.
    UpstreamOnMirror {
        /// The rule.
        rule: RuleName,
        /// The location of the mirror.
        location: String,
    },
    /// The rule maps to a location that another rule matches. Images are rewritten only once.
    Chained {
        /// The rule.
        rule: RuleName,
        /// Its location.
        location: String,
        /// The rule that matches the location.
        next: RuleName,
    },
    /// The rule maps several registries to one location, so that equal image names collide.
    ManyRegistries {
        /// The rule.
        rule: RuleName,
        /// Its location.
        location: String,
    },
    /// Rules with different upstreams map to one location, so that equal image names collide.
    SharedLocation {
        /// One rule.
        rule: RuleName,
        /// An earlier rule.
        other: RuleName,
        /// The location of both.
        location: String,
    },
    /// The rule's pattern matches different repositories that get one name at the location.
    PatternLosesNames {
        /// The rule.
        rule: RuleName,
        /// Its location.
        location: String,
    },
    /// The location would have the port of the upstream in its path, where no port can be.
    PortInPath {
        /// The rule.
        rule: RuleName,
        /// Its location.
        location: String,
    },
    /// The registry of an alias is itself an alias, of another source. Aliases are replaced only once.
    AliasOfAlias {
        /// The alias.
        alias: RuleName,
        /// The alias that it names.
        next: RuleName,
        /// The registry of `next`.
        registry: String,
    },
    /// A glob or a pattern of the rule never matches, because it names an alias of another source.
    NamesAlias {
        /// The rule.
        rule: RuleName,
        /// The key with the glob or the pattern.
        key: String,
        /// The glob or the pattern.
        text: String,
        /// The alias.
        alias: String,
        /// The registry that it stands for.
        registry: String,
    },
    /// There are more warnings, which are not listed.
    More {
        /// Number of warnings that are listed.
        listed: usize,
    },
}

/// The name of a rule and of its source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName {
    /// Name of the rule.
    pub rule: String,
    /// Name of its source.
    pub source: String,
}

impl From<RuleRef<'_>> for RuleName {
    fn from(rule: RuleRef<'_>) -> Self {
        Self { rule: rule.rule.name().to_owned(), source: rule.source.to_owned() }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` of {}", self.rule, self.source)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shadowed { rule, by, upstream } => {
                write!(f, "{rule} never applies: {by} has the same upstream `{upstream}` and comes first")
            }
            Self::PatternNeverReached { rule, by } => write!(
                f,
                "{rule} never applies: {by} matches the same images, and upstreams come before patterns \
                 (hint: give the pattern a higher `priority`)"
            ),
            Self::UpstreamOnMirror { rule, location } => {
                write!(f, "{rule} never applies: its upstream is itself on the mirror `{location}`")
            }
            Self::Chained { rule, location, next } => {
                write!(f, "{rule} maps to `{location}`, which {next} matches; images are rewritten only once")
            }
            Self::ManyRegistries { rule, location } => write!(
                f,
                "{rule} maps several registries to one location, `{location}`: equal image names collide \
                 (hint: use `{{registry}}` in the location)"
            ),
            Self::SharedLocation { rule, other, location } => {
                write!(f, "{rule} and {other} map to one location, `{location}`: equal image names collide")
            }
            Self::PatternLosesNames { rule, location } => write!(
                f,
                "{rule} maps different repositories to one name, by `{location}` \
                 (hint: use all parts of the pattern that vary, as groups, in the location)"
            ),
            Self::PortInPath { rule, location } => write!(
                f,
                "{rule} does not use `{location}` for registries with a port: no path can contain a port \
                 (hint: use `{{host}}` instead of `{{registry}}`)"
            ),
            Self::AliasOfAlias { alias, next, registry } => write!(
                f,
                "alias `{}` of {} names `{}`, which is an alias of {}: aliases are replaced only once \
                 (hint: write `{registry}`)",
                alias.rule, alias.source, next.rule, next.source
            ),
            Self::NamesAlias { rule, key, text, alias, registry } => write!(
                f,
                "`{text}` in `{key}` of {rule} never matches: `{alias}` is an alias of `{registry}` (hint: write `{registry}`)"
            ),
            Self::More { listed } => write!(f, "more than {listed} warnings; the others are not listed"),
        }
    }
}
