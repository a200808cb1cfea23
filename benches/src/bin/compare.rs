//! Compares parsing, rewriting and the command with other programs, and prints the figures as a table.

use std::io::{self, Write as _};

use anyhow::Result;
use clap::Parser;
use mimic_benches::compare::{Bench, Figures};
use mimic_benches::cpu;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// How often everything is measured
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// The core to run on
    #[arg(long, default_value_t = 1)]
    core: usize,
}

fn main() -> Result<()> {
    let Args { rounds, core } = Args::parse();
    let bench = Bench::new()?;
    // Child processes run there too.
    cpu::pin(core)?;
    let mut figures = Figures::default();
    for _ in 0..rounds {
        figures.add_round(&bench)?;
    }
    Ok(write!(io::stdout(), "{figures}")?)
}
