//! Logs to standard error, from a separate thread.

mod line;
mod writer;

use std::io;
use std::panic::PanicHookInfo;

use env_logger::Target;
use env_logger::fmt::Formatter;
use log::{LevelFilter, Record};

use crate::settings::{Log, LogFormat, LogLevel};

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
    match log.format {
        LogFormat::Text => builder.format(|out, record| write_line(out, record, line::text)),
        LogFormat::Json => builder.format(|out, record| write_line(out, record, line::json)),
    };
    let (lines, last) = writer::start(io::stderr())?;
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

fn write_line(out: &mut Formatter, record: &Record<'_>, render: fn(&str, &Record<'_>) -> String) -> io::Result<()> {
    use io::Write as _;
    let line = render(&out.timestamp_millis().to_string(), record);
    out.write_all(line.as_bytes())
}
