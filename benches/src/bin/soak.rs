//! Runs a server for a time under everything at once, and checks every response.

use std::io::{self, Write as _};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use mimic_benches::programs::beside;
use mimic_benches::soak::{Plan, run};
use mimic_benches::{cpu, data};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// How long, in seconds
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Requests per second, instead of 70 % of what the server can do
    #[arg(long)]
    rate: Option<f64>,
    /// Idle connections
    #[arg(long, default_value_t = 5_000)]
    idle: usize,
    /// The core that the server runs on
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core that the client runs on
    #[arg(long, default_value_t = 1)]
    client_core: usize,
}

fn main() -> Result<()> {
    let Args { seconds, rate, idle, server_core, client_core } = Args::parse();
    let (_, review) = data::REVIEWS[1];
    let mut server = Command::new(beside("baseline-server")?);
    server.arg(format!("--core={server_core}"));
    cpu::pin(client_core)?;
    let report = run(server, &Plan { review, duration: Duration::from_secs(seconds), rate, idle })?;
    write!(io::stdout(), "{report}")?;
    ensure!(report.is_right(), "some responses are missing or wrong");
    Ok(())
}
