//! Every folder of `tests/data/rewrite` has rules and the expected outcome of images. A new case is a new line, a new
//! set of rules a new folder.

#![expect(clippy::unwrap_used, reason = "a panic with its line is what a failed test should report")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mimic_core::{Context, ReasonCode, Rewriter, Rule, Step, parse_rules_file};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    image: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// The image itself if absent.
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
                outcome.reason().as_str(),
                outcome.rule().map(|rule| rule.rule.name()),
            );
            let expected = (case.output.as_deref().unwrap_or(&case.image), &*case.reason, case.rule.as_deref());
            if got != expected {
                let name = folder.file_name().unwrap().display();
                let _ = writeln!(differences, "{name}: `{}`: expected {expected:?}, got {got:?}", case.image);
            }
            let explained = rewriter.explain(&case.image, &context);
            assert_eq!(explained.outcome.to_string(), outcome.to_string(), "an explanation has the same outcome");
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
                assert_eq!(rewriter.rewrite(image, &context).reason(), ReasonCode::OnMirror, "{image}");
            }
        }
    }
}

#[test]
fn an_explanation_lists_every_step() {
    let rewriter = table(&folders().into_iter().find(|folder| folder.ends_with("conditions")).unwrap());
    let explained = |image| rewriter.explain(image, &Context::default()).to_string();
    assert_eq!(
        explained("registry.example.org/base/os:1"),
        "registry.example.org/base/os:1\n  \
           parsed as registry `registry.example.org`, repository `base/os`, tag `1`, no digest\n  \
           rule `mine` of file: upstream `registry.example.org` matches\n  \
           rule `everything-else` of file: upstream `*` matches, but rule `mine` of file has precedence\n  \
           selected rule `mine` of file: the most specific matching rule\n  \
           excluded by glob `registry.example.org/base/*`\n  \
           unchanged: excluded by rule `mine` of file"
    );
    let explanation = rewriter.explain("acme/app:1", &Context::default().with_namespace("team-b"));
    assert_eq!(
        explanation.to_string(),
        "acme/app:1\n  \
           parsed as registry `docker.io`, repository `acme/app`, tag `1`, no digest\n  \
           rule `team` of file: upstream `docker.io/acme` matches, but its `namespaces` do not match\n  \
           rule `docker.io` of file: upstream `docker.io` matches\n  \
           rule `everything-else` of file: upstream `*` matches, but rule `docker.io` of file has precedence\n  \
           selected rule `docker.io` of file: the most specific matching rule\n  \
           rewritten to `mirror.example.com/hub/acme/app:1` by rule `docker.io` of file"
    );
    assert_eq!(
        explained("mirror.example.com/hub/acme/app:1"),
        "mirror.example.com/hub/acme/app:1\n  \
           parsed as registry `mirror.example.com`, repository `hub/acme/app`, tag `1`, no digest\n  \
           rule `everything-else` of file: upstream `*` matches\n  \
           unchanged: already points at mirror `mirror.example.com/hub`"
    );
}

