//! Writing JSON text: the answer is short and flat, so it is written straight into the one buffer that is sent.

/// Appends `text` to `out` as a JSON string, quotes included.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "\\u00",
            _ => continue,
        };
        out.push_str(&text[done..at]);
        out.push_str(escape);
        if escape == "\\u00" {
            out.push(char::from(b'0' + (byte >> 4)));
            out.push(char::from(b"0123456789abcdef"[usize::from(byte & 0xf)]));
        }
        done = at + 1;
    }
    out.push_str(&text[done..]);
    out.push('"');
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
