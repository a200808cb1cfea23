//! What a discovery found: every proxy-cache project, used or skipped, and why.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::SystemTime;

use mimic_core::internal::Printable;
use mimic_core::{Hint, Problem, Rule, RuleError, RuleList};
use serde::{Serialize, Serializer};

use crate::filter::{Filter, FilterError};
use crate::upstream::UnmappableEndpoint;

/// What a Harbor mirrors.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// Address of the Harbor.
    pub harbor: String,
    /// Harbor's version, which it reports to accounts only.
    pub version: Option<String>,
    /// The account that was accepted; `None` for an anonymous client.
    pub account: Option<String>,
    /// Registry address that pods pull from.
    pub registry: String,
    /// How the upstreams were discovered.
    pub discovery_method: DiscoveryMethod,
    /// Every proxy-cache project that is visible, by name.
    pub projects: Vec<ProxyProject>,
    /// Overrides for projects that are not visible.
    pub unused_overrides: Vec<String>,
    /// Projects that are used although Harbor no longer lists them, if suspiciously many went at once.
    pub kept: Option<Kept>,
}

/// Projects that are kept because more than half of the projects, or all private ones, went at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Their names.
    pub projects: Vec<String>,
    /// The number of all projects in use.
    pub known: usize,
    /// Until when the first of them is kept, unless it returns.
    #[serde(skip)]
    pub until: SystemTime,
}

/// How the upstreams of projects were discovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiscoveryMethod {
    /// From the list of all registry endpoints.
    Endpoints,
    /// From the summaries of the projects, one request for each endpoint.
    Summaries,
    /// No project needed it.
    None,
}

/// One proxy-cache project.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProxyProject {
    /// Its name.
    pub name: String,
    /// Whether anonymous clients can pull from it.
    pub public: bool,
    /// The registry that it mirrors, if known.
    pub upstream: Option<String>,
    /// Where pods pull from.
    pub mirror: String,
    /// The health of the endpoint as Harbor reports it, if known: `healthy` or another word.
    pub health: Option<String>,
    /// Which repositories it serves; `None` for all.
    pub filter: Option<Filter>,
    /// Pull secret that its rule adds to pods.
    pub pull_secret: Option<String>,
    /// Why the project is skipped; `None` if it is used.
    pub skipped: Option<SkipReason>,
    /// The rule made from the project, if it is used.
    #[serde(skip)]
    pub(crate) rule: Option<Rule>,
}

/// Why a project is skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// The settings do not select its name.
    #[error("its name does not match `harbor.projects`")]
    NotSelected,
    /// It is private, and the settings select public projects only.
    #[error("it is private, and `harbor.private` is off")]
    Private,
    /// The account has no permission to read its registry endpoint.
    #[error("the account has no permission to read its registry endpoint")]
    NotPermitted,
    /// Its registry endpoint was deleted.
    #[error("its registry endpoint no longer exists")]
    EndpointDeleted,
    /// Its endpoint cannot be mapped to the registry of image references.
    #[error(transparent)]
    Unmappable(#[from] UnmappableEndpoint),
    /// Its endpoint is the Harbor that it belongs to.
    #[error("it points to its own Harbor")]
    OwnHarbor,
    /// There is no rule for its filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Its endpoint is unhealthy, and the settings skip such projects.
    #[error("its endpoint is `{}`, and `harbor.unhealthy` excludes such projects", Printable(.0))]
    Unhealthy(String),
    /// No valid rule can be made from it.
    #[error(transparent)]
    InvalidRule(#[from] RuleError),
    /// Another project serves the same upstream.
    #[error("project `{by}` takes precedence for the same upstream")]
    Outranked {
        /// Name of the other project.
        by: String,
    },
}

impl Serialize for SkipReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Hint for SkipReason {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::NotPermitted => PERMISSION,
            Self::Unmappable(_) => "set its upstream in `harbor.overrides`, as `project=upstream`",
            Self::Filter(FilterError::Unsupported { .. }) => {
                "write the project's filter in a simpler way, or add a rule to the mirrors file"
            }
            Self::Filter(_) => "fix the project's filter in Harbor, which serves nothing until then",
            Self::EndpointDeleted | Self::InvalidRule(_) => "exclude it with `harbor.projects`",
            Self::NotSelected | Self::Private | Self::OwnHarbor | Self::Unhealthy(_) | Self::Outranked { .. } => {
                return None;
            }
        };
        Some(hint.into())
    }
}

/// What an account needs, named as in Harbor's forms.
pub(crate) const PERMISSION: &str = "grant the robot account the system permissions `Registry: List` and `Project: List`, \
                                     or `Project: Read` on the projects";

