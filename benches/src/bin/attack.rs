//! Attacks a server from one client after the other, and prints what each attack costs it.

use std::io::{self, Write as _};

use anyhow::Result;
use clap::Parser;
use mimic_benches::attack::{Attack, attack};
use mimic_benches::costly::CASES;
use mimic_benches::programs::beside;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Connections of the attacks that send little
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Connections that each send a body of 7.9 MB
    #[arg(long, default_value_t = 40)]
    bodies: usize,
    /// Measure only what reviews cost, in this process
    #[arg(long)]
    reviews: bool,
    /// The server's `MIMIC_LIMITS_MEMORY` during the attack with bodies: the default in a container with the shipped limit
    #[arg(long, default_value = "64MiB")]
    memory: String,
}

fn main() -> Result<()> {
    let Args { connections, bodies, reviews, memory } = Args::parse();
    measure_reviews()?;
    if reviews {
        return Ok(());
    }
    let program = beside("baseline-server")?;
    let limit = (connections + 1_000).to_string();
    for (name, kind, count, variable) in [
        ("connections without a handshake", Attack::Silent, connections, ("MIMIC_LIMITS_CONNECTIONS", limit.as_str())),
        ("connections without a request", Attack::Handshake, connections, ("MIMIC_LIMITS_CONNECTIONS", &limit)),
        ("idle connections after a review", Attack::Idle, connections, ("MIMIC_LIMITS_CONNECTIONS", &limit)),
        (
            "idle connections, ten times the limit",
            Attack::Idle,
            connections,
            ("MIMIC_LIMITS_CONNECTIONS", &(connections / 10).to_string()),
        ),
        ("stalled bodies", Attack::Body, bodies, ("MIMIC_LIMITS_MEMORY", &memory)),
    ] {
        let cost = attack(&program, kind, count, &[variable])?;
        writeln!(
            io::stdout(),
            "{count} {name}: {} bytes each, memory {} before, {} during, {} after; a new client waits {:.1?} at most",
            cost.each(),
            cost.before,
            cost.during,
            cost.after,
            cost.slowest
        )?;
    }
    Ok(())
}

/// Prints what each costly review costs, and how much more than one of half the size.
fn measure_reviews() -> Result<()> {
    for case in CASES {
        let (half, whole) = (case.measure(case.size / 2)?, case.measure(case.size)?);
        writeln!(
            io::stdout(),
            "{} {}: {:.1?} of CPU (half of them: {:.1?}), {} steps, {}; request {} bytes, response {}",
            case.size,
            case.name,
            whole.time,
            half.time,
            whole.steps,
            whole.skipped.map_or("evaluated", |skip| skip.as_str()),
            whole.body,
            whole.response,
        )?;
    }
    Ok(())
}
