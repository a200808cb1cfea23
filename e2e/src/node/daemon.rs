//! Programs of the control plane on the host.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context, Result};

use crate::{go::NODE, process::background_command};

/// A program of Kubernetes. It is killed on drop.
#[derive(Debug)]
pub(super) struct Daemon(Child);

impl Daemon {
    /// Starts it, with its log in a folder.
    pub(super) fn start(name: &str, arguments: &[&str], folder: &Path) -> Result<Self> {
        let mut command = background_command(NODE.built()?);
        command.arg(name).args(arguments).process_group(0).stdout(Stdio::null());
        command.stderr(File::create(folder.join(format!("{name}.log")))?);
        command.spawn().map(Self).with_context(|| format!("{name} did not start"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails only if it has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
