//! What a server is like over time: how soon it answers, how much memory it takes, and whether a long list of mirrors holds
//! up requests.

mod names;
mod reload;

use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::client::{self, Opener, Transport};
use crate::load::{Exchange, Memory, Process};
use crate::programs::beside;
use crate::serve::MUTATE;
use crate::{cpu, data};
pub use names::never_twice;
pub use reload::{Reload, reload};

/// A server with so many rules more than usual and so many threads, free to use any core.
fn start(rules: usize, workers: usize, set: impl FnOnce(&mut Command)) -> Result<Process> {
    let mut server = Command::new(beside("limit-server")?);
    server.args([format!("--rules={rules}"), format!("--workers={workers}")]);
    set(&mut server);
    Process::start(server, Path::new("/dev/null"))
}

/// What a server takes until it has answered its first review, from the start of its process on.
#[derive(Debug)]
pub struct Start {
    /// Time on the wall.
    pub wall: Duration,
    /// Processor time of the server.
    pub server: Duration,
    /// Memory in use afterwards.
    pub memory: Memory,
}

/// Starts a server and asks it once.
///
/// # Errors
/// When it does not start or the answer is wrong.
pub fn first_answer(rules: usize, workers: usize) -> Result<Start> {
    let begin = Instant::now();
    let server = start(rules, workers, |_| {})?;
    let (_, review) = data::REVIEWS[0];
    block_on(async {
        let opener = Rc::new(Opener::new(server.address(), Transport::Http1)?);
        let (mut channels, _) = client::channels(&opener, 1).await?;
        let channel = channels.first_mut().context("there is one")?;
        Exchange::new(MUTATE, review)?.requests().next(channel).await
    })?;
    Ok(Start { wall: begin.elapsed(), server: server.time()?, memory: server.memory()? })
}

/// Processor time for reading and for compiling a list of so many rules.
///
/// # Errors
/// When it cannot be read.
pub fn compile(rules: usize) -> Result<[Duration; 2]> {
    let text = data::mirrors(rules);
    let before = cpu::thread_time();
    let list = mimic_core::parse_rules_file("mirrors.yaml", &text);
    let list = list.map_err(|problem| anyhow::anyhow!("{problem}"))?.rules.into();
    let read = cpu::thread_time();
    drop(data::rewriter(list));
    Ok([read.saturating_sub(before), cpu::thread_time().saturating_sub(read)])
}

fn block_on<T>(run: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run)
}
