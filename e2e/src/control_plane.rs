//! The real etcd and kube-apiserver of `controlplane/`, as a child process.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use anyhow::{Context, Result, bail};

use crate::{go::CONTROL_PLANE, wait::DEADLINE};

/// How to start a control plane.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// The IP address at which nodes reach it. Without one it is on loopback, for pods that are only stored.
    pub(crate) address: Option<&'static str>,
    /// Additional flags of kube-apiserver.
    pub(crate) flags: Vec<&'static str>,
}

/// A running control plane. It stops on drop, and when the process that started it ends, because it watches its standard
/// input.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    child: Child,
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
        let mut child = command
            // Ctrl-C ends the program that started it, which stops this one in its turn.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("the control plane did not start")?;
        let output = child.stdout.take().context("the control plane has no standard output")?;
        let commands = child.stdin.take().context("the control plane has no standard input")?;
        let (sender, lines) = mpsc::channel();
        let control_plane = Self { child, commands, lines };
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
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Fails only if the process has already ended.
        let _ = self.kill();
    }
}

/// The end of a log file, for an error message.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
