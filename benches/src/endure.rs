//! A server over time: time to the first response, memory, and latency while many rules are loaded.

mod names;
mod reload;
mod server;

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::client::{self, Opener, Transport};
use crate::load::{Exchange, Memory};
use crate::serve::MUTATE;
use crate::{cpu, data};
pub use names::never_twice;
pub use reload::{Reload, reload};
use server::{block_on, start};

/// The cost of a server from the start of its process to its first response.
#[derive(Debug)]
pub struct Start {
    /// Wall-clock time.
    pub wall: Duration,
    /// Processor time of the server.
    pub server: Duration,
    /// Memory in use afterwards.
    pub memory: Memory,
}

/// Starts a server and sends it one review.
///
/// # Errors
/// When it does not start or the response is wrong.
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

/// Processor time for reading and for compiling this number of rules.
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
