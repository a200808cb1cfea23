//! How values are written: each form reads text and says what it allows.

use std::path::PathBuf;
use std::time::Duration;

use mimic_core::internal::Globs;
use mimic_harbor::Overrides;

/// A way to write values of type `T`.
pub(crate) struct Form<T> {
    /// What a value is, with its article: `a port`.
    pub(crate) what: &'static str,
    /// Which values there are, for error messages and the reference page.
    pub(crate) allowed: &'static str,
    /// Whether a value must never be shown.
    pub(crate) secret: bool,
    pub(crate) parse: fn(&str) -> Option<T>,
}

impl<T> Form<T> {
    const fn new(what: &'static str, allowed: &'static str, parse: fn(&str) -> Option<T>) -> Self {
        Self { what, allowed, secret: false, parse }
    }
}

/// A closed set of words that stand for values.
pub(crate) trait Words: Sized + Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];

    fn from_word(text: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything, bodies included.
    Trace,
    /// One line per image.
    Debug,
    /// One line per rewritten pod, and what changed in the server's own state.
    #[default]
    Info,
    /// What is degraded and recovering.
    Warn,
    /// What somebody must act on. `fatal` and `panic` mean the same.
    Error,
}

impl Words for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
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
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Words for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// Where the serving certificate comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CertificateOrigin {
    /// A Secret.
    Kubernetes,
    /// Two PEM files.
    File,
    /// Made at start, for trying Mimic out. The default of the type, not of the setting: it needs nothing else, so that
    /// a mistyped source is not followed by complaints about what another one would need.
    #[default]
    SelfSigned,
    /// A certificate authority of Mimic's own.
    Managed,
}

impl Words for CertificateOrigin {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("kubernetes", Self::Kubernetes),
        ("file", Self::File),
        ("selfsigned", Self::SelfSigned),
        ("managed", Self::Managed),
    ];
}

pub(crate) const LOG_LEVEL: Form<LogLevel> =
    Form::new("a log level", "trace, debug, info, warn, error, fatal, panic", LogLevel::from_word);
pub(crate) const LOG_FORMAT: Form<LogFormat> = Form::new("a log format", "text, json", LogFormat::from_word);
pub(crate) const CERTIFICATE_ORIGIN: Form<CertificateOrigin> =
    Form::new("a certificate source", "kubernetes, file, selfsigned, managed", CertificateOrigin::from_word);
pub(crate) const FLAG: Form<bool> = Form::new("a boolean", "true or false", flag);
pub(crate) const PORT: Form<u16> = Form::new("a port", "0 to 65535", |text| text.parse().ok());
pub(crate) const HOST: Form<String> = Form::new("a host", "an IP address or a host name", host);
pub(crate) const NAME: Form<String> =
    Form::new("a Kubernetes name", "lower-case letters, digits, `-` and `.`", |text| {
        is_name(text).then(|| text.to_owned())
    });
pub(crate) const TEXT: Form<String> = Form::new("text", "any text", |text| Some(text.to_owned()));
pub(crate) const SECRET: Form<String> =
    Form { what: "a secret", allowed: "any text", secret: true, parse: |text| Some(text.to_owned()) };
pub(crate) const PATH: Form<PathBuf> = Form::new("a file name", "the name of a file", |text| Some(PathBuf::from(text)));
pub(crate) const PATHS: Form<Vec<PathBuf>> =
    Form::new("a list of files", "names of files, separated by commas", |text| {
        Some(items(text).map(PathBuf::from).collect())
    });
pub(crate) const MIRRORS: Form<String> =
    Form::new("a list of mirrors", "upstream=mirror pairs, separated by commas", |text| Some(text.to_owned()));
pub(crate) const GLOBS: Form<Vec<String>> = Form::new("a list of globs", "globs, separated by commas", |text| {
    let globs: Vec<String> = items(text).map(str::to_owned).collect();
    Globs::new(&globs).is_ok().then_some(globs)
});
pub(crate) const OVERRIDES: Form<Overrides> =
    Form::new("a list of overrides", "project=upstream pairs, separated by commas", |text| Overrides::parse(text).ok());
