//! The processor time of a program, from its start to its end.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::cpu;

/// Runs a single-threaded program and returns its processor time.
pub(super) fn time(command: &mut Command) -> Result<Duration> {
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
    let pid = Pid::from_child(&child);
    // Its time can be read until its exit status is collected.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let time = cpu::process_time(child.id());
    let status = child.wait()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(time?)
}
