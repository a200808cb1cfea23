//! What a discovery found: every proxy-cache project, used or not, and why not.

use std::collections::HashMap;
use std::fmt;

use mimic_core::{Problem, Rule, RuleList};
use serde::{Serialize, Serializer};

use crate::filter::{Filter, FilterError};
use crate::upstream::Unmappable;

/// What a Harbor was found to mirror.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// Address of the Harbor.
    pub harbor: String,
    /// Harbor's version; told to accounts only.
    pub version: Option<String>,
    /// The account that was accepted; nobody if there is none.
    pub account: Option<String>,
    /// Registry address that pods pull from.
    pub registry: String,
    /// How the upstreams were learnt.
    pub way: Way,
    /// Every proxy-cache project that can be seen, by name.
    pub projects: Vec<Entry>,
    /// Overrides for projects that are not there.
    pub unused_overrides: Vec<String>,
}

/// How the upstreams of projects were learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From the list of all registry endpoints.
    Endpoints,
    /// From the projects' summaries, one by one.
    Summaries,
    /// There was no project to learn it of.
    None,
}

/// One proxy-cache project.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Entry {
    /// Its name.
    pub project: String,
    /// Whether everybody may pull from it.
    pub public: bool,
    /// The registry that it mirrors, where that is known.
    pub upstream: Option<String>,
    /// Where pods would pull from.
    pub mirror: String,
    /// What Harbor says of the endpoint's health, where that is known: `healthy` or another word.
    pub health: Option<String>,
    /// Which repositories it serves; all if there is no filter.
    pub filter: Option<Filter>,
    /// Pull secret that its rule names.
    pub pull_secret: Option<String>,
    /// Why it is not used; it is used if there is no reason.
    pub left_out: Option<LeftOut>,
    /// The rule made of it, if it is used.
    #[serde(skip)]
    pub(crate) rule: Option<Rule>,
}

/// Why a project is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftOut {
    /// Its name is none of those to use.
    NotSelected,
    /// It is private, and private projects are not asked for.
    Private,
    /// The account may not see which registry it is for.
    NotPermitted,
    /// Its registry endpoint is gone.
    NoEndpoint,
    /// Its endpoint does not tell which images it has.
    Unmappable(String),
    /// It mirrors the Harbor that it is in.
    Itself,
    /// Its filter cannot be understood, so Harbor serves nothing.
    Filter(String),
    /// Its endpoint is not healthy, and such projects are not asked for.
    Unhealthy(String),
    /// No rule can be made of it.
    Invalid(String),
    /// Another project serves the same upstream.
    Lost {
        /// Name of the other project.
        to: String,
    },
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSelected => f.write_str("its name is not among `harbor.projects`"),
            Self::Private => f.write_str("it is private, and `harbor.private` is off"),
            Self::NotPermitted => f.write_str("the account may not see which registry it is for"),
            Self::NoEndpoint => f.write_str("its registry endpoint is gone"),
            Self::Unmappable(reason) | Self::Filter(reason) | Self::Invalid(reason) => f.write_str(reason),
            Self::Itself => f.write_str("it mirrors the Harbor that it is in"),
            Self::Unhealthy(status) => {
                write!(f, "its endpoint is `{}`, and `harbor.unhealthy` is off", status.escape_debug())
            }
            Self::Lost { to } => write!(f, "`{to}` serves the same upstream"),
        }
    }
}

impl Serialize for LeftOut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Unmappable> for LeftOut {
    fn from(reason: Unmappable) -> Self {
        Self::Unmappable(reason.to_string())
    }
}

impl From<FilterError> for LeftOut {
    fn from(error: FilterError) -> Self {
        Self::Filter(error.to_string())
    }
}

