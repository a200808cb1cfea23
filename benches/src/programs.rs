//! Programs that are measured.

use std::path::PathBuf;

use anyhow::{Result, ensure};

/// A program that was built together with the one that is running.
///
/// # Errors
/// When it was not.
pub fn beside(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    ensure!(
        program.exists(),
        "no `{}`; build it: cargo build --release -p mimic-benches -p mimic-cli",
        program.display()
    );
    Ok(program)
}
