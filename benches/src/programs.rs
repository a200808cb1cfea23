//! The measured programs.

use std::path::PathBuf;

use anyhow::{Result, ensure};

/// The path of a program in the folder of the running one.
///
/// # Errors
/// When it was not built.
pub fn beside(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    ensure!(
        program.exists(),
        "no `{}`; build it: cargo build --release -p mimic-benches -p mimic-cli",
        program.display()
    );
    Ok(program)
}