impl LeftOut {
    /// What to do about it, where somebody should.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotPermitted => Some(PERMISSION),
            Self::Unmappable(_) => Some("say what it mirrors in `harbor.overrides`, as `project=upstream`"),
            Self::Filter(_) => Some("mend the project's filter in Harbor, which serves nothing meanwhile"),
            Self::NoEndpoint | Self::Invalid(_) => Some("leave it out by `harbor.projects`"),
            Self::NotSelected | Self::Private | Self::Itself | Self::Unhealthy(_) | Self::Lost { .. } => None,
        }
    }
}

/// What an account needs, in the words of Harbor's forms.
pub(crate) const PERMISSION: &str = "give the robot account the system permissions `Registry: List` and `Project: List`, or \
                                     `Project: Read` on the projects";

impl Report {
    /// The rules, by project name, and what somebody should act on.
    pub fn rule_list(&self) -> RuleList {
        let rules = self.projects.iter().filter_map(|entry| entry.rule.clone()).collect();
        RuleList { rules, problems: self.problems() }
    }

    /// What somebody should act on in Mimic's configuration or permissions: projects that the account may not see into,
    /// together, and overrides without a project.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let hidden: Vec<&str> = self
            .projects
            .iter()
            .filter(|entry| entry.left_out == Some(LeftOut::NotPermitted))
            .map(|entry| entry.project.as_str())
            .collect();
        if !hidden.is_empty() {
            let message = format!("the account may not see which registry is behind {}", names("project", &hidden));
            problems.push(Problem::new(&self.harbor, message).with_hint(PERMISSION));
        }
        problems.extend(self.unused_overrides.iter().map(|project| {
            Problem::new(&self.harbor, format!("override for `{project}`: no proxy-cache project of that name is seen"))
                .with_hint("mend `harbor.overrides`, or let the account see the project")
        }));
        problems
    }

    /// What is odd about the projects themselves: some that are of no use, choices between several, and endpoints that
    /// are not healthy.
    pub fn warnings(&self) -> Vec<Problem> {
        let warning = |message: String| Problem::new(&self.harbor, message);
        let useless = |entry: &Entry| {
            let reason = entry.left_out.as_ref().filter(|reason| **reason != LeftOut::NotPermitted)?;
            let message = format!("the project `{}` is left out: {reason}", entry.project);
            Some(warning(message).with_hint(reason.hint()?))
        };
        let mut warnings: Vec<Problem> = self.projects.iter().filter_map(useless).collect();
        let mut rivals: HashMap<&str, Vec<&str>> = HashMap::new();
        for entry in &self.projects {
            if let Some(LeftOut::Lost { to }) = &entry.left_out {
                rivals.entry(to).or_default().push(&entry.project);
            }
        }
        for used in self.projects.iter().filter(|entry| entry.left_out.is_none()) {
            if let Some(rivals) = rivals.get(used.project.as_str()) {
                warnings.push(warning(format!(
                    "the project `{}` is used for `{}`, not {} for the same",
                    used.project,
                    used.upstream.as_deref().unwrap_or_default(),
                    names("project", rivals),
                )));
            }
            if let Some(health) = used.health.as_deref().filter(|health| !is_healthy(health)) {
                warnings.push(warning(format!(
                    "the endpoint of the project `{}` is `{}`: Harbor serves only what it has cached of `{}`",
                    used.project,
                    health.escape_debug(),
                    used.upstream.as_deref().unwrap_or_default(),
                )));
            }
        }
        warnings
    }
}

/// Whether Harbor finds an endpoint well.
pub(crate) fn is_healthy(status: &str) -> bool {
    status == "healthy"
}

/// One name, a few, or a few and how many more.
fn names(noun: &str, names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("the {noun}s {} and {more} more", shown.join(", ")),
        _ => match shown.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("the {noun}{plural} {} and {last}", rest.join(", ")),
            _ => format!("the {noun} {}", shown.join("")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_up_to_a_few() {
        assert_eq!(names("project", &["a"]), "the project `a`");
        assert_eq!(names("project", &["a", "b", "c"]), "the projects `a`, `b` and `c`");
        let many = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(names("project", &many), "the projects `a`, `b`, `c`, `d`, `e` and 2 more");
    }
}
