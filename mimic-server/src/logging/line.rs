//! The format of a log line: a constant message with key-values, as text or as JSON.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use log::Record;
use log::kv::{self, Key, VisitSource, VisitValue};
use mimic_core::internal::write_printable;

/// Initial capacity in bytes; enough for the line of a typical pod.
const LINE: usize = 1536;

/// Longest line in bytes. Container runtimes split lines of 16 KiB and more.
const LONGEST: usize = 16 << 10;

/// Longest value in bytes.
const LONGEST_VALUE: usize = 8 << 10;

/// What a line needs besides values: keys, quotes, and notes on what was cut off.
const REST: usize = 1 << 10;

/// `2026-11-01T12:00:00.000Z INFO  mimic_server::server: listening address=0.0.0.0:8443`
pub(super) fn text(time: &str, record: &Record<'_>) -> String {
    let mut line = String::with_capacity(LINE);
    let level = record.level().as_str();
    for part in [time, " ", level, &"     "[level.len()..], " ", record.target(), ": "] {
        line.push_str(part);
    }
    let _ = escape(&mut line, &message(record), false);
    let _ = record.key_values().visit(&mut TextPairs(&mut line));
    line.push('\n');
    line
}

/// `{"time":"…","level":"info","target":"mimic_server::server","message":"listening","address":"0.0.0.0:8443"}`
pub(super) fn json(time: &str, record: &Record<'_>) -> String {
    let mut line = format!("{{\"time\":\"{time}\",\"level\":\"{}\"", record.level().as_str().to_ascii_lowercase());
    json_pair(&mut line, "target", record.target());
    json_pair(&mut line, "message", &message(record));
    let _ = record.key_values().visit(&mut JsonPairs(&mut line));
    line.push_str("}\n");
    line
}

/// The message, nearly always a constant.
fn message<'r>(record: &Record<'r>) -> Cow<'r, str> {
    record.args().as_str().map_or_else(|| record.args().to_string().into(), Cow::Borrowed)
}

struct TextPairs<'l>(&'l mut String);

impl<'kvs> VisitSource<'kvs> for TextPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let value = value.to_borrowed_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
        self.0.push(' ');
        self.0.push_str(key.as_str());
        self.0.push('=');
        let bare = !value.is_empty()
            && value.len() <= room(self.0)
            && every(&value, |b| b.is_ascii_graphic() && !is_quote(b) && b != b'=');
        if bare {
            self.0.push_str(&value);
        } else {
            self.0.push('"');
            escape(self.0, &value, true)?;
            self.0.push('"');
        }
        Ok(())
    }
}

struct JsonPairs<'l>(&'l mut String);

impl<'kvs> VisitSource<'kvs> for JsonPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        // The keys of the line itself must not appear twice.
        let clash = matches!(key.as_str(), "time" | "level" | "target" | "message");
        write!(self.0, ",\"{}{key}\":", if clash { "_" } else { "" })?;
        value.visit(JsonValue(self.0))
    }
}

/// Writes numbers and booleans with their JSON type, all other values as strings.
struct JsonValue<'l>(&'l mut String);

impl VisitValue<'_> for JsonValue<'_> {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.visit_str(&value.to_string())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(self.0.write_str("null")?)
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.0.push('"');
        escape(self.0, value, true)?;
        self.0.push('"');
        Ok(())
    }
}

fn json_pair(line: &mut String, key: &str, value: &str) {
    let _ = write!(line, ",\"{key}\":\"");
    let _ = escape(line, value, true);
    line.push('"');
}

/// How many bytes the next value can have.
fn room(line: &str) -> usize {
    LONGEST_VALUE.min((LONGEST - REST).saturating_sub(line.len()))
}

