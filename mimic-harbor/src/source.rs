//! Harbor as a source of mirrors.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use mimic_core::{Hint as _, MirrorSource, RuleList, SourceError, async_trait};

use crate::discovery::Harbor;

/// A [`Harbor`] as a [`MirrorSource`].
///
/// Harbor does not report changes, so [`changed`](MirrorSource::changed) never resolves: the caller loads again at an
/// interval, and when one of the [`files`](HarborSource::files) changes. A load fails if anything could be missing from
/// the list, and the caller keeps the last list.
#[derive(Debug)]
pub struct HarborSource {
    name: String,
    harbor: Harbor,
    /// The current warnings, each of which is logged once.
    warned: Mutex<BTreeSet<String>>,
}

impl HarborSource {
    /// A source with this name.
    pub fn new(name: impl Into<String>, harbor: Harbor) -> Self {
        Self { name: name.into(), harbor, warned: Mutex::default() }
    }

    /// The files that every load reads: the password and the CAs.
    pub fn files(&self) -> Vec<PathBuf> {
        let settings = self.harbor.settings();
        let password = settings.credentials.as_ref().and_then(|credentials| credentials.file().map(PathBuf::from));
        settings.ca_file.iter().cloned().chain(password).collect()
    }
}

#[async_trait]
impl MirrorSource for HarborSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        let report = self.harbor.discover().await?;
        let current: BTreeSet<String> =
            report.warnings().iter().map(|warning| warning.full_message().to_string()).collect();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in current.difference(&warned) {
            log::warn!(source = self.name.as_str(), warning = warning.as_str(); "problem with Harbor projects");
        }
        *warned = current;
        Ok(report.rule_list())
    }
}
