//! Mimic's server with the route `/limit` beside `/mutate`, to be measured. Configured by `MIMIC_` variables.

use clap::Parser;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// The core to stay on.
    #[arg(long)]
    core: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    mimic_benches::serve::run(Args::parse().core)
}
