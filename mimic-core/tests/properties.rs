//! Properties of all rules and images.

use std::collections::BTreeMap;

use mimic_core::{
    Context, ImageRef, Library, MirrorSpec, Outcome, Reason, ReasonCode, References, Rewriter, Rule, RuleSpec, Upstream,
};
use proptest::prelude::*;
use proptest::sample::select;

/// Few names, so that rules often match images.
const REGISTRIES: [&str; 7] =
    ["docker.io", "a.io", "b.a.io", "c.b.a.io", "m.example.com", "x.m.example.com", "localhost:5000"];
const COMPONENTS: [&str; 4] = ["library", "x", "y", "xy"];
const DIGEST: &str = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

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
    prop_oneof![
        6 => place().prop_map(|place| (Some(place), None)),
        1 => select(&["*.a.io", "*.b.a.io", "*.io", "*.example.com"][..]).prop_map(|text| (Some(text.into()), None)),
        1 => Just((Some("*".to_owned()), None)),
        1 => select(&["[^/]+/x/.*", ".*/y", "(?P<r>[^/]+)/(?P<p>.+)"][..]).prop_map(|text| (None, Some(text.into()))),
    ]
}

fn location() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => place(),
        1 => Just("m.example.com/t/{registry}/{repository}".to_owned()),
        1 => Just("m.example.com/{repository}".to_owned()),
        1 => Just("{registry}.m.example.com/{repository}".to_owned()),
    ]
}

fn references() -> impl Strategy<Value = References> {
    select(&[References::Any, References::Any, References::Tag, References::Digest][..])
}

fn rule() -> impl Strategy<Value = Rule> {
    let mirror = (location(), references()).prop_map(|(location, references)| MirrorSpec { location, references });
    let conditions = (
        references(),
        select(&[Library::Keep, Library::Strip][..]),
        prop::option::weighted(0.2, prop::collection::vec(select(&["t-*", "other"][..]).prop_map(String::from), 0..2)),
        prop::collection::vec(select(&["t-a", "**"][..]).prop_map(String::from), 0..2),
        prop::bool::weighted(0.1),
    );
    (upstream(), prop::collection::vec(mirror, 1..3), conditions).prop_map(
        |((upstream, pattern), mirrors, (references, library, include, exclude, keep))| {
            let spec = RuleSpec {
                upstream,
                pattern,
                mirrors: if keep { Vec::new() } else { mirrors },
                references,
                library,
                include_namespaces: include,
                exclude_namespaces: if keep { exclude } else { Vec::new() },
                keep,
                ..RuleSpec::default()
            };
            spec.check().expect("the pieces are valid")
        },
    )
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

/// The rule that should be selected, found by a simple linear search.
fn winner<'r>(rules: &'r [Rule], image: &ImageRef<'_>, applies: impl Fn(&Rule) -> bool) -> Option<&'r Rule> {
    let subject = format!("{}/{}", image.registry(), image.repository());
    let rank = |rule: &Rule| match rule.upstream() {
        Upstream::Prefix { .. } => {
            let prefix = rule.upstream().to_string();
            let rest = subject.strip_prefix(&prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((3, prefix.len()))
        }
        Upstream::Wildcard(domain) => image.registry().ends_with(&**domain).then_some((2, domain.len())),
        Upstream::Pattern(pattern) => {
            let whole = regex::Regex::new(&format!("^(?:{})$", pattern.as_str())).expect("it compiled before");
            whole.is_match(&subject).then_some((1, 0))
        }
        Upstream::All => Some((0, 0)),
        other => panic!("`{other}` is not covered by this test"),
    };
    let mut best: Option<(&Rule, (u8, usize))> = None;
    for rule in rules.iter().filter(|rule| applies(rule)) {
        if let Some(rank) = rank(rule)
            && best.is_none_or(|(_, other)| rank > other)
        {
            best = Some((rule, rank));
        }
    }
    best.map(|(rule, _)| rule)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn rewriting_twice_is_rewriting_once(rules in prop::collection::vec(rule(), 0..8), image in image()) {
        let rewriter = Rewriter::new([("test", rules.into())]);
        let context = Context::default().with_namespace("t-a");
        if let Some(once) = rewriter.rewrite(&image, &context).rewritten() {
            prop_assert_eq!(rewriter.rewrite(once, &context).reason(), ReasonCode::OnMirror, "{}", once);
        }
    }

    #[test]
    fn tag_and_digest_come_out_as_they_went_in(rules in prop::collection::vec(rule(), 0..8), image in image()) {
        let rewriter = Rewriter::new([("test", rules.into())]);
        let before = ImageRef::parse(&image).expect("the pieces are valid");
        if let Some(after) = rewriter.rewrite(&image, &Context::default()).rewritten() {
            let after = ImageRef::parse(after).expect("results are read back");
            prop_assert_eq!((after.tag(), after.digest()), (before.tag(), before.digest()));
        }
    }

    #[test]
    fn the_index_finds_what_a_slow_search_finds(rules in prop::collection::vec(rule(), 0..12), image in image()) {
        let parsed = ImageRef::parse(&image).expect("the pieces are valid");
        // A rewriter with one rule shows whether the conditions of the rule are met, without a choice by the index.
        let context = Context::default().with_namespace("t-a");
        let alone = |rule: &Rule| {
            let table = Rewriter::new([("test", vec![rule.clone()].into())]);
            !matches!(table.rewrite(&image, &context), Outcome::Unchanged(Reason::NoRule | Reason::OnMirror { .. }))
        };
        let rewriter = Rewriter::new([("test", rules.clone().into())]);
        let outcome = rewriter.rewrite(&image, &context);
        if outcome.reason() != ReasonCode::OnMirror {
            let expected = winner(&rules, &parsed, alone).map(|rule| format!("{:?}", rule.upstream()));
            prop_assert_eq!(outcome.rule().map(|rule| format!("{:?}", rule.rule.upstream())), expected);
        }
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
