//! JSON to a tree. Strict: what is not JSON is read as YAML.

use std::borrow::Cow;

use memchr::memchr2;

use crate::builder::Builder;
use crate::tree::{Kind, Style, Tag, Tree};

/// Parses a text that is exactly one JSON object. `None` if it is not JSON, or nested too deeply.
pub(crate) fn parse(text: &str) -> Option<Tree<'_>> {
    let mut reader = Reader { text, at: 0, builder: Builder::new(text) };
    reader.space();
    if reader.peek() != Some(b'{') {
        return None;
    }
    reader.document()?;
    reader.space();
    (reader.at == text.len()).then(|| reader.builder.finish())
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    builder: Builder<'t>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Reads a value without recursion.
    fn document(&mut self) -> Option<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.space();
            let start = self.at;
            match self.peek()? {
                first @ (b'{' | b'[') => {
                    self.at += 1;
                    let (kind, close) = if first == b'{' { (Kind::Map, b'}') } else { (Kind::List, b']') };
                    self.builder.begin(kind, start, 0).ok()?;
                    self.space();
                    if self.eat(close) {
                        self.builder.end();
                    } else {
                        open.push(close);
                        if close == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => self.string()?,
                _ => self.literal()?,
            }
            // A value is complete; what follows?
            loop {
                self.space();
                let Some(&close) = open.last() else { return Some(()) };
                if self.eat(close) {
                    open.pop();
                    self.builder.end();
                    continue;
                }
                if !self.eat(b',') {
                    return None;
                }
                if close == b'}' {
                    self.space();
                    self.key()?;
                }
                break;
            }
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.space();
        self.eat(b':').then_some(())
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at;
        if !self.eat(b'"') {
            return None;
        }
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            let found = memchr2(b'"', b'\\', &bytes[self.at..])?;
            self.at += found;
            if self.eat(b'"') {
                break;
            }
            escaped = true;
            // The escaped character cannot end the string.
            self.at += 2;
            if self.at > bytes.len() {
                return None;
            }
        }
        let raw = &self.text[start + 1..self.at - 1];
        let value = if escaped {
            Cow::Owned(serde_json::from_str::<String>(&self.text[start..self.at]).ok()?)
        } else {
            if raw.bytes().any(|byte| byte < 0x20) {
                return None;
            }
            Cow::Borrowed(raw)
        };
        self.builder.scalar(Kind::Scalar(Style::DoubleQuoted, Tag::None), start, start + 1, &value, 0);
        Some(())
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.')) {
            self.at += 1;
        }
        let raw = &self.text[start..self.at];
        if !matches!(raw, "true" | "false" | "null") {
            // Also refuses an empty literal and what only YAML reads as a number.
            serde_json::from_str::<serde_json::Number>(raw).ok()?;
        }
        self.builder.scalar(Kind::Scalar(Style::Plain, Tag::None), start, start, raw, 0);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strict_json_is_json() {
        for text in [
            "{}",
            " { } \n",
            r#"{"a":[1,-2.5e3,true,false,null,"é☃\u00e9\"\\"],"b":{"c":[]}}"#,
            "{\t\"a\":\r\n\t[[],{}]}",
            r#"{"a":"\ud83d\ude00"}"#,
        ] {
            assert!(parse(text).is_some(), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "[]",
            "1",
            "{",
            "{a: 1}",
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":01}"#,
            r#"{"a":.5}"#,
            r#"{"a":yes}"#,
            r#"{"a" 1}"#,
            r#"{"a":1}}"#,
            r#"{"a":1}{}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":"\x"}"#,
            r#"{"a":"\"#,
            r#"{"a":"b"#,
            r#"{"a":'b'}"#,
            r#"{"a":1] "#,
            "{\"a\":1} # c",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(&text).is_none());
    }
}
