//! Properties of all rules and images.

use std::collections::BTreeMap;

use mimic_core::{
    Context, ImageRef, Library, MirrorSpec, Operator, Outcome, PodSelector, Reason, ReasonCode, References,
    Requirement, Rewriter, Rule, RuleSpec, Upstream,
};
use proptest::prelude::*;
use proptest::sample::select;

/// Few names, so that rules often match images.
const REGISTRIES: [&str; 12] = [
    "docker.io",
    "registry-1.docker.io",
    "a.io",
    "A.io:443",
    "b.a.io",
    "b.a.io:5000",
    "c.b.a.io",
    "m.example.com",
    "m.example.com:443",
    "x.m.example.com",
    "localhost:5000",
    "alias.io",
];
const COMPONENTS: [&str; 4] = ["library", "x", "y", "xy"];
const DIGEST: &str = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The last ones are valid for some upstreams only.
const GLOBS: [&str; 9] =
    ["**/y", "**:1", "**@sha256:*", "*/x/**", "**/x*:*", "docker.io/x", "x", "a.io/x/*", "m.example.com/x:v*"];

fn path(components: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(select(&COMPONENTS[..]), components).prop_map(|parts| parts.join("/"))
}

fn place() -> impl Strategy<Value = String> {
    (select(&REGISTRIES[..]), path(0..4)).prop_map(|(registry, path)| match &*path {
        "" => registry.to_owned(),
        path => format!("{registry}/{path}"),
    })
}

/// An upstream or a pattern.
fn upstream() -> impl Strategy<Value = (Option<String>, Option<String>)> {
    let wildcards = ["*.a.io", "*.b.a.io", "*.io", "*.example.com", "*.a.io:*", "*.a.io:5000", "*.a.io:443"];
    prop_oneof![
        6 => place().prop_map(|place| (Some(place), None)),
        1 => select(Vec::from(wildcards)).prop_map(|text| (Some(text.into()), None)),
        1 => Just((Some("*".to_owned()), None)),
        1 => select(&["[^/]+/x/.*", ".*/y", "^([^/]+)/(?P<p>.+)$"][..]).prop_map(|text| (None, Some(text.into()))),
    ]
}

fn location() -> impl Strategy<Value = String> {
    let templates = [
        "m.example.com/t/{registry}/{repository}",
        "m.example.com/{repository}",
        "{registry}.m.example.com/{repository}",
        "m.example.com/{host}/{repository}",
        "m.example.com/x{namespace}/{repository}",
        "m.example.com/x/x-{registry}/{repository}",
        "docker.io/x{host}/{repository}",
    ];
    prop_oneof![4 => place(), 5 => select(Vec::from(templates)).prop_map(String::from)]
}

fn references() -> impl Strategy<Value = References> {
    select(&[References::Any, References::Any, References::Tag, References::Digest][..])
}

fn globs() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(select(&GLOBS[..]).prop_map(String::from), 1..3)
}

fn selector() -> impl Strategy<Value = PodSelector> {
    let values = || prop::collection::vec(select(&["front", "back"][..]).prop_map(String::from), 1..3);
    let operator = prop_oneof![
        2 => values().prop_map(Operator::In),
        1 => values().prop_map(Operator::NotIn),
        1 => Just(Operator::Exists),
        1 => Just(Operator::DoesNotExist),
    ];
    let requirement = (select(&["tier", "team", "absent"][..]).prop_map(String::from), operator)
        .prop_map(|(key, operator)| Requirement { key, operator });
    prop::collection::vec(requirement, 0..3).prop_map(|requirements| PodSelector { requirements })
}

/// The labels of a pod.
fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let label = (select(&["tier", "team"][..]), select(&["front", "back"][..]));
    prop::collection::btree_map(label.0.prop_map(String::from), label.1.prop_map(String::from), 0..3)
}

