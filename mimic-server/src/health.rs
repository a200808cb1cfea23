//! Whether Mimic is ready, and if not, or not fully, why.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mimic_core::internal::Printable;
use mimic_core::{Catalog, Hint as _, Problem};
use openssl::asn1::Asn1Time;
use openssl::x509::X509;

use crate::counted::counted;
use crate::heartbeat::{self, Heartbeats};
use crate::policy_status::PolicyStatus;

/// The state that the admin port reports.
pub struct Health {
    catalog: Arc<Catalog>,
    startup: Duration,
    started: Instant,
    draining: AtomicBool,
    heartbeats: Heartbeats,
    certificate: Mutex<Certificate>,
    /// The invalid entries of each source's list.
    problems: Mutex<BTreeMap<String, Vec<Problem>>>,
    /// Why a source's list is not quite what the source listed.
    degraded: Mutex<BTreeMap<String, Problem>>,
    /// The admission policy, if Mimic keeps one.
    policy: Mutex<Option<PolicyStatus>>,
}

#[derive(Default)]
struct Certificate {
    served: Option<X509>,
    /// Why no certificate, or no newer one, is served.
    error: Option<String>,
    /// Why the API server possibly does not trust it.
    distrust: Option<String>,
    /// Why a newer CA for clients is not used.
    client_ca: Option<String>,
    /// How many certificates were loaded, and how many were rejected.
    loads: (u64, u64),
}

/// The state at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether the server accepts requests.
    pub ready: bool,
    /// Every check with its result.
    pub checks: Vec<Check>,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is checked: `certificate`, `source …`, `policy`, `shutdown`.
    pub name: String,
    /// The result.
    pub state: CheckState,
    /// Figures and reasons.
    pub detail: String,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckState {
    /// No problem.
    Good,
    /// A problem, but Mimic serves.
    Degraded,
    /// Mimic cannot serve.
    Failed,
}

impl Health {
    /// The health of a server that uses `catalog` and is not ready until every source was loaded, or `startup` is over.
    pub fn new(catalog: Arc<Catalog>, startup: Duration) -> Self {
        Self {
            catalog,
            startup,
            started: Instant::now(),
            draining: AtomicBool::new(false),
            heartbeats: Heartbeats::new(heartbeat::PATIENCE),
            certificate: Mutex::default(),
            problems: Mutex::default(),
            degraded: Mutex::default(),
            policy: Mutex::default(),
        }
    }

    /// Counts a worker as stuck after this time.
    #[must_use]
    pub(crate) fn patience(self, patience: Duration) -> Self {
        Self { heartbeats: Heartbeats::new(patience), ..self }
    }

    /// The heartbeats of the workers.
    pub(crate) fn heartbeats(&self) -> &Heartbeats {
        &self.heartbeats
    }

    /// Reports not ready from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Records the certificate that is served from now on.
    pub(crate) fn certificate_served(&self, leaf: X509) {
        let mut certificate = self.certificate();
        certificate.served = Some(leaf);
        certificate.loads.0 += 1;
    }

    /// Records why a newer certificate is not served; `None` when there is no such reason.
    pub(crate) fn certificate_failed(&self, error: Option<String>) {
        let mut certificate = self.certificate();
        certificate.loads.1 += u64::from(error.is_some());
        certificate.error = error;
    }

    /// Records why the API server possibly does not trust the certificate; `None` when it does.
    pub(crate) fn certificate_distrusted(&self, reason: Option<String>) {
        self.certificate().distrust = reason;
    }

    /// Records the invalid entries of a source's list, and returns those of its previous list.
    pub(crate) fn entries_skipped(&self, source: &str, problems: Vec<Problem>) -> Vec<Problem> {
        let mut all = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(source.to_owned(), problems).unwrap_or_default()
    }

