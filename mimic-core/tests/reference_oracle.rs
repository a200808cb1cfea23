//! `ImageRef` against the Go library itself, live. Runs with `MIMIC_GO_ORACLE=1`, and needs Go.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

#[path = "reference/agreement.rs"]
mod agreement;
#[path = "reference/strings.rs"]
mod strings;
#[path = "reference/table.rs"]
mod table;

const STRINGS: usize = 20_000;

/// The generator of the table, built; `None` if the test is not requested.
static GENERATOR: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    if std::env::var_os("MIMIC_GO_ORACLE").is_none_or(|value| value != "1") {
        return None;
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reference-table");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/reference/generate");
    let status = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status();
    let status = status.expect("MIMIC_GO_ORACLE=1 needs `go` on the PATH");
    assert!(status.success(), "the generator of the table does not build: {status}");
    Some(program)
});

fn generator(test: &str) -> Option<Command> {
    let command = GENERATOR.as_ref().map(Command::new);
    if command.is_none() {
        // Written to the handle itself: the test harness would hide what `eprintln!` prints.
        writeln!(std::io::stderr(), "{test}: SKIPPED, MIMIC_GO_ORACLE=1 is not set").expect("stderr is open");
    }
    command
}

fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().expect("the generator starts");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("the generator writes ASCII")
}

#[test]
fn random_strings_mean_what_the_go_library_says() {
    let Some(mut generator) = generator("random_strings_mean_what_the_go_library_says") else { return };
    let strategy = prop_oneof![strings::glued(), strings::well_formed(), strings::damaged(), strings::arbitrary(),];
    let mut runner = TestRunner::default();
    let lines: String = (0..STRINGS)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .map(|image| serde_json::to_string(&image).unwrap() + "\n")
        .collect();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reference-strings.jsonl");
    fs::write(&path, lines).unwrap();

    let answers = table::parse(&output(generator.arg("-stdin").stdin(File::open(&path).unwrap())));
    assert_eq!(answers.len(), STRINGS);
    agreement::assert_agreement(&answers);
    let valid = answers.iter().filter(|answer| answer.expected().is_ok()).count();
    assert!(valid > STRINGS / 10, "only {valid} of {STRINGS} random strings are references: the strings show little");
    writeln!(std::io::stderr(), "{STRINGS} random strings ({valid} of them references): no difference").unwrap();
}

#[test]
fn the_table_is_what_the_go_library_says() {
    let Some(mut generator) = generator("the_table_is_what_the_go_library_says") else { return };
    let table = include_str!("data/reference/cases.jsonl");
    assert!(output(&mut generator) == table, "cases.jsonl is stale: generate it as data/reference/README.md describes");
}
