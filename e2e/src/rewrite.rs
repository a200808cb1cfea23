//! The real `mimic` command.

use anyhow::{Context, Result, ensure};

use crate::{binaries, process::command};

/// What `mimic` prints with these arguments.
///
/// # Errors
/// When it fails or has something to say beside that.
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

/// What `mimic rewrite` with these options, which name the rules, makes of an image.
///
/// # Errors
/// When it fails or has something to say.
pub fn rewritten(rules: &[&str], image: &str) -> Result<String> {
    let printed = run_mimic(&[&["rewrite"], rules, &["--", image]].concat())?;
    Ok(printed.trim_end().to_owned())
}