    /// Records why a source's list is not quite what the source listed, if so, and returns the previous reason.
    pub(crate) fn source_degraded(&self, source: &str, problem: Option<Problem>) -> Option<Problem> {
        let mut all = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => all.insert(source.to_owned(), problem),
            None => all.remove(source),
        }
    }

    /// How many entries of a source's last list were skipped.
    pub(crate) fn skipped_entries(&self, source: &str) -> usize {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).get(source).map_or(0, Vec::len)
    }

    /// Records why a newer CA for clients is not used; `None` when there is no such reason.
    pub(crate) fn client_ca_failed(&self, error: Option<String>) {
        self.certificate().client_ca = error;
    }

    /// Records the state of the admission policy.
    pub(crate) fn policy_reported(&self, status: PolicyStatus) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    /// The state of the admission policy; `None` if Mimic keeps none.
    pub(crate) fn policy(&self) -> Option<PolicyStatus> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many certificates were loaded since the start, and how many were rejected.
    pub(crate) fn certificate_loads(&self) -> (u64, u64) {
        self.certificate().loads
    }

    /// When the certificate in use expires, in seconds since 1970.
    pub(crate) fn certificate_end(&self) -> Option<f64> {
        let certificate = self.certificate();
        let end = Asn1Time::from_unix(0).ok()?.diff(certificate.served.as_ref()?.not_after()).ok()?;
        Some(f64::from(end.days) * 86_400.0 + f64::from(end.secs))
    }

    /// Names of the sources that were not loaded yet.
    pub(crate) fn missing_sources(&self) -> Vec<String> {
        let sources = self.catalog.status().into_iter();
        sources.filter(|source| source.rules.is_none()).map(|source| source.name).collect()
    }

    /// Runs all checks.
    pub fn report(&self) -> Report {
        let mut checks = vec![self.check_certificate()];
        // After the startup period the sources that were loaded are enough.
        let missing = if self.started.elapsed() < self.startup { CheckState::Failed } else { CheckState::Degraded };
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let degraded = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        for source in self.catalog.status() {
            let (mut state, mut detail) = match (source.rules, source.failures) {
                (None, _) => (missing, "not loaded yet".to_owned()),
                (Some(rules), 0) => (CheckState::Good, counted(rules, "rule", "rules")),
                (Some(rules), _) => {
                    (CheckState::Degraded, format!("{}, using last good rules", counted(rules, "rule", "rules")))
                }
            };
            if let Some(error) = source.last_error {
                let failures = counted(source.failures, "consecutive failure", "consecutive failures");
                let _ = write!(detail, "; {failures}, last error: {error}");
            }
            if let Some(problem) = degraded.get(&source.name) {
                state = state.max(CheckState::Degraded);
                let _ = write!(detail, "; {}", problem.full_message());
            }
            let skipped = problems.get(&source.name).map(Vec::as_slice).unwrap_or_default();
            if let Some(first) = skipped.first() {
                state = state.max(CheckState::Degraded);
                let entries = counted(skipped.len(), "invalid entry", "invalid entries");
                let _ = write!(detail, "; {entries} skipped, first: {}", first.full_message());
            }
            checks.push(Check { name: format!("source {}", source.name), state, detail });
        }
        if let Some(policy) = self.policy() {
            // Mimic serves without the policy, so this never makes it unready.
            let state = if policy.is_degraded() { CheckState::Degraded } else { CheckState::Good };
            checks.push(Check { name: "policy".to_owned(), state, detail: policy.detail() });
        }
        checks.push(if self.is_draining() {
            Check { name: "shutdown".to_owned(), state: CheckState::Failed, detail: "draining".to_owned() }
        } else {
            Check { name: "shutdown".to_owned(), state: CheckState::Good, detail: "not requested".to_owned() }
        });
        Report { ready: checks.iter().all(|check| check.state != CheckState::Failed), checks }
    }

    fn check_certificate(&self) -> Check {
        let certificate = self.certificate();
        let (mut state, mut detail) = match &certificate.served {
            None => (CheckState::Failed, "no certificate loaded".to_owned()),
            Some(served) => {
                let left = Asn1Time::days_from_now(0).and_then(|now| now.diff(served.not_after()));
                let until = served.not_after();
                match left.map(|left| (left.days, left.secs)) {
                    Ok((days, seconds)) if days < 0 || seconds < 0 => {
                        (CheckState::Degraded, format!("expired on {until}"))
                    }
                    Ok((days, _)) => {
                        (CheckState::Good, format!("valid for {}, until {until}", counted(days, "day", "days")))
                    }
                    Err(_) => (CheckState::Good, format!("valid until {until}")),
                }
            }
        };
        if let Some(error) = &certificate.error {
            state = state.max(CheckState::Degraded);
            let mark = if certificate.served.is_some() { ";" } else { ":" };
            let _ = write!(detail, "{mark} {error}");
        }
        if let Some(reason) = &certificate.distrust {
            state = state.max(CheckState::Degraded);
            let _ = write!(detail, "; possibly not trusted by the API server: {reason}");
        }
        if let Some(error) = &certificate.client_ca {
            state = state.max(CheckState::Degraded);
            let _ = write!(detail, "; new client CA rejected: {error}");
        }
        Check { name: "certificate".to_owned(), state, detail }
    }

    fn certificate(&self) -> std::sync::MutexGuard<'_, Certificate> {
        self.certificate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    /// A line for each check, then the overall state.
    pub fn verbose(&self) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let mark = match check.state {
                CheckState::Good => '+',
                CheckState::Degraded => '!',
                CheckState::Failed => '-',
            };
            // Errors can quote data from outside.
            let detail = Printable(&check.detail);
            let _ = writeln!(text, "[{mark}] {}: {detail}", check.name);
        }
        let _ = write!(text, "{self}");
        text
    }
}

