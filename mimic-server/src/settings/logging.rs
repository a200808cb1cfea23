//! Settings of the log.

use mimic_config::value_type::{Keyword, ValueType};
use mimic_config::{Layers, Row, Setting};

/// Settings of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The lowest level that is logged.
    pub level: LogLevel,
    /// Text or JSON.
    pub format: LogFormat,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything, including bodies.
    Trace,
    /// One line per image.
    Debug,
    /// One line per rewritten pod, and changes of the server's state.
    #[default]
    Info,
    /// Degraded, recovering automatically.
    Warn,
    /// Action needed. `fatal` and `panic` mean the same.
    Error,
}

impl Keyword for LogLevel {
    const KEYWORDS: &'static [(&'static str, Self)] = &[
        ("trace", Self::Trace),
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("warn", Self::Warn),
        ("error", Self::Error),
        ("fatal", Self::Error),
        ("panic", Self::Error),
    ];
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable text.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Keyword for LogFormat {
    const KEYWORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

const LEVELS: ValueType<LogLevel> = ValueType::keyword("a log level", "trace, debug, info, warn, error, fatal, panic");
const FORMATS: ValueType<LogFormat> = ValueType::keyword("a log format", "text, json");

const LEVEL: Setting<LogLevel> = Setting::new(
    "loglevel",
    &LEVELS,
    "info",
    "Log level of Mimic's modules; libraries log from `warn`. `fatal` and `panic` mean `error`, as in \
     kubernetes-mimic. `RUST_LOG` [overrides](logs.md#log-levels) it per module.",
);
const FORMAT: Setting<LogFormat> =
    Setting::new("logformat", &FORMATS, "text", "`json`: one [object](logs.md) per line. The log goes to stderr.");

pub(super) static ROWS: &[Row] = &[LEVEL.row(), FORMAT.row()];

pub(super) fn read(layers: &mut Layers) -> Log {
    Log { level: layers.read(&LEVEL), format: layers.read(&FORMAT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_among_the_allowed_values_and_case_is_ignored() {
        fn listed<T: Keyword>(value_type: &ValueType<T>) {
            let keywords: Vec<&str> = T::KEYWORDS.iter().map(|(word, _)| *word).collect();
            assert_eq!(value_type.allowed, keywords.join(", "));
        }
        listed(&LEVELS);
        listed(&FORMATS);
        assert_eq!((LEVELS.parse)("INFO"), Some(LogLevel::Info));
        assert_eq!((LEVELS.parse)("panic"), Some(LogLevel::Error));
    }
}
