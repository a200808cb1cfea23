//! The shipped files, and the commands that users run on them.

use std::{
    env, fs,
    io::ErrorKind,
    iter,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{Cluster, Helm, Kubectl, process::command, wait::eventually_within};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

/// The file that `deploy/scripts/webhook-patch-ca-bundle.sh` writes.
const GENERATED: &str = "deploy/manifests/mutatingwebhookconfiguration-cabundle.yaml";

/// A copy of the folder `deploy`, in a directory that represents the repository.
pub struct Checkout<'c> {
    cluster: &'c Cluster,
    directory: TempDir,
    has_helm: bool,
}

impl<'c> Checkout<'c> {
    /// Creates a copy for a cluster.
    pub fn new(cluster: &'c Cluster) -> Result<Self> {
        let directory = TempDir::with_prefix("mimic-e2e-checkout-")?;
        copy(Path::new(DEPLOY), &directory.path().join("deploy"))?;
        match fs::remove_file(directory.path().join(GENERATED)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            // It did not exist, or was for another cluster.
            _ => Ok(Self { cluster, directory, has_helm: false }),
        }
    }

    /// The same, with `helm` in the search path. `None` if it is not available: then the test is skipped.
    pub fn with_helm(cluster: &'c Cluster) -> Result<Option<Self>> {
        let Some(helm) = Helm::available()? else { return Ok(None) };
        let checkout = Self::new(cluster)?;
        fs::create_dir(checkout.tools())?;
        symlink(helm.binary(), checkout.tools().join("helm"))?;
        Ok(Some(Self { has_helm: true, ..checkout }))
    }

    /// Folder of commands that the host does not have.
    fn tools(&self) -> PathBuf {
        self.path().join(".tools")
    }

    /// The cluster of the commands.
    pub fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// The root folder.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a command line in the root folder, as an administrator.
    ///
    /// # Errors
    /// If it fails, with its output.
    pub fn run(&self, line: &str) -> Result<Kubectl> {
        let (succeeded, output) = self.try_run(line)?;
        ensure!(succeeded, "{line} failed:\n{}{}", output.stdout, output.stderr);
        Ok(output)
    }

    /// The same, concurrently with the test.
    ///
    /// # Errors
    /// If it fails.
    pub async fn run_meanwhile(&self, line: &str) -> Result<()> {
        let mut child = self.shell(line).stdout(Stdio::null()).spawn().context("bash did not start")?;
        let mut status = None;
        eventually_within(line, Duration::from_mins(5), async || {
            status = child.try_wait()?;
            Ok(status.is_some())
        })
        .await?;
        ensure!(status.is_some_and(|status| status.success()), "{line} failed");
        Ok(())
    }

    /// Runs a command line that fails, and returns its error message.
    ///
    /// # Errors
    /// If it succeeds.
    pub fn fails(&self, line: &str) -> Result<String> {
        let (succeeded, output) = self.try_run(line)?;
        ensure!(!succeeded, "{line} succeeded:\n{}{}", output.stdout, output.stderr);
        Ok(output.stderr)
    }

    fn shell(&self, line: &str) -> Command {
        let mut shell = command("bash");
        shell
            .args(["-c", line])
            .current_dir(self.path())
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .env("KUBECACHEDIR", self.path().join("cache"));
        if self.has_helm {
            let path = env::var_os("PATH").unwrap_or_default();
            let path = iter::once(self.tools()).chain(env::split_paths(&path));
            // Cannot fail: the directories come from a PATH.
            shell.env("PATH", env::join_paths(path).unwrap_or_default());
            shell.env("HOME", self.tools());
        }
        shell
    }

    fn try_run(&self, line: &str) -> Result<(bool, Kubectl)> {
        let output = self.shell(line).output().context("bash did not start")?;
        let printed = Kubectl { stdout: String::from_utf8(output.stdout)?, stderr: String::from_utf8(output.stderr)? };
        Ok((output.status.success(), printed))
    }
}

/// Copies a folder. Fails on links, because not all tools that distribute files support them.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        let kind = entry.file_type()?;
        ensure!(!kind.is_symlink(), "{} is a link", entry.path().display());
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
