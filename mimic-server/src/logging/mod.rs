//! Logs to standard error, from a separate thread.

mod frequency;
mod line;
mod writer;

use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Instant;

use env_logger::Target;
use log::LevelFilter;

use crate::settings::{Log, LogFormat, LogLevel};

use frequency::{Fate, Frequency};
pub use writer::LastLines;
pub(crate) use writer::lost_lines;

/// Starts logging for the process. `overrides` has the directives of `RUST_LOG`. Drop the returned value last.
///
/// # Errors
///
/// When the process already has a logger, or no thread can be started.
pub fn init(log: Log, overrides: Option<&str>) -> io::Result<LastLines> {
    let level = level(log.level);
    let mut builder = env_logger::Builder::new();
    // All crates of Mimic begin with this. Messages of libraries below a warning are for their developers.
    builder.filter_level(level.min(LevelFilter::Warn)).filter_module("mimic", level);
    // Mimic reports their errors itself, once each.
    builder.filter_module("kube_client", LevelFilter::Off).filter_module("kube_runtime", LevelFilter::Off);
    if let Some(overrides) = overrides {
        // A level without a module applies to all modules, including Mimic's.
        for level in overrides.split(',').filter_map(|directive| directive.trim().parse().ok()) {
            builder.filter_module("mimic", level);
        }
        builder.parse_filters(overrides);
    }
    let render = match log.format {
        LogFormat::Text => line::text,
        LogFormat::Json => line::json,
    };
    let frequency = Arc::new(Frequency::default());
    let (lines, last) = writer::start(io::stderr(), Arc::clone(&frequency))?;
    let queue = lines.clone();
    builder.format(move |out, record| {
        let kind = frequency::kind(record);
        if let Fate::LeftOut { is_first } = frequency.admit(kind, Instant::now()) {
            if is_first {
                queue.wake();
            }
            return Ok(());
        }
        let line = render(&out.timestamp_millis().to_string(), record);
        frequency.logged(kind, line.len());
        out.write_all(line.as_bytes())
    });
    builder.target(Target::Pipe(Box::new(lines))).try_init().map_err(io::Error::other)?;
    Ok(last)
}

/// Logs panics like all other messages, so that they have the configured format.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown");
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        log::error!(error = text, location = location.as_str(); "panicked");
    }));
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::Trace,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Error => LevelFilter::Error,
    }
}
