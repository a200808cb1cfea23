//! Every folder in `data/FORMAT` has files of another tool and what becomes of them: the rules, the warnings, the note, and the
//! decisions for the images in `images.txt`. A new case is a new folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use mimic_core::{Context, Hint as _, Rewriter, parse_rules_file};
use mimic_formats::{ImportFormat, SourceFile, import};

const EXPECTED: &str = "expected.txt";
const IMAGES: &str = "images.txt";

#[test]
fn files_of_other_tools_give_the_expected_rules() {
    let mut count = 0;
    for format in ImportFormat::ALL {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format.as_str());
        for case in sorted(&directory) {
            let found = imported(*format, &case);
            let path = case.join(EXPECTED);
            if env::var_os("MIMIC_UPDATE_GOLDEN").is_some() {
                fs::write(&path, &found).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(found, expected, "{}: run MIMIC_UPDATE_GOLDEN=1 cargo test -p mimic-formats", case.display());
            count += 1;
        }
        assert!(count > 0, "{}", format.as_str());
    }
}

/// What becomes of the files of a case.
fn imported(format: ImportFormat, case: &Path) -> String {
    let mut files = Vec::new();
    collect(case, case, &mut files);
    let files: Vec<SourceFile<'_>> = files.iter().map(|(name, text)| SourceFile { name, text }).collect();
    let imported = match import(format, &files) {
        Ok(imported) => imported,
        Err(problems) => {
            return problems.iter().fold(String::new(), |mut out, problem| {
                writeln!(out, "error: {}", problem.full_message()).unwrap();
                out
            });
        }
    };
    let mut out = imported.mirrors.clone();
    for warning in &imported.warnings {
        writeln!(out, "warning: {}", warning.full_message()).unwrap();
    }
    if let Some(note) = &imported.note {
        writeln!(out, "note: {note}").unwrap();
    }
    let list = parse_rules_file("mirrors.yaml", &imported.mirrors).unwrap();
    assert!(list.problems.is_empty(), "{}: {:?}", case.display(), list.problems);
    let rewriter = Rewriter::new([("import", list.rules.into())]);
    let images = fs::read_to_string(case.join(IMAGES)).unwrap_or_default();
    for image in images.lines() {
        writeln!(out, "{image} -> {}", rewriter.rewrite(image, &Context::default()).rewritten().unwrap_or("unchanged"))
            .unwrap();
    }
    out
}

/// The files of a case in the order of their names, with their paths in it.
fn collect(root: &Path, directory: &Path, files: &mut Vec<(String, String)>) {
    for path in sorted(directory) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            collect(root, &path, files);
        } else if name != EXPECTED && name != IMAGES {
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
