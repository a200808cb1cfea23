//! Whether Mimic is ready, and if not, or not fully, why.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mimic_core::{Catalog, Hint as _, Problem};
use openssl::asn1::Asn1Time;
use openssl::x509::X509;

use crate::certificate::Pair;

/// What the second port reports.
pub struct Health {
    catalog: Arc<Catalog>,
    startup: Duration,
    started: Instant,
    draining: AtomicBool,
    certificate: Mutex<Certificate>,
    /// What was left out of each source's list.
    problems: Mutex<BTreeMap<String, Vec<Problem>>>,
}

#[derive(Default)]
struct Certificate {
    served: Option<X509>,
    /// Why a newer one is not served, or none at all.
    error: Option<String>,
    /// Why those who call the webhook may not trust it.
    distrust: Option<String>,
    /// How many were served, and how many were not.
    loads: (u64, u64),
}

/// How things stand at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether requests should be sent here.
    pub ready: bool,
    /// Every check with what there is to say about it.
    pub checks: Vec<Check>,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: `certificate`, `source …`, `shutdown`.
    pub name: String,
    /// How it is.
    pub state: CheckState,
    /// Figures and reasons.
    pub detail: String,
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckState {
    /// As it should be.
    Good,
    /// Not as it should be, but Mimic serves.
    Degraded,
    /// Not good enough to serve.
    Failed,
}

impl Health {
    /// The health of a server that uses `catalog` and waits `startup` for every source to load once.
    pub fn new(catalog: Arc<Catalog>, startup: Duration) -> Self {
        Self {
            catalog,
            startup,
            started: Instant::now(),
            draining: AtomicBool::new(false),
            certificate: Mutex::default(),
            problems: Mutex::default(),
        }
    }

    /// Unready from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to leave.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn certificate_served(&self, pair: &Pair) {
        let mut certificate = self.certificate();
        certificate.served = Some(pair.leaf().to_owned());
        certificate.loads.0 += 1;
    }

    /// Notes why a newer certificate is not served, or that there is no such reason.
    pub(crate) fn certificate_failed(&self, error: Option<String>) {
        let mut certificate = self.certificate();
        certificate.loads.1 += u64::from(error.is_some());
        certificate.error = error;
    }

    /// Notes why those who call the webhook may not trust the certificate, or that they do.
    pub(crate) fn certificate_distrusted(&self, reason: Option<String>) {
        self.certificate().distrust = reason;
    }

    /// Notes what was left out of a source's list, and gives what was left out of the one before.
    pub(crate) fn entries_skipped(&self, source: &str, problems: Vec<Problem>) -> Vec<Problem> {
        let mut all = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(source.to_owned(), problems).unwrap_or_default()
    }

    /// How many entries were left out of a source's last list.
    pub(crate) fn skipped_entries(&self, source: &str) -> usize {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).get(source).map_or(0, Vec::len)
    }

    /// How many certificates were taken into use since the start, and how many were refused.
    pub(crate) fn certificate_loads(&self) -> (u64, u64) {
        self.certificate().loads
    }

    /// When the certificate in use expires, in seconds since 1970.
    pub(crate) fn certificate_end(&self) -> Option<f64> {
        let certificate = self.certificate();
        let end = Asn1Time::from_unix(0).ok()?.diff(certificate.served.as_ref()?.not_after()).ok()?;
        Some(f64::from(end.days) * 86_400.0 + f64::from(end.secs))
    }

    /// Names of the sources that have not given a list yet.
    pub(crate) fn missing_sources(&self) -> Vec<String> {
        let sources = self.catalog.status().into_iter();
        sources.filter(|source| source.rules.is_none()).map(|source| source.name).collect()
    }

    /// Looks at everything.
    pub fn report(&self) -> Report {
        let mut checks = vec![self.check_certificate()];
        // Whoever waited long enough is served by the sources that did load.
        let missing = if self.started.elapsed() < self.startup { CheckState::Failed } else { CheckState::Degraded };
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        for source in self.catalog.status() {
            let (mut state, mut detail) = match (source.rules, source.failures) {
                (None, _) => (missing, "not loaded yet".to_owned()),
                (Some(rules), 0) => (CheckState::Good, format!("{rules} rules")),
                (Some(rules), _) => (CheckState::Degraded, format!("{rules} rules, last good list")),
            };
            if let Some(error) = source.last_error {
                let _ = write!(detail, "; failures in a row: {}, the last: {error}", source.failures);
            }
            let skipped = problems.get(&source.name).map(Vec::as_slice).unwrap_or_default();
            if let Some(first) = skipped.first() {
                state = state.max(CheckState::Degraded);
                let _ = write!(detail, "; entries skipped: {}, the first: {}", skipped.len(), first.full_message());
            }
            checks.push(Check { name: format!("source {}", source.name), state, detail });
        }
        checks.push(if self.is_draining() {
            Check { name: "shutdown".to_owned(), state: CheckState::Failed, detail: "draining".to_owned() }
        } else {
            Check { name: "shutdown".to_owned(), state: CheckState::Good, detail: "not asked for".to_owned() }
        });
        Report { ready: checks.iter().all(|check| check.state != CheckState::Failed), checks }
    }

    fn check_certificate(&self) -> Check {
        let certificate = self.certificate();
        let (mut state, mut detail) = match &certificate.served {
            None => (CheckState::Failed, "none yet".to_owned()),
            Some(served) => {
                let left = Asn1Time::days_from_now(0).and_then(|now| now.diff(served.not_after()));
                let until = served.not_after();
                match left.map(|left| (left.days, left.secs)) {
                    Ok((days, seconds)) if days < 0 || seconds < 0 => {
                        (CheckState::Degraded, format!("expired {until}"))
                    }
                    Ok((days, _)) => (CheckState::Good, format!("good for {days} days, until {until}")),
                    Err(_) => (CheckState::Good, format!("until {until}")),
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
            let _ = write!(detail, "; it may not be trusted: {reason}");
        }
        Check { name: "certificate".to_owned(), state, detail }
    }

    fn certificate(&self) -> std::sync::MutexGuard<'_, Certificate> {
        self.certificate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    /// Every check on a line of its own, then the whole.
    pub fn verbose(&self) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let mark = match check.state {
                CheckState::Good => '+',
                CheckState::Degraded => '!',
                CheckState::Failed => '-',
            };
            // Errors may quote what others wrote.
            let detail = check.detail.escape_debug();
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

    use super::*;
    use crate::certificate::self_signed;

    #[test]
    fn it_is_ready_when_the_certificate_and_every_source_are_there() {
        let catalog = Arc::new(Catalog::new(["file", "harbor"]));
        let health = Health::new(Arc::clone(&catalog), Duration::from_mins(1));
        assert_eq!(health.report().to_string(), "not ready: certificate, source file, source harbor\n");
        health.certificate_served(&self_signed(None).expect("OpenSSL makes a certificate"));
        catalog.publish("file", vec![Rule::mirror("quay.io", "mirror.example/quay").expect("the rule is good")]);
        assert_eq!(health.report().to_string(), "not ready: source harbor\n");
        assert_eq!(health.missing_sources(), ["harbor"]);
        catalog.publish("harbor", Vec::new());
        assert_eq!(health.report().to_string(), "ready\n");
        health.certificate_failed(Some("no".to_owned()));
        catalog.fail("harbor", "away");
        assert_eq!(health.report().to_string(), "ready, degraded: certificate, source harbor\n");
        health.drain();
        assert_eq!(health.report().to_string(), "not ready: shutdown\n");
    }
}