pub(crate) const DURATION: Form<Duration> =
    Form::new("a duration", "a number with ms, s, m or h, such as `500ms`, `30s` or `1m30s`", duration);
pub(crate) const PERIOD: Form<Duration> =
    Form::new("a period", "a duration above zero with ms, s, m or h, such as `500ms`, `30s` or `1m30s`", |text| {
        duration(text).filter(|duration| !duration.is_zero())
    });
pub(crate) const SIZE: Form<usize> =
    Form::new("a size", "1 to 1GiB, in bytes or with KiB, MiB or GiB, such as `8MiB`", |text| {
        size(text).filter(|size| (1..=1 << 30).contains(size))
    });
pub(crate) const COUNT: Form<usize> =
    Form::new("a count", "a number from 1", |text| text.parse().ok().filter(|count| *count > 0));

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The spellings of Go's `strconv.ParseBool`, which existing settings were read with, and the usual others.
fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" | "yes" | "on" => Some(true),
        "false" | "0" | "f" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Whether `text` could be the name of a namespace or of another object; nothing is a name too, of none.
fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
}

fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    (is_name || bare.parse::<std::net::IpAddr>().is_ok()).then(|| bare.to_owned())
}

/// Reads `1h30m`, `5m`, `30s`, `500ms`, the way Go writes durations; fractions are not needed here.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let one = match &after[..unit] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            _ => return None,
        };
        total = total.checked_add(one.checked_mul(number)?)?;
        rest = &after[unit..];
    }
    Some(total)
}

fn size(text: &str) -> Option<usize> {
    let (number, unit) = leading_number(text)?;
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "KiB" | "Ki" => 10,
        "MiB" | "Mi" => 20,
        "GiB" | "Gi" => 30,
        _ => return None,
    };
    usize::try_from(number).ok()?.checked_mul(1 << shift)
}

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, expected) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("1.5s", None),
            ("5 s", None),
            ("5d", None),
            ("99999999999s", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text}");
        }
        assert_eq!((PERIOD.parse)("0s"), None);
    }

    #[test]
    fn sizes_have_binary_units() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("64KiB", Some(64 << 10)),
            ("8MiB", Some(8 << 20)),
            ("8 MiB", Some(8 << 20)),
            ("1GiB", Some(1 << 30)),
            ("2GiB", None),
            ("0", None),
            ("8MB", None),
            ("MiB", None),
            ("-1", None),
        ] {
            assert_eq!((SIZE.parse)(text), expected, "{text}");
        }
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        for (text, expected) in [
            ("0.0.0.0", Some("0.0.0.0")),
            ("[::1]", Some("::1")),
            ("::", Some("::")),
            ("localhost", Some("localhost")),
            ("a b", None),
            ("", None),
            ("localhost:80", None),
            ("http://x", None),
        ] {
            assert_eq!((HOST.parse)(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn flags_and_words_ignore_case() {
        assert_eq!((FLAG.parse)("True"), Some(true));
        assert_eq!((FLAG.parse)("0"), Some(false));
        assert_eq!((FLAG.parse)("maybe"), None);
        assert_eq!((LOG_LEVEL.parse)("INFO"), Some(LogLevel::Info));
        assert_eq!((LOG_LEVEL.parse)("panic"), Some(LogLevel::Error));
        assert_eq!((CERTIFICATE_ORIGIN.parse)("vault"), None);
    }

    #[test]
    fn every_word_is_among_the_allowed_values() {
        fn listed<T: Words>(form: &Form<T>) {
            let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
            assert_eq!(form.allowed, words.join(", "));
        }
        listed(&LOG_LEVEL);
        listed(&LOG_FORMAT);
        listed(&CERTIFICATE_ORIGIN);
    }

    #[test]
    fn lists_drop_blanks_around_their_items() {
        assert_eq!((PATHS.parse)(" a.yaml , b.yaml,"), Some(vec![PathBuf::from("a.yaml"), PathBuf::from("b.yaml")]));
        assert_eq!((GLOBS.parse)("kube-*,dev"), Some(vec!["kube-*".to_owned(), "dev".to_owned()]));
        assert_eq!((GLOBS.parse)("a[,b"), None);
    }
}
