//! OpenShift's mirror sets. Not available in this version: enabling them is an error.

use std::sync::Arc;

use mimic_config::value_type::FLAG;
use mimic_config::{Layers, Row, Setting};

use super::kind::{SourceKind, SourceSettings};

pub(super) const KIND: SourceKind = SourceKind { names: &[], rows: ROWS, list: None, read };

const ENABLED: Setting<bool> = Setting::new(
    "openshift.enabled",
    &FLAG,
    "false",
    "Load OpenShift's mirror sets. Not available in this version: `true` prevents startup.",
);

static ROWS: &[Row] = &[ENABLED.row()];

fn read(layers: &mut Layers) -> Vec<Arc<dyn SourceSettings>> {
    if layers.read(&ENABLED) {
        layers.note(&ENABLED, "OpenShift's mirror sets are not available in this version", "false");
    }
    Vec::new()
}
