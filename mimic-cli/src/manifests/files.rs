//! The files to rewrite.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mimic_manifests::FileKind;

use crate::args::STDIN;
use crate::output::Output;

/// A file or standard input.
#[derive(Debug)]
pub(crate) struct Input {
    /// For messages.
    pub(crate) name: String,
    /// `None` for standard input.
    pub(crate) path: Option<PathBuf>,
    pub(crate) kind: FileKind,
}

/// The files that the arguments name. Of a folder, all manifests in it and below, in order of their names.
pub(crate) fn inputs(paths: &[PathBuf], out: &mut Output) -> Vec<Input> {
    let mut inputs = Vec::new();
    for path in paths {
        if path == Path::new(STDIN) {
            inputs.push(Input { name: "standard input".to_owned(), path: None, kind: FileKind::Manifest });
        } else if path.is_dir() {
            walk(path, &mut inputs, out);
        } else {
            inputs.push(file(path));
        }
    }
    inputs
}

fn file(path: &Path) -> Input {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Input { name: path.display().to_string(), kind: FileKind::of(&name), path: Some(path.to_owned()) }
}

/// Adds the manifests of a folder, without hidden files, and folders that are symbolic links.
fn walk(folder: &Path, inputs: &mut Vec<Input>, out: &mut Output) {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            out.error(format_args!("cannot read `{}`: {error}", folder.display()));
            return;
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, inputs, out);
        } else if is_manifest(&path) && !path.is_dir() {
            inputs.push(file(&path));
        }
    }
}

fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    FileKind::of(&name) == FileKind::Kustomization
        || path.extension().is_some_and(|extension| matches!(extension.to_str(), Some("yaml" | "yml" | "json")))
}
