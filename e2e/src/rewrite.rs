//! The real `mimic` command.

use anyhow::{Context, Result, ensure};

use crate::{binaries, process::command};

/// What `mimic rewrite` with these options, which name the rules, makes of an image.
///
/// # Errors
/// When it fails or has something to say.
pub fn rewritten(rules: &[&str], image: &str) -> Result<String> {
    let output = command(binaries::MIMIC.path()?)
        .arg("rewrite")
        .args(rules)
        .args(["--", image])
        .output()
        .context("mimic did not start")?;
    let stdout = String::from_utf8(output.stdout)?;
    let stderr = String::from_utf8(output.stderr)?;
    ensure!(
        output.status.success() && stderr.is_empty(),
        "mimic rewrite {} -- {image}: {}\n{stdout}{stderr}",
        rules.join(" "),
        output.status
    );
    Ok(stdout.trim_end().to_owned())
}
