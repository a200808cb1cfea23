//! Every folder of `tests/data/rewrite` is a table of rules and what it must make of images. A new case is a new line,
//! a new table a new folder.

#![expect(clippy::unwrap_used, reason = "in a test, where it failed is what one wants to know")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mimic_core::{Context, Rewriter, parse_rules_file};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    image: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// The image itself where nothing is said.
    output: Option<String>,
    reason: String,
    rule: Option<String>,
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rewrite");
    let mut folders: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 7, "the tables are gone");
    folders
}

fn table(folder: &Path) -> Rewriter {
    let list =
        parse_rules_file("mirrors.yaml", &std::fs::read_to_string(folder.join("mirrors.yaml")).unwrap()).unwrap();
    assert_eq!(list.problems, [], "{}", folder.display());
    Rewriter::new([("file", list.rules.into())])
}

fn cases(folder: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

#[test]
fn every_case_comes_out_as_written_down() {
    let mut differences = String::new();
    for folder in folders() {
        let rewriter = table(&folder);
        for case in cases(&folder) {
            let context = Context::default().with_labels(&case.labels);
            let context = case.namespace.as_deref().map_or(context, |namespace| context.with_namespace(namespace));
            let outcome = rewriter.rewrite(&case.image, &context);
            let got = (
                outcome.rewritten().unwrap_or(&case.image),
                outcome.reason(),
                outcome.rule().map(|rule| rule.rule.name()),
            );
            let expected = (case.output.as_deref().unwrap_or(&case.image), &*case.reason, case.rule.as_deref());
            if got != expected {
                let name = folder.file_name().unwrap().display();
                let _ = writeln!(differences, "{name}: `{}`: expected {expected:?}, got {got:?}", case.image);
            }
            let explained = rewriter.explain(&case.image, &context);
            assert_eq!(explained.outcome.to_string(), outcome.to_string(), "an explanation tells what happens");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn what_was_rewritten_is_final() {
    for folder in folders() {
        let rewriter = table(&folder);
        for case in cases(&folder) {
            let context = Context::default().with_labels(&case.labels);
            let context = case.namespace.as_deref().map_or(context, |namespace| context.with_namespace(namespace));
            if let Some(image) = rewriter.rewrite(&case.image, &context).rewritten() {
                assert_eq!(rewriter.rewrite(image, &context).reason(), "on_mirror", "{image}");
            }
        }
    }
}

#[test]
fn an_explanation_tells_every_step() {
    let rewriter = table(&folders().into_iter().find(|folder| folder.ends_with("conditions")).unwrap());
    let account_of = |image| rewriter.explain(image, &Context::default()).to_string();
    assert_eq!(
        account_of("registry.example.org/base/os:1"),
        "registry.example.org/base/os:1\n  \
           parsed as registry `registry.example.org`, repository `base/os`, tag `1`, no digest\n  \
           candidate rule `mine` of file: `registry.example.org` matches\n  \
           candidate rule `everything-else` of file: `*` matches\n  \
           winner rule `mine` of file: the first of the candidates that applies, the most specific coming first\n  \
           its `exclude` has `registry.example.org/base/*`, which matches\n  \
           unchanged: excluded by rule `mine` of file"
    );
    let explanation = rewriter.explain("acme/app:1", &Context::default().with_namespace("team-b"));
    assert_eq!(
        explanation.to_string(),
        "acme/app:1\n  \
           parsed as registry `docker.io`, repository `acme/app`, tag `1`, no digest\n  \
           candidate rule `team` of file: `docker.io/acme` matches, but it is for other namespaces (`namespaces`)\n  \
           candidate rule `docker.io` of file: `docker.io` matches\n  \
           candidate rule `everything-else` of file: `*` matches\n  \
           winner rule `docker.io` of file: the first of the candidates that applies, the most specific \
           coming first\n  \
           rewritten to `mirror.example.com/hub/acme/app:1` by rule `docker.io` of file"
    );
}

#[test]
fn odd_tables_are_accepted_and_warned_about() {
    let warnings = |yaml: &str| {
        let list = parse_rules_file("mirrors.yaml", yaml).unwrap();
        assert_eq!(list.problems, [], "{yaml}");
        Rewriter::new([("file", list.rules.into())]).warnings().to_vec()
    };
    let none: [&str; 0] = [];
    let cases: [(&str, &[&str]); 8] = [
        ("mirrors: {docker.io: m.example.com/a, quay.io: m.example.com/b}", &none),
        (
            "mirrors: {docker.io: m.example.com/a, index.docker.io: m.example.com/b}",
            &[
                "rule `docker.io` of file never applies: rule `docker.io` of file is for the same upstream `docker.io` and comes first",
            ],
        ),
        (
            "mirrors: {docker.io: m.example.com/a, m.example.com: n.example.com}",
            &[
                "rule `docker.io` of file leads to `m.example.com/a`, which rule `m.example.com` of file is for: images are rewritten once, by the first",
            ],
        ),
        (
            "mirrors: {docker.io: m.example.com, m.example.com/a: n.example.com}",
            &[
                "rule `m.example.com/a` of file never applies: its upstream lies at the mirror `m.example.com`, where images are final",
            ],
        ),
        (
            "mirrors: {docker.io: m.example.com, quay.io: m.example.com}",
            &[
                "rule `quay.io` of file and rule `docker.io` of file both lead to `m.example.com`, where images of the same name become one",
            ],
        ),
        (
            "mirrors: {'*': m.example.com}",
            &[
                "rule `*` of file sends many registries to `m.example.com`, where images of the same name become one; a location with `{registry}` in it tells them apart",
            ],
        ),
        ("mirrors: {'*': 'm.example.com/{registry}/{repository}'}", &none),
        ("rules: [{upstream: docker.io, mirrors: [m.example.com/a]}, {upstream: m.example.com/a, keep: true}]", &none),
    ];
    for (yaml, expected) in cases {
        assert_eq!(warnings(yaml), expected, "{yaml}");
    }
    let many = (0..1000).fold("mirrors:\n".to_owned(), |mut text, i| {
        let _ = writeln!(text, "  r{i}.example.com: m.example.com");
        text
    });
    assert_eq!(warnings(&many).len(), 33, "a long list of warnings is cut");
}

#[test]
fn sources_are_asked_in_their_order() {
    let rule = |name: &str, location: &str| {
        let text = format!("rules: [{{name: {name}, upstream: docker.io, mirrors: [{location}]}}]");
        std::sync::Arc::from(parse_rules_file("x", &text).unwrap().rules)
    };
    let rewriter = Rewriter::new([("first", rule("a", "a.example.com")), ("second", rule("b", "b.example.com"))]);
    let outcome = rewriter.rewrite("nginx", &Context::default());
    assert_eq!(outcome.to_string(), "rewritten to `a.example.com/library/nginx` by rule `a` of first");
    assert_eq!(rewriter.len(), 2);
}
