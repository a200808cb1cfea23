//! The most expensive documents that are accepted: reading one, while the rules of an equal one are in use, takes less than
//! 200 MB.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use allocation_counter::measure;
use k8s_openapi::api::core::v1::ConfigMap;
use mimic_core::{Catalog, Context, Rule, RuleList};
use mimic_k8s::cluster::parse_config_map;
use mimic_k8s::mirrors::parse_document_or_values;

/// What a document can take, in bytes.
const LIMIT: u64 = 200_000_000;
/// As much as a ConfigMap can hold.
const CONFIG_MAP: usize = 1 << 20;
/// As much as a file can have.
const FILE: usize = 16 << 20;

/// Memory in bytes.
struct Memory {
    /// The most that was in use while a list was read and published, or several lists one after the other.
    peak: u64,
    /// What the last list takes.
    kept: u64,
    /// What Mimic estimates for it.
    estimate: u64,
}

/// Measures reading and publishing a list this number of times.
fn memory(times: usize, read: impl Fn() -> RuleList) -> Memory {
    let mut estimate = 0;
    let mut kept = None;
    let measured = measure(|| {
        let catalog = Catalog::new(["source"]);
        for _ in 0..times {
            let list = read();
            estimate = list.rules.iter().map(Rule::memory).sum::<usize>() as u64;
            let shown = list.problems.clone();
            catalog.publish("source", list.rules);
            for image in ["nginx:1.27", "quay.io/aaaaaaaaaaaaaaaaaaaaaaaa/bbbbbbbbbbbbbbbb:v1", "a.b/c/d@sha256:00"] {
                let rewriter = catalog.rewriter();
                drop(rewriter.rewrite(image, &Context::default()));
            }
            drop(shown);
        }
        kept = Some(catalog);
    });
    drop(kept);
    Memory { peak: measured.bytes_max, kept: u64::try_from(measured.bytes_current).unwrap_or_default(), estimate }
}

/// As a source reads a ConfigMap with the key `mirrors.yaml`.
fn read_config_map(text: String) -> impl Fn() -> RuleList {
    let data = BTreeMap::from([("mirrors.yaml".to_owned(), text)]);
    let config_map = ConfigMap { data: Some(data), ..ConfigMap::default() };
    move || {
        let rules = parse_config_map("mimic/mimic-mirrors", &config_map);
        rules.file.unwrap_or_else(|problem| RuleList { rules: Vec::new(), problems: vec![problem] })
    }
}

/// `head`, and `item` with increasing numbers for `#` until the text has `size` bytes.
fn repeated(head: &str, item: &str, size: usize) -> String {
    let mut text = head.to_owned();
    for number in 0.. {
        if text.len() + item.len() + 8 > size {
            break;
        }
        text += &item.replace('#', &format!("{number:x}"));
    }
    text
}

/// A document of this number of bytes, about.
type Document = Box<dyn Fn(usize) -> String>;

fn rules(item: impl Into<String>) -> Document {
    let item = item.into();
    Box::new(move |size| repeated("rules:\n", &item, size))
}

fn one_rule(key: &'static str, item: &'static str) -> Document {
    Box::new(move |size| {
        repeated(&format!("rules:\n- upstream: '*'\n  mirrors: [c.d/e]\n  {key}: ["), item, size) + "]"
    })
}

/// A list in brackets that could be a key, and needs no rule.
fn list(start: &'static str, item: &'static str, end: &'static str) -> Document {
    Box::new(move |size| format!("rules:\n {start}{}{end}", item.repeat(size / item.len())))
}

fn entries(key: &'static str, item: impl Into<String>) -> Document {
    let item = item.into();
    Box::new(move |size| repeated(&format!("{key}:\n"), &item, size))
}

