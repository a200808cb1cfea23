//! Damaged files give errors or warnings, never a panic, and never rules that do not load.

use std::fs;
use std::path::{Path, PathBuf};

use mimic_core::parse_rules_file;
use mimic_formats::{ImportFormat, SourceFile, import};

/// Mutations of each sample.
const ROUNDS: usize = 60;

/// A small generator, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % limit.max(1)
    }
}

const PIECES: [&str; 24] = [
    "\n", " ", ":", "/", "@", "\"", "'", "[", "]", "{", "}", "#", "*", "$1", "(", ")", "-", "=", "::", "https://",
    "\u{7f}", "é", "..", "|",
];

fn mutated(text: &str, random: &mut Random) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(text.len() + 1);
        match random.below(3) {
            0 => drop(text.drain(at..(at + random.below(12)).min(text.len()))),
            1 => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].chars())),
            _ => {
                let from = random.below(text.len() + 1);
                let copy = text[from..(from + random.below(40)).min(text.len())].to_vec();
                drop(text.splice(at..at, copy));
            }
        }
    }
    text.into_iter().collect()
}

fn samples(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            samples(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn damaged_files_never_panic_and_give_rules_that_load() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for format in ImportFormat::ALL {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format.as_str());
        let mut paths = Vec::new();
        samples(&root, &mut paths);
        paths.sort();
        let mut imported_any = false;
        for path in paths {
            let text = fs::read_to_string(&path).unwrap();
            for _ in 0..ROUNDS {
                let text = mutated(&text, &mut random);
                let file = SourceFile { name: "quay.io/hosts.toml", text: &text };
                let Ok(imported) = import(*format, &[file]) else { continue };
                let list = parse_rules_file("mirrors.yaml", &imported.mirrors)
                    .unwrap_or_else(|problem| panic!("{problem}\n{text}\n{}", imported.mirrors));
                assert!(list.problems.is_empty(), "{:?}\n{text}\n{}", list.problems, imported.mirrors);
                imported_any |= !list.rules.is_empty();
            }
        }
        assert!(imported_any, "{}", format.as_str());
    }
}
