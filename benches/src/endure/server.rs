use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::load::Process;
use crate::programs::beside;

/// Starts a server with `rules` more rules than usual and `workers` threads, on any core.
pub(super) fn start(rules: usize, workers: usize, set: impl FnOnce(&mut Command)) -> Result<Process> {
    let mut server = Command::new(beside("baseline-server")?);
    server.args([format!("--rules={rules}"), format!("--workers={workers}")]);
    set(&mut server);
    Process::start(server, Path::new("/dev/null"))
}

/// Runs a client.
pub(super) fn block_on<T>(run: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run)
}
