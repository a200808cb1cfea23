//! What a ConfigMap says about mirrors.

use k8s_openapi::api::core::v1::ConfigMap;
use mimic_core::{Problem, Rule, RuleList, nearest, parse_rules_file};

/// The key with the long form.
pub const LONG_FORM: &str = "mirrors.yaml";

/// A ConfigMap, read.
#[derive(Debug, Clone)]
pub struct Mirrors {
    /// The entries of `data`, each an upstream with its mirror, in the order of their keys, since a ConfigMap has no
    /// other; and what is wrong with those left out.
    pub short: RuleList,
    /// What `mirrors.yaml` says, or why nothing of it can be read.
    pub long: Result<RuleList, Problem>,
}

/// Reads a ConfigMap with mirrors: every key of `data` is an upstream and its value the mirror, but for `mirrors.yaml`,
/// which holds the long form. `name` is what problems call it, such as `mimic/mimic-mirrors`.
pub fn read_mirrors(name: &str, config_map: &ConfigMap) -> Mirrors {
    let mut short = RuleList::default();
    let mut long = Ok(RuleList::default());
    for (key, value) in config_map.data.iter().flatten() {
        let origin = origin(name, key);
        if key == LONG_FORM {
            long = parse_rules_file(&origin, value);
            continue;
        }
        match short_entry(&origin, key, value) {
            Ok(rule) => short.rules.push(rule),
            Err(problem) => short.problems.push(problem),
        }
    }
    for key in config_map.binary_data.iter().flatten().map(|(key, _)| key) {
        let problem = Problem::new(&origin(name, key), "the value is binary, not text");
        short.problems.push(problem.with_hint("mirrors belong under `data`; a file has to be UTF-8 to get there"));
    }
    Mirrors { short, long }
}

fn short_entry(origin: &str, key: &str, value: &str) -> Result<Rule, Problem> {
    let is_document = [".yaml", ".yml", ".json"].iter().any(|end| key.to_ascii_lowercase().ends_with(end));
    if is_document || nearest(key, [LONG_FORM]).is_some() {
        let hint = format!("rules in the long form belong under the key `{LONG_FORM}`");
        return Err(Problem::new(origin, format!("`{key}` is no upstream")).with_hint(hint));
    }
    let value = value.trim();
    if value.lines().count() > 1 {
        let hint = format!("one mirror for each key; more than that can be said under the key `{LONG_FORM}`");
        return Err(Problem::new(origin, "the value has several lines").with_hint(hint));
    }
    Rule::mirror(key, value).map_err(|error| Problem::from_error(origin, &error))
}

fn origin(name: &str, key: &str) -> String {
    format!("configmap {name}, key `{key}`")
}
