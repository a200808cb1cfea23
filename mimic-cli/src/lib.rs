//! The `mimic` command: rewrites images offline as the webhook does, explains the result, and lists mirrors.
//!
//! It uses the same code as the server: [`mimic_core`] parses and rewrites references, [`mimic_k8s`] answers reviews,
//! [`mimic_harbor`] discovers mirrors, and [`mimic_config`] reads the server's configuration. [`mimic_manifests`] rewrites
//! manifests.

mod args;
mod doctor;
mod explain;
mod export;
mod formats;
mod harbor;
mod import;
mod input;
mod manifests;
mod mirrors;
mod output;
mod parse;
mod policy;
mod review;
mod rewrite;
mod rules;
mod yaml;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command};
use crate::output::Output;

/// Runs the command with the arguments of this process.
///
/// The exit status is 0 for success, 1 for invalid input or another error, and 2 for a usage error. If the reader closes
/// the pipe (`mimic … | head`), it is 0.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse().and_then(Cli::checked) {
        Ok(cli) => cli,
        Err(error) => {
            // A failure to print cannot be reported.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let mut out = Output::new(cli.output);
    if let Err(error) = run(cli.command, &mut out).and_then(|()| Ok(out.flush()?)) {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        if let Some(usage) = error.downcast_ref::<clap::Error>() {
            let _ = out.flush();
            let _ = usage.print();
            return ExitCode::from(2);
        }
        out.error(format_args!("{error:#}"));
        // If this fails too, the error is already about results that cannot be written.
        let _ = out.flush();
    }
    if out.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The grammar of the command line, from which the reference page is generated.
pub fn command() -> clap::Command {
    Cli::command()
}

fn run(command: Command, out: &mut Output) -> anyhow::Result<()> {
    match command {
        Command::Parse(args) => parse::run(&args, out),
        Command::Rewrite(args) => rewrite::run(args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Review(args) => review::run(args, out),
        Command::Manifests(args) => manifests::run(args, out),
        Command::Mirrors(args) => mirrors::run(args, out),
        Command::Policy(args) => policy::run(args, out),
        Command::Doctor(args) => doctor::run(&args, out),
        Command::Export(args) => export::run(args, out),
        Command::Import(args) => import::run(&args, out),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "mimic", out.results());
            Ok(())
        }
    }
}
