//! The page of log messages agrees with the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

const PAGE: &str = include_str!("../../../docs/logs.md");

/// Levels and messages of the log lines in all files below `folder`.
fn logged(folder: &Path, messages: &mut BTreeSet<(String, String)>) {
    // The message is the literal that ends the call.
    let call = Regex::new(r#"(?s)log::(error|warn|info|debug|trace)!\(.*?"([^"]*)"\s*\)"#).unwrap();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            logged(&entry.path(), messages);
            continue;
        }
        let code = fs::read_to_string(entry.path()).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let begun = code.split("log::").skip(1).filter(|call| {
            let name = call.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
            call[name.len()..].starts_with("!(")
        });
        assert_eq!(call.captures_iter(code).count(), begun.count(), "in {}", entry.path().display());
        messages.extend(call.captures_iter(code).map(|found| (found[1].to_owned(), found[2].to_owned())));
    }
}

#[test]
fn every_message_is_on_the_page_with_its_level_and_no_other() {
    let mut messages = BTreeSet::new();
    for name in ["mimic-core", "mimic-harbor", "mimic-k8s", "mimic-server"] {
        logged(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"), &mut messages);
    }

    let row = Regex::new(r"(?m)^\| (`[^|]+`) \| ([a-z, ]+) \|").unwrap();
    let message = Regex::new("`([^`]+)`").unwrap();
    let table = PAGE.split("\n## ").find(|part| part.starts_with("Messages\n")).expect("the page lists messages");
    let mut listed = BTreeSet::new();
    for found in row.captures_iter(table) {
        for level in found[2].split(", ") {
            listed.extend(message.captures_iter(&found[1]).map(|text| (level.to_owned(), text[1].to_owned())));
        }
    }
    assert_eq!(messages, listed);
}
