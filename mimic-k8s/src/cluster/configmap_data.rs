//! Parsing a ConfigMap with mirrors.

use k8s_openapi::api::core::v1::ConfigMap;
use mimic_core::internal::ListBuilder;

use crate::mirrors::{ConfigMapRules, Entry, binary_value, parse_data};

/// Parses a ConfigMap with mirrors. Each key of `data` is an upstream and its value is the mirror. The key `mirrors.yaml` is
/// an exception: it has a whole rules file. `name` is the ConfigMap's name in problems, such as `mimic/mimic-mirrors`.
pub fn parse_config_map(name: &str, config_map: &ConfigMap) -> ConfigMapRules {
    let origin = |key: &str| format!("configmap {name}, key `{key}`");
    let entries = config_map.data.iter().flatten();
    let mut rules = parse_data(entries.map(|(key, value)| Entry { key, value, origin: origin(key), line: None }));
    let mut binary = ListBuilder::default();
    for (key, value) in config_map.binary_data.iter().flatten() {
        binary.problem(binary_value(&origin(key), &value.0));
    }
    rules.entries.problems.extend(binary.finish().problems);
    rules
}
