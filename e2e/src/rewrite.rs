//! The real `mimic` command.

use anyhow::{Context, Result, ensure};

use crate::{binaries, process::command};

/// The output of `mimic` with these arguments.
///
/// # Errors
/// If it fails, or prints an error or a warning.
pub fn run_mimic(arguments: &[&str]) -> Result<String> {
    let output = command(binaries::MIMIC.path()?).args(arguments).output().context("mimic did not start")?;
    let stdout = String::from_utf8(output.stdout)?;
    let stderr = String::from_utf8(output.stderr)?;
    ensure!(
        output.status.success() && stderr.is_empty(),
        "mimic {}: {}\n{stdout}{stderr}",
        arguments.join(" "),
        output.status
    );
    Ok(stdout)
}

/// The output of `mimic rewrite` for an image, with options for the rules.
///
/// # Errors
/// If it fails, or prints an error or a warning.
pub fn rewritten(rules: &[&str], image: &str) -> Result<String> {
    let printed = run_mimic(&[&["rewrite"], rules, &["--", image]].concat())?;
    Ok(printed.trim_end().to_owned())
}
