//! Mirrors in a ConfigMap.

use std::sync::Arc;

use mimic_config::value_type::{FLAG, NAME};
use mimic_config::{Layers, Row, Setting};
use mimic_core::Problem;
use mimic_k8s::cluster::ConfigMapSource;

use super::kind::{ConfiguredSource, Host, SourceKind, SourceSettings};

pub(super) const KIND: SourceKind = SourceKind { names: &["configmap:NAME"], rows: ROWS, list: None, read };

const ENABLED: Setting<bool> = Setting::new(
    "kubernetes.enabled",
    &FLAG,
    "true",
    "Load mirrors from a ConfigMap. Set it to `false` without a cluster. Cluster config is taken from `KUBECONFIG`, \
     then in-cluster, then `~/.kube/config`.",
);
const CONFIG_MAP: Setting<String> = Setting::new(
    "kubernetes.configmap",
    &NAME,
    "mimic-mirrors",
    "[ConfigMap](mirrors.md#in-a-configmap) with the mirrors, in Mimic's namespace. It can also be created later.",
);
const WATCH: Setting<bool> =
    Setting::new("kubernetes.watch", &FLAG, "true", "`false`: read the ConfigMap only once, at startup.");
const EVENTS: Setting<bool> = Setting::new(
    "kubernetes.events",
    &FLAG,
    "true",
    "Also report invalid entries as Events on the ConfigMap, and problems with the policy as Events on Mimic's pods.",
);

static ROWS: &[Row] = &[ENABLED.row(), CONFIG_MAP.row(), WATCH.row(), EVENTS.row()];

fn read(layers: &mut Layers) -> Vec<Arc<dyn SourceSettings>> {
    let enabled = layers.read(&ENABLED);
    let settings = ConfigMapSettings {
        config_map: layers.read(&CONFIG_MAP),
        watch: layers.read(&WATCH),
        events: layers.read(&EVENTS),
    };
    if enabled { vec![Arc::new(settings)] } else { Vec::new() }
}

/// Whether Events are created. An invalid value is noted when the settings of the source are read.
pub(super) fn events(layers: &Layers) -> bool {
    (FLAG.parse)(&layers.text(&EVENTS)).unwrap_or_default()
}

#[derive(Debug)]
struct ConfigMapSettings {
    config_map: String,
    watch: bool,
    events: bool,
}

impl SourceSettings for ConfigMapSettings {
    fn needs_cluster(&self) -> bool {
        true
    }

    fn open(&self, host: &Host<'_>) -> Result<Option<ConfiguredSource>, Vec<Problem>> {
        let Some(cluster) = host.cluster else { return Ok(None) };
        let watch = host.watch && self.watch;
        let source = ConfigMapSource::new(cluster, &self.config_map);
        let source = if watch { source.watched() } else { source };
        let source = if self.events { source.with_events(cluster) } else { source };
        Ok(Some(ConfiguredSource::Loaded { source: Arc::new(source), watch, first: None }))
    }
}