/// Documents without expressions.
fn plain() -> Vec<(&'static str, Document)> {
    let labels = "a,".repeat(5_000);
    let labels = format!("matchExpressions: [{{key: a, operator: In, values: [{labels}]}}]");
    vec![
        ("short form", entries("mirrors", " a#.b: c#.d\n")),
        ("short form in one registry", entries("mirrors", " a.b/a#: c.d/#\n")),
        ("aliases of registries", entries("aliases", " a#.b: c.d\n")),
        ("long aliases", entries("aliases", format!(" {}#.b: c.d\n", "a".repeat(900)))),
        ("rules", rules("- {upstream: a#.b, mirrors: [c#.d]}\n")),
        ("rules that never change", rules("- {upstream: a#.b, keep: true}\n")),
        ("shadowed rules", rules("- {upstream: a.b, keep: true}\n")),
        ("rules on tags", rules("- {upstream: a.b, mirrors: [{location: c.d/#, references: tag}]}\n")),
        ("rules with selectors", rules("- {upstream: a#.b, keep: true, podSelector: {matchLabels: {a: b}}}\n")),
        ("values of a label", rules(format!("- {{upstream: a.b, keep: true, podSelector: {{{labels}}}}}\n"))),
        (
            "many mirrors",
            rules(format!("- {{upstream: a#.b, mirrors: [{}]}}\n", repeated("", "c@#.d,", 600).replace('@', "#"))),
        ),
        ("templates", rules("- {upstream: a#.b, mirrors: [\"c.d/{host}{host}{host}{host}{host}/{repository}\"]}\n")),
        ("long strings", rules(format!("- {{upstream: a.b/{}#, mirrors: [c.d/{0}#]}}\n", "u".repeat(240)))),
        ("invalid entries", entries("mirrors", " A#: b\n")),
        (
            "invalid entries with long hints",
            rules(format!("- {{upstream: a.b, mirrors: [\"https://{}#\"]}}\n", "x".repeat(800))),
        ),
        ("small values", list("[", "a,", "]")),
        ("lists", list("[", "[],", "]")),
        ("mappings", list("[", "{},", "]")),
        ("a list in a list", list("[[", "a,", "]]")),
        ("nested lists", list("[", "[a,[a]],", "]")),
        ("pairs in a list", list("[", "a: b,", "]")),
        ("keys without values", list("[", ":,", "]")),
        ("anchors", list("[", "&a ", "]")),
        ("open lists", list("", "[", "")),
        ("strings in a mapping", list("{", "\"\":\"\",", "}")),
        (
            "lists below the limit",
            Box::new(|size| {
                let list = format!(" - [{}]\n", "a,".repeat(130_000));
                format!("rules:\n{}", list.repeat(size / list.len()))
            }),
        ),
        ("one long value", Box::new(|size| format!("rules: \"{}\"", "x".repeat(size - 20)))),
        (
            "one large value, many times",
            Box::new(|size| format!("a: &a \"{}\"\nrules: [{}]", "x".repeat(size / 10), "*a,".repeat(size / 4))),
        ),
        (
            "doubled aliases",
            Box::new(|_| {
                (1..60).fold("a0: &a0 [x,x,x,x,x,x,x,x]\n".to_owned(), |mut text, level| {
                    let _ = writeln!(text, "a{level}: &a{level} [*a{0},*a{0}]", level - 1);
                    text
                })
            }),
        ),
        (
            "chained aliases",
            Box::new(|size| {
                (1..size / 24).fold("a0: &a0 [x]\n".to_owned(), |mut text, level| {
                    let _ = writeln!(text, "a{level}: &a{level} [*a{}]", level - 1);
                    text
                })
            }),
        ),
        (
            "anchors within anchors",
            Box::new(|size| format!("a: {}{}{}", "[&a ".repeat(60), "x,".repeat(size / 2 - 200), "]".repeat(60))),
        ),
        (
            "merge keys",
            Box::new(|size| {
                let keys = repeated("", "k#: v,", size / 2);
                format!("a: &a {{{keys}}}\nrules: [{}]", "{<<: *a},".repeat(size / 18))
            }),
        ),
    ]
}

/// Documents with expressions: globs and patterns.
fn with_expressions() -> Vec<(&'static str, Document)> {
    let many = |key: &str, glob: &str, count: usize| {
        rules(format!("- {{upstream: '*', keep: true, {}}}\n", key.replace("[]", &format!("[{}]", glob.repeat(count)))))
    };
    let aliased =
        "- &r {upstream: a.b, mirrors: [c.d/e], exclude: [\"**/a*b:c*\"], podSelector: {matchLabels: {a: b}}}\n";
    vec![
        ("rules with an exclusion", rules("- {upstream: a#.b, keep: true, exclude: [\"**:a*\"]}\n")),
        ("rules with namespaces", rules("- {upstream: a#.b, keep: true, namespaces: {exclude: [a*]}}\n")),
        ("patterns", rules("- {pattern: 'a#/.*', mirrors: [c.d/e]}\n")),
        ("large patterns", rules("- {pattern: '[a-z/]{1,5000}#', mirrors: [c.d/e]}\n")),
        ("larger patterns", rules("- {pattern: '(a#{100}/){100}', mirrors: [c.d/e]}\n")),
        ("patterns with spaces", rules(format!("- {{pattern: '(?x)a#/.*{}', mirrors: [c.d/e]}}\n", " ".repeat(9_000)))),
        ("long names", rules(format!("- {{name: {}#, pattern: '[a-z#]+/.*', mirrors: [c.d/e]}}\n", "n".repeat(900)))),
        ("exclusions", one_rule("exclude", "\"**/a#*b\",")),
        ("excluded tags", one_rule("exclude", "\"**:#*\",")),
        ("excluded names", one_rule("exclude", "a#,")),
        ("rules with many exclusions", many("exclude: []", "\"**/a*b\",", 500)),
        ("rules with many excluded tags", many("exclude: []", "\"**:a*\",", 500)),
        ("rules with many excluded namespaces", many("namespaces: {exclude: []}", "a*b,", 500)),
        ("one rule, many times", Box::new(move |size| format!("rules:\n{aliased}{}", "- *r\n".repeat(size / 5 - 30)))),
    ]
}

