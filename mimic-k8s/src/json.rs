//! Writing JSON text: the answer is short and flat, so it is written straight into the one buffer that is sent.

use wide::u8x16;

/// Appends `text` to `out` as a JSON string, quotes included.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    let bytes = text.as_bytes();
    let mut done = 0;
    loop {
        let at = special(bytes, done);
        out.push_str(&text[done..at]);
        let Some(&byte) = bytes.get(at) else { break };
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
        done = at + 1;
    }
    out.push('"');
}

/// Where, from `at` on, is the first byte that means something within a JSON string: a quote, a backslash, or a control
/// character, which may only be there as an escape. The end, if there is none.
#[expect(clippy::inline_always, reason = "writing strings is most of what an answer costs")]
#[inline(always)]
fn special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let chunk = u8x16::new(*chunk);
        let equal = |byte: u8| chunk.simd_eq(u8x16::splat(byte));
        let control = chunk.min(u8x16::splat(b' ' - 1)).simd_eq(chunk);
        // The first byte's mark is the lowest bit.
        let found = (control | equal(b'"') | equal(b'\\')).to_bitmask();
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    special_in_tail(bytes, at)
}

/// [`special`] for the last bytes, which are too few for a chunk.
fn special_in_tail(bytes: &[u8], at: usize) -> usize {
    let tail = bytes[at..].iter();
    at + tail.take_while(|byte| !matches!(byte, 0..b' ' | b'"' | b'\\')).count()
}

/// Appends `"key":"value"`, after a comma unless it is the first member of its object.
pub(crate) fn member(out: &mut String, key: &str, value: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    string(out, key);
    out.push(':');
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
    fn members_are_parted_by_commas() {
        let mut out = String::from("{");
        member(&mut out, "a", "1");
        member(&mut out, "{", "{");
        member(&mut out, "b", "\"");
        out.push('}');
        assert_eq!(out, r#"{"a":"1","{":"{","b":"\""}"#);
    }

    proptest! {
        #[test]
        fn any_text_reads_back_as_it_was(text in any::<String>()) {
            let mut out = String::new();
            string(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
