//! A reader of JSON for `serde` that passes over what nobody asked for as fast as it can be checked.
//!
//! Nearly all of a review is passed over, and that is most of what reading it costs
//! (`docs/decisions/0007-own-json-reader.md` has figures). Where strings end is found for the whole text at once
//! ([`quotes`](crate::quotes)); then they are stepped over. It checks all that it passes over, but gives no reasons: whoever
//! gets no value asks `serde_json`, which decides, and says what is wrong.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::quotes::Quotes;

/// Reads one value that takes up all of `bytes`; `None` if that cannot be done, for whatever reason.
pub(crate) fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    // Once for all costs less than once for each of the strings that are read.
    let text = simdutf8::basic::from_utf8(bytes).ok()?;
    let mut reader = Reader { text, quotes: Quotes::find(bytes)?, at: 0 };
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

/// Passes over the rest of a string, closing quote included.
#[inline]
fn skip_string(quotes: &Quotes, at: &mut usize) -> Read<()> {
    *at = quotes.next(*at).ok_or(GiveUp)? + 1;
    Ok(())
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

/// Passes over any value that begins at `at`, and returns its end. However deep it is, this takes no stack.
fn skip(bytes: &[u8], quotes: &Quotes, mut at: usize) -> Read<usize> {
    let mut open = Open::default();
    // Whether a key begins, and its quote is passed already, or a value.
    let mut key = false;
    loop {
        if key {
            skip_string(quotes, &mut at)?;
            // What most members are like in what the API server writes; the rest takes the long way.
            match bytes.get(at..).and_then(<[u8]>::first_chunk) {
                Some(b":{}") => at += 3,
                Some(b":{\"") => {
                    at += 3;
                    open.push(true);
                    continue;
                }
                Some([b':', b'"', _]) => {
                    at += 2;
                    skip_string(quotes, &mut at)?;
                }
                _ => {
                    expect(bytes, &mut at, b':')?;
                    key = false;
                    continue;
                }
            }
        } else {
            match peek(bytes, &mut at)? {
                b'"' => {
                    at += 1;
                    skip_string(quotes, &mut at)?;
                }
                b'{' => {
                    at += 1;
                    if peek(bytes, &mut at)? != b'}' {
                        expect(bytes, &mut at, b'"')?;
                        open.push(true);
                        key = true;
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
                _ => at = skip_scalar(bytes, at)?,
            }
        }
        // A value is over; so may be what it was in.
        loop {
            let Some(in_object) = open.last() else { return Ok(at) };
            if in_object && bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(b",\"") {
                at += 2;
                key = true;
                break;
            }
            let byte = peek(bytes, &mut at)?;
            at += 1;
            match byte {
                b',' => {
                    if in_object {
                        expect(bytes, &mut at, b'"')?;
                    }
                    key = in_object;
                    break;
                }
                b'}' if in_object => open.pop(),
                b']' if !in_object => open.pop(),
                _ => return Err(GiveUp),
            }
        }
    }
}

/// Passes over the word or number that begins at `at`, and returns its end.
fn skip_scalar(bytes: &[u8], at: usize) -> Read<usize> {
    match bytes.get(at) {
        Some(b't') => skip_word(bytes, at, b"true"),
        Some(b'f') => skip_word(bytes, at, b"false"),
        Some(b'n') => skip_word(bytes, at, b"null"),
        Some(b'-' | b'0'..=b'9') => skip_number(bytes, at),
        _ => Err(GiveUp),
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
    quotes: Quotes,
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
        skip_string(&self.quotes, &mut self.at)?;
        let text = self.text.get(start..self.at - 1).ok_or(GiveUp)?;
        if self.quotes.may_hold_escapes(start..self.at) && text.contains('\\') {
            let quoted = self.text.get(start - 1..self.at).ok_or(GiveUp)?;
            return serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| GiveUp);
        }
        Ok(Cow::Borrowed(text))
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
        let bytes = self.text.as_bytes();
        match self.peek()? {
            // Most members that nobody asks for are strings.
            b'"' => {
                self.at += 1;
                skip_string(&self.quotes, &mut self.at)?;
            }
            b'{' | b'[' => self.at = skip(bytes, &self.quotes, self.at)?,
            _ => self.at = skip_scalar(bytes, self.at)?,
        }
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

#[cfg(any(test, fuzzing))]
pub(crate) mod agreement;

#[cfg(test)]
mod tests;
