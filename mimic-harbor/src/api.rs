//! The parts of Harbor's responses that Mimic reads. It ignores all other fields.

use serde::Deserialize;

/// Response to `systeminfo`.
#[derive(Debug, Deserialize)]
pub(crate) struct SystemInfo {
    /// Present for all clients: identifies a Harbor.
    pub(crate) auth_mode: Option<String>,
    /// `host[:port]`; for accounts only.
    pub(crate) registry_url: Option<String>,
    /// For accounts only.
    pub(crate) harbor_version: Option<String>,
}

impl SystemInfo {
    /// Whether Harbor accepted the account. Otherwise it responds as to an anonymous client.
    pub(crate) fn is_identified(&self) -> bool {
        self.registry_url.is_some() || self.harbor_version.is_some()
    }
}

/// An element of `projects`.
#[derive(Debug, Deserialize)]
pub(crate) struct Project {
    #[serde(rename = "project_id")]
    pub(crate) id: u64,
    pub(crate) name: String,
    /// ID of the registry endpoint of a proxy-cache project; absent or zero for ordinary projects.
    pub(crate) registry_id: Option<u64>,
    pub(crate) metadata: Option<Metadata>,
}

/// The settings of a project. All values are strings.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) public: Option<String>,
    pub(crate) proxy_cache_filter_pattern: Option<String>,
    pub(crate) proxy_cache_filter_kind: Option<String>,
    /// The same field before the release of 2.16.
    pub(crate) proxy_cache_filter_pattern_kind: Option<String>,
}

impl Project {
    pub(crate) fn is_public(&self) -> bool {
        self.metadata.as_ref().and_then(|metadata| metadata.public.as_deref()) == Some("true")
    }

    /// ID of the registry endpoint, for a proxy-cache project.
    pub(crate) fn endpoint(&self) -> Option<u64> {
        self.registry_id.filter(|id| *id > 0)
    }
}

/// An element of `registries`, and part of a project's summary: a registry endpoint.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Registry {
    pub(crate) id: u64,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) status: String,
}

/// Response to `projects/{name}/summary`.
#[derive(Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) registry: Option<Registry>,
}

/// Body of every error response.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) errors: Vec<ErrorEntry>,
}

/// One entry of an [`ErrorBody`].
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorEntry {
    #[serde(default)]
    pub(crate) message: String,
}

/// An element of a list that has an ID.
pub(crate) trait Identified {
    fn id(&self) -> u64;
}

impl Identified for Project {
    fn id(&self) -> u64 {
        self.id
    }
}

impl Identified for Registry {
    fn id(&self) -> u64 {
        self.id
    }
}
