//! Counting, by callgrind.

use std::io::Seek as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::COMMAND;
use crate::data;
use crate::programs::beside;

/// The function in which everything is counted. In front of it is its crate, behind it what the compiler may add.
const MEASURED: &str = "--toggle-collect=*::cases::measured*";
/// Lines that the command is given, the fewer and the more. What the additional thousand takes is counted, and so
/// neither the start nor the end.
const LINES: (usize, usize) = (1_000, 2_000);

/// Counts the instructions of `case`, at which this program works when it is called with `--work` and the case's name.
///
/// # Errors
/// When there is no valgrind, or the work is not done.
pub fn count(case: &str) -> Result<u64> {
    if case == COMMAND {
        let (fewer, more) = LINES;
        return Ok(command(more)? - command(fewer)?);
    }
    let mut callgrind = callgrind();
    callgrind.arg(MEASURED).arg(std::env::current_exe()?).args(["--work", case]).stdin(Stdio::null());
    collected(callgrind)
}

/// What `mimic rewrite` takes for so many lines, start and end included.
fn command(lines: usize) -> Result<u64> {
    let mut input = tempfile::tempfile()?;
    data::write_references(&mut input, lines)?;
    input.rewind()?;
    let mut callgrind = callgrind();
    callgrind.arg(beside("mimic")?).args(["rewrite", "--file", data::MIRRORS_FILE]).stdin(input);
    collected(callgrind)
}

fn callgrind() -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).stdout(Stdio::null());
    command
}

/// Runs it, and reads what it counted from its last words.
fn collected(mut callgrind: Command) -> Result<u64> {
    let output = callgrind.output().context("valgrind cannot be started")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{callgrind:?}: {words}");
    let count = words.lines().rev().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.filter(|count| *count > 0).with_context(|| format!("nothing was counted: {words}"))
}
