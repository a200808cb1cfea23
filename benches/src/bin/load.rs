//! Puts a server under load, `/baseline` and `/mutate` in turn, and reports the server's cost per request.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use mimic_benches::client::Transport;
use mimic_benches::load::{self, Pace, Plan, Process, Row};
use mimic_benches::programs::beside;
use mimic_benches::{cpu, data};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// The review to send
    #[arg(long, value_enum, default_value = "typical")]
    size: Size,
    /// Rules in addition to those of `data/mirrors.yaml`
    #[arg(long, default_value_t = 0)]
    rules: usize,
    /// How requests reach the server
    #[arg(long, value_enum, default_value = "http1")]
    transport: Transport,
    /// Requests per second, each sent when it is due (an open loop), instead of as soon as a connection is free (a closed
    /// loop)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// An open loop at this percentage of the throughput of a closed loop, which is measured first
    #[arg(long, value_name = "PERCENT", conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..100))]
    at: Option<u32>,
    /// Print one row of a table, with this name
    #[arg(long, value_name = "NAME")]
    row: Option<String>,
    /// Connections, each with one request in flight
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Requests to one route in a turn
    #[arg(long, default_value_t = 1_000)]
    requests: u32,
    /// Turns of each route
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// How many servers are measured in sequence: the placement of code and data in memory differs for each process and
    /// affects the figures
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    servers: u32,
    /// The server, instead of the `baseline-server` next to this program: another build, or a script with a profiler
    #[arg(long)]
    server: Option<PathBuf>,
    /// The core that the server runs on
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core that the client runs on
    #[arg(long, default_value_t = 1)]
    client_core: usize,
    /// The file for the server's log
    #[arg(long, default_value = "/dev/null")]
    log: PathBuf,
    /// Seconds after which the run against one server is aborted
    #[arg(long, default_value_t = 60)]
    time_limit: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Size {
    Small,
    Typical,
    Large,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let (_, review) = data::REVIEWS[args.size as usize];
    let plan = Plan {
        review,
        transport: args.transport,
        connections: args.connections,
        pace: match (args.rate, args.at) {
            (Some(rate), _) => Pace::Rate(rate),
            (None, Some(percent)) => Pace::Load(f64::from(percent) / 100.0),
            (None, None) => Pace::Closed,
        },
        requests: args.requests,
        rounds: args.rounds,
        time_limit: Duration::from_secs(args.time_limit),
    };
    let program = match args.server {
        Some(program) => program,
        None => beside("baseline-server")?,
    };
    cpu::pin(args.client_core)?;
    let run = || {
        let mut server = Command::new(&program);
        server.args([format!("--core={}", args.server_core), format!("--rules={}", args.rules)]);
        let server = Process::start(server, &args.log)?;
        load::run(&server, &plan)
    };
    let mut report = run()?;
    for _ in 1..args.servers {
        report.add(&run()?)?;
    }
    match args.row {
        Some(name) => writeln!(io::stdout(), "{}", Row(&name, &report))?,
        None => write!(io::stdout(), "{report}")?,
    }
    Ok(())
}