/// Writes `text`, as far as there is room, so that it can neither end the line nor control a terminal; `quoted` also escapes
/// quotes and backslashes. The escape sequences are those of JSON.
fn escape(out: &mut String, text: &str, quoted: bool) -> fmt::Result {
    let room = room(out);
    // The common case: nothing to escape, and enough room.
    if text.len() <= room && every(text, |b| (b.is_ascii_graphic() || b == b' ') && !(quoted && is_quote(b))) {
        out.push_str(text);
        return Ok(());
    }
    let end = out.len() + room;
    for (index, c) in text.char_indices() {
        if out.len() >= end {
            return write!(out, "… and {} more bytes", text.len() - index);
        }
        if quoted && matches!(c, '"' | '\\') {
            out.push('\\');
            out.push(c);
        } else {
            write_printable(out, c)?;
        }
    }
    Ok(())
}

/// Whether every byte is `fine`. There is no early exit, so that the compiler can process many bytes at once.
fn every(text: &str, fine: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & fine(byte))
}

/// Ends a quoted string or begins an escape sequence.
fn is_quote(b: u8) -> bool {
    b == b'"' || b == b'\\'
}

#[cfg(test)]
mod tests {
    use mimic_core::internal::is_hidden;

    use super::*;

    fn record(render: fn(&str, &Record<'_>) -> String, message: &str, values: &[(&str, kv::Value<'_>)]) -> String {
        let mut record = Record::builder();
        record.level(log::Level::Info).target("mimic_server::server").key_values(&values);
        render("2026-11-01T12:00:00.000Z", &record.args(format_args!("{message}")).build())
    }

    #[test]
    fn a_text_line_quotes_only_what_needs_it() {
        let values = [("address", "0.0.0.0:8443".into()), ("count", 3.into()), ("error", "no such file".into())];
        assert_eq!(
            record(text, "listening", &values),
            "2026-11-01T12:00:00.000Z INFO  mimic_server::server: listening address=0.0.0.0:8443 count=3 \
             error=\"no such file\"\n"
        );
    }

    #[test]
    fn a_json_line_is_one_object_with_typed_values() {
        let values = [("count", 3.into()), ("degraded", true.into()), ("error", "say \"no\"".into())];
        let line = record(json, "listening", &values);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&line).expect("the line is JSON"),
            serde_json::json!({
                "time": "2026-11-01T12:00:00.000Z", "level": "info", "target": "mimic_server::server",
                "message": "listening", "count": 3, "degraded": true, "error": "say \"no\"",
            })
        );
    }

    #[test]
    fn no_line_is_longer_than_16_kib_however_long_its_values_are() {
        for value in ["a".repeat(100_000), "\u{1b}".repeat(100_000), "é\"".repeat(100_000), "a b".repeat(5_000)] {
            let values: Vec<(&str, kv::Value<'_>)> =
                ["namespace", "pod", "owner", "images", "warnings"].map(|key| (key, value.as_str().into())).into();
            for render in [text, json] {
                let line = record(render, &value, &values);
                assert!((LONGEST - 2 * REST..=LONGEST).contains(&line.len()), "{} bytes", line.len());
                assert!(line.contains("… and "), "{line}");
            }
            let line = record(json, "x", &values);
            let object: serde_json::Value = serde_json::from_str(&line).expect("a line that was cut is JSON");
            let shown = object["namespace"].as_str().expect("it is a string");
            let (kept, rest) = shown.rsplit_once("… and ").expect("it was cut");
            assert!(value.starts_with(kept));
            assert_eq!(rest, format!("{} more bytes", value.len() - kept.len()));
        }
    }

    #[test]
    fn no_value_can_forge_a_line_or_control_a_terminal() {
        let nasty = "a\nb\r\u{1b}[31m\u{9b}x\u{202e}\u{7f}\0é";
        for render in [text, json] {
            let line = record(render, "x", &[("image", nasty.into())]);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(!line.trim_end().contains(is_hidden), "{line:?}");
            assert!(line.contains('é'));
        }
        let line = record(json, nasty, &[("message", nasty.into())]);
        let object: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
        assert_eq!(object["message"], nasty);
        assert_eq!(object["_message"], nasty);
    }
}
