//! What is asked for, of which Harbor.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mimic_core::Upstream;
use mimic_core::internal::Globs;

use crate::address::Address;
use crate::client::Timeouts;
use crate::credentials::Credentials;

/// A Harbor, and what to take from it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// PEM file with the authorities to trust instead of the system's; read again for every discovery.
    pub ca_file: Option<PathBuf>,
    /// The account to ask as; nobody if there is none.
    pub credentials: Option<Credentials>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Registry address that pods pull from; asked from Harbor if there is none.
    pub registry: Option<String>,
    /// Names of the projects to use.
    pub projects: Globs,
    /// Whether private projects are used.
    pub private: bool,
    /// Pull secret that rules for private projects name.
    pub pull_secret: Option<String>,
    /// Whether projects are used whose endpoint Harbor finds unhealthy: it serves what it has cached.
    pub unhealthy: bool,
    /// Upstreams of projects, where the endpoint does not tell them.
    pub overrides: Overrides,
}

impl Settings {
    /// All public projects of a Harbor, asked without an account.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            ca_file: None,
            credentials: None,
            timeouts: Timeouts::default(),
            registry: None,
            // A glob that is known to be good.
            projects: Globs::new(["*"]).unwrap_or_default(),
            private: false,
            pull_secret: None,
            unhealthy: true,
            overrides: Overrides::default(),
        }
    }
}

/// Upstreams of projects, by the project's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, String>);

/// Why a text is not a list of overrides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry `{entry}` {reason}")]
pub struct OverrideError {
    entry: String,
    reason: String,
}

impl Overrides {
    /// Reads `project=upstream` pairs, separated by commas. An upstream is a registry or a prefix of its repositories.
    ///
    /// ```
    /// # use mimic_harbor::Overrides;
    /// assert!(Overrides::parse("ecr=123456789012.dkr.ecr.eu-west-1.amazonaws.com, hub=docker.io").is_ok());
    /// assert_eq!(Overrides::parse("ecr").unwrap_err().to_string(), "entry `ecr` has no `=`");
    /// ```
    ///
    /// # Errors
    /// The first entry that is none.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let mut overrides = BTreeMap::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let error = |reason: String| OverrideError { entry: entry.to_owned(), reason };
            let (project, upstream) = entry.split_once('=').ok_or_else(|| error("has no `=`".to_owned()))?;
            let (project, upstream) = (project.trim(), upstream.trim());
            if project.is_empty() {
                return Err(error("names no project".to_owned()));
            }
            let upstream = match Upstream::parse(upstream) {
                Ok(upstream @ Upstream::Prefix { .. }) => upstream.to_string(),
                Ok(_) => return Err(error("has a wildcard for an upstream, but a project serves one".to_owned())),
                Err(reason) => return Err(error(format!("names no upstream: {reason}"))),
            };
            if overrides.insert(project.to_owned(), upstream).is_some() {
                return Err(error("names a project that another entry names".to_owned()));
            }
        }
        Ok(Self(overrides))
    }

    /// The upstream of a project.
    pub(crate) fn get(&self, project: &str) -> Option<&str> {
        self.0.get(project).map(String::as_str)
    }

    /// The projects that are named.
    pub(crate) fn projects(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_that_make_no_sense_are_refused() {
        for (text, message) in [
            ("=docker.io", "entry `=docker.io` names no project"),
            ("a=*", "entry `a=*` has a wildcard for an upstream, but a project serves one"),
            ("a=b", "entry `a=b` names no upstream: upstream `b` does not start with a registry"),
            ("a=ghcr.io, a=quay.io", "entry `a=quay.io` names a project that another entry names"),
        ] {
            assert_eq!(Overrides::parse(text).map_err(|error| error.to_string()), Err(message.to_owned()));
        }
        let overrides = Overrides::parse("path = example.com/docker-remote ,").expect("good overrides");
        assert_eq!(overrides.get("path"), Some("example.com/docker-remote"));
        assert_eq!(overrides.get("other"), None);
    }
}
