//! Valid but unusual reviews: duplicate members, keys with escapes, white space. And bytes that are not UTF-8.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::{checked, samples};

/// Writes unusual JSON. The choices are used in turn, and repeat.
struct UnusualWriter {
    choices: Vec<u8>,
    next: usize,
}

impl UnusualWriter {
    /// A number below `of`. It is nearly always 0, which means the usual form.
    fn choice(&mut self, of: u8) -> u8 {
        self.next = (self.next + 1) % self.choices.len();
        let choice = self.choices[self.next];
        if choice < of { choice } else { 0 }
    }

    /// Writes `value` with the same meaning, except for members that occur twice.
    fn write(&mut self, value: &Value, out: &mut String) {
        self.space(out);
        match value {
            Value::Object(members) => {
                out.push('{');
                for (at, (key, member)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    if self.choice(6) == 1 {
                        let other = members.values().nth(usize::from(self.choice(4))).unwrap_or(&Value::Null);
                        self.member(key, other, out);
                        out.push(',');
                    }
                    self.member(key, member, out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    self.write(item, out);
                }
                out.push(']');
            }
            Value::String(text) => self.string(text, out),
            other => out.push_str(&other.to_string()),
        }
        self.space(out);
    }

    fn member(&mut self, key: &str, value: &Value, out: &mut String) {
        self.space(out);
        self.string(key, out);
        self.space(out);
        out.push(':');
        self.write(value, out);
    }

    fn string(&mut self, text: &str, out: &mut String) {
        let form = self.choice(8);
        if form == 0 {
            out.push_str(&Value::from(text).to_string());
            return;
        }
        out.push('"');
        for (at, character) in text.chars().enumerate() {
            match character {
                '/' if form == 1 => out.push_str("\\/"),
                // A character above U+FFFF takes two escapes.
                _ if form < 4 || at % usize::from(form) == 1 => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                _ => {
                    let quoted = Value::from(character.to_string()).to_string();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                }
            }
        }
        out.push('"');
    }

    fn space(&mut self, out: &mut String) {
        out.push_str(["", " ", "\n", "\t\r ", "                                        "][usize::from(self.choice(5))]);
    }
}

fn unusual_review() -> impl Strategy<Value = Vec<u8>> {
    let values: Vec<Value> = samples().iter().map(|sample| serde_json::from_slice(sample).unwrap()).collect();
    (select(values), proptest::collection::vec(any::<u8>(), 1..200)).prop_map(|(value, choices)| {
        let mut text = String::new();
        UnusualWriter { choices, next: 0 }.write(&value, &mut text);
        text.into_bytes()
    })
}

/// Bytes that are not UTF-8: an invalid byte, a lone continuation byte, a lone first byte, an overlong encoding, half of a
/// surrogate pair, and a code point that is too high.
const NOT_UTF8: [&[u8]; 6] = [b"\xff", b"\x80", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn unusual_reviews_are_read_as_serde_json_reads_them(review in unusual_review()) {
        prop_assert!(checked(&review), "{}", String::from_utf8_lossy(&review));
    }

    #[test]
    fn unusual_reviews_with_bytes_that_are_not_utf8_are_not_read(
        review in unusual_review(), at in any::<Index>(), bytes in select(&NOT_UTF8[..]),
    ) {
        let mut review = review;
        let at = at.index(review.len());
        // Not before a byte that would complete the sequence.
        prop_assume!(review[at].is_ascii());
        review.splice(at..at, bytes.iter().copied());
        prop_assert!(!checked(&review));
        prop_assert!(serde_json::from_slice::<Value>(&review).is_err());
    }

    #[test]
    fn damaged_unusual_reviews_are_read_only_as_serde_json_reads_them(
        review in unusual_review(),
        damages in proptest::collection::vec((any::<Index>(), select(&b"{}[]\",:\\u0 \n\x00\xff"[..]), 0..4), 1..4),
    ) {
        let mut review = review;
        for (at, byte, form) in damages {
            let at = at.index(review.len() + 1);
            let end = (at + 1).min(review.len());
            match form {
                0 => drop(review.splice(at..end, [byte])),
                1 => review.insert(at, byte),
                2 => drop(review.drain(at..end)),
                _ => review.truncate(at),
            }
        }
        checked(&review);
    }
}