/// A rule with every key.
fn spec() -> impl Strategy<Value = RuleSpec> {
    let mirror = (location(), references()).prop_map(|(location, references)| MirrorSpec { location, references });
    let conditions = (
        references(),
        select(&[Library::Keep, Library::Strip][..]),
        prop::option::weighted(0.2, prop::collection::vec(select(&["t-*", "other"][..]).prop_map(String::from), 0..2)),
        prop::collection::vec(select(&["t-a", "**"][..]).prop_map(String::from), 0..2),
        prop::bool::weighted(0.1),
        select(&[0, 0, 0, 0, -1, 1, 2][..]),
        prop::option::weighted(0.2, globs()),
        prop::option::weighted(0.2, globs()),
        prop::option::weighted(0.3, selector()),
        prop::option::weighted(0.3, select(&["pull", "pull.b"][..]).prop_map(String::from)),
    );
    (upstream(), prop::collection::vec(mirror, 1..3), conditions).prop_map(
        |((upstream, pattern), mirrors, conditions)| {
            let (references, library, namespaces, no, keep, priority, include, exclude, pod_selector, pull_secret) =
                conditions;
            RuleSpec {
                upstream,
                pattern,
                mirrors: if keep { Vec::new() } else { mirrors },
                references,
                library,
                include,
                exclude: exclude.unwrap_or_default(),
                priority,
                include_namespaces: namespaces,
                exclude_namespaces: if keep { no } else { Vec::new() },
                keep,
                pod_selector,
                pull_secret,
                name: None,
            }
        },
    )
}