/// Rules, and the warnings about them.
const WARNED: [(&str, &[&str]); 24] = [
    ("mirrors: {docker.io: m.example.com/a, quay.io: m.example.com/b}", &[]),
    (
        "mirrors: {docker.io: m.example.com/a, index.docker.io: m.example.com/b}",
        &[
            "rule `docker.io` of file never applies: rule `docker.io` of file has the same upstream `docker.io` and comes first",
        ],
    ),
    (
        "mirrors: {docker.io: m.example.com/a, m.example.com: n.example.com}",
        &[
            "rule `docker.io` of file maps to `m.example.com/a`, which rule `m.example.com` of file matches; images are rewritten only once",
        ],
    ),
    (
        "mirrors: {docker.io: m.example.com, m.example.com/a: n.example.com}",
        &["rule `m.example.com/a` of file never applies: its upstream is itself on the mirror `m.example.com`"],
    ),
    (
        "mirrors: {docker.io: m.example.com, quay.io: m.example.com}",
        &[
            "rule `quay.io` of file and rule `docker.io` of file map to one location, `m.example.com`: equal image names collide",
        ],
    ),
    (
        "mirrors: {'*': m.example.com}",
        &[
            "rule `*` of file maps several registries to one location, `m.example.com`: equal image names collide (hint: use `{registry}` in the location)",
        ],
    ),
    (
        "rules: [{upstream: '*', namespaces: {include: [a]}, mirrors: ['m.example.com/{registry}/{repository}']}, {upstream: '*', mirrors: ['m.example.com/{registry}/{repository}']}]",
        &[
            "rule `*` of file does not use `m.example.com/{registry}/{repository}` for registries with a port: no path can contain a port (hint: use `{host}` instead of `{registry}`)",
        ],
    ),
    ("mirrors: {'*': 'm.example.com/{host}/{repository}', '*.gcr.io': 'm.example.com/{registry}/{repository}'}", &[]),
    (
        "rules: [{upstream: '*', exclude: ['*:*/**'], mirrors: ['m.example.com/{registry}/{repository}']}, {upstream: '*', priority: 1, include: ['*.org/**'], mirrors: ['m.example.com/{registry}/{repository}']}]",
        &[],
    ),
    (
        "mirrors: {docker.io: m.example.com, docker.io/redis: m.example.com/redis, docker.io/library/redis: m.example.com/r}",
        &[
            "rule `docker.io/library/redis` of file never applies: rule `docker.io/redis` of file has the same upstream `docker.io/library/redis` and comes first",
        ],
    ),
    ("rules: [{upstream: docker.io, mirrors: [m.example.com/a]}, {upstream: m.example.com/a, keep: true}]", &[]),
    (
        "rules: [{name: p, pattern: 'docker.io/acme/.*', keep: true}, {upstream: docker.io, mirrors: [m.example.com]}]",
        &[
            "rule `p` of file never applies: rule `docker.io` of file matches the same images, and upstreams come before patterns (hint: give the pattern a higher `priority`)",
        ],
    ),
    (
        "rules: [{name: p, pattern: '^(eu|us)\\.gcr\\.io/.*$', keep: true}, {upstream: '*.gcr.io', keep: true}]",
        &[
            "rule `p` of file never applies: rule `*.gcr.io` of file matches the same images, and upstreams come before patterns (hint: give the pattern a higher `priority`)",
        ],
    ),
    (
        "rules: [{name: p, pattern: 'quay.io/acme/.+', mirrors: [m.example.com/a]}]",
        &[
            "rule `p` of file maps different repositories to one name, by `m.example.com/a` (hint: use all parts of the pattern that vary, as groups, in the location)",
        ],
    ),
    (
        "rules: [{name: p, pattern: '([a-z]+).example.org/[^/]+/(?P<rest>.+)', mirrors: ['m.example.com/{1}/{rest}']}]",
        &[
            "rule `p` of file maps different repositories to one name, by `m.example.com/{1}/{rest}` (hint: use all parts of the pattern that vary, as groups, in the location)",
        ],
    ),
    (
        "rules: [{name: p, pattern: '[a-z]+.example.org/a/.*', mirrors: ['m.example.com/{repository}']}]",
        &[
            "rule `p` of file maps different repositories to one name, by `m.example.com/{repository}` (hint: use all parts of the pattern that vary, as groups, in the location)",
        ],
    ),
    (
        "rules: [{pattern: 'quay.io/acme/app', mirrors: [m.example.com/a]}, {pattern: 'quay.io/(a|b)/(t/)?(.+)', mirrors: ['m.example.com/{1}/{2}{3}']}, {pattern: '[a-z]+.example.org/.*', mirrors: ['m.example.com/{registry}/{repository}']}]",
        &[],
    ),
    (
        "mirrors: {'localhost:5000': 'm.example.com/{registry}/{repository}'}",
        &[
            "rule `localhost:5000` of file does not use `m.example.com/{registry}/{repository}` for registries with a port: no path can contain a port (hint: use `{host}` instead of `{registry}`)",
        ],
    ),
    (
        "mirrors: {'*.example.org:*': '{registry}.m.example.com/{registry}/{repository}'}",
        &[
            "rule `*.example.org:*` of file does not use `{registry}.m.example.com/{registry}/{repository}` for registries with a port: no path can contain a port (hint: use `{host}` instead of `{registry}`)",
        ],
    ),
    (
        "mirrors: {'localhost:5000': 'm.example.com/{host}/{repository}', 'a.io:443': 'm.example.com/{registry}/{repository}'}",
        &[],
    ),
    (
        "rules: [{pattern: 'docker.io/acme/.*', keep: true, priority: 1}, {upstream: docker.io, mirrors: [m.example.com]}]",
        &[],
    ),
    (
        "rules: [{pattern: 'docker.io/acme/.*', keep: true}, {upstream: docker.io/acme/x, mirrors: [m.example.com]}]",
        &[],
    ),
    (
        "rules: [{pattern: '(docker|quay).io/acme/.*', keep: true}, {upstream: docker.io, references: tag, mirrors: [m.example.com/a]}, {upstream: quay.io, mirrors: [m.example.com/b]}]",
        &[],
    ),
    (
        "rules: [{upstream: docker.io, mirrors: [m.example.com/a]}, {upstream: docker.io, name: second, priority: 1, mirrors: [m.example.com/a]}]",
        &[
            "rule `docker.io` of file never applies: rule `second` of file has the same upstream `docker.io` and comes first",
        ],
    ),
];

