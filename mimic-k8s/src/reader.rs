//! A reader of JSON for `serde` that passes over what nobody asked for as fast as it can be checked.
//!
//! Nearly all of a review is passed over, and that is most of what reading it costs
//! (`docs/decisions/0007-own-json-reader.md` has figures). It checks all that it passes over, but gives no reasons: whoever
//! gets no value asks `serde_json`, which decides, and says what is wrong.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::json::special;

/// Reads one value that takes up all of `bytes`; `None` if that cannot be done, for whatever reason.
pub(crate) fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    // Once for all costs less than once for each of the strings that are read.
    let mut reader = Reader { text: std::str::from_utf8(bytes).ok()?, at: 0 };
    let value = T::deserialize(&mut reader).ok()?;
    space(bytes, &mut reader.at);
    (reader.at == bytes.len()).then_some(value)
}

/// The reader gives up. It says nothing, since `serde_json` will.
#[derive(Debug)]
struct GiveUp;

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not readable")
    }
}

impl std::error::Error for GiveUp {}

impl serde::de::Error for GiveUp {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Read<T> = Result<T, GiveUp>;

// The position is handed about by reference, so that the compiler keeps it in a register: these functions are where the
// time goes.

#[inline]
fn space(bytes: &[u8], at: &mut usize) {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(*at) {
        *at += 1;
    }
}

/// The next byte that is no white space, which stays the next.
#[inline]
fn peek(bytes: &[u8], at: &mut usize) -> Read<u8> {
    match bytes.get(*at) {
        Some(&byte) if byte > b' ' => Ok(byte),
        _ => {
            space(bytes, at);
            bytes.get(*at).copied().ok_or(GiveUp)
        }
    }
}

/// Passes over `byte`, which has to come next.
#[inline]
fn expect(bytes: &[u8], at: &mut usize, byte: u8) -> Read<()> {
    if peek(bytes, at)? != byte {
        return Err(GiveUp);
    }
    *at += 1;
    Ok(())
}

/// Passes over a word such as `null` that begins at `at`, and returns its end.
fn skip_word(bytes: &[u8], at: usize, word: &[u8]) -> Read<usize> {
    if bytes[at..].starts_with(word) { Ok(at + word.len()) } else { Err(GiveUp) }
}

/// Passes over the rest of a string, closing quote included; true if there are escapes in it.
#[expect(clippy::inline_always, reason = "it is called in two places, one of which takes half the time of a review")]
#[inline(always)]
fn skip_string(bytes: &[u8], at: &mut usize) -> Read<bool> {
    let mut escaped = false;
    loop {
        *at = special(bytes, *at);
        match bytes.get(*at) {
            Some(b'"') => {
                *at += 1;
                return Ok(escaped);
            }
            Some(b'\\') => {
                escaped = true;
                *at = skip_escape(bytes, *at)?;
            }
            _ => return Err(GiveUp),
        }
    }
}

/// Passes over an escape that begins at `at`, and returns its end.
fn skip_escape(bytes: &[u8], at: usize) -> Read<usize> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') if bytes.get(at + 2..at + 6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => Ok(at + 6),
        _ => Err(GiveUp),
    }
}

/// Passes over a number that begins at `at`, and returns its end.
fn skip_number(bytes: &[u8], mut at: usize) -> Read<usize> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { skip_digits(bytes, at)? };
    if bytes.get(at) == Some(&b'.') {
        at = skip_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = skip_digits(bytes, at + 1 + usize::from(sign))?;
    }
    Ok(at)
}

/// Passes over at least one digit.
fn skip_digits(bytes: &[u8], start: usize) -> Read<usize> {
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 { Ok(start + digits) } else { Err(GiveUp) }
}

/// Passes over a member's key and colon, where a member has to begin.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn skip_key(bytes: &[u8], at: &mut usize) -> Read<()> {
    expect(bytes, at, b'"')?;
    skip_string(bytes, at)?;
    expect(bytes, at, b':')
}

