//! A JSON deserializer for `serde` that skips unneeded fields fast.
//!
//! Most of a review is skipped, and skipping takes most of the time (`docs/decisions/0007-own-json-reader.md` has figures).
//! [`Quotes`] finds the ends of all strings at once. The reader then jumps over strings without looking at their bytes.
//!
//! The reader checks the syntax of everything that it skips, but reports no reason for a failure. If it fails, the caller
//! parses the text with `serde_json`, which decides whether the text is valid and has the error message.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::quotes::{Ends, Quotes};

/// Reads `bytes` as one value. `None` on any error.
pub(in crate::admission) fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    // Checking UTF-8 once is faster than checking it for each string that is read.
    let text = simdutf8::basic::from_utf8(bytes).ok()?;
    let quotes = Quotes::find(bytes)?;
    let mut reader = Reader { text, quotes: &quotes, ends: quotes.ends(), backslash: quotes.next_backslash(0), at: 0 };
    let value = T::deserialize(&mut reader).ok()?;
    space(bytes, &mut reader.at);
    (reader.at == bytes.len()).then_some(value)
}

/// The reader fails. It has no reason: `serde_json` reports that.
#[derive(Debug)]
struct GiveUp;

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid JSON")
    }
}

impl std::error::Error for GiveUp {}

impl serde::de::Error for GiveUp {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Read<T> = Result<T, GiveUp>;

// These functions take most of the time. They pass the position by reference, so that the compiler keeps it in a register.

#[inline]
fn space(bytes: &[u8], at: &mut usize) {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(*at) {
        *at += 1;
    }
}

/// The next byte that is not white space, without consuming it.
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

/// Consumes `byte`, which must be the next one.
#[inline]
fn expect(bytes: &[u8], at: &mut usize, byte: u8) -> Read<()> {
    if peek(bytes, at)? != byte {
        return Err(GiveUp);
    }
    *at += 1;
    Ok(())
}

/// Skips the object or list that begins at `at`, and returns its end. It does not recurse.
fn skip<'q>(bytes: &[u8], ends: &Ends<'q>, mut at: usize) -> Read<(Ends<'q>, usize)> {
    // A local copy, so that the compiler keeps it in registers.
    let mut ends = ends.clone();
    // The open containers, the innermost in the lowest bit: 1 for an object, 0 for a list. The highest set bit marks the end.
    let mut open: u64 = 1;
    'value: loop {
        // True if a key is next, at its quote. False after a value.
        let mut key = false;
        match peek(bytes, &mut at)? {
            b'"' => at = ends.next().ok_or(GiveUp)? + 1,
            b'{' => {
                at += 1;
                match peek(bytes, &mut at)? {
                    b'"' => {
                        open = deeper(open, true)?;
                        key = true;
                    }
                    b'}' => at += 1,
                    _ => return Err(GiveUp),
                }
            }
            b'[' => {
                at += 1;
                if peek(bytes, &mut at)? != b']' {
                    open = deeper(open, false)?;
                    continue;
                }
                at += 1;
            }
            _ => at = skip_scalar(bytes, at)?,
        }
        'member: loop {
            if key {
                // The fast path has the forms that most members have in the API server's output.
                loop {
                    at = ends.next().ok_or(GiveUp)? + 1;
                    let next = window(bytes, at);
                    if begins(next, *b":{},\"") {
                        continue;
                    }
                    if begins(next, *b":{\"") {
                        open = deeper(open, true)?;
                        continue;
                    }
                    if begins(next, *b":\"") {
                        at = ends.next().ok_or(GiveUp)? + 1;
                        if begins(window(bytes, at), *b",\"") {
                            continue;
                        }
                    } else if begins(next, *b":{}") {
                        at += 3;
                    } else {
                        expect(bytes, &mut at, b':')?;
                        continue 'value;
                    }
                    break;
                }
            }
            // The end of a value can also be the end of its containers.
            loop {
                if open == 1 {
                    return Ok((ends, at));
                }
                let in_object = open & 1 == 1;
                let byte = peek(bytes, &mut at)?;
                at += 1;
                match byte {
                    b'}' if in_object => open >>= 1,
                    b']' if !in_object => open >>= 1,
                    b',' if in_object => {
                        if peek(bytes, &mut at)? != b'"' {
                            return Err(GiveUp);
                        }
                        key = true;
                        continue 'member;
                    }
                    b',' => continue 'value,
                    _ => return Err(GiveUp),
                }
            }
        }
    }
}

/// Adds a container to the open ones. There is room for 63, several times the depth of a pod.
fn deeper(open: u64, is_object: bool) -> Read<u64> {
    if open.leading_zeros() == 0 { Err(GiveUp) } else { Ok(open << 1 | u64::from(is_object)) }
}

