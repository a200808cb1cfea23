//! The real `mimic` command.

use anyhow::{Context, Result, ensure};

use crate::{binaries, process::command};

/// The output of `mimic` with these arguments.
///
/// # Errors
/// If it fails, or prints an error or a warning.
pub fn run_mimic(arguments: &[&str]) -> Result<String> {
    run_mimic_with(&[], arguments)
}

/// The same with these variables.
pub(crate) fn run_mimic_with(variables: &[(String, String)], arguments: &[&str]) -> Result<String> {
    let variables = variables.iter().map(|(name, value)| (name, value));
    let mut command = command(binaries::MIMIC.path()?);
    let output = command.envs(variables).args(arguments).output().context("mimic did not start")?;
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