/// Passes over any value that begins at `at`, and returns its end. However deep it is, this takes no stack.
fn skip(bytes: &[u8], mut at: usize) -> Read<usize> {
    let mut open = Open::default();
    loop {
        match peek(bytes, &mut at)? {
            b'"' => {
                at += 1;
                skip_string(bytes, &mut at)?;
            }
            b'{' => {
                at += 1;
                if peek(bytes, &mut at)? != b'}' {
                    open.push(true);
                    skip_key(bytes, &mut at)?;
                    continue;
                }
                at += 1;
            }
            b'[' => {
                at += 1;
                if peek(bytes, &mut at)? != b']' {
                    open.push(false);
                    continue;
                }
                at += 1;
            }
            b't' => at = skip_word(bytes, at, b"true")?,
            b'f' => at = skip_word(bytes, at, b"false")?,
            b'n' => at = skip_word(bytes, at, b"null")?,
            b'-' | b'0'..=b'9' => at = skip_number(bytes, at)?,
            _ => return Err(GiveUp),
        }
        // A value is over; so may be what it was in.
        loop {
            let Some(in_object) = open.last() else { return Ok(at) };
            let byte = peek(bytes, &mut at)?;
            at += 1;
            match byte {
                b',' => {
                    if in_object {
                        skip_key(bytes, &mut at)?;
                    }
                    break;
                }
                b'}' if in_object => open.pop(),
                b']' if !in_object => open.pop(),
                _ => return Err(GiveUp),
            }
        }
    }
}

/// Which of the open containers are objects: a bit for each below a highest one that ends them, in the word at hand; full
/// words are set aside.
struct Open {
    bits: u64,
    below: Vec<u64>,
}

impl Default for Open {
    fn default() -> Self {
        Self { bits: 1, below: Vec::new() }
    }
}

impl Open {
    fn push(&mut self, is_object: bool) {
        if self.bits.leading_zeros() == 0 {
            self.below.push(std::mem::replace(&mut self.bits, 1));
        }
        self.bits = self.bits << 1 | u64::from(is_object);
    }

    /// Whether the innermost one is an object; `None` if none is open.
    fn last(&self) -> Option<bool> {
        (self.bits != 1).then_some(self.bits & 1 == 1)
    }