/// One line: `ready`, `ready, degraded: …` or `not ready: …`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decisive = if self.ready { CheckState::Degraded } else { CheckState::Failed };
        let names: Vec<&str> =
            self.checks.iter().filter(|check| check.state == decisive).map(|check| check.name.as_str()).collect();
        match (self.ready, names.is_empty()) {
            (true, true) => writeln!(f, "ready"),
            (true, false) => writeln!(f, "ready, degraded: {}", names.join(", ")),
            (false, _) => writeln!(f, "not ready: {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use mimic_core::Rule;
    use openssl::x509::X509Builder;

    use super::*;

    /// A certificate that is valid for so many days; nothing else of it is checked here.
    fn certificate(days: u32) -> X509 {
        let mut builder = X509Builder::new().expect("OpenSSL works");
        let until = Asn1Time::days_from_now(days).expect("it is a time");
        builder.set_not_after(&until).expect("it is a time");
        builder.build()
    }

    #[test]
    fn it_is_ready_when_the_certificate_and_every_source_are_loaded() {
        let catalog = Arc::new(Catalog::new(["file", "harbor"]));
        let health = Health::new(Arc::clone(&catalog), Duration::from_mins(1));
        assert_eq!(health.report().to_string(), "not ready: certificate, source file, source harbor\n");
        health.certificate_served(certificate(1));
        catalog.publish("file", vec![Rule::mirror("quay.io", "mirror.example/quay").expect("the rule is valid")]);
        assert_eq!(health.report().to_string(), "not ready: source harbor\n");
        assert_eq!(health.missing_sources(), ["harbor"]);
        catalog.publish("harbor", Vec::new());
        assert_eq!(health.report().to_string(), "ready\n");
        health.certificate_failed(Some("no".to_owned()));
        catalog.fail("harbor", "down");
        assert_eq!(health.report().to_string(), "ready, degraded: certificate, source harbor\n");
        health.drain();
        assert_eq!(health.report().to_string(), "not ready: shutdown\n");
    }

    #[test]
    fn a_problem_with_the_policy_never_makes_it_unready() {
        let health = Health::new(Arc::new(Catalog::new([""; 0])), Duration::ZERO);
        health.certificate_served(certificate(1));
        assert_eq!(health.report().to_string(), "ready\n");
        let mut status =
            PolicyStatus { rules: Some((3, 1)), stored: Some("0123".to_owned()), ..PolicyStatus::default() };
        health.policy_reported(status.clone());
        assert!(health.report().verbose().contains("[+] policy: hash 0123; 3 rules, 1 left to the webhook\n"));
        status.problem = Some("permission denied".to_owned());
        health.policy_reported(status);
        assert_eq!(health.report().to_string(), "ready, degraded: policy\n");
        let expected = "[!] policy: hash 0123; 3 rules, 1 left to the webhook; not up to date: permission denied\n";
        assert!(health.report().verbose().contains(expected));
    }

    #[test]
    fn details_name_what_is_wrong() {
        let catalog = Arc::new(Catalog::new(["file"]));
        let health = Health::new(Arc::clone(&catalog), Duration::from_mins(1));
        let details = || health.report().checks.into_iter().map(|check| check.detail).collect::<Vec<_>>();
        assert_eq!(details(), ["no certificate loaded", "not loaded yet", "not requested"]);

        health.certificate_failed(Some("no key".to_owned()));
        catalog.fail("file", "down");
        assert_eq!(details()[0], "no certificate loaded: no key");
        assert_eq!(details()[1], "not loaded yet; 1 consecutive failure, last error: down");

        health.certificate_served(certificate(0));
        health.certificate_failed(None);
        health.certificate_distrusted(Some("no caBundle".to_owned()));
        assert!(details()[0].ends_with(" GMT; possibly not trusted by the API server: no caBundle"), "{:?}", details());
        catalog.publish("file", vec![Rule::mirror("quay.io", "mirror.example/quay").expect("the rule is valid")]);
        health.entries_skipped("file", vec![Problem::new("a", "wrong"), Problem::new("b", "wrong")]);
        assert_eq!(details()[1], "1 rule; 2 invalid entries skipped, first: a: wrong");
        catalog.fail("file", "down");
        catalog.fail("file", "down");
        let expected = "1 rule, using last good rules; 2 consecutive failures, last error: down; 2 invalid entries skipped, \
                        first: a: wrong";
        assert_eq!(details()[1], expected);
        health.drain();
        assert_eq!(details()[2], "draining");
    }
}
