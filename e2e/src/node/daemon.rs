//! Programs of the control plane on the host.

use std::{path::Path, process::Stdio};

use anyhow::Result;

use crate::{
    go::NODE,
    process::{ChildProcess, background_command},
};

/// Starts a program of Kubernetes, with its log in a folder.
pub(super) fn start_daemon(name: &str, arguments: &[&str], folder: &Path) -> Result<ChildProcess> {
    let mut command = background_command(NODE.built()?);
    command.arg(name).args(arguments).stdout(Stdio::null());
    ChildProcess::start(name, &mut command, &folder.join(format!("{name}.log")))
}
