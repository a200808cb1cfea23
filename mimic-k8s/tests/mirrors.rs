//! Each document of `tests/data/documents` with the rules and problems that are expected of it, first as the server reads
//! it, then as the command does if that differs. To add a case, add its two files.

#![expect(clippy::unwrap_used, reason = "a panic with its line is what a failed test should report")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mimic_core::{Hint as _, Problem, RuleList};
use mimic_k8s::mirrors::{parse_document, parse_document_or_values};

#[test]
fn every_document_has_its_expected_rules_and_problems() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/documents");
    let mut cases: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension != "expected"));
    cases.sort();
    assert!(cases.len() > 5, "the documents are gone");
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&case).unwrap();
        let (server, command) = (parse_document(name, &text), parse_document_or_values(name, &text));
        let (server, command) = (written(server), written(command));
        let read = if server == command { server } else { format!("{server}command:\n{command}") };
        let expected = fs::read_to_string(case.with_file_name(format!("{name}.expected"))).unwrap();
        assert_eq!(read, expected, "{name}");
    }
}

fn written(list: Result<RuleList, Problem>) -> String {
    let mut text = String::new();
    match list {
        Ok(list) => {
            for rule in &list.rules {
                let locations: Vec<&str> = rule.mirrors().iter().map(|mirror| mirror.location().as_str()).collect();
                writeln!(text, "rule: {} -> {}", rule.name(), locations.join(", ")).unwrap();
            }
            for problem in &list.problems {
                writeln!(text, "problem: {}", problem.full_message()).unwrap();
            }
        }
        Err(problem) => writeln!(text, "not parsed: {}", problem.full_message()).unwrap(),
    }
    text
}
