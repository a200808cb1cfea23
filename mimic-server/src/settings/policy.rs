//! Settings of the admission policy.

use mimic_config::value_type::{FLAG, NAME};
use mimic_config::{Layers, Row, Setting};

/// Settings of the admission policy that Mimic keeps up to date.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Name of the policy and of its binding.
    pub name: String,
}

const ENABLED: Setting<bool> = Setting::new(
    "policy.enabled",
    &FLAG,
    "false",
    "Also keep the rules in a [MutatingAdmissionPolicy](policy.md#kept-up-to-date-by-mimic). It needs its binding and permissions.",
);
const POLICY_NAME: Setting<String> =
    Setting::new("policy.name", &NAME, "mimic", "Name of the policy and of its binding.");

pub(super) static ROWS: &[Row] = &[ENABLED.row(), POLICY_NAME.row()];

pub(super) fn read(layers: &mut Layers, dry_run: bool) -> Option<Policy> {
    let enabled = layers.read(&ENABLED);
    let policy = Policy { name: layers.read(&POLICY_NAME) };
    if enabled && policy.name.is_empty() {
        layers.note(&POLICY_NAME, "empty, but required for `policy.enabled`", NAME.allowed);
    }
    if enabled && dry_run {
        layers.note(&ENABLED, "the API server would rewrite pods, which `dryrun` excludes", "false");
    }
    enabled.then_some(policy)
}
