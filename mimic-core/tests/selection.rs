//! Selection by labels, and among many or large patterns.

use std::collections::BTreeMap;

use mimic_core::{Context, MirrorSpec, Operator, PodSelector, Requirement, Rewriter, Rule, RuleSpec};

fn pattern(pattern: String, name: &str) -> Rule {
    let mirrors = vec![MirrorSpec { location: format!("m.example.com/{name}"), ..MirrorSpec::default() }];
    let spec = RuleSpec { name: Some(name.to_owned()), pattern: Some(pattern), mirrors, ..RuleSpec::default() };
    spec.check().expect("the rule is valid")
}

fn selected<'r>(rewriter: &'r Rewriter, image: &'r str, context: &Context<'_>) -> Option<&'r str> {
    rewriter.rewrite(image, context).rule().map(|rule| rule.rule.name())
}

#[test]
fn a_selector_looks_up_its_own_label_in_every_kind_of_list() {
    let requirement = Requirement { key: "tier".to_owned(), operator: Operator::In(vec!["front".to_owned()]) };
    let rule = RuleSpec {
        upstream: Some("docker.io".to_owned()),
        mirrors: vec![MirrorSpec { location: "m.example.com/hub".to_owned(), ..MirrorSpec::default() }],
        pod_selector: Some(PodSelector { requirements: vec![requirement] }),
        ..RuleSpec::default()
    };
    let rewriter = Rewriter::new([("test", vec![rule.check().expect("the rule is valid")].into())]);
    for (labels, applies) in [
        (vec![("tier", "front")], true),
        (vec![("a", "front"), ("tier", "front")], true),
        (vec![("tier", "front"), ("z", "back")], true),
        (vec![("a", "front"), ("tier", "back")], false),
        (vec![("a", "front")], false),
        (vec![], false),
    ] {
        let map: BTreeMap<String, String> = labels.iter().map(|(k, v)| (String::from(*k), String::from(*v))).collect();
        let slice = &labels[..];
        for context in [
            Context::default().with_labels(&labels),
            Context::default().with_labels(&slice),
            Context::default().with_labels(&map),
        ] {
            assert_eq!(selected(&rewriter, "nginx", &context).is_some(), applies, "{labels:?}");
        }
    }
}

#[test]
fn the_first_of_many_patterns_that_matches_is_selected() {
    // Patterns are compiled in groups of 64.
    let rules: Vec<Rule> =
        (0..150).map(|number| pattern(format!("quay\\.io/[a-z]+-{number}(/.*)?"), &number.to_string())).collect();
    let last = pattern("quay\\.io/.*".to_owned(), "last");
    let rewriter = Rewriter::new([("test", rules.into_iter().chain([last]).collect())]);
    for number in ["0", "1", "63", "64", "65", "127", "128", "149"] {
        let image = format!("quay.io/a-{number}/b");
        assert_eq!(selected(&rewriter, &image, &Context::default()), Some(number));
    }
    assert_eq!(selected(&rewriter, "quay.io/other", &Context::default()), Some("last"));
    assert_eq!(selected(&rewriter, "ghcr.io/a-1", &Context::default()), None);
}

#[test]
fn patterns_that_are_too_large_for_one_automaton_are_tried_in_order() {
    // Each of them is below its own limit, and together they are above that of a group.
    let large = |end: &str| format!("quay\\.io/([a-z0-9]+[._-]?){{1,2000}}/{end}");
    let names: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    let rules: Vec<Rule> = names.iter().map(|name| pattern(large(&format!("x{name}(-y)?")), name)).collect();
    let rewriter = Rewriter::new([("test", [rules, vec![pattern(large("x7-y"), "again")]].concat().into())]);
    for (image, rule) in [
        ("quay.io/a/x0", Some("0")),
        ("quay.io/a.b/x59", Some("59")),
        ("quay.io/a/x7-y", Some("7")),
        ("quay.io/a/x60", None),
        ("quay.io/x0", None),
    ] {
        assert_eq!(selected(&rewriter, image, &Context::default()), rule, "{image}");
    }
}

#[test]
fn one_kind_of_wildcard_is_enough() {
    for (upstream, image, other) in [
        ("*.gcr.io:*", "eu.gcr.io:5000/a", "gcr.io:5000/a"),
        ("*.gcr.io", "eu.gcr.io/a", "eu.gcr.io:5000/a"),
        ("*.gcr.io:5000", "eu.gcr.io:5000/a", "eu.gcr.io/a"),
    ] {
        let rule = Rule::mirror(upstream, "m.example.com/gcr").expect("the rule is valid");
        let rewriter = Rewriter::new([("test", vec![rule].into())]);
        assert_eq!(selected(&rewriter, image, &Context::default()), Some(upstream));
        assert_eq!(selected(&rewriter, other, &Context::default()), None, "{upstream}");
    }
}
