//! Counts the instructions of what has to be fast, and compares them with those on record.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Result, bail};
use clap::Parser;
use mimic_benches::instructions::{CASES, Record, count, work};

/// Where they are on record.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/instructions.txt");

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Put what is counted on record
    #[arg(long)]
    update: bool,
    /// Do the work of one case instead: what is called to be counted
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
        bail!("instructions are not those on record; if that is as it should be: instructions --update");
    }
    Ok(())
}
