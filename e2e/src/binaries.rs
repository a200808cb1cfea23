//! The binaries of the workspace that the tests run, built when needed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, bail, ensure};

/// The directory of the executable's profile, such as `target/debug`.
fn profile_directory() -> Result<PathBuf> {
    let executable = env::current_exe()?;
    let directory = executable.parent().context("the executable is in no directory")?;
    // Tests are in `deps`; programs such as `cluster` are not.
    let is_test = directory.file_name().is_some_and(|name| name == "deps");
    let profile = if is_test { directory.parent() } else { Some(directory) };
    Ok(profile.context("the executable is not in cargo's target directory")?.to_owned())
}

/// Directory for files that outlive the tests. It is next to the profile directories, because Go binaries have no profile.
pub(crate) fn kept_directory() -> Result<PathBuf> {
    let directory = profile_directory()?.parent().context("cargo's target directory has no parent")?.join("e2e");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// A binary of the workspace that the tests run.
pub(crate) struct Binary {
    name: &'static str,
    /// Variable with the path of another binary to test, such as one from a release.
    variable: &'static str,
    path: OnceLock<Result<PathBuf, String>>,
}

pub(crate) static MIMIC: Binary = Binary::new("mimic", "MIMIC_E2E_COMMAND");
pub(crate) static MIMIC_SERVER: Binary = Binary::new("mimic-server", "MIMIC_E2E_SERVER");

impl Binary {
    const fn new(name: &'static str, variable: &'static str) -> Self {
        Self { name, variable, path: OnceLock::new() }
    }

    /// Its path. The first call builds it.
    pub(crate) fn path(&'static self) -> Result<&'static Path> {
        let given = || env::var_os(self.variable).map(PathBuf::from);
        let built = || build(self.name).map_err(|error| format!("{error:#}"));
        match self.path.get_or_init(|| given().map_or_else(built, Ok)) {
            Ok(path) => Ok(path),
            Err(error) => bail!("{error}"),
        }
    }
}

/// Builds a binary of the workspace in the profile of the tests.
fn build(name: &str) -> Result<PathBuf> {
    let directory = profile_directory()?;
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let output = Command::new(env!("CARGO"))
        // For the workspace, because cargo unifies features over all packages of a build: for this package alone, it would
        // rebuild forty crates that `cargo test --workspace` has already built.
        .args(["build", "--locked", "--workspace", "--bin", name])
        .args(["--profile", profile, "--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .context("cargo did not start")?;
    ensure!(output.status.success(), "cargo build failed:\n{}", String::from_utf8_lossy(&output.stderr));
    // From cargo, because a target triple or a configuration file can change it.
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.with_context(|| format!("cargo did not print the path of {name}"))
}