    fn pop(&mut self) {
        self.bits >>= 1;
        if self.bits == 1 {
            self.bits = self.below.pop().unwrap_or(1);
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Position of the next byte.
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Read<u8> {
        peek(self.text.as_bytes(), &mut self.at)
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        expect(self.text.as_bytes(), &mut self.at, byte)
    }

    fn word(&mut self, word: &[u8]) -> Read<()> {
        self.at = skip_word(self.text.as_bytes(), self.at, word)?;
        Ok(())
    }

    fn string(&mut self) -> Read<Cow<'a, str>> {
        self.expect(b'"')?;
        let start = self.at;
        let escaped = skip_string(self.text.as_bytes(), &mut self.at)?;
        if escaped {
            let quoted = self.text.get(start - 1..self.at).ok_or(GiveUp)?;
            return serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| GiveUp);
        }
        self.text.get(start..self.at - 1).map(Cow::Borrowed).ok_or(GiveUp)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = GiveUp;

    /// No view asks for "any" value.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Read<V::Value> {
        Err(GiveUp)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.peek()? == b'n' {
            self.word(b"null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let value = self.peek()? == b't';
        self.word(if value { b"true" } else { b"false" })?;
        visitor.visit_bool(value)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.expect(b'{')?;
        visitor.visit_map(Entries { reader: self, end: b'}', first: true })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.expect(b'[')?;
        visitor.visit_seq(Entries { reader: self, end: b']', first: true })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.at = skip(self.text.as_bytes(), self.at)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char string bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct struct enum identifier
    }
}

/// The members of an object or the items of a list. The views read all of them.
struct Entries<'r, 'a> {
    reader: &'r mut Reader<'a>,
    end: u8,
    first: bool,
}

impl Entries<'_, '_> {
    /// Whether another entry begins.
    fn another(&mut self) -> Read<bool> {
        match self.reader.peek()? {
            end if end == self.end => {
                self.reader.at += 1;
                return Ok(false);
            }
            b',' if !self.first => self.reader.at += 1,
            _ if self.first => {}
            _ => return Err(GiveUp),
        }
        self.first = false;
        Ok(true)
    }
}

impl<'a> MapAccess<'a> for Entries<'_, 'a> {
    type Error = GiveUp;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if !self.another()? {
            return Ok(None);
        }
        if self.reader.peek()? != b'"' {
            return Err(GiveUp);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Read<V::Value> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

impl<'a> SeqAccess<'a> for Entries<'_, 'a> {
    type Error = GiveUp;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if self.another()? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde::de::IgnoredAny;

    use super::*;
    use crate::review::Envelope;

    /// What the reader makes of `bytes`, once it is known that `serde_json` makes the same of it.
    fn checked(bytes: &[u8]) -> bool {
        let reads = from_slice::<IgnoredAny>(bytes).is_some();
        if reads {
            assert!(serde_json::from_slice::<IgnoredAny>(bytes).is_ok(), "{:?}", String::from_utf8_lossy(bytes));
        }
        if let Some(envelope) = from_slice::<Envelope<'_>>(bytes) {
            assert!(reads);
            let expected = serde_json::from_slice::<Envelope<'_>>(bytes).unwrap();
            assert_eq!(format!("{envelope:?}"), format!("{expected:?}"));
        }
        reads
    }

    fn samples() -> Vec<Vec<u8>> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let folders = ["captured", "cases", "sizes"].map(|folder| data.join(folder));
        let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let samples: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
        assert!(samples.len() > 38, "the reviews and their answers");
        samples
    }

    #[test]
    fn every_sample_is_read_and_means_what_serde_json_reads() {
        let read = samples().iter().filter(|sample| from_slice::<Envelope<'_>>(sample).is_some()).count();
        // The cases hold a few objects that are no pods, and answers whose parts are of other types.
        assert!(read > 38, "{read}");
        for sample in samples() {
            checked(&sample);
            let value: serde_json::Value = serde_json::from_slice(&sample).unwrap();
            assert!(checked(&serde_json::to_vec_pretty(&value).unwrap()));
            assert!(checked(value.to_string().as_bytes()));
        }
    }

    #[test]
    fn what_is_no_json_is_not_read() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "{]",
            "[}",
            "[1,]",
            "{\"a\":1,}",
            "{,}",
            "[,]",
            "{\"a\"}",
            "{\"a\":}",
            "{1:2}",
            "{a:1}",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1e",
            "1e+",
            "--1",
            "0x1",
            "tru",
            "truth",
            "nul",
            "falsey",
            "True",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "\"a\tb\"",
            "'a'",
            "1 2",
            "{} {}",
            "[1 2]",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "\u{feff}{}",
            "[\"a\", \"b]",
            "{\"a\":[}]",
            "/**/1",
            "NaN",
        ] {
            assert!(!checked(text.as_bytes()), "{text}");
            assert!(serde_json::from_str::<IgnoredAny>(text).is_err(), "{text}");
        }
        assert!(!checked(b"\"\xff\""));
    }

    #[test]
    fn what_is_json_is_read() {
        for text in [
            "0",
            "-0",
            "-0.0e-0",
            "1E5",
            "1e+5",
            "12.50",
            "true",
            "false",
            "null",
            "\"\"",
            "[]",
            "{}",
            " [ ] ",
            "\t{\r\n}",
            "[[],{},[[]]]",
            "{\"a\":{\"b\":[1,\"2\",null]},\"c\":true}",
            "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud800\"",
            "\"0123456789abcdef\"",
            "\"0123456789abcde\\\"\"",
            "\"0123456789abcd\\u0041\"",
            "{\"\":\"\"}",
            "\"ünï☃\"",
        ] {
            assert!(checked(text.as_bytes()), "{text}");
        }
        for depth in [63, 64, 65, 127, 128, 129, 10_000] {
            let (open, close) = ("[{\"a\":".repeat(depth), "}]".repeat(depth));
            assert!(checked(format!("{open}0{close}").as_bytes()), "{depth}");
            assert!(!checked(format!("{open}0{}", close.replacen("}]", "]}", 1)).as_bytes()), "{depth}");
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "[ -~]{0,40}|\\PC{0,20}|[\"\\\\\n\u{0}]{0,5}".prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 60, 8, |inner| {
            let key = select(&["metadata", "spec", "request", "uid", "a", "\"\\\n", ""][..]).prop_map(str::to_owned);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::btree_map(key, inner, 0..8)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn any_json_is_read(value in value()) {
            prop_assert!(checked(value.to_string().as_bytes()));
            prop_assert!(checked(serde_json::to_string_pretty(&value).unwrap().as_bytes()));
        }

        #[test]
        fn damaged_json_is_read_only_if_serde_json_reads_it(
            value in value(), at in any::<Index>(), byte in select(&b"{}[]\",:\\0-.e tfn\n\xff"[..]), form in 0..3,
        ) {
            let mut text = value.to_string().into_bytes();
            let at = at.index(text.len());
            match form {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
            checked(&text);
        }

        #[test]
        fn damaged_reviews_are_read_only_as_serde_json_reads_them(
            sample in select(samples()), at in any::<Index>(), byte in any::<u8>(), cut in prop::option::weighted(0.1, any::<Index>()),
        ) {
            let mut text = sample;
            let at = at.index(text.len());
            text[at] = byte;
            if let Some(cut) = cut {
                text.truncate(cut.index(text.len()));
            }
            checked(&text);
        }

        #[test]
        fn pieces_of_json_are_read_only_if_serde_json_reads_them(
            pieces in prop::collection::vec(
                select(&["{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "\\", "\\u00", "1", "-", ".", "e", "null", "true", " "][..]),
                0..24,
            ),
        ) {
            checked(pieces.concat().as_bytes());
        }
    }
}
