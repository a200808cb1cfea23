//! Counts with callgrind.

use std::io::Seek as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::data;
use crate::programs::beside;

/// The case that is not [`work`](super::work), but the `mimic` command with a thousand lines.
pub(super) const COMMAND: &str = "command/rewrite";

/// The function whose instructions are counted. The first `*` stands for its crate, the last for the compiler's suffix.
const MEASURED: &str = "--toggle-collect=*::cases::measured*";
/// Numbers of input lines of the command. The difference is counted, so that its start and end are not.
const LINES: (usize, usize) = (1_000, 2_000);

/// Counts the instructions of `case`, which this program runs when it is called with `--work` and the case's name.
///
/// # Errors
/// When valgrind is missing, or the case fails.
pub fn count(case: &str) -> Result<u64> {
    if case == COMMAND {
        let (fewer, more) = LINES;
        return Ok(command(more)? - command(fewer)?);
    }
    let mut callgrind = callgrind();
    callgrind.arg(MEASURED).arg(std::env::current_exe()?).args(["--work", case]).stdin(Stdio::null());
    collected(callgrind)
}

/// Instructions of `mimic rewrite` for this number of lines, including its start and end.
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

/// Runs callgrind and reads the count from the end of its output.
fn collected(mut callgrind: Command) -> Result<u64> {
    let output = callgrind.output().context("cannot start valgrind")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{callgrind:?}: {log}");
    let count = log.lines().rev().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.filter(|count| *count > 0).with_context(|| format!("nothing was counted: {log}"))
}