/// Skips the literal or number that begins at `at`, and returns its end.
fn skip_scalar(bytes: &[u8], at: usize) -> Read<usize> {
    match bytes.get(at) {
        Some(b't') => skip_word(bytes, at, b"true"),
        Some(b'f') => skip_word(bytes, at, b"false"),
        Some(b'n') => skip_word(bytes, at, b"null"),
        Some(b'-' | b'0'..=b'9') => skip_number(bytes, at),
        _ => Err(GiveUp),
    }
}

/// Skips the literal `word`, such as `null`, that begins at `at`, and returns its end.
fn skip_word(bytes: &[u8], at: usize, word: &[u8]) -> Read<usize> {
    if bytes[at..].starts_with(word) { Ok(at + word.len()) } else { Err(GiveUp) }
}

/// Skips the number that begins at `at`, and returns its end.
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

/// Skips one or more digits.
fn skip_digits(bytes: &[u8], start: usize) -> Read<usize> {
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 { Ok(start + digits) } else { Err(GiveUp) }
}

/// The eight bytes at `at`, the first in the lowest bits. 0 if fewer are left.
#[inline]
fn window(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// Whether a window begins with `text`.
#[inline]
fn begins<const N: usize>(window: u64, text: [u8; N]) -> bool {
    let mut whole = [0; 8];
    whole[..N].copy_from_slice(&text);
    (window ^ u64::from_le_bytes(whole)) << (64 - 8 * N) == 0
}

struct Reader<'q, 'a> {
    text: &'a str,
    quotes: &'q Quotes,
    ends: Ends<'q>,
    /// Position of the next backslash, from the position of the last search on.
    backslash: usize,
    /// Position of the next byte.
    at: usize,
}

impl<'a> Reader<'_, 'a> {
    fn peek(&mut self) -> Read<u8> {
        peek(self.text.as_bytes(), &mut self.at)
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        expect(self.text.as_bytes(), &mut self.at, byte)
    }

    /// Skips the string that begins here, and returns its range without the quotes.
    #[inline]
    fn skip_string(&mut self) -> Read<Range<usize>> {
        let start = self.at + 1;
        let end = self.ends.next().ok_or(GiveUp)?;
        self.at = end + 1;
        Ok(start..end)
    }

    fn word(&mut self, word: &[u8]) -> Read<()> {
        self.at = skip_word(self.text.as_bytes(), self.at, word)?;
        Ok(())
    }

    #[inline]
    fn string(&mut self) -> Read<Cow<'a, str>> {
        if self.peek()? != b'"' {
            return Err(GiveUp);
        }
        let range = self.skip_string()?;
        if self.backslash < range.start {
            self.backslash = self.quotes.next_backslash(range.start);
        }
        if self.backslash < range.end {
            return self.unescaped(range);
        }
        self.text.get(range).map(Cow::Borrowed).ok_or(GiveUp)
    }

    /// A string that contains escapes.
    #[cold]
    fn unescaped(&self, range: Range<usize>) -> Read<Cow<'a, str>> {
        let quoted = self.text.get(range.start - 1..=range.end).ok_or(GiveUp)?;
        serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| GiveUp)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'_, 'de> {
    type Error = GiveUp;

    /// No view deserializes a value of unknown type.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Read<V::Value> {
        Err(GiveUp)
    }

    #[inline]
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
        match self.peek()? {
            // Most skipped values are strings.
            b'"' => {
                self.skip_string()?;
            }
            b'{' | b'[' => (self.ends, self.at) = skip(self.text.as_bytes(), &self.ends, self.at)?,
            _ => self.at = skip_scalar(self.text.as_bytes(), self.at)?,
        }
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char string bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct struct enum identifier
    }
}

/// The members of an object or the items of a list. The views iterate over all of them.
struct Entries<'r, 'q, 'a> {
    reader: &'r mut Reader<'q, 'a>,
    end: u8,
    first: bool,
}

impl Entries<'_, '_, '_> {
    /// Whether there is another entry. Consumes the comma before it, or the end.
    #[inline]
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

impl<'a> MapAccess<'a> for Entries<'_, '_, 'a> {
    type Error = GiveUp;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if !self.another()? {
            return Ok(None);
        }
        match self.reader.string()? {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
            Cow::Owned(key) => seed.deserialize(key.into_deserializer()),
        }
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Read<V::Value> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

impl<'a> SeqAccess<'a> for Entries<'_, '_, 'a> {
    type Error = GiveUp;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if self.another()? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests;
