//! Rules compiled to a policy. `mimic-e2e` evaluates policies in an API server.

#![expect(clippy::unwrap_used, reason = "a panic with its line is what a failed test should report")]

use mimic_core::internal::Globs;
use mimic_core::{Rewriter, parse_rules_file};
use mimic_k8s::policy::{ApiVersion, Policy, PolicySettings, compile};
use serde_json::Value;

fn rewriter(rules: &str) -> Rewriter {
    let list = parse_rules_file("mirrors.yaml", rules).unwrap();
    assert_eq!(list.problems, []);
    Rewriter::new([("file", list.rules.into())])
}

fn policy(rules: &str) -> Policy {
    compile(&rewriter(rules), &PolicySettings::default()).unwrap()
}

/// The expression of a variable.
fn variable(policy: &Policy, name: &str) -> String {
    let object = policy.object(ApiVersion::V1);
    let variables = object["spec"]["variables"].as_array().unwrap();
    let variable = variables.iter().find(|variable| variable["name"] == name).unwrap();
    variable["expression"].as_str().unwrap().to_owned()
}

const LEFT: &str = r#"
rules:
  - {name: plain, upstream: quay.io, mirrors: [m.example.com/quay]}
  - {name: by-namespace, upstream: ghcr.io, namespaces: {include: [a]}, mirrors: [m.example.com/ns]}
  - {name: not-in-namespace, upstream: ghcr.io/a, namespaces: {exclude: [a]}, mirrors: [m.example.com/ns]}
  - {name: by-label, upstream: gcr.io, podSelector: {matchLabels: {a: b}}, mirrors: [m.example.com/pods]}
  - {name: by-region, pattern: '(?P<region>[a-z]+)\.pkg\.dev/(?P<rest>.+)', mirrors: ["m.example.com/{region}/{rest}"]}
  - {name: unused-group, pattern: '(a|b)\.example\.org/.+', mirrors: ["m.example.com/{registry}/{repository}"]}
  - {name: repeated, pattern: 'registry\.example\.org/a{1001}', mirrors: ["m.example.com/{repository}"]}
  - {name: without-port, upstream: gitlab.example.org, mirrors: [m.example.com/a]}
  - {name: with-port, upstream: "gitlab.example.org:443", mirrors: [m.example.com/b]}
  - {name: only-with-port, upstream: "other.example.org:443", mirrors: [m.example.com/c]}
  - {name: kept, upstream: registry.example.net, keep: true}
"#;

#[test]
fn what_a_policy_cannot_express_is_left_with_the_reason() {
    let policy = policy(LEFT);
    let left: Vec<String> = policy.left().iter().map(ToString::to_string).collect();
    assert_eq!(
        left,
        [
            "rule `by-namespace`: it has `namespaces`",
            "rule `not-in-namespace`: it has `namespaces`",
            "rule `by-label`: it has a `podSelector`",
            "rule `by-region`: its location uses groups of its pattern, which CEL does not have",
            "rule `repeated`: its pattern is too long, or has no equivalent in CEL",
            "rule `without-port`: other rules have the same upstream with or without port 443",
            "rule `with-port`: other rules have the same upstream with or without port 443",
        ]
    );
    assert_eq!(policy.claimed(), 4);
    let rules = variable(&policy, "rules");
    for unchanged in [
        r"'ghcr.io': '-'",
        r"'ghcr.io/a': '-'",
        r"'gcr.io': '-'",
        r"r'^(?:[a-z]+)\.pkg\.dev/(?:[^ ]+)$': '-'",
        r"r'^registry\.example\.org/': '-'",
        r"'gitlab.example.org': '-'",
        r"'registry.example.net': '-'",
    ] {
        assert!(rules.contains(unchanged), "{unchanged} in {rules}");
    }
}

#[test]
fn images_on_a_mirror_of_any_rule_stay() {
    let locations = variable(&policy(LEFT), "locations");
    for location in ["quay", "ns", "pods", "a", "b", "c"] {
        assert!(locations.contains(&format!("'m.example.com/{location}': true")), "{location} in {locations}");
    }
    // The location of a pattern's rule ends before its first placeholder.
    assert!(locations.contains("'m.example.com': true"), "{locations}");
}

