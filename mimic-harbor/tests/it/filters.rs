//! Filters have the same meaning as in Harbor. The table and its origin: `data/filters/README.md`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use mimic_harbor::{Filter, FilterError, FilterKind};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use regex::bytes::RegexBuilder;
use serde::Deserialize;

const TABLE: &str = include_str!("../data/filters/filters.jsonl");
const NAMES: &str = include_str!("../data/filters/names.txt");

#[derive(Deserialize)]
struct Row {
    kind: String,
    pattern: String,
    serves: Vec<String>,
    error: Option<String>,
}

impl Row {
    fn filter(&self) -> Filter {
        let kind = if self.kind == "regex" { FilterKind::Regex } else { FilterKind::Doublestar };
        Filter { pattern: self.pattern.trim().to_owned(), kind }
    }
}

fn parse(table: &str) -> Vec<Row> {
    table.lines().map(|line| serde_json::from_str(line).expect("a row of the table")).collect()
}

/// What was compared.
#[derive(Debug, Default)]
struct Counts {
    filters: usize,
    translated: usize,
    unsupported: usize,
}

/// Asserts that Mimic serves exactly what Harbor serves, or reports that it cannot translate the filter.
fn compare(rows: &[Row], names: &str) -> Counts {
    let mut counts = Counts::default();
    let mut differences = Vec::new();
    for row in rows {
        counts.filters += 1;
        let what = format!("{} `{}`", row.kind, row.pattern);
        let expression = match row.filter().expression() {
            Ok(expression) => expression,
            Err(FilterError::Unsupported { .. }) => {
                counts.unsupported += 1;
                continue;
            }
            Err(error) => {
                if !row.serves.is_empty() {
                    differences.push(format!("{what}: {error}, but Harbor serves {:?}", row.serves));
                }
                let is_invalid = matches!(error, FilterError::Invalid { .. });
                if row.kind == "regex" && is_invalid != row.error.is_some() {
                    differences.push(format!("{what}: {error}, but Go says {:?}", row.error));
                }
                continue;
            }
        };
        counts.translated += 1;
        let whole = RegexBuilder::new(&format!("^r/(?P<rest>{expression})$")).unicode(false).build();
        let whole = match whole {
            Ok(whole) => whole,
            Err(error) => {
                differences.push(format!("{what}: `{expression}`: {error}"));
                continue;
            }
        };
        let serves: Vec<&str> =
            names.split_whitespace().filter(|name| whole.is_match(format!("r/{name}").as_bytes())).collect();
        if serves != row.serves {
            let more: Vec<_> = serves.iter().filter(|name| !row.serves.iter().any(|served| served == *name)).collect();
            let less: Vec<_> = row.serves.iter().filter(|name| !serves.contains(&name.as_str())).collect();
            differences.push(format!("{what}: `{expression}` matches also {more:?}, not {less:?}"));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    counts
}

#[test]
fn the_filters_of_the_table_serve_what_harbor_serves() {
    let rows = parse(TABLE);
    let counts = compare(&rows, NAMES);
    assert!(counts.filters > 400, "{counts:?}");
    assert!(counts.unsupported * 20 <= counts.filters, "at most one filter in twenty is left out: {counts:?}");
}

#[test]
fn filters_are_not_translated_if_that_would_be_inexact() {
    for (kind, pattern, reason) in [
        (FilterKind::Regex, r"\p{Greek}", "it has a Unicode property that Mimic does not know"),
        (FilterKind::Regex, r"(\b|^)a", "it has a word boundary beside an anchor"),
        (FilterKind::Regex, "(x|^){20}a", "it repeats an anchor many times"),
        (FilterKind::Doublestar, "{*,a/b}", "its alternatives with a `/` overlap"),
        (FilterKind::Doublestar, "{a/[,a/b}", "its alternatives contain an error"),
        (FilterKind::Doublestar, &"{a,b}".repeat(20), "it is too complex"),
        (FilterKind::Regex, &"(".repeat(500), "it is too complex"),
        (FilterKind::Doublestar, &"a".repeat(2000), "it is longer than 1,024 bytes"),
    ] {
        let filter = Filter { pattern: pattern.to_owned(), kind };
        let error = filter.expression().expect_err(pattern);
        assert_eq!(error, FilterError::Unsupported { pattern: pattern.to_owned(), reason });
    }
}

const RANDOM: usize = 20_000;

/// The generator of the table, built; `None` if the comparison with Go is not requested.
static GENERATOR: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    if std::env::var_os("MIMIC_GO_ORACLE").is_none_or(|value| value != "1") {
        return None;
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("harbor-filters");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/filters/generate");
    let status = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status();
    assert!(status.expect("MIMIC_GO_ORACLE=1 needs `go` on the PATH").success(), "the generator does not build");
    Some(program)
});

/// What Harbor's matchers make of these filters and names.
fn generate(test: &str, filters: &str, names: &str) -> Option<String> {
    let Some(program) = GENERATOR.as_ref() else {
        // Written to the handle itself: the test harness would hide what `eprintln!` prints.
        writeln!(std::io::stderr(), "{test}: SKIPPED, MIMIC_GO_ORACLE=1 is not set").expect("stderr is open");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (filters_file, names_file) = (folder.path().join("filters.jsonl"), folder.path().join("names.txt"));
    fs::write(&filters_file, filters).expect("written");
    fs::write(&names_file, names).expect("written");
    let mut command = Command::new(program);
    command.arg(&names_file).stdin(fs::File::open(&filters_file).expect("readable")).stderr(Stdio::inherit());
    let output = command.output().expect("the generator starts");
    assert!(output.status.success(), "{}", output.status);
    Some(String::from_utf8(output.stdout).expect("the generator writes UTF-8"))
}

#[test]
fn the_table_is_what_go_says() {
    let Some(table) = generate("the_table_is_what_go_says", TABLE, NAMES) else { return };
    assert!(table == TABLE, "filters.jsonl is stale: generate it as data/filters/README.md describes");
}

/// Parts of patterns, glued in random order.
const REGEX_PARTS: &str = r"a b x 1 - . / _ nginx library/ acme A K \. \- \d \D \w \W \s \S \b \B \A \z \Q \E \pL \PL \p{Lu} \p{^Nd} \x61 \x{62} \141 \_ \
    ^ $ ^ $ | | ( ) (a (|^) (/|$) (?i) (?-i) (?i: (?: (?m) (?s: (?P<n> * + ? * .* .+ .* ?? *? {2} {1,2} {0} {2,} {0,1} { } {, \
    [ab] [^a] [a-c] [a-z]+ [^/]+ [ ] - [] []a] [[:alpha:]] [[:^digit:]] [[:punct:]] [\d-] [\w.] [\pL] [^\W] [a-c--b] &&";
const GLOB_PARTS: &str = r"a b x 1 - . / / / _ nginx library/ acme/ A * * * ** ** **/ /** *** ? ? {a,b} {a {a, , } } { {,a} {a,} {} {*, {**, {a/ /b} , \
    [ab] [^a] [!a] [a-c] [a-z]* [a- [ ] [] [^] [a\]b] [\a-c] [a/] \a \* \/ \ ";

fn glued(parts: &'static str) -> impl Strategy<Value = String> {
    let parts: Vec<&str> = parts.split_whitespace().collect();
    proptest::collection::vec(select(parts), 1..8).prop_map(|parts| parts.concat())
}

/// Repositories of few characters, so that patterns match some of them.
fn repository() -> impl Strategy<Value = String> {
    let component = prop_oneof![
        3 => "[abx1]{1,3}",
        1 => "[abx1](-|\\.|_|__)[abx1]",
        1 => select(vec!["nginx", "library", "acme"]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(component, 1..4).prop_map(|components| components.join("/"))
}

#[test]
fn random_filters_serve_what_go_says() {
    let mut runner = TestRunner::default();
    let filter = prop_oneof![
        glued(REGEX_PARTS).prop_map(|pattern| ("regex", pattern)),
        glued(GLOB_PARTS).prop_map(|pattern| ("doublestar", pattern)),
    ];
    let filters: String = (0..RANDOM)
        .map(|_| filter.new_tree(&mut runner).expect("a filter").current())
        .map(|(kind, pattern)| serde_json::json!({"kind": kind, "pattern": pattern}).to_string() + "\n")
        .collect();
    let names: String =
        (0..100).map(|_| repository().new_tree(&mut runner).expect("a name").current() + "\n").collect();
    let names = format!("{NAMES}{names}");
    let Some(table) = generate("random_filters_serve_what_go_says", &filters, &names) else { return };
    let rows = parse(&table);
    let counts = compare(&rows, &names);
    let served = rows.iter().filter(|row| !row.serves.is_empty()).count();
    assert!(
        counts.filters == RANDOM && served > RANDOM / 10,
        "the random filters show little: {counts:?}, {served} serve"
    );
    writeln!(std::io::stderr(), "{counts:?}, {served} serve something: no difference").expect("stderr is open");
}
