//! The manifests in `tests/data/cases`. `NAME.expected` is the manifest after rewriting, with the notes at its end.
//!
//! Set `MIMIC_UPDATE_CASES=1` to write the expected files, and review their difference.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use mimic_core::{Rewriter, parse_rules_file};
use mimic_k8s::admission::ReviewSettings;
use mimic_manifests::{Documents, FileKind, ImagePaths, Manifests, Severity};

/// What comes before the notes in an expected file.
const NOTES: &str = "\n=== notes\n";

/// The manifest after rewriting, and a list of its notes and changes.
fn rewrite(bytes: &[u8], file: FileKind, manifests: &Manifests<'_>) -> (Vec<u8>, String) {
    let mut documents = Documents::new(bytes);
    let (mut output, mut notes) = (Vec::new(), String::new());
    while let Some(document) = documents.next_document().unwrap() {
        let rewritten = manifests.rewrite(&document, file);
        output.extend_from_slice(&rewritten.apply(document.bytes));
        for note in rewritten.notes {
            let severity = if note.severity == Severity::Error { "error" } else { "warning" };
            writeln!(notes, "{severity}: {note}").unwrap();
        }
        for change in rewritten.changes {
            writeln!(
                notes,
                "{}:{}: {} -> {} ({})",
                change.line, change.column, change.before, change.after, change.rule
            )
            .unwrap();
        }
    }
    (output, notes)
}

#[test]
fn awkward_manifests_change_only_in_their_images() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let text = fs::read_to_string(data.join("mirrors.yaml")).unwrap();
    let list = parse_rules_file("mirrors.yaml", &text).unwrap();
    assert!(list.problems.is_empty(), "{:?}", list.problems);
    let rewriter = Rewriter::new([("mirrors.yaml", list.rules.into())]);
    let mut paths = ImagePaths::built_in();
    for path in ["/spec/parts/*/image", "/spec/named/*/image", "/spec/images/*", "/spec/images/0"] {
        paths.add(format!("Machine.example.com:{path}").parse().unwrap());
    }
    let settings = ReviewSettings::default();
    let manifests = Manifests { rewriter: &rewriter, settings: &settings, paths: &paths, namespace: None };

    let files = fs::read_dir(data.join("cases")).unwrap().map(|entry| entry.unwrap().path());
    let mut inputs: Vec<PathBuf> =
        files.filter(|path| path.extension().is_none_or(|extension| extension != "expected")).collect();
    inputs.sort();
    assert!(inputs.len() >= 60, "{} cases", inputs.len());
    let mut wrong = Vec::new();
    for input in inputs {
        let name = input.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(&input).unwrap();
        let (mut found, notes) = rewrite(&bytes, FileKind::of(name), &manifests);
        // A second run has nothing to do, because mirrored images are final.
        let (again, _) = rewrite(&found, FileKind::of(name), &manifests);
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&found), "{name} again");
        found.extend_from_slice(NOTES.as_bytes());
        found.extend_from_slice(notes.as_bytes());
        let expected = input.with_file_name(format!("{name}.expected"));
        if env::var_os("MIMIC_UPDATE_CASES").is_some() {
            fs::write(&expected, &found).unwrap();
        } else if fs::read(&expected).ok().as_ref() != Some(&found) {
            wrong.push(format!("{name}:\n{}", String::from_utf8_lossy(&found)));
        }
    }
    assert!(wrong.is_empty(), "differ from the expected files:\n{}", wrong.join("\n"));
}
