//! Measures a server over time: time to the first response, memory, and latency while many rules are loaded.

use std::io::{self, Write as _};

use anyhow::Result;
use clap::Parser;
use mimic_benches::endure::{Start, compile, first_answer, never_twice, reload};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Requests that each name a different image
    #[arg(long, default_value_t = 1_000_000)]
    requests: usize,
    /// Rules during these requests
    #[arg(long, default_value_t = 10_000)]
    rules: usize,
    /// Rules that are loaded while requests are answered
    #[arg(long, default_value_t = 100_000)]
    reload: usize,
    /// Threads of the server
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// How often a server is started
    #[arg(long, default_value_t = 10)]
    starts: usize,
}

fn main() -> Result<()> {
    let Args { requests, rules, reload: reloaded, workers, starts } = Args::parse();
    let mut out = io::stdout();
    let mut all = (0..starts).map(|_| first_answer(0, workers)).collect::<Result<Vec<_>>>()?;
    all.sort_by_key(|start| start.wall);
    if let Some(Start { wall, server, memory }) = all.get(all.len() / 2) {
        writeln!(
            out,
            "first response {wall:.1?} after the start ({server:.1?} of processor time), median of {starts}"
        )?;
        writeln!(out, "memory after it: {memory}")?;
    }
    let [before, after] = never_twice(rules, workers, requests)?;
    writeln!(out, "memory with {rules} rules: {before}; after {requests} requests with different images: {after}")?;
    let [few, many] = [reloaded / 10, reloaded].map(compile);
    let ([few_read, few_compiled], [read, compiled]) = (few?, many?);
    writeln!(
        out,
        "{reloaded} rules: read in {read:.1?}, compiled in {compiled:.1?} of processor time; {} rules: {few_read:.1?}, \
         {few_compiled:.1?}",
        reloaded / 10
    )?;
    writeln!(out, "while {reloaded} rules are read and compiled:\n{}", reload(reloaded, workers)?)?;
    Ok(())
}
