//! Mimic's server with the additional route `/baseline`, to be measured. Configured by `MIMIC_` variables.

use clap::Parser;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// The core to run on
    #[arg(long)]
    core: Option<usize>,
    /// Rules in addition to those of `data/mirrors.yaml`
    #[arg(long, default_value_t = 0)]
    rules: usize,
    /// Threads that serve
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Serve by rules and sources that change all the time instead
    #[arg(long)]
    soak: bool,
}

fn main() -> anyhow::Result<()> {
    let Args { core, rules, workers, soak } = Args::parse();
    mimic_benches::serve::run(core, rules, workers, soak)
}
