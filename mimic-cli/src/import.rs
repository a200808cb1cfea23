//! `mimic import`

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use mimic_config::files;
use mimic_core::internal::text::decode;
use mimic_core::{Hint as _, Problem};
use mimic_formats::{ImportFormat, Imported, SourceFile, import};
use serde::Serialize;

use crate::args::{ImportArgs, STDIN};
use crate::output::{Format, Output};

/// Largest file, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Most directories in one another.
const MAX_DEPTH: usize = 16;

#[derive(Serialize)]
struct Json<'a> {
    /// The content of a `mirrors.yaml`.
    mirrors: &'a str,
    warnings: Vec<JsonProblem<'a>>,
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonProblem<'a> {
    file: &'a str,
    line: Option<usize>,
    message: &'a str,
    hint: Option<String>,
}

pub(crate) fn run(args: &ImportArgs, out: &mut Output) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for path in &args.paths {
        if let Err(problem) = find(args.from, path, &mut found) {
            out.error(problem.full_message());
        }
    }
    let mut sources = Vec::new();
    for path in found {
        match read(args.from, &path) {
            Ok(source) => sources.push(source),
            Err(problem) => out.error(problem.full_message()),
        }
    }
    if out.failed() {
        return Ok(());
    }
    let sources: Vec<SourceFile<'_>> = sources.iter().map(|(name, text)| SourceFile { name, text }).collect();
    match import(args.from, &sources) {
        Ok(imported) => print(&imported, args.strict, out)?,
        Err(problems) => problems.iter().for_each(|problem| out.error(problem.full_message())),
    }
    Ok(())
}

fn print(imported: &Imported, strict: bool, out: &mut Output) -> io::Result<()> {
    if strict && !imported.warnings.is_empty() {
        out.fail();
    }
    if out.format() == Format::Text {
        for warning in &imported.warnings {
            out.warning(warning.full_message());
        }
        if let Some(note) = &imported.note {
            out.note(note);
        }
        out.results().extend_from_slice(imported.mirrors.as_bytes());
        return Ok(());
    }
    let warnings = imported.warnings.iter().map(|warning| JsonProblem {
        file: warning.origin(),
        line: warning.line(),
        message: warning.message(),
        hint: warning.hint().map(Into::into),
    });
    out.json(&Json { mirrors: &imported.mirrors, warnings: warnings.collect(), note: imported.note.as_deref() })
}

/// Adds the files that a path stands for.
fn find(format: ImportFormat, path: &Path, found: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let before = found.len();
    if path == Path::new(STDIN) || !path.is_dir() {
        found.push(path.to_owned());
        if format == ImportFormat::RegistriesConf && path != Path::new(STDIN) {
            let mut directory = path.as_os_str().to_owned();
            directory.push(".d");
            let directory = PathBuf::from(directory);
            if directory.is_dir() {
                collect(&directory, &|name| has_extension(name, &["conf"]), 1, found)?;
            }
        }
        return Ok(());
    }
    match format {
        ImportFormat::HostsToml => collect(path, &|name| name == Path::new("hosts.toml"), MAX_DEPTH, found)?,
        ImportFormat::RegistriesConf => {
            let main = path.join("registries.conf");
            if main.is_file() {
                return find(format, &main, found);
            }
            collect(path, &|name| has_extension(name, &["conf"]), 1, found)?;
        }
        _ => collect(path, &|name| has_extension(name, &["yaml", "yml", "json"]), MAX_DEPTH, found)?,
    }
    if found.len() == before {
        let name = path.display().to_string();
        return Err(Problem::new(&name, format!("the directory has no file for `{}`", format.as_str())));
    }
    Ok(())
}

/// Adds the files of a directory, in the order of their names.
fn collect(
    directory: &Path,
    is_wanted: &impl Fn(&Path) -> bool,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), Problem> {
    let problem = |error: io::Error| unreadable(directory, &error);
    let entries = fs::read_dir(directory).map_err(problem)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(problem)?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if depth > 1 {
                collect(&path, is_wanted, depth - 1, found)?;
            }
        } else if path.file_name().is_some_and(|name| is_wanted(Path::new(name))) {
            found.push(path);
        }
    }
    Ok(())
}

fn has_extension(name: &Path, extensions: &[&str]) -> bool {
    name.extension().and_then(OsStr::to_str).is_some_and(|extension| extensions.contains(&extension))
}

/// The name and the text of a file.
fn read(format: ImportFormat, path: &Path) -> Result<(String, String), Problem> {
    let is_stdin = path == Path::new(STDIN);
    let bytes = if is_stdin {
        let mut bytes = Vec::new();
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
    } else {
        files::read(path, MAX_BYTES)
    };
    let mut name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let bytes = bytes.map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Problem::new(&name, format!("larger than {} MiB", MAX_BYTES >> 20)));
    }
    let text = decode(&bytes).map_err(|error| Problem::from_error(&name, &error))?.to_owned();
    // The directory of the file is the registry.
    if format == ImportFormat::HostsToml
        && !is_stdin
        && path.parent().is_none_or(|parent| parent.file_name().is_none())
        && let Ok(directory) = env::current_dir()
    {
        name = directory.join(path).display().to_string();
    }
    Ok((name, text))
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(&path.display().to_string(), format!("cannot read it: {error}"))
}
