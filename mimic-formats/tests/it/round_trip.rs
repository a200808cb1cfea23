//! What an export without warnings says is what the rules say: importing it gives the same decisions.

use std::sync::Arc;

use mimic_core::{Context, Library, MirrorSpec, References, Rewriter, Rule, RuleSpec, parse_rules_file};
use mimic_formats::{ExportFormat, ImportFormat, SourceFile, export, import};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const UPSTREAMS: [&str; 14] = [
    "docker.io",
    "docker.io/library",
    "docker.io/redis",
    "docker.io/library/redis",
    "docker.io/acme/app",
    "quay.io",
    "quay.io/acme",
    "quay.io/acme/app",
    "reg.example.com:5000",
    "gcr.io:443",
    "*.example.com",
    "*.eu.example.com",
    "a.eu.example.com/team",
    "*",
];
const LOCATIONS: [&str; 7] = [
    "m.mirror.net",
    "m.mirror.net/hub",
    "m.mirror.net:5000/a/b",
    "other.mirror.net/x",
    "m.mirror.net/{registry}/{repository}",
    "{host}.mirror.net/{repository}",
    "m.mirror.net/p-{registry}/{repository}",
];
const IMAGES: [&str; 16] = [
    "nginx",
    "redis",
    "redis/redis-stack",
    "acme/app",
    "acme/app/sub",
    "acme/application",
    "quay.io/acme/app",
    "quay.io/acme/other",
    "quay.io/b",
    "reg.example.com:5000/x",
    "reg.example.com/x",
    "gcr.io/x/y",
    "a.eu.example.com/team/x",
    "b.eu.example.com/x",
    "alias.net/acme/app",
    "elsewhere.net/x",
];

fn references() -> impl Strategy<Value = References> {
    prop_oneof![6 => Just(References::Any), 1 => Just(References::Digest), 1 => Just(References::Tag)]
}

fn rule() -> impl Strategy<Value = RuleSpec> {
    let mirrors = vec((select(&LOCATIONS[..]), references()), 0..3);
    (select(&UPSTREAMS[..]), mirrors, references(), prop::bool::weighted(0.1), prop_oneof![5 => Just(0), 1 => Just(1)])
        .prop_map(|(upstream, mirrors, references, strip, priority)| RuleSpec {
            upstream: Some(upstream.to_owned()),
            keep: mirrors.is_empty(),
            mirrors: mirrors
                .into_iter()
                .map(|(location, references)| MirrorSpec { location: location.to_owned(), references })
                .collect(),
            references,
            library: if strip { Library::Strip } else { Library::Keep },
            priority,
            ..RuleSpec::default()
        })
}

fn rewriter(rules: Vec<Rule>) -> Rewriter {
    Rewriter::new([("rules", Arc::from(rules))])
}

/// The rules of an export.
fn imported(format: ImportFormat, files: &[mimic_formats::ExportedFile]) -> Vec<Rule> {
    let files: Vec<SourceFile<'_>> =
        files.iter().map(|file| SourceFile { name: &file.path, text: &file.text }).collect();
    let imported = import(format, &files).unwrap_or_else(|problems| panic!("{problems:?}\n{files:#?}"));
    let list = parse_rules_file("mirrors.yaml", &imported.mirrors).unwrap();
    assert!(list.problems.is_empty(), "{:?}\n{}", list.problems, imported.mirrors);
    list.rules
}

/// Tests rules in a format, and that at least `share` per cent of the cases have no warning.
fn hold(formats: &[ExportFormat], from: ImportFormat, kinds: &[&str], share: usize) {
    let cases = 1500;
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let strategy = (vec(rule(), 1..5), prop::bool::weighted(0.2));
    let counted = std::cell::Cell::new(0);
    let result = runner.run(&strategy, |(specs, has_alias)| {
        let mut rules: Vec<Rule> = specs.iter().map(|spec| spec.clone().check().unwrap()).collect();
        if has_alias {
            rules.push(Rule::alias("alias.net", "docker.io").unwrap());
        }
        let exports: Vec<_> = formats.iter().map(|format| export(*format, &rules)).collect();
        let has_warnings = |exported: &mimic_formats::Exported| {
            // Both kinds of mirror sets are imported together.
            exported.warnings.iter().any(|warning| !warning.contains("export to"))
        };
        if exports.iter().any(has_warnings) {
            return Ok(());
        }
        counted.set(counted.get() + 1);
        let files: Vec<_> = exports.iter().flat_map(|exported| exported.files.clone()).collect();
        let before = rewriter(rules);
        let after = rewriter(imported(from, &files));
        for image in IMAGES.iter().flat_map(|image| kinds.iter().map(move |kind| format!("{image}{kind}"))) {
            let decide =
                |rewriter: &Rewriter| rewriter.rewrite(&image, &Context::default()).rewritten().map(str::to_owned);
            prop_assert_eq!(decide(&before), decide(&after), "{} with {:#?}", image, files);
        }
        Ok(())
    });
    result.unwrap();
    let without = counted.get();
    assert!(without * 100 >= share * cases as usize, "only {without} of {cases} cases had no warning");
}

const ALL: [&str; 3] = ["", ":1", ":1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"];

#[test]
fn hosts_toml_comes_back() {
    hold(&[ExportFormat::HostsToml], ImportFormat::HostsToml, &ALL, 8);
}

#[test]
fn registries_yaml_comes_back() {
    hold(&[ExportFormat::RegistriesYaml], ImportFormat::RegistriesYaml, &ALL, 5);
}

#[test]
fn registries_conf_comes_back() {
    hold(&[ExportFormat::RegistriesConf], ImportFormat::RegistriesConf, &ALL, 20);
}

#[test]
fn mirror_sets_come_back() {
    hold(&[ExportFormat::Idms, ExportFormat::Itms], ImportFormat::Idms, &ALL, 20);
}