/// Prints the figures, the largest first, and checks them.
fn assert_below_the_limit(mut figures: Vec<(u64, String)>) {
    figures.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let table = figures.iter().fold(String::new(), |mut table, (bytes, kind)| {
        let _ = writeln!(table, "{:>5} MB  {kind}", bytes / 1_000_000);
        table
    });
    eprint!("{table}");
    assert!(figures[0].0 < LIMIT, "more than {} MB:\n{table}", LIMIT / 1_000_000);
}

#[test]
fn the_worst_documents_take_less_than_200_mb() {
    let mut figures = Vec::new();
    let in_files = [
        "short form",
        "aliases of registries",
        "rules",
        "many mirrors",
        "long strings",
        "a list in a list",
        "strings in a mapping",
        "lists below the limit",
        "one long value",
    ];
    for (kind, document) in plain() {
        for (what, size) in [("ConfigMap", CONFIG_MAP), ("file", FILE)] {
            // What a ConfigMap has no room for, and what is refused at its end.
            if size == FILE && !in_files.contains(&kind) {
                continue;
            }
            let text = document(size);
            let length = text.len() as u64;
            let memory = if size == FILE {
                let failed = |problem| RuleList { rules: Vec::new(), problems: vec![problem] };
                memory(2, || parse_document_or_values("mirrors.yaml", &text).unwrap_or_else(failed))
            } else {
                memory(2, read_config_map(text))
            };
            figures.push((length + memory.peak, format!("{what}: {kind}")));
        }
    }
    for (kind, key, value) in [
        ("entries", "a#.b", "c#.d"),
        ("invalid entries", "a#", "b"),
        ("entries that are files of other tools", "a#.b", "a::b\nb::c"),
    ] {
        let size = key.len() + value.len() + 4;
        let entry =
            |number: usize| (key.replace('#', &format!("{number:x}")), value.replace('#', &format!("{number:x}")));
        let data: BTreeMap<String, String> = (0..CONFIG_MAP / size).map(entry).collect();
        let config_map = ConfigMap { data: Some(data), ..ConfigMap::default() };
        let memory = memory(2, || parse_config_map("mimic/mimic-mirrors", &config_map).entries);
        figures.push((memory.peak + CONFIG_MAP as u64, format!("ConfigMap: {kind}")));
    }
    assert_below_the_limit(figures);
}

/// Expressions take minutes to compile without optimisation, so this measures smaller documents: their rules take no more
/// than estimated, and reading and compiling them no more than this in addition.
#[test]
fn expressions_take_no_more_than_estimated() {
    const COMPILING: u64 = 50_000_000;
    for (kind, document) in with_expressions() {
        let Memory { peak, kept, estimate } = memory(1, read_config_map(document(CONFIG_MAP / 64)));
        eprintln!(
            "{:>6} kB, at most {:>6} kB, estimate {:>6} kB  {kind}",
            kept / 1_000,
            peak / 1_000,
            estimate / 1_000
        );
        // A list without rules takes a few bytes.
        assert!(kept <= estimate + 4_096, "{kind}: {kept} bytes, estimate {estimate}");
        assert!(peak < estimate + COMPILING, "{kind}: {peak} bytes, estimate {estimate}");
    }
}

/// As much as is accepted.
#[test]
#[ignore = "takes three minutes; run with `--ignored` after a change to the limits"]
fn the_worst_expressions_take_less_than_200_mb() {
    let figure = |(kind, document): (&str, Document)| {
        let text = document(CONFIG_MAP);
        (text.len() as u64 + memory(2, read_config_map(text)).peak, format!("ConfigMap: {kind}"))
    };
    assert_below_the_limit(with_expressions().into_iter().map(figure).collect());
}

#[test]
fn a_hundred_thousand_rules_fit() {
    for (upstream, location) in [
        ("registry-#.example.com", "mirror.example.com/registry-#"),
        ("docker.io/organisation-#", "harbor.example.com/mirror-#"),
    ] {
        let entry = |number: usize| format!(" {upstream}: {location}\n").replace('#', &number.to_string());
        let text = (0..100_000).fold("mirrors:\n".to_owned(), |text, number| text + &entry(number));
        let list = parse_document_or_values("mirrors.yaml", &text).unwrap();
        assert_eq!((list.rules.len(), list.problems), (100_000, Vec::new()));
    }
}
