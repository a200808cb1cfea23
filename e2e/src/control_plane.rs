//! The real etcd and kube-apiserver of `controlplane/`, as a child process.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use anyhow::{Result, bail};

use crate::{go::CONTROL_PLANE, process::ChildProcess, wait::DEADLINE};

/// How to start a control plane.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// The IP address at which nodes reach it. Without one it is on loopback, for pods that are only stored.
    pub(crate) address: Option<&'static str>,
    /// Additional flags of kube-apiserver.
    pub(crate) flags: Vec<String>,
}

impl Options {
    /// On loopback, with additional flags of kube-apiserver.
    pub(crate) fn with_flags(flags: &[&str]) -> Self {
        Self { flags: flags.iter().map(|&flag| flag.to_owned()).collect(), ..Self::default() }
    }
}

/// A running control plane. It stops on drop, and when the process that started it ends, because it watches its standard
/// input.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    process: ChildProcess,
    commands: ChildStdin,
    lines: Receiver<String>,
}

impl ControlPlane {
    /// Starts it with its state in `directory` and waits until it is usable.
    ///
    /// With `keep` it reuses the state, address and credentials in the directory; otherwise it starts empty.
    ///
    /// # Errors
    /// With the end of its log, if it does not start.
    pub(crate) fn start(directory: &Path, keep: bool, options: &Options) -> Result<Self> {
        let binary = CONTROL_PLANE.built()?;
        let log = directory.join("control-plane.log");
        let mut command = Command::new(binary);
        command.arg("-dir").arg(directory).arg("-stdin");
        if keep {
            command.arg("-keep");
        }
        if let Some(address) = options.address {
            command.args(["-address", address]);
        }
        command.arg("--").args(&options.flags);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = ChildProcess::start("the control plane", &mut command, &log)?;
        let (commands, output) = process.pipes()?;
        let (sender, lines) = mpsc::channel();
        let control_plane = Self { process, commands, lines };
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        match control_plane.lines.recv_timeout(DEADLINE) {
            Ok(line) if line.starts_with("READY ") => Ok(control_plane),
            other => bail!("the control plane is not ready ({other:?}); its log ends with\n{}", tail(&log)),
        }
    }

    /// Makes etcd delete all old versions of objects.
    pub(crate) fn compact(&mut self) -> Result<()> {
        writeln!(self.commands, "compact")?;
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) if line.starts_with("COMPACTED ") => Ok(()),
            other => bail!("etcd was not compacted: {other:?}"),
        }
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }
}

/// The end of a log file, for an error message.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
