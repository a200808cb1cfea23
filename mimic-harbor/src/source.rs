//! Harbor as a source of mirrors.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mimic_core::{Hint as _, MirrorSource, Problem, RuleList, SourceError, async_trait};

use crate::discovery::Harbor;
use crate::error::HarborError;

/// The pause after the second refusal in a row.
const AFTER_REFUSALS: Duration = Duration::from_mins(1);

/// Each further refusal doubles the pause, this often: up to 16 minutes.
const MOST_DOUBLINGS: u32 = 4;

/// A [`Harbor`] as a [`MirrorSource`].
///
/// Harbor does not report changes, so [`changed`](MirrorSource::changed) never resolves: the caller loads again at an
/// interval, and when one of the [`files`](HarborSource::files) changes. A load fails if a request fails, and the caller
/// keeps the last list. Projects that are missing from a list are dropped as [`Harbor::refresh`] describes.
#[derive(Debug)]
pub struct HarborSource {
    name: String,
    harbor: Harbor,
    /// The current warnings, each of which is logged once.
    warned: Mutex<BTreeSet<String>>,
    /// Why the last list has projects that Harbor no longer lists.
    degraded: Mutex<Option<Problem>>,
    /// How often in a row Harbor did not accept the credentials.
    refusals: AtomicU32,
}

impl HarborSource {
    /// A source with this name.
    pub fn new(name: impl Into<String>, harbor: Harbor) -> Self {
        Self {
            name: name.into(),
            harbor,
            warned: Mutex::default(),
            degraded: Mutex::default(),
            refusals: AtomicU32::new(0),
        }
    }

    /// The files that every load reads: the password and the CAs.
    pub fn files(&self) -> Vec<PathBuf> {
        let settings = self.harbor.settings();
        let password = settings.credentials.as_ref().and_then(|credentials| credentials.file().map(PathBuf::from));
        settings.ca_file.iter().cloned().chain(password).collect()
    }
}

/// Asks for a longer pause after each refusal in a row but the first, which can be a fault of Harbor's database: Harbor
/// locks a name for a moment after a failed login.
fn delayed(error: SourceError, refusals: u32) -> SourceError {
    let doublings = refusals.saturating_sub(2).min(MOST_DOUBLINGS);
    if refusals < 2 { error } else { error.with_retry_after(AFTER_REFUSALS * 2_u32.pow(doublings)) }
}

#[async_trait]
impl MirrorSource for HarborSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        let report = match self.harbor.refresh().await {
            Err(error @ HarborError::CredentialsNotAccepted { .. }) => {
                let refusals = self.refusals.fetch_add(1, Ordering::Relaxed) + 1;
                return Err(delayed(error.into(), refusals));
            }
            read => read?,
        };
        self.refusals.store(0, Ordering::Relaxed);
        let current: BTreeSet<String> =
            report.warnings().iter().map(|warning| warning.full_message().to_string()).collect();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in current.difference(&warned) {
            log::warn!(source = self.name.as_str(), warning = warning.as_str(); "problem with Harbor projects");
        }
        *warned = current;
        *self.degraded.lock().unwrap_or_else(PoisonError::into_inner) = report.degraded();
        Ok(report.rule_list())
    }

    fn degraded(&self) -> Option<Problem> {
        self.degraded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
