//! Writing JSON text directly into the buffer of the response, without building a value first.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x32};

/// Appends `text` to `out` as a JSON string, quotes included.
pub(crate) fn string(out: &mut String, text: &str) {
    string_on(Level::new(), out, text);
}

fn string_on(processor: Level, out: &mut String, text: &str) {
    dispatch!(processor, simd => string_with(simd, out, text));
}

#[expect(clippy::inline_always, reason = "it is compiled once for each instruction set")]
#[inline(always)]
fn string_with<S: Simd>(simd: S, out: &mut String, text: &str) {
    out.push('"');
    let (blocks, tail) = text.as_bytes().as_chunks::<32>();
    let mut done = 0;
    for (number, block) in blocks.iter().enumerate() {
        escape_all(out, text, &mut done, number * 32, special(simd, block));
    }
    let mut last = [b' '; 32];
    last[..tail.len()].copy_from_slice(tail);
    escape_all(out, text, &mut done, blocks.len() * 32, special(simd, &last));
    out.push_str(&text[done..]);
    out.push('"');
}

/// The bytes of a block that must be escaped in a JSON string: quotes, backslashes and control characters. The first byte
/// is the lowest bit.
#[expect(clippy::inline_always, reason = "it is compiled once for each instruction set")]
#[inline(always)]
fn special<S: Simd>(simd: S, block: &[u8; 32]) -> u64 {
    let block: u8x32<S> = (*block).simd_into(simd);
    (block.simd_eq(b'"') | block.simd_eq(b'\\') | block.simd_lt(b' ')).to_bitmask()
}

/// Appends `text` from `done` up to the last of the `special` bytes of the block at `start`, and escapes these bytes.
#[inline]
fn escape_all(out: &mut String, text: &str, done: &mut usize, start: usize, mut special: u64) {
    while special != 0 {
        let at = start + special.trailing_zeros() as usize;
        special &= special - 1;
        out.push_str(&text[*done..at]);
        escape(out, text.as_bytes()[at]);
        *done = at + 1;
    }
}

/// Appends the escape of a byte that must be escaped in a JSON string.
fn escape(out: &mut String, byte: u8) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        _ => {
            out.push_str("\\u00");
            out.push(char::from(b'0' + (byte >> 4)));
            out.push(char::from(b"0123456789abcdef"[usize::from(byte & 0xf)]));
        }
    }
}

/// Appends `"key":`, after a comma unless it is the first member of its object. The caller appends the value.
pub(crate) fn key(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    string(out, key);
    out.push(':');
}

/// Appends `"key":"value"`, after a comma unless it is the first member of its object.
pub(crate) fn member(out: &mut String, key: &str, value: &str) {
    self::key(out, key);
    string(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_control_character_is_escaped() {
        let text: String = (0u8..=0x7f).map(char::from).collect();
        let mut out = String::new();
        string(&mut out, &text);
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        assert!(!out.chars().any(|c| c < ' '), "{out}");
    }

    #[test]
    fn members_are_separated_by_commas() {
        let mut out = String::from("{");
        member(&mut out, "a", "1");
        member(&mut out, "{", "{");
        member(&mut out, "b", "\"");
        out.push('}');
        assert_eq!(out, r#"{"a":"1","{":"{","b":"\""}"#);
    }

    proptest! {
        #[test]
        fn any_text_reads_back_unchanged(text in any::<String>(), more in "[ -~\"\\\\\n]{0,100}") {
            for processor in super::super::processors::processors() {
                for text in [&text, &more, &format!("{more}{text}")] {
                    let mut out = String::new();
                    string_on(processor, &mut out, text);
                    prop_assert_eq!(&serde_json::from_str::<String>(&out).unwrap(), text, "{:?}", processor);
                }
            }
        }
    }
}
