//! The programs that the tests run, built when needed.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, bail, ensure};
use openssl::sha::Sha256;

use crate::tools::announce;

/// Kubernetes used as a library does not know its version unless it is linked in.
const LINKER_FLAGS: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.35.4";

/// The directory of the test executable's profile, such as `target/debug`.
fn profile_directory() -> Result<PathBuf> {
    let executable = env::current_exe()?;
    let deps = executable.parent().context("the test executable is in no directory")?;
    Ok(deps.parent().context("the test executable is not in cargo's `deps`")?.to_owned())
}

/// Where the tests keep what outlives them: beside the profiles' directories, since Go's binary has no profile.
pub(crate) fn kept_directory() -> Result<PathBuf> {
    let directory = profile_directory()?.parent().context("cargo's target directory has no parent")?.join("e2e");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Where the control plane of these very sources is, or will be.
pub(crate) fn control_plane() -> Result<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(control_plane_sources())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "go" || extension == "mod" || extension == "sum") {
            files.push(path);
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(LINKER_FLAGS.as_bytes());
    for path in files {
        let text = fs::read(&path)?;
        let name = path.file_name().unwrap_or_default();
        hash.update(format!("\n{} {}\n", name.display(), text.len()).as_bytes());
        hash.update(&text);
    }
    let digest = hash.finish();
    // Eight of its bytes tell the few sets of sources of a checkout apart.
    let key = u64::from_be_bytes(digest[..8].try_into()?);
    Ok(kept_directory()?.join(format!("controlplane-{key:016x}")))
}

fn control_plane_sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane"))
}

/// Builds the control plane, unless another test binary has done so by the time that it may.
pub(crate) fn build_control_plane(binary: &Path) -> Result<()> {
    let directory = kept_directory()?;
    let lock = File::create(directory.join("build.lock"))?;
    lock.lock()?;
    if binary.exists() {
        return Ok(());
    }
    announce("building the kube-apiserver for end-to-end tests with Go; the first time takes 5 to 8 minutes");
    let unfinished = directory.join("unfinished");
    let output = Command::new("go")
        .args(["build", "-trimpath", "-ldflags", LINKER_FLAGS, "-o"])
        .args([unfinished.as_path(), Path::new(".")])
        .current_dir(control_plane_sources())
        .env("CGO_ENABLED", "0")
        .output()
        .context("go did not start")?;
    ensure!(output.status.success(), "go build failed:\n{}", String::from_utf8_lossy(&output.stderr));
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        // A hundred megabytes each: only the one of the present sources is worth keeping.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("controlplane-")) {
            fs::remove_file(path)?;
        }
    }
    fs::rename(unfinished, binary)?;
    Ok(())
}

/// A binary of the workspace that the tests run.
pub(crate) struct Binary {
    name: &'static str,
    /// Names another one to test, such as one from a release.
    variable: &'static str,
    path: OnceLock<Result<PathBuf, String>>,
}

pub(crate) static MIMIC: Binary = Binary::new("mimic", "MIMIC_E2E_COMMAND");
pub(crate) static MIMIC_SERVER: Binary = Binary::new("mimic-server", "MIMIC_E2E_SERVER");

impl Binary {
    const fn new(name: &'static str, variable: &'static str) -> Self {
        Self { name, variable, path: OnceLock::new() }
    }

    /// Where it is. The first to ask has it built.
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
        // For the workspace, since cargo unites the features of what it builds at once: for this package alone, it would
        // build forty crates that `cargo test --workspace` has built already.
        .args(["build", "--locked", "--workspace", "--bin", name])
        .args(["--profile", profile, "--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .context("cargo did not start")?;
    ensure!(output.status.success(), "cargo build failed:\n{}", String::from_utf8_lossy(&output.stderr));
    // Asked from cargo, since a target triple or a configuration file may move it.
    let messages = String::from_utf8(output.stdout)?;
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.with_context(|| format!("cargo did not say where it put {name}"))
}
