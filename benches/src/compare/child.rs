//! What a program takes, from its start to its end.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::cpu;

/// Runs a program of one thread, and returns the processor time that it took.
pub(super) fn time(command: &mut Command) -> Result<Duration> {
    let mut child =
        command.spawn().with_context(|| format!("{} cannot be started", command.get_program().display()))?;
    let pid = Pid::from_child(&child);
    // Its time is known until somebody asks how it ended.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let time = cpu::process_time(child.id());
    let status = child.wait()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(time?)
}
