//! What a kind of source consists of.

use std::fmt;
use std::sync::Arc;

use mimic_config::{Layers, Row};
use mimic_core::{MirrorSource, Problem, Rule};
use mimic_k8s::cluster::Cluster;

/// A kind of source, such as files or Harbors.
pub(crate) struct SourceKind {
    /// Names of its sources, for the page on metrics.
    pub(crate) names: &'static [&'static str],
    /// Its settings, for the configuration file, the variables and the reference page.
    pub(crate) rows: &'static [Row],
    /// The group of settings that the configuration file can list, if there can be several such sources.
    pub(crate) list: Option<&'static str>,
    /// Reads and checks its settings, and returns the sources that are configured. Errors are noted in the layers.
    pub(crate) read: fn(&mut Layers) -> Vec<Arc<dyn SourceSettings>>,
}

/// The settings of one source, checked.
pub(crate) trait SourceSettings: fmt::Debug + Send + Sync {
    /// Whether the source is an object of the cluster.
    fn needs_cluster(&self) -> bool {
        false
    }

    /// Creates the source, without any request to a server; `None` when it needs a cluster and there is none. Files that it
    /// refers to are checked here. Blocks on the disk.
    fn open(&self, host: &Host<'_>) -> Result<Option<ConfiguredSource>, Vec<Problem>>;
}

/// What the server provides to sources.
pub(crate) struct Host<'h> {
    /// `None` when no setting needs a cluster, and for `--check`.
    pub(crate) cluster: Option<&'h Cluster>,
    /// Whether sources may be loaded more than once.
    pub(crate) watch: bool,
}

/// A source that is ready to run.
pub(crate) enum ConfiguredSource {
    /// A name and a list that never changes.
    Fixed(&'static str, Vec<Rule>),
    /// A source to load.
    Loaded {
        source: Arc<dyn MirrorSource>,
        /// Whether it is loaded again after its first list.
        watch: bool,
        /// Its first list, if it was loaded to check the configuration.
        first: Option<Vec<Rule>>,
    },
}

impl ConfiguredSource {
    /// The name of the source in logs, metrics and explanations.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Fixed(name, _) => name,
            Self::Loaded { source, .. } => source.name(),
        }
    }
}