#[test]
fn a_rule_with_conditions_hides_only_the_rules_after_it() {
    let rules = "
rules:
  - {upstream: quay.io, references: digest, mirrors: [m.example.com/digest]}
  - {upstream: quay.io, include: ['**:v*'], exclude: ['**/x'], pullSecret: p, priority: 2, mirrors: [m.example.com/v]}
  - {upstream: quay.io, mirrors: [{location: m.example.com/tag, references: tag}, m.example.com/any]}
  - {upstream: quay.io, mirrors: [m.example.com/never]}
";
    assert_eq!(
        variable(&policy(rules), "rules").lines().nth(1).unwrap(),
        r"  'quay.io': 'm.example.com/v;;^(?:(?:[^ ]*) (?:v[^ /]*) [^ ]*)$;^(?:(?:(?:/?|[^ ]*/)x) [^ ]* [^ ]*)$;;p;1#m.example.com/digest;digest#m.example.com/tag;tag#m.example.com/any;digest#m.example.com/never'"
    );
}

#[test]
fn the_same_rules_give_the_same_policy() {
    let rules = |order: [&str; 2]| format!("mirrors:\n  {}\n  {}\n", order[0], order[1]);
    let (a, b) = ("docker.io: m.example.com/hub", "quay.io: m.example.com/quay");
    let (one, same) = (policy(&rules([a, b])), policy(&rules([b, a])));
    assert_eq!(one.object(ApiVersion::V1), same.object(ApiVersion::V1));
    assert_eq!(one.hash(), same.hash());
    assert_ne!(one.hash(), policy(&rules([a, "quay.io: m.example.com/other"])).hash());
    let settings = PolicySettings { annotate: false, ..PolicySettings::default() };
    let silent = compile(&rewriter(&rules([a, b])), &settings).unwrap();
    assert_ne!(one.hash(), silent.hash());
    assert!(!silent.object(ApiVersion::V1).to_string().contains("original-images"));
}

#[test]
fn excluded_namespaces_are_names_or_globs() {
    let excluded_namespaces = Globs::new(["b", "a", "team-[ab]*"]).unwrap();
    let settings = PolicySettings { name: "ours".to_owned(), excluded_namespaces, ..PolicySettings::default() };
    let policy = compile(&rewriter("mirrors: {quay.io: m.example.com/quay}"), &settings).unwrap();
    let (object, binding) = (policy.object(ApiVersion::V1Beta1), policy.binding(ApiVersion::V1Beta1));
    assert_eq!(object["apiVersion"], "admissionregistration.k8s.io/v1beta1");
    assert_eq!((&object["metadata"]["name"], &binding["spec"]["policyName"]), (&"ours".into(), &"ours".into()));
    for selector in [
        &object["spec"]["matchConstraints"]["namespaceSelector"],
        &binding["spec"]["matchResources"]["namespaceSelector"],
    ] {
        assert_eq!(selector["matchExpressions"][0]["values"], Value::from(vec!["a", "b"]));
    }
    let conditions = object["spec"]["matchConditions"].to_string();
    assert!(conditions.contains("['^team-[ab][^ /]*$'].exists(n, request.namespace.matches(n))"), "{conditions}");
}

#[test]
fn the_webhook_is_called_only_for_images_that_are_not_on_a_mirror() {
    let rules = "mirrors: {quay.io: m.example.com/quay, '*': '{registry}.mirror.example.net/{repository}'}";
    let policy = policy(rules);
    let [condition] = policy.match_conditions() else { panic!("there is one condition") };
    let expression = condition["expression"].as_str().unwrap();
    assert!(expression.contains("['m.example.com/quay/'].exists(l, image.startsWith(l))"), "{expression}");
    assert!(expression.contains("['.mirror.example.net'].exists(d, "), "{expression}");
    let many: Vec<String> =
        (0..600).map(|number| format!("  r{number}.example.org: m.example.com/m{number}")).collect();
    assert_eq!(self::policy(&format!("mirrors:\n{}", many.join("\n"))).match_conditions(), &[] as &[Value]);
}
