//! A server in a separate process.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::cpu;

/// How long a server can take to exit.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server in a separate process, which ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
}

/// Memory in use, in units of 1,024 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    resident: u32,
    /// Without the pages of the program's file, which all its processes on a machine share.
    anonymous: u32,
}

impl Memory {
    /// Bytes without the pages of the program's file.
    pub fn bytes(&self) -> u64 {
        u64::from(self.anonymous) << 10
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [resident, anonymous] = [self.resident, self.anonymous].map(|size| f64::from(size) * 1.024e-3);
        write!(f, "{resident:.1} MB ({anonymous:.1} MB without the program)")
    }
}

impl Process {
    /// Starts a server that logs to the file `log`. It must write its address to standard output.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let child = child.with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
        let mut process = Self { child, address: SocketAddr::from(([0; 4], 0)) };
        let mut line = String::new();
        let output = process.child.stdout.take().context("the server has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        process.address = line.trim().parse().context("the server did not print its address; see its log")?;
        ensure!(process.address.ip().is_loopback(), "load is for servers on this machine only");
        Ok(process)
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its processor time so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn time(&self) -> Result<Duration> {
        Ok(cpu::process_time(self.child.id())?)
    }

    /// Its memory now.
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix(" kB"));
            anyhow::Ok(line.with_context(|| format!("no {name}"))?.trim().parse()?)
        };
        Ok(Memory { resident: of("VmRSS:")?, anonymous: of("RssAnon:")? })
    }
}

impl Drop for Process {
    /// Sends SIGTERM, so that a profiler around it can write its results, and kills it if it does not exit.
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = Instant::now();
        if pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok()) {
            while asked.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(10));
            }
        }
        // Both fail only when the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
