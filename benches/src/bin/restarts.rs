//! Replaces two replicas one after the other under load, and prints what the clients noticed.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use mimic_benches::programs::beside;
use mimic_benches::restarts::{Outcome, Plan, restarts};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// How many replicas are replaced
    #[arg(long, default_value_t = 1_000)]
    restarts: usize,
    /// Clients, each with one request at a time
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// The replicas' `MIMIC_DRAIN`, in milliseconds
    #[arg(long, default_value_t = 400)]
    drain: u64,
}

fn main() -> Result<()> {
    let Args { restarts: count, clients, drain } = Args::parse();
    let drain = Duration::from_millis(drain);
    let start = Instant::now();
    let plan = Plan { restarts: count, clients, drain, propagation: drain / 2 };
    let Outcome { served, sent_again, failed, wrong, errors } = restarts(&beside("baseline-server")?, plan)?;
    writeln!(
        io::stdout(),
        "{count} restarts in {:.0?}: {served} requests served, {sent_again} of them sent again on a new connection, {failed} \
         failed, {wrong} wrong",
        start.elapsed()
    )?;
    ensure!(failed == 0 && wrong == 0, "requests failed:\n{}", errors.join("\n"));
    Ok(())
}
