//! The command: from arguments to an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use actix_web::rt::System;
use clap::Parser as _;
use mimic_core::internal::Printable;
use mimic_core::{Hint as _, Problem};

use crate::args::Args;
use crate::server::{Server, StartError};
use crate::settings::{Loaded, Settings};
use crate::signals::Signals;
use crate::{demo, logging};

/// Runs the `mimic-server` command with the process's arguments and environment.
pub fn run() -> ExitCode {
    let args = Args::parse();
    let defaults = if args.demo { demo::DEFAULTS } else { &[] };
    let Loaded { settings, warnings } = Settings::load(std::env::vars_os(), args.config.as_deref(), defaults);
    let settings = match settings {
        Ok(settings) => settings,
        Err(problems) => {
            report("warning", &warnings);
            report("error", &problems);
            return ExitCode::FAILURE;
        }
    };
    let server = Server::new(settings.clone());
    let server = if args.demo { server.example(demo::MIRRORS) } else { server };
    if args.check {
        let problems = server.check();
        report("warning", &warnings);
        report("warning", &server.check_warnings());
        report("error", &problems);
        if problems.is_empty() {
            let _ = writeln!(io::stdout(), "configuration OK");
            return ExitCode::SUCCESS;
        }
        return ExitCode::FAILURE;
    }

    let _last_lines = match logging::init(settings.log, std::env::var("RUST_LOG").ok().as_deref()) {
        Ok(last) => last,
        Err(error) => {
            report("error", &[Problem::new("log", error.to_string())]);
            return ExitCode::FAILURE;
        }
    };
    logging::log_panics();
    for warning in &warnings {
        log::warn!(problem:% = warning.full_message(); "configuration warning");
    }
    let system = System::new();
    let outcome = system.block_on(serve(server, args.demo));
    // Dropping the runtime would wait for a read from a disk that hangs.
    std::mem::forget(system);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let StartError::Mirrors(problems) = &error {
                for problem in problems {
                    log::error!(problem:% = problem.full_message(); "invalid mirror configuration");
                }
            }
            log::error!(error:% = error.full_message(); "cannot start the server");
            ExitCode::FAILURE
        }
    }
}

async fn serve(server: Server, demo: bool) -> Result<(), StartError> {
    // Before everything else, so that no signal is lost.
    let mut signals = Signals::listen()?;
    let running = tokio::select! {
        started = server.start() => started?,
        signal = signals.next() => {
            log::info!(signal; "stopped during startup");
            return Ok(());
        }
    };
    if demo {
        let _ = io::stdout().write_all(demo::instructions(running.address()).as_bytes());
    }
    running.until(signals).await?;
    Ok(())
}

fn report(kind: &str, problems: &[Problem]) {
    let mut out = io::stderr().lock();
    for problem in problems {
        let _ = writeln!(out, "{kind}: {}", Printable(&problem.full_message().to_string()));
    }
}