#[test]
fn odd_tables_are_accepted_and_warned_about() {
    let warnings = |yaml: &str| {
        let list = parse_rules_file("mirrors.yaml", yaml).unwrap();
        assert_eq!(list.problems, [], "{yaml}");
        let rewriter = Rewriter::new([("file", list.rules.into())]);
        rewriter.warnings().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (yaml, expected) in WARNED {
        assert_eq!(warnings(yaml), expected, "{yaml}");
    }
    let many = (0..1000).fold("mirrors:\n".to_owned(), |mut text, i| {
        let _ = writeln!(text, "  r{i}.example.com: m.example.com");
        text
    });
    assert_eq!(warnings(&many).len(), 33, "a long list of warnings is cut");
}

#[test]
fn aliases_of_several_sources_are_warned_about() {
    let rules = |text: &str| std::sync::Arc::from(parse_rules_file("x", text).unwrap().rules);
    let rewriter = Rewriter::new([
        ("first", rules("aliases: {a.io: b.io, c.io: d.io}\nmirrors: {b.io: m.example.com/b}")),
        ("second", rules("aliases: {b.io: e.io, c.io: f.io}\nrules: [{upstream: '*', keep: true, exclude: [q.io/x]}]")),
        ("third", rules("rules: [{upstream: '*', keep: true, exclude: [b.io]}, {pattern: 'c\\.io/.+', keep: true}]")),
    ]);
    let warnings: Vec<_> = rewriter.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "rule `*` of third never applies: rule `*` of second has the same upstream `*` and comes first",
            "alias `a.io` of first names `b.io`, which is an alias of second: aliases are replaced only once \
             (hint: write `e.io`)",
            "rule `c.io` of second never applies: rule `c.io` of first has the same upstream `c.io` and comes first",
            "`b.io` in `exclude` of rule `*` of third never matches: `b.io` is an alias of `e.io` (hint: write `e.io`)",
            "`c\\.io/.+` in `pattern` of rule `c\\.io/.+` of third never matches: `c.io` is an alias of `d.io` (hint: write `d.io`)",
        ]
    );
    let rule = |image| rewriter.rewrite(image, &Context::default()).rule().map(|rule| rule.rule.name().to_owned());
    assert_eq!(rule("b.io/x").as_deref(), Some("b.io"), "a rule for an alias applies to the registry that it means");
    assert_eq!(rule("a.io/x").as_deref(), Some("*"), "an alias is replaced once");
}

#[test]
fn an_image_without_a_rule_says_which_condition_is_not_met() {
    let table = |rules: &str| {
        let list = parse_rules_file("mirrors.yaml", rules).unwrap();
        assert_eq!(list.problems, [], "{rules}");
        Rewriter::new([("file", list.rules.into())])
    };
    let labels = BTreeMap::from([("tier".to_owned(), "front".to_owned())]);
    let context = Context::default().with_namespace("a").with_labels(&labels);
    for (condition, expected) in [
        ("references: digest", "its `references` does not match"),
        ("namespaces: {include: [b]}", "its `namespaces` do not match"),
        ("namespaces: {exclude: [a]}", "its `namespaces` do not match"),
        ("podSelector: {matchLabels: {tier: back}}", "its `podSelector` does not match"),
        ("include: ['**:2']", "its `include` does not match"),
    ] {
        let rules = format!("rules: [{{name: x, upstream: quay.io, mirrors: [m.example.com], {condition}}}]");
        let rewriter = table(&rules);
        let explained = rewriter.explain("quay.io/a:1", &context);
        let expected = format!("unchanged: no rule matches it: rule `x` of file would, but {expected}");
        assert_eq!(explained.outcome.to_string(), expected);
        assert_eq!(explained.outcome.reason(), ReasonCode::NoRule);
        let unmet = |step: &Step<'_>| matches!(step, Step::Candidate { unmet: Some(_), .. });
        assert!(explained.steps.iter().any(unmet), "{condition}");
        assert_eq!(rewriter.rewrite("ghcr.io/a", &context).to_string(), "unchanged: no rule matches it");
    }
    let unknown = table("mirrors: {quay.io: 'm.example.com/{namespace}/{repository}'}");
    assert_eq!(
        unknown.rewrite("quay.io/a", &Context::default()).to_string(),
        "unchanged: no rule matches it: rule `quay.io` of file would, but its location needs the namespace, which is \
         not known"
    );
    let two = table(
        "rules: [{name: wide, upstream: quay.io, keep: true, references: digest}, \
         {name: narrow, upstream: quay.io/a, keep: true, references: digest}]",
    );
    assert_eq!(
        two.rewrite("quay.io/a/b", &Context::default()).to_string(),
        "unchanged: no rule matches it: rule `narrow` of file would, but its `references` does not match"
    );
}

#[test]
fn earlier_sources_take_precedence() {
    let rule = |name: &str, location: &str| {
        let text = format!("rules: [{{name: {name}, upstream: docker.io, mirrors: [{location}]}}]");
        std::sync::Arc::from(parse_rules_file("x", &text).unwrap().rules)
    };
    let rewriter = Rewriter::new([("first", rule("a", "a.example.com")), ("second", rule("b", "b.example.com"))]);
    let outcome = rewriter.rewrite("nginx", &Context::default());
    assert_eq!(outcome.to_string(), "rewritten to `a.example.com/library/nginx` by rule `a` of first");
    assert_eq!(rewriter.len(), 2);
}

#[test]
fn a_rewriter_without_rules_is_empty() {
    assert!(Rewriter::new([]).is_empty());
    assert!(Rewriter::new([("none", Vec::new().into())]).is_empty());
    let rules = vec![Rule::mirror("docker.io", "m.example.com").unwrap()];
    assert!(!Rewriter::new([("one", rules.into())]).is_empty());
}
