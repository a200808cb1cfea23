//! Each ConfigMap with the rules and problems that are expected of it. To add a case, add its two files.

use std::fmt::Write as _;
use std::path::Path;

use k8s_openapi::api::core::v1::ConfigMap;
use mimic_core::{Hint as _, RuleList};
use mimic_k8s::cluster::parse_config_map;

#[test]
fn every_config_map_has_its_expected_rules_and_problems() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configmaps");
    let mut cases: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let config_map: ConfigMap = serde_saphyr::from_str(&std::fs::read_to_string(&case).unwrap()).unwrap();
        let rules = parse_config_map("mimic/mimic-mirrors", &config_map);
        let mut read = written(&rules.entries);
        match rules.file {
            Ok(file) => read += &written(&file),
            Err(problem) => writeln!(read, "not parsed: {}", problem.full_message()).unwrap(),
        }
        let expected = std::fs::read_to_string(case.with_extension("txt")).unwrap();
        assert_eq!(read, expected, "{}", case.display());
    }
}

#[test]
fn the_example_in_the_documentation_is_valid() {
    let page = include_str!("../../../docs/mirrors.md");
    let (_, rest) = page.split_once("```yaml\napiVersion: v1\nkind: ConfigMap\n").expect("there is an example");
    let (example, _) = rest.split_once("```").expect("it has an end");
    let config_map: ConfigMap = serde_saphyr::from_str(example).unwrap();
    let rules = parse_config_map("mimic/mimic-mirrors", &config_map);
    let read = written(&rules.entries) + &written(&rules.file.unwrap());
    assert_eq!(
        read,
        "rule: docker.io -> harbor.example.com/dockerhub\nrule: quay.io -> harbor.example.com/quay\n\
         rule: ghcr.io/acme -> harbor.example.com/acme\n\
         rule: registry.k8s.io -> harbor.example.com/k8s\n"
    );
}

fn written(list: &RuleList) -> String {
    let mut text = String::new();
    for rule in &list.rules {
        let locations: Vec<&str> = rule.mirrors().iter().map(|mirror| mirror.location().as_str()).collect();
        writeln!(text, "rule: {} -> {}", rule.name(), locations.join(", ")).unwrap();
    }
    for problem in &list.problems {
        writeln!(text, "problem: {}", problem.full_message()).unwrap();
    }
    text
}
