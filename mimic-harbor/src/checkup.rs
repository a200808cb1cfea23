//! Checks a Harbor and the account, from the result of a discovery.

use std::borrow::Cow;

use mimic_core::internal::Printable;
use mimic_core::{Hint, Problem};

use crate::error::HarborError;
use crate::report::{DiscoveryMethod, ProxyProject, Report, SkipReason};
use crate::settings::HarborSettings;

/// One result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How serious it is.
    pub level: FindingLevel,
    /// What was found, without a full stop.
    pub text: String,
    /// How to fix it.
    pub hint: Option<String>,
}

/// How serious a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingLevel {
    /// The check succeeded.
    Ok,
    /// A warning: Mimic works, but may not do what was intended.
    Note,
    /// An error: Mimic does not work, or skips projects.
    Problem,
}

impl FindingLevel {
    /// One stable word: `ok`, `note` or `problem`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    fn ok(text: impl Into<String>) -> Self {
        Self { level: FindingLevel::Ok, text: text.into(), hint: None }
    }

    fn note(text: impl Into<String>, hint: &str) -> Self {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        Self { level: FindingLevel::Note, text: text.into(), hint }
    }

    fn problem(text: impl Into<String>, hint: Option<String>) -> Self {
        Self { level: FindingLevel::Problem, text: text.into(), hint }
    }
}

/// Lists the results of the checks that [`Harbor::discover`](crate::Harbor::discover) implies.
pub fn checkup(settings: &HarborSettings, discovered: &Result<Report, HarborError>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if settings.credentials.is_some() && !settings.address.is_encrypted() {
        findings.push(Finding::note(
            "password sent over an unencrypted connection",
            "use https, with `harbor.api.cafile` for a private CA",
        ));
    }
    match discovered {
        Ok(report) => seen(settings, report, &mut findings),
        Err(error) => {
            if matches!(
                error,
                HarborError::CredentialsNotAccepted { .. }
                    | HarborError::PermissionMissing { .. }
                    | HarborError::RegistryUnknown { .. }
            ) {
                findings.push(Finding::ok(format!("Harbor responds at {}", settings.address)));
            }
            let problem = Problem::from_error("", error);
            findings.push(Finding::problem(problem.message(), problem.hint().map(Cow::into_owned)));
        }
    }
    findings
}

fn seen(settings: &HarborSettings, report: &Report, findings: &mut Vec<Finding>) {
    let version = report.version.as_deref().map(|version| format!(" {}", Printable(version))).unwrap_or_default();
    findings.push(Finding::ok(format!("Harbor{version} responds at {}", report.harbor)));
    findings.push(match &report.account {
        Some(account) => Finding::ok(format!("credentials of `{account}` accepted")),
        None => Finding::note("no account configured: only public projects are visible", ""),
    });
    let origin = if settings.registry.is_some() { "configured" } else { "reported by Harbor" };
    findings.push(Finding::ok(format!("registry address ({origin}): {}", report.registry)));

    let count = |is: &dyn Fn(&ProxyProject) -> bool| report.projects.iter().filter(|project| is(project)).count();
    let (public, private) = (count(&|project| project.public), count(&|project| !project.public));
    let text =
        format!("{} visible: {public} public, {private} private", projects(report.projects.len(), "proxy-cache "));
    findings.push(if report.projects.is_empty() {
        Finding::problem("no proxy-cache projects visible", Some(NOTHING.to_owned()))
    } else {
        Finding::ok(text)
    });
    if report.account.is_some() {
        match report.discovery_method {
            DiscoveryMethod::Endpoints => {
                findings.push(Finding::ok("permission to list registry endpoints: all upstreams read in one request"));
            }
            DiscoveryMethod::Summaries => findings.push(Finding::note(
                "no permission to list registry endpoints; querying each project separately",
                "grant the robot account the system permission `Registry: List`",
            )),
            DiscoveryMethod::None => {}
        }
    }
    if settings.private && settings.pull_secret.is_none() {
        findings.push(Finding::note(
            "private projects used without a pull secret",
            "set `harbor.pullsecret`, unless the nodes have credentials",
        ));
    }
    if settings.private && private == 0 && !report.projects.is_empty() {
        findings.push(Finding::note(
            "private projects are enabled, but the account sees none",
            "grant the robot account the system permission `Project: List` to see them",
        ));
    }
    let used = count(&|project| project.skipped.is_none());
    if used > 0 {
        findings.push(Finding::ok(format!("using {}", projects(used, ""))));
    } else if !report.projects.is_empty() {
        findings.push(Finding::problem("no project is used", Some("`mimic mirrors` lists the reasons".to_owned())));
    }
    let hidden = count(&|project| project.skipped == Some(SkipReason::Private));
    if hidden > 0 {
        findings.push(Finding::note(
            format!("{} skipped", projects(hidden, "private ")),
            "set `harbor.private` and `harbor.pullsecret` to use them",
        ));
    }
    let of = |level| {
        move |problem: &Problem| Finding {
            level,
            text: problem.message().to_owned(),
            hint: problem.hint().map(Cow::into_owned),
        }
    };
    findings.extend(report.warnings().iter().map(of(FindingLevel::Note)));
    findings.extend(report.problems().iter().map(of(FindingLevel::Problem)));
}

/// A number of projects, such as `2 private projects`.
fn projects(count: usize, kind: &str) -> String {
    format!("{count} {kind}project{}", if count == 1 { "" } else { "s" })
}

const NOTHING: &str = "create proxy-cache projects in Harbor, or grant the robot account the system permission \
                       `Project: List` to see private ones";