#[cfg(test)]
impl ProxyProject {
    /// A project that is used, for tests.
    pub(crate) fn in_use(name: &str, public: bool) -> Self {
        Self {
            name: name.to_owned(),
            public,
            upstream: None,
            mirror: String::new(),
            health: None,
            filter: None,
            pull_secret: None,
            skipped: None,
            rule: None,
        }
    }
}

impl Report {
    /// The rules, by project name, with the [`problems`](Self::problems).
    pub fn rule_list(&self) -> RuleList {
        let rules = self.projects.iter().filter_map(|project| project.rule.clone()).collect();
        RuleList { rules, problems: self.problems() }
    }

    /// Problems with Mimic's configuration or permissions: one for all projects whose endpoint the account has no
    /// permission to read, and one for each override without a project.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let hidden: Vec<&str> = self
            .projects
            .iter()
            .filter(|project| project.skipped == Some(SkipReason::NotPermitted))
            .map(|project| project.name.as_str())
            .collect();
        if !hidden.is_empty() {
            let message = format!("no permission to read the registry endpoint of {}", names(&hidden));
            problems.push(Problem::new(&self.harbor, message).with_hint(PERMISSION));
        }
        problems.extend(self.unused_overrides.iter().map(|project| {
            Problem::new(&self.harbor, format!("override for `{project}`: no such proxy-cache project visible"))
                .with_hint("fix `harbor.overrides`, or grant the account access to the project")
        }));
        problems
    }

    /// Why projects are used that Harbor no longer lists; `None` if all are listed.
    pub fn degraded(&self) -> Option<Problem> {
        let kept = self.kept.as_ref()?;
        let missing: Vec<&str> = kept.projects.iter().map(String::as_str).collect();
        // A time, not a period: the text is logged when it changes.
        let message = format!(
            "{} of {} projects are missing from Harbor's list; keeping {} until {}",
            missing.len(),
            kept.known,
            names(&missing),
            httpdate::fmt_http_date(kept.until),
        );
        let hint = "check the account's permissions and Harbor's log; restart Mimic if the projects were deleted";
        Some(Problem::new(&self.harbor, message).with_hint(hint))
    }

    /// Problems with the projects themselves: projects that cannot be used, several projects for one upstream, and
    /// endpoints that are not healthy.
    pub fn warnings(&self) -> Vec<Problem> {
        let warning = |message: String| Problem::new(&self.harbor, message);
        let unusable = |project: &ProxyProject| {
            let reason = project.skipped.as_ref().filter(|reason| **reason != SkipReason::NotPermitted)?;
            let message = format!("project `{}` skipped: {reason}", project.name);
            Some(warning(message).with_hint(reason.hint()?))
        };
        let mut warnings: Vec<Problem> = self.projects.iter().filter_map(unusable).collect();
        let mut outranked: HashMap<&str, Vec<&str>> = HashMap::new();
        for project in &self.projects {
            if let Some(SkipReason::Outranked { by }) = &project.skipped {
                outranked.entry(by).or_default().push(&project.name);
            }
        }
        for used in self.projects.iter().filter(|project| project.skipped.is_none()) {
            let upstream = used.upstream.as_deref().unwrap_or_default();
            if let Some(others) = outranked.get(used.name.as_str()) {
                warnings.push(warning(format!(
                    "project `{}` takes precedence over {} for `{upstream}`",
                    used.name,
                    names(others),
                )));
            }
        }
        let unhealthy: Vec<&str> = self
            .projects
            .iter()
            .filter(|project| project.skipped.is_none())
            .filter(|project| project.health.as_deref().is_some_and(|health| !is_healthy(health)))
            .map(|project| project.name.as_str())
            .collect();
        if !unhealthy.is_empty() {
            let (endpoints, are) = if unhealthy.len() == 1 { ("the endpoint", "is") } else { ("the endpoints", "are") };
            let projects = names(&unhealthy);
            let message =
                format!("{endpoints} of {projects} {are} not healthy: Harbor serves only cached images from there");
            warnings.push(warning(message));
        }
        warnings
    }
}

/// Whether Harbor reports an endpoint as healthy.
pub(crate) fn is_healthy(status: &str) -> bool {
    status == "healthy"
}

/// The names of projects; of many, the first few and how many more there are.
fn names(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("projects {} and {more} more", shown.join(", ")),
        _ => match shown.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("project{plural} {} and {last}", rest.join(", ")),
            _ => format!("project {}", shown.join("")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_up_to_a_few() {
        assert_eq!(names(&["a"]), "project `a`");
        assert_eq!(names(&["a", "b", "c"]), "projects `a`, `b` and `c`");
        let many = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(names(&many), "projects `a`, `b`, `c`, `d`, `e` and 2 more");
    }
}
