//! Harbor as a source of mirrors.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use mimic_core::{Hint as _, MirrorSource, RuleList, SourceError, async_trait};

use crate::discovery::Harbor;

/// A [`Harbor`] as a [`MirrorSource`].
///
/// Harbor does not tell when something changes, so [`changed`](MirrorSource::changed) never resolves: the host asks again
/// as often as it likes, and when one of the [`files`](HarborSource::files) changes. Every load is all or nothing: when
/// anything could be missing from the list it is an error, and the host keeps the last list.
#[derive(Debug)]
pub struct HarborSource {
    name: String,
    harbor: Harbor,
    /// What was warned about, so that what stays is warned about once.
    warned: Mutex<BTreeSet<String>>,
}

impl HarborSource {
    /// A source of this name.
    pub fn new(name: impl Into<String>, harbor: Harbor) -> Self {
        Self { name: name.into(), harbor, warned: Mutex::default() }
    }

    /// Files whose content matters: the password, the certificate authorities. They are read by every load.
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
            log::warn!(source = self.name.as_str(), warning = warning.as_str(); "Harbor's projects have a flaw");
        }
        *warned = current;
        Ok(report.rule_list())
    }
}
