//! What a discovery says about a Harbor and the account, in plain words.

use std::borrow::Cow;

use mimic_core::{Hint as _, Problem};

use crate::error::HarborError;
use crate::report::{Entry, LeftOut, Report, Way};
use crate::settings::Settings;

/// One thing that was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub verdict: Verdict,
    /// What was found, as a sentence without its full stop.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, but somebody should know.
    Note,
    /// It does not work.
    Bad,
}

impl Verdict {
    /// One stable word: `ok`, `note` or `problem`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Bad => "problem",
        }
    }
}

impl Finding {
    fn good(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, text: text.into(), hint: None }
    }

    fn note(text: impl Into<String>, hint: &str) -> Self {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        Self { verdict: Verdict::Note, text: text.into(), hint }
    }

    fn bad(text: impl Into<String>, hint: Option<String>) -> Self {
        Self { verdict: Verdict::Bad, text: text.into(), hint }
    }
}

/// Puts into words what [`Harbor::discover`](crate::Harbor::discover) gave.
pub fn checkup(settings: &Settings, discovered: &Result<Report, HarborError>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if settings.credentials.is_some() && !settings.address.is_encrypted() {
        findings.push(Finding::note(
            "the password is sent over a connection that is not encrypted",
            "use https, with `harbor.api.cafile` for an authority of your own",
        ));
    }
    match discovered {
        Ok(report) => seen(settings, report, &mut findings),
        Err(error) => {
            if matches!(error, HarborError::CredentialsNotAccepted { .. } | HarborError::PermissionMissing { .. }) {
                findings.push(Finding::good(format!("Harbor answers at {}", settings.address)));
            }
            findings.push(Finding::bad(error.to_string(), error.hint()));
        }
    }
    findings
}

fn seen(settings: &Settings, report: &Report, findings: &mut Vec<Finding>) {
    let version = report.version.as_deref().map(|version| format!(" {}", version.escape_debug())).unwrap_or_default();
    findings.push(Finding::good(format!("Harbor{version} answers at {}", report.harbor)));
    findings.push(match &report.account {
        Some(account) => Finding::good(format!("it accepts the credentials of `{account}`")),
        None => Finding::note("it is asked without an account, so public projects are all that can be seen", ""),
    });
    let told = if settings.registry.is_some() { "as configured" } else { "as Harbor says" };
    findings.push(Finding::good(format!("pods pull from `{}`, {told}", report.registry)));

    let count = |is: &dyn Fn(&Entry) -> bool| report.projects.iter().filter(|entry| is(entry)).count();
    let (public, private) = (count(&|entry| entry.public), count(&|entry| !entry.public));
    let text =
        format!("{} proxy-cache projects can be seen: {public} public, {private} private", report.projects.len());
    findings.push(if report.projects.is_empty() {
        Finding::bad("no proxy-cache project can be seen", Some(NOTHING.to_owned()))
    } else {
        Finding::good(text)
    });
    if report.account.is_some() {
        match report.way {
            Way::Endpoints => {
                findings.push(Finding::good("registry endpoints may be listed: one question tells all upstreams"));
            }
            Way::Summaries => findings.push(Finding::note(
                "registry endpoints may not be listed, so projects are asked one by one",
                "give the robot account the system permission `Registry: List`",
            )),
            Way::None => {}
        }
    }
    if settings.private && settings.pull_secret.is_none() {
        findings.push(Finding::note(
            "private projects are used without a pull secret",
            "set `harbor.pullsecret`, unless the nodes have credentials of their own",
        ));
    }
    let used = count(&|entry| entry.left_out.is_none());
    if used > 0 {
        findings.push(Finding::good(format!("{used} of the projects are used")));
    } else if !report.projects.is_empty() {
        findings.push(Finding::bad("none of the projects is used", Some("`mimic mirrors` says why".to_owned())));
    }
    let hidden = count(&|entry| entry.left_out == Some(LeftOut::Private));
    if hidden > 0 {
        findings.push(Finding::note(
            format!("{hidden} private projects are left out"),
            "set `harbor.private` and `harbor.pullsecret` to use them",
        ));
    }
    let of = |verdict| {
        move |problem: &Problem| Finding {
            verdict,
            text: problem.message().to_owned(),
            hint: problem.hint().map(Cow::into_owned),
        }
    };
    findings.extend(report.warnings().iter().map(of(Verdict::Note)));
    findings.extend(report.problems().iter().map(of(Verdict::Bad)));
}

const NOTHING: &str = "make proxy-cache projects in Harbor, or give the robot account the system permission `Project: List` \
                       to see those that are private";
