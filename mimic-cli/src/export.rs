//! `mimic export`

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context as _;
use mimic_formats::{Exported, ExportedFile, export};
use serde::Serialize;

use crate::args::ExportArgs;
use crate::output::{Format, Output};
use crate::rules;

#[derive(Serialize)]
struct Json<'a> {
    files: Vec<JsonFile<'a>>,
    warnings: &'a [String],
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonFile<'a> {
    path: &'a str,
    text: &'a str,
}

pub(crate) fn run(args: ExportArgs, out: &mut Output) -> anyhow::Result<()> {
    let Some(rewriter) = rules::load(args.rules, &args.harbor, out)? else { return Ok(()) };
    let exported = export(args.to, rewriter.rules().map(|rule| rule.rule));
    if out.format() == Format::Text || args.out.is_some() {
        for warning in &exported.warnings {
            out.warning(warning);
        }
        if let Some(note) = &exported.note {
            out.note(note);
        }
    }
    if args.strict && !exported.warnings.is_empty() {
        out.fail();
        return Ok(());
    }
    match &args.out {
        Some(directory) => write_all(directory, &exported.files, args.force, out),
        None => print(&exported, out),
    }
}

fn print(exported: &Exported, out: &mut Output) -> anyhow::Result<()> {
    if out.format() == Format::Json {
        let files = exported.files.iter().map(|ExportedFile { path, text }| JsonFile { path, text }).collect();
        let json = Json { files, warnings: &exported.warnings, note: exported.note.as_deref() };
        return Ok(out.json(&json)?);
    }
    let several = exported.files.len() > 1;
    for (number, ExportedFile { path, text }) in exported.files.iter().enumerate() {
        if several {
            let gap = if number == 0 { "" } else { "\n" };
            out.text(format_args!("{gap}# {path}"));
        }
        out.results().extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// Writes all files, or none if one exists and may not be replaced. Prints their paths.
fn write_all(directory: &Path, files: &[ExportedFile], force: bool, out: &mut Output) -> anyhow::Result<()> {
    let targets: Vec<(PathBuf, &str)> =
        files.iter().map(|file| (directory.join(&file.path), file.text.as_str())).collect();
    let is_same = |path: &Path, text: &str| fs::read(path).is_ok_and(|content| content == text.as_bytes());
    let mut in_the_way = targets.iter().filter(|(path, text)| path.exists() && !is_same(path, text));
    if let Some((path, _)) = in_the_way.next().filter(|_| !force) {
        anyhow::bail!("`{}` exists and is different (hint: `--force` replaces it)", path.display());
    }
    for (path, text) in targets {
        write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        out.text(path.display());
    }
    Ok(())
}

/// Writes a file beside, then renames it, so that no reader sees a part of it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = directory.join(format!(".{name}.{}", process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.inspect_err(|_| drop(fs::remove_file(&beside)))
}
