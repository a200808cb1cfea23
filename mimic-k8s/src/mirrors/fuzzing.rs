//! Not part of the public API: what the target in `fuzz/` checks. It is compiled only for it.

use std::collections::BTreeMap;

use super::config_map::{ConfigMapRules, Entry, parse_data};

/// The rules of a ConfigMap with this data in a cluster.
pub fn parse_config_map(data: &BTreeMap<String, String>) -> ConfigMapRules {
    parse_data(data.iter().map(|(key, value)| Entry { key, value, origin: format!("key `{key}`"), line: None }))
}
