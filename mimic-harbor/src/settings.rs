//! Which Harbor to query, and what to use of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mimic_core::internal::Globs;
use mimic_core::{Hint, RuleError, Upstream};

use crate::address::Address;
use crate::client::Timeouts;
use crate::credentials::Credentials;

/// A Harbor, and what to use of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HarborSettings {
    /// Its address.
    pub address: Address,
    /// PEM file with the CAs to trust instead of those of the system; read again for every discovery.
    pub ca_file: Option<PathBuf>,
    /// The account; `None` for an anonymous client.
    pub credentials: Option<Credentials>,
    /// How long to wait for it.
    pub timeouts: Timeouts,
    /// Registry address that pods pull from; `None` for the one that Harbor reports.
    pub registry: Option<String>,
    /// Names of the projects to use.
    pub projects: Globs,
    /// Whether private projects are used.
    pub private: bool,
    /// Pull secret that rules for private projects add to pods.
    pub pull_secret: Option<String>,
    /// Whether projects with an unhealthy endpoint are used. Harbor serves only cached images through them.
    pub unhealthy: bool,
    /// Upstreams of projects, instead of those derived from the endpoint.
    pub overrides: Overrides,
    /// How long [`Harbor::refresh`](crate::Harbor::refresh) keeps projects if suspiciously many go at once.
    pub grace: Duration,
}

/// The default of [`HarborSettings::grace`].
pub const DEFAULT_GRACE: Duration = Duration::from_hours(1);

impl HarborSettings {
    /// All public projects of a Harbor, for an anonymous client.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            ca_file: None,
            credentials: None,
            timeouts: Timeouts::default(),
            registry: None,
            // This glob is valid.
            projects: Globs::new(["*"]).unwrap_or_default(),
            private: false,
            pull_secret: None,
            unhealthy: true,
            overrides: Overrides::default(),
            grace: DEFAULT_GRACE,
        }
    }
}

/// Upstreams of projects, by the project's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, String>);

/// Why a string is not a list of overrides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry `{entry}` {reason}")]
pub struct OverrideError {
    entry: String,
    reason: &'static str,
    #[source]
    cause: Option<RuleError>,
}

impl Hint for OverrideError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.cause.as_ref()?.hint()
    }
}

impl Overrides {
    /// Parses `project=upstream` pairs, separated by commas. An upstream is a registry or a prefix of its repositories.
    ///
    /// ```
    /// # use mimic_harbor::Overrides;
    /// assert!(Overrides::parse("ecr=123456789012.dkr.ecr.eu-west-1.amazonaws.com, hub=docker.io").is_ok());
    /// assert_eq!(Overrides::parse("ecr").unwrap_err().to_string(), "entry `ecr` has no `=`");
    /// ```
    ///
    /// # Errors
    /// The first invalid entry.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let mut overrides = BTreeMap::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let error = |reason, cause| OverrideError { entry: entry.to_owned(), reason, cause };
            let (project, upstream) = entry.split_once('=').ok_or_else(|| error("has no `=`", None))?;
            let (project, upstream) = (project.trim(), upstream.trim());
            if project.is_empty() {
                return Err(error("has no project", None));
            }
            let upstream = match Upstream::parse(upstream) {
                Ok(upstream @ Upstream::Prefix { .. }) => upstream.to_string(),
                Ok(_) => return Err(error("has a wildcard as upstream, but a project mirrors one registry", None)),
                Err(cause) => return Err(error("has an invalid upstream", Some(cause))),
            };
            if overrides.insert(project.to_owned(), upstream).is_some() {
                return Err(error("repeats the project of another entry", None));
            }
        }
        Ok(Self(overrides))
    }

    /// The upstream of a project.
    pub(crate) fn get(&self, project: &str) -> Option<&str> {
        self.0.get(project).map(String::as_str)
    }

    /// The projects that have an override.
    pub(crate) fn projects(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_overrides_are_an_error() {
        for (text, message) in [
            ("=docker.io", "entry `=docker.io` has no project"),
            ("a=*", "entry `a=*` has a wildcard as upstream, but a project mirrors one registry"),
            (
                "a=b",
                "entry `a=b` has an invalid upstream: upstream `b` does not start with a registry (hint: for Docker Hub write `docker.io/b`)",
            ),
            ("a=ghcr.io, a=quay.io", "entry `a=quay.io` repeats the project of another entry"),
        ] {
            let error = Overrides::parse(text).expect_err("the overrides are invalid");
            assert_eq!(error.full_message().to_string(), message);
        }
        let overrides = Overrides::parse("path = example.com/docker-remote ,").expect("the overrides are valid");
        assert_eq!(overrides.get("path"), Some("example.com/docker-remote"));
        assert_eq!(overrides.get("other"), None);
    }
}
