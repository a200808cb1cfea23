//! The `mimic` command: Mimic's decisions about images, offline, and a look at where mirrors come from.
//!
//! It takes no decision of its own: references are parsed and rewritten by [`mimic_core`], reviews are answered by
//! [`mimic_k8s`], and a Harbor is asked by [`mimic_harbor`], as in the server.

mod args;
mod doctor;
mod explain;
mod harbor;
mod input;
mod mirrors;
mod output;
mod parse;
mod review;
mod rewrite;
mod rules;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command, Subject};
use crate::output::Output;

/// Runs the command with the arguments of this process.
///
/// Exit status: 0; 1 when some input was bad; 2 when the command was called wrongly. When nobody reads the results any
/// more (`mimic … | head`), it ends with 0.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody to tell when this fails.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let mut out = Output::new(cli.output);
    if let Err(error) = run(cli.command, &mut out).and_then(|()| Ok(out.flush()?)) {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        out.error(format_args!("{error:#}"));
        // Results that cannot be written are what the error is about.
        let _ = out.flush();
    }
    if out.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The command line's grammar, from which the reference page is made.
pub fn command() -> clap::Command {
    Cli::command()
}

fn run(command: Command, out: &mut Output) -> anyhow::Result<()> {
    match command {
        Command::Parse(args) => parse::run(&args, out),
        Command::Rewrite(args) => rewrite::run(args, out),
        Command::Explain(args) => explain::run(args, out),
        Command::Review(args) => review::run(args, out),
        Command::Mirrors(args) => mirrors::run(args, out),
        Command::Doctor { subject: Subject::Harbor(args) } => doctor::harbor(&args, out),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "mimic", out.results());
            Ok(())
        }
    }
}
