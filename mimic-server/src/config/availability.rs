//! What can be configured but is not in this version. Each feature that arrives removes its lines here.

use super::load::Layers;
use super::settings::Settings;
use super::table;

/// Refuses settings that ask for what is not there: to go on without would be worse than to stop.
pub(crate) fn check(settings: &Settings, layers: &mut Layers) {
    if settings.openshift.enabled {
        layers.note(&table::OPENSHIFT_ENABLED, "OpenShift's mirror sets are not available in this version", "false");
    }
}
