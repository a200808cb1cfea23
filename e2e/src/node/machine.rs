//! Namespaces that behave like a machine: all that runs in them ends with them.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::process::{ChildProcess, background_command};

/// Its first process.
const INIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/node/init.sh");

/// The cgroup with those of all machines.
const CGROUP: &str = "mimic-e2e";

/// A machine that is switched on. Drop switches it off.
#[derive(Debug)]
pub(super) struct Machine {
    process: ChildProcess,
    commands: ChildStdin,
    init: u32,
    name: String,
}

impl Machine {
    /// Switches it on, with its disk in `directory`.
    pub(super) fn boot(name: &str, directory: &Path) -> Result<Self> {
        let log = directory.join("init.log");
        let mut command = background_command("bash");
        command.arg(INIT).arg(format!("{CGROUP}/{name}")).arg(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = ChildProcess::start("bash", &mut command, &log)?;
        let (commands, output) = process.pipes()?;
        let mut machine = Self { process, commands, init: 0, name: name.to_owned() };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(line == "ready\n", "the machine {name} did not start: {}", fs::read_to_string(&log)?);
        // The first process in the namespaces is the child of the one that created them.
        let id = machine.process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        machine.init = children.trim().parse().with_context(|| format!("one process: `{children}`"))?;
        Ok(machine)
    }

    /// Its first process, as the host numbers it.
    pub(super) fn init(&self) -> u32 {
        self.init
    }

    /// Starts a program that runs until the machine is switched off.
    pub(super) fn start(&mut self, program: &str, log: &Path) -> Result<()> {
        writeln!(self.commands, "{program} >> '{}' 2>&1 < /dev/null &", log.display())?;
        Ok(())
    }

    /// Runs a program to its end.
    pub(super) fn run(&self, program: &[&str]) -> Result<Output> {
        let init = self.init.to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &init, "--mount", "--net", "--pid", "--"]).args(program);
        command.output().context("nsenter did not start")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Fails only if it has already ended. The kernel then kills all other processes.
        let _ = self.process.kill();
        remove_cgroups(Some(&self.name));
    }
}

/// Removes the cgroups of one machine or of all when their processes have ended, which takes a moment.
pub(super) fn remove_cgroups(name: Option<&str>) {
    let end = Instant::now() + Duration::from_secs(30);
    for hierarchy in hierarchies() {
        let all = hierarchy.join(CGROUP);
        let folder = name.map_or_else(|| all.clone(), |name| all.join(name));
        while folder.exists() && remove(&folder).is_err() && Instant::now() < end {
            sleep(Duration::from_millis(20));
        }
        if folder.exists() {
            eprintln!("cannot remove the cgroup {}", folder.display());
        }
    }
}

/// Where the host has its cgroups: one folder, or one for each controller.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let cgroups = mounts.filter(|mount| mount.len() > 2 && mount[2].starts_with("cgroup"));
    cgroups.map(|mount| PathBuf::from(mount[1])).collect()
}

/// Removes a cgroup and those in it. Their files cannot be removed, and need not be.
fn remove(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