/// Rules named by their position, and aliases.
fn rules(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Rule>> {
    let aliases = prop::option::weighted(0.3, select(&["a.io", "docker.io", "b.a.io:5000", "m.example.com"][..]));
    (prop::collection::vec(spec(), count), aliases).prop_map(|(specs, alias)| {
        let rule = |(number, spec): (usize, RuleSpec)| {
            let spec = RuleSpec { name: Some(number.to_string()), ..spec };
            // Without the globs that can never match and the locations that a pattern cannot have.
            let globs = |spec: RuleSpec| RuleSpec { include: None, exclude: Vec::new(), ..spec };
            let kept = |spec| RuleSpec { mirrors: Vec::new(), keep: true, ..globs(spec) };
            let checked = spec.clone().check().or_else(|_| globs(spec.clone()).check());
            checked.unwrap_or_else(|_| kept(spec).check().expect("the pieces are valid"))
        };
        let rules = specs.into_iter().enumerate().map(rule);
        rules.chain(alias.map(|of| Rule::alias("alias.io", of).expect("the alias is valid"))).collect()
    })
}

fn image() -> impl Strategy<Value = String> {
    let tag = select(&["", ":1", ":v1.2_x-y"][..]);
    (place(), path(1..4), tag, select(&["", DIGEST][..]), 0..4).prop_map(
        |(place, path, tag, digest, form)| match form {
            0 => format!("{path}{tag}{digest}"),
            _ => format!("{place}/{path}{tag}{digest}"),
        },
    )
}

/// The name that rules know a registry by, as the pages describe it.
fn canonical(registry: &str, rules: &[Rule]) -> String {
    let lower = registry.to_lowercase();
    let host = lower.strip_suffix(":443").unwrap_or(&lower);
    let host = if host == "registry-1.docker.io" { "docker.io" } else { host };
    let alias = rules.iter().find(|rule| rule.alias_of().is_some() && rule.name() == host);
    alias.and_then(Rule::alias_of).unwrap_or(host).to_owned()
}

/// The rule that should be selected, found by a simple linear search.
fn expected_rule<'r>(rules: &'r [Rule], image: &ImageRef<'_>, applies: impl Fn(&Rule) -> bool) -> Option<&'r Rule> {
    let registry = canonical(image.registry(), rules);
    let subject = format!("{registry}/{}", image.repository());
    let names_port = |registry: &str| registry.ends_with(":443");
    let port = names_port(image.registry());
    let rank = |rule: &Rule| match rule.upstream() {
        Upstream::Prefix { registry, path } => {
            let as_written = names_port(registry) == port;
            let registry = canonical(registry, rules);
            let mut prefixes = vec![format!("{registry}/{path}")];
            if registry == "docker.io" && !path.contains('/') && !path.is_empty() && &**path != "library" {
                prefixes.insert(0, format!("{registry}/library/{path}"));
            }
            let is_below = |prefix: &&String| {
                let rest = subject.strip_prefix(prefix.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            prefixes.iter().find(is_below).map(|prefix| (3, prefix.len(), as_written))
        }
        Upstream::Wildcard(domain) => {
            let (host, suffix) = match domain.strip_suffix(":*") {
                Some(suffix) => (registry.split(':').next().unwrap_or_default(), suffix),
                None => (&*registry, domain.trim_end_matches(":443")),
            };
            // A port as written is more specific than any port.
            let length = 2 * suffix.split(':').next().map_or(0, str::len) + usize::from(!domain.ends_with(":*"));
            host.ends_with(suffix).then_some((2, length, names_port(domain) == port))
        }
        Upstream::Pattern(pattern) => {
            let whole = regex::Regex::new(&format!("^(?:{})$", pattern.as_str())).expect("it compiled before");
            whole.is_match(&subject).then_some((1, 0, false))
        }
        Upstream::All => Some((0, 0, false)),
        other => panic!("`{other}` is not covered by this test"),
    };
    let mut best = None;
    for rule in rules.iter().filter(|rule| rule.alias_of().is_none() && applies(rule)) {
        if let Some(rank) = rank(rule).map(|rank| (rule.priority(), rank))
            && best.is_none_or(|(_, other)| rank > other)
        {
            best = Some((rule, rank));
        }
    }
    best.map(|(rule, _)| rule)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn rewriting_twice_is_rewriting_once(rules in rules(0..8), image in image(), labels in labels()) {
        let rewriter = Rewriter::new([("test", rules.into())]);
        let context = Context::default().with_namespace("t-a").with_labels(&labels);
        if let Some(once) = rewriter.rewrite(&image, &context).rewritten() {
            prop_assert_eq!(rewriter.rewrite(once, &context).reason(), ReasonCode::OnMirror, "{}", once);
        }
    }

    #[test]
    fn tag_and_digest_come_out_as_they_went_in(rules in rules(0..8), image in image(), labels in labels()) {
        let rewriter = Rewriter::new([("test", rules.into())]);
        let before = ImageRef::parse(&image).expect("the pieces are valid");
        if let Some(after) = rewriter.rewrite(&image, &Context::default().with_labels(&labels)).rewritten() {
            let after = ImageRef::parse(after).expect("results are read back");
            prop_assert_eq!((after.tag(), after.digest()), (before.tag(), before.digest()));
        }
    }

    #[test]
    fn the_index_finds_what_a_slow_search_finds(rules in rules(0..12), image in image(), labels in labels()) {
        let parsed = ImageRef::parse(&image).expect("the pieces are valid");
        // A rewriter with one rule shows whether the conditions of the rule are met, without a choice by the index.
        let context = Context::default().with_namespace("t-a").with_labels(&labels);
        let aliases: Vec<Rule> = rules.iter().filter(|rule| rule.alias_of().is_some()).cloned().collect();
        let alone = |rule: &Rule| {
            let table = Rewriter::new([("test", [std::slice::from_ref(rule), &*aliases].concat().into())]);
            !matches!(table.rewrite(&image, &context), Outcome::Unchanged(Reason::NoRule { .. } | Reason::OnMirror { .. }))
        };
        let rewriter = Rewriter::new([("test", rules.clone().into())]);
        let outcome = rewriter.rewrite(&image, &context);
        if outcome.reason() != ReasonCode::OnMirror {
            let expected = expected_rule(&rules, &parsed, alone).map(Rule::name);
            prop_assert_eq!(outcome.rule().map(|rule| rule.rule.name()), expected);
        }
        #[cfg(feature = "explain")]
        prop_assert_eq!(rewriter.explain(&image, &context).outcome.to_string(), outcome.to_string());
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in "\\PC*", tail in "[-{}\\[\\]:,&*!|>'\" \nmirorsules~#]{0,40}") {
        #[cfg(feature = "file")]
        {
            let _ = mimic_core::parse_rules_file("f", &text);
            let _ = mimic_core::parse_rules_file("f", &format!("mirrors:\n  {tail}\nrules:\n- {tail}{text}"));
            let _ = mimic_core::parse_short_form("v", &format!("{text}={tail},{tail}={text}"));
        }
        let _ = Rule::mirror(&text, &tail);
        let rewriter = Rewriter::new([("t", vec![Rule::mirror("docker.io", "m.example.com").expect("valid")].into())]);
        let _ = rewriter.rewrite(&text, &Context::default().with_labels(&BTreeMap::new()));
    }
}
