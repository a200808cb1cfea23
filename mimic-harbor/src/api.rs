//! The parts of Harbor's answers that Mimic reads. Everything else in them is passed over.

use serde::Deserialize;

/// Answer to `systeminfo`.
#[derive(Debug, Deserialize)]
pub(crate) struct SystemInfo {
    /// There for everybody: the mark of a Harbor.
    pub(crate) auth_mode: Option<String>,
    /// `host[:port]`; told to accounts only.
    pub(crate) registry_url: Option<String>,
    /// Told to accounts only.
    pub(crate) harbor_version: Option<String>,
}

impl SystemInfo {
    /// Whether Harbor knows who asked. An account that it does not accept is answered as if nobody had asked.
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
    /// The registry endpoint of a proxy-cache project; absent or zero on ordinary ones.
    pub(crate) registry_id: Option<u64>,
    pub(crate) metadata: Option<Metadata>,
}

/// What is set on a project. All values are text.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) public: Option<String>,
    pub(crate) proxy_cache_filter_pattern: Option<String>,
    pub(crate) proxy_cache_filter_pattern_kind: Option<String>,
    /// The same under the name that some releases give it.
    pub(crate) proxy_cache_filter_kind: Option<String>,
}

impl Project {
    pub(crate) fn is_public(&self) -> bool {
        self.metadata.as_ref().and_then(|metadata| metadata.public.as_deref()) == Some("true")
    }

    /// The registry endpoint, for a proxy-cache project.
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

/// Answer to `projects/{name}/summary`.
#[derive(Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) registry: Option<Registry>,
}

/// Body of every refusal and failure.
#[derive(Debug, Deserialize)]
pub(crate) struct Failure {
    pub(crate) errors: Vec<Mishap>,
}

/// One of the reasons in a [`Failure`].
#[derive(Debug, Deserialize)]
pub(crate) struct Mishap {
    #[serde(default)]
    pub(crate) message: String,
}

/// An element of a list, told apart by its number.
pub(crate) trait Numbered {
    fn number(&self) -> u64;
}

impl Numbered for Project {
    fn number(&self) -> u64 {
        self.id
    }
}

impl Numbered for Registry {
    fn number(&self) -> u64 {
        self.id
    }
}
