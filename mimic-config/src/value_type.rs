//! Types of values: how each is parsed, and which values it allows.

use std::path::PathBuf;
use std::time::Duration;

use mimic_core::internal::Globs;

/// The type of a setting's value.
pub struct ValueType<T> {
    /// Its name on the reference page; empty if the page need not say it.
    pub name: &'static str,
    /// A value of it, with an article, for error messages: `a port`.
    pub what: &'static str,
    /// The allowed values, for error messages and the reference page.
    pub allowed: &'static str,
    /// Whether values are secrets that must not be shown.
    pub secret: bool,
    /// Parses a value; `None` if it is invalid.
    pub parse: fn(&str) -> Option<T>,
}

impl<T> ValueType<T> {
    /// A type whose values are no secrets.
    pub const fn new(
        name: &'static str,
        what: &'static str,
        allowed: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Self {
        Self { name, what, allowed, secret: false, parse }
    }

    /// The type as the reference page explains it.
    const fn explained(&self) -> (&'static str, &'static str) {
        (self.name, self.allowed)
    }
}

impl<T: Keyword> ValueType<T> {
    /// A closed set of keywords. `allowed` lists them, separated by commas.
    pub const fn keyword(what: &'static str, allowed: &'static str) -> Self {
        Self::new(allowed, what, allowed, T::from_keyword)
    }
}

/// A value that is written as one of a few keywords.
pub trait Keyword: Sized + Copy + 'static {
    /// Every keyword with its value, in lower case.
    const KEYWORDS: &'static [(&'static str, Self)];

    /// Parses a keyword in any case.
    fn from_keyword(text: &str) -> Option<Self> {
        Self::KEYWORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, value)| *value)
    }
}

/// The types that the reference page explains, by name. The names of other types are enough.
pub static EXPLAINED: &[(&str, &str)] = &[
    FLAG.explained(),
    PORT.explained(),
    COUNT.explained(),
    DURATION.explained(),
    PERIOD.explained(),
    SIZE.explained(),
    NAME.explained(),
    HOST.explained(),
];

/// `true`, `false`, or another common spelling of them.
pub const FLAG: ValueType<bool> = ValueType::new("boolean", "a boolean", "true or false", flag);
/// A port.
pub const PORT: ValueType<u16> = ValueType::new("port", "a port", "0 to 65535", |text| text.parse().ok());
/// An IP address, without brackets, or a host name.
pub const HOST: ValueType<String> = ValueType::new("host", "a host", "an IP address or a host name", host);
/// The name of a Kubernetes object, or nothing.
pub const NAME: ValueType<String> =
    ValueType::new("name", "a Kubernetes name", "lower-case letters, digits, `-` and `.`", |text| {
        is_name(text).then(|| text.to_owned())
    });
/// Any string.
pub const TEXT: ValueType<String> = ValueType::new("", "a string", "any string", |text| Some(text.to_owned()));
/// A string that must not be shown.
pub const SECRET: ValueType<String> =
    ValueType { name: "", what: "a secret", allowed: "any string", secret: true, parse: |text| Some(text.to_owned()) };
/// The name of a file.
pub const PATH: ValueType<PathBuf> =
    ValueType::new("", "a file name", "the name of a file", |text| Some(PathBuf::from(text)));
/// Names of files, separated by commas.
pub const PATHS: ValueType<Vec<PathBuf>> =
    ValueType::new("files", "a list of files", "names of files, separated by commas", |text| {
        Some(items(text).map(PathBuf::from).collect())
    });
/// Globs, separated by commas.
pub const GLOBS: ValueType<Vec<String>> =
    ValueType::new("globs", "a list of globs", "globs, separated by commas", |text| {
        let globs: Vec<String> = items(text).map(str::to_owned).collect();
        Globs::new(&globs).is_ok().then_some(globs)
    });
/// A duration.
pub const DURATION: ValueType<Duration> = ValueType::new(
    "duration",
    "a duration",
    "a number with ms, s, m or h, such as `500ms`, `30s` or `1m30s`",
    duration,
);
/// A duration above zero.
pub const PERIOD: ValueType<Duration> = ValueType::new(
    "period",
    "a period",
    "a duration above zero with ms, s, m or h, such as `500ms`, `30s` or `1m30s`",
    |text| duration(text).filter(|duration| !duration.is_zero()),
);
/// A size in bytes, up to 1 GiB.
pub const SIZE: ValueType<usize> = ValueType::new("size", SIZES.0, SIZES.1, allowed_size);
/// A size, or nothing.
pub const OPTIONAL_SIZE: ValueType<Option<usize>> =
    ValueType::new("size", SIZES.0, SIZES.1, |text| optional(text, allowed_size));
/// A number from 1.
pub const COUNT: ValueType<usize> = ValueType::new("count", COUNTS.0, COUNTS.1, count);
/// A count, or nothing.
pub const OPTIONAL_COUNT: ValueType<Option<usize>> =
    ValueType::new("count", COUNTS.0, COUNTS.1, |text| optional(text, count));

const SIZES: (&str, &str) = ("a size", "1 to 1GiB, in bytes or with KiB, MiB or GiB, such as `8MiB`");
const COUNTS: (&str, &str) = ("a count", "a number from 1");

#[expect(clippy::option_option, reason = "no value is a valid value")]
fn optional<T>(text: &str, parse: fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}

fn allowed_size(text: &str) -> Option<usize> {
    size(text).filter(|size| (1..=1 << 30).contains(size))
}

fn count(text: &str) -> Option<usize> {
    text.parse().ok().filter(|count| *count > 0)
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The spellings of Go's `strconv.ParseBool`, which kubernetes-mimic accepts, and other common ones.
fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" | "yes" | "on" => Some(true),
        "false" | "0" | "f" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Whether `text` is a valid name of a namespace or another object. An empty name is allowed: it means none.
fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
}

fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    (is_name || bare.parse::<std::net::IpAddr>().is_ok()).then(|| bare.to_owned())
}

/// Parses Go's format of durations, such as `1h30m` or `500ms`, without fractions.
pub fn duration(text: &str) -> Option<Duration> {
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
    fn flags_ignore_case() {
        assert_eq!((FLAG.parse)("True"), Some(true));
        assert_eq!((FLAG.parse)("0"), Some(false));
        assert_eq!((FLAG.parse)("maybe"), None);
    }

    #[test]
    fn lists_drop_blanks_around_their_items() {
        assert_eq!((PATHS.parse)(" a.yaml , b.yaml,"), Some(vec![PathBuf::from("a.yaml"), PathBuf::from("b.yaml")]));
        assert_eq!((GLOBS.parse)("kube-*,dev"), Some(vec!["kube-*".to_owned(), "dev".to_owned()]));
        assert_eq!((GLOBS.parse)("a[,b"), None);
    }
}
