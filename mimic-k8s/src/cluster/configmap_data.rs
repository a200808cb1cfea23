//! Parsing a ConfigMap with mirrors.

use k8s_openapi::api::core::v1::ConfigMap;
use mimic_core::internal::nearest;
use mimic_core::{Problem, Rule, RuleList, parse_rules_file};

/// The key whose value has the format of the file `mirrors.yaml`.
pub const RULES_FILE_KEY: &str = "mirrors.yaml";

/// The rules of a ConfigMap.
#[derive(Debug, Clone)]
pub struct ConfigMapRules {
    /// The rules of the entries `UPSTREAM: MIRROR`, sorted by key because a ConfigMap has no other order, and the problems
    /// of invalid entries.
    pub entries: RuleList,
    /// The rules in `mirrors.yaml`, which are none without that key. The error is why nothing of it can be parsed.
    pub file: Result<RuleList, Problem>,
}

/// Parses a ConfigMap with mirrors. Each key of `data` is an upstream and its value is the mirror. The key `mirrors.yaml` is
/// an exception: it has a whole rules file. `name` is the ConfigMap's name in problems, such as `mimic/mimic-mirrors`.
pub fn parse_config_map(name: &str, config_map: &ConfigMap) -> ConfigMapRules {
    let mut entries = RuleList::default();
    let mut file = Ok(RuleList::default());
    for (key, value) in config_map.data.iter().flatten() {
        let origin = origin(name, key);
        if key == RULES_FILE_KEY {
            file = parse_rules_file(&origin, value);
            continue;
        }
        match parse_entry(&origin, key, value) {
            Ok(rule) => entries.rules.push(rule),
            Err(problem) => entries.problems.push(problem),
        }
    }
    for key in config_map.binary_data.iter().flatten().map(|(key, _)| key) {
        let problem = Problem::new(&origin(name, key), "the value is binary, not text");
        entries.problems.push(problem.with_hint("the value must be UTF-8 text under `data`"));
    }
    ConfigMapRules { entries, file }
}

fn parse_entry(origin: &str, key: &str, value: &str) -> Result<Rule, Problem> {
    let is_document = [".yaml", ".yml", ".json"].iter().any(|end| key.to_ascii_lowercase().ends_with(end));
    if is_document || nearest(key, [RULES_FILE_KEY]).is_some() {
        let hint = format!("a rules file must have the key `{RULES_FILE_KEY}`");
        return Err(Problem::new(origin, format!("`{key}` is not a valid upstream")).with_hint(hint));
    }
    let value = value.trim();
    if value.lines().count() > 1 {
        let hint = format!("for more than one mirror use the key `{RULES_FILE_KEY}`");
        return Err(Problem::new(origin, "the value has more than one line").with_hint(hint));
    }
    Rule::mirror(key, value).map_err(|error| Problem::from_error(origin, &error))
}

fn origin(name: &str, key: &str) -> String {
    format!("configmap {name}, key `{key}`")
}
