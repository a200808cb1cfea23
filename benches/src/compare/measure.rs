//! Measures one subject once.

use std::fs::File;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use mimic_core::{ImageRef, Rewriter};
use oci_spec::distribution::Reference;
use tempfile::{NamedTempFile, TempDir};

use super::child;
use super::subject::Subject;
use crate::programs::beside;
use crate::{cpu, data};

/// How often Mimic processes the thirty references in a round.
const PASSES: u32 = 20_000;
/// How often the libraries do, which take longer.
const LIBRARY_PASSES: u32 = 2_000;
/// Lines of the command's input.
const LINES: u32 = 1_000_000;

/// The data and programs for all measurements.
#[derive(Debug)]
pub struct Bench {
    references: Vec<&'static str>,
    few: Rewriter,
    many: Rewriter,
    lines: NamedTempFile,
    mimic: PathBuf,
    go: Option<PathBuf>,
    _go_folder: TempDir,
}

impl Bench {
    /// Prepares them; builds the Go program if Go is installed.
    ///
    /// # Errors
    /// When something cannot be prepared.
    pub fn new() -> Result<Self> {
        let lines = NamedTempFile::new()?;
        data::write_references(lines.as_file(), usize::try_from(LINES)?)?;
        let rules = |more| {
            let list = mimic_core::parse_rules_file("mirrors.yaml", &data::mirrors(more));
            Ok(data::rewriter(list.map_err(|problem| anyhow!("{problem}"))?.rules.into())) as Result<_>
        };
        let folder = tempfile::tempdir()?;
        let go = build_go(&folder)?;
        Ok(Self {
            references: data::references(),
            few: rules(0)?,
            many: rules(10_000)?,
            lines,
            mimic: beside("mimic")?,
            go,
            _go_folder: folder,
        })
    }

    /// Nanoseconds of processor time per reference.
    ///
    /// # Errors
    /// When it cannot be measured.
    pub(super) fn measure(&self, subject: Subject) -> Result<Option<f64>> {
        let valid = self.references.len();
        Ok(Some(match subject {
            Subject::Parse => self.passes(PASSES, |image| ImageRef::parse(image).is_ok())?,
            Subject::OciSpec => self.passes(LIBRARY_PASSES, |image| Reference::from_str(image).is_ok())?,
            Subject::Rewrite => self.rewrite(&self.few)?,
            Subject::RewriteMany => self.rewrite(&self.many)?,
            Subject::Command => {
                let mut command = Command::new(&self.mimic);
                self.lines(command.args(["rewrite", "--file", data::MIRRORS_FILE]).stderr(Stdio::null()))?
            }
            Subject::Count => self.lines(Command::new("wc").arg("-l"))?,
            Subject::Sed => self.lines(Command::new("sed").arg("s,^,harbor.example.com/,"))?,
            Subject::Go => {
                let Some(program) = &self.go else { return Ok(None) };
                let output =
                    Command::new(program).args([data::REFERENCES_FILE, &LIBRARY_PASSES.to_string()]).output()?;
                let output = String::from_utf8(output.stdout)?;
                let (time, parsed) = output.trim().split_once(' ').context("unexpected output of the Go program")?;
                ensure!(parsed.parse::<usize>()? == valid, "Go accepts {parsed} of {valid} references");
                self.per_reference(Duration::from_nanos(time.parse()?), LIBRARY_PASSES)
            }
        }))
    }

    fn rewrite(&self, rewriter: &Rewriter) -> Result<f64> {
        let context = mimic_core::Context::default();
        self.passes(PASSES, |image| !black_box(rewriter.rewrite(image, &context)).as_str().is_empty())
    }

    /// Processes all references in `passes` passes; each must be `done`.
    fn passes(&self, passes: u32, done: impl Fn(&'static str) -> bool) -> Result<f64> {
        let before = cpu::thread_time();
        for _ in 0..passes {
            for reference in &self.references {
                ensure!(done(black_box(reference)), "not done: {reference}");
            }
        }
        Ok(self.per_reference(cpu::thread_time().saturating_sub(before), passes))
    }

    fn per_reference(&self, time: Duration, passes: u32) -> f64 {
        let count = f64::from(passes) * f64::from(u32::try_from(self.references.len()).unwrap_or(u32::MAX));
        1e9 * time.as_secs_f64() / count
    }

    /// Runs a program on all lines.
    fn lines(&self, command: &mut Command) -> Result<f64> {
        let time = child::time(command.stdin(File::open(self.lines.path())?).stdout(Stdio::null()))?;
        Ok(1e9 * time.as_secs_f64() / f64::from(LINES))
    }
}

/// Builds the program in `reference`; `None` if Go is not installed.
fn build_go(folder: &TempDir) -> Result<Option<PathBuf>> {
    let program = folder.path().join("reference-time");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/reference");
    match Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status() {
        Ok(status) => {
            ensure!(status.success(), "cannot build the Go program");
            Ok(Some(program))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
