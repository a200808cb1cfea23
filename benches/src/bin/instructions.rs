//! Counts the instructions of the request path, and compares them with the record.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Result, bail};
use clap::Parser;
use mimic_benches::instructions::{CASES, Record, count, work};

/// The record.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/instructions.txt");

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Write the counts to the record
    #[arg(long)]
    update: bool,
    /// Run one case instead, to be counted
    #[arg(long, value_name = "CASE", conflicts_with = "update", hide = true)]
    work: Option<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(case) = args.work {
        return work(&case);
    }
    let mut counted = Record::default();
    for case in CASES {
        counted.push(case, count(case)?);
    }
    write!(io::stdout(), "{counted}")?;
    if args.update {
        return Ok(std::fs::write(Path::new(FILE), counted.to_string())?);
    }
    let findings = Record::parse(&std::fs::read_to_string(FILE)?)?.differences(&counted);
    for finding in &findings {
        writeln!(io::stderr(), "{finding}")?;
    }
    if !findings.is_empty() {
        bail!("the counts differ from the record; if the change is intended, run `instructions --update`");
    }
    Ok(())
}
