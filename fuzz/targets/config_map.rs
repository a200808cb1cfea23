//! The manifest of a ConfigMap gives the same rules as its data in the cluster, and each entry a rule or a problem.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use mimic_core::internal::rules_document;
use mimic_core::internal::yaml::{Node, Value};
use mimic_core::{Problem, Rule};
use mimic_fuzz::{assert_lines, assert_rewrites};
use mimic_k8s::mirrors::{RULES_FILE_KEY, fuzzing, parse_document};

fuzz_target!(|text: &str| {
    let Some(data) = rules_document("manifest", text).ok().and_then(|root| data(&root)) else { return };
    let cluster = fuzzing::parse_config_map(&data);
    let of_entries = cluster.entries.rules.len() + cluster.entries.problems.len();
    assert_eq!(of_entries, data.len() - usize::from(data.contains_key(RULES_FILE_KEY)));
    match (parse_document("manifest", text), cluster.file) {
        (Err(one), Err(other)) => {
            assert_lines(text, [&one]);
            assert_eq!(one.message(), other.message());
        }
        (Ok(list), Ok(file)) => {
            assert_lines(text, &list.problems);
            let rules: Vec<Rule> = [cluster.entries.rules, file.rules].concat();
            assert_eq!(format!("{:?}", list.rules), format!("{rules:?}"));
            let problems = [cluster.entries.problems, file.problems].concat();
            assert_eq!(messages(&list.problems), messages(&problems));
            assert_rewrites(rules);
        }
        (manifest, file) => panic!("as a manifest {manifest:?}, in the cluster {file:?}"),
    }
});

/// The data of a ConfigMap that could be in a cluster.
fn data(root: &Node) -> Option<BTreeMap<String, String>> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    if root.get("kind").and_then(text)? != "ConfigMap" || root.get("binaryData").is_some() {
        return None;
    }
    let Value::Map(members) = &root.get("data")?.value else { return None };
    let data: BTreeMap<_, _> =
        members.iter().map(|(key, value)| Some((text(key)?, text(value)?))).collect::<Option<_>>()?;
    (data.len() == members.len()).then_some(data)
}

fn messages(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(Problem::message).collect()
}
