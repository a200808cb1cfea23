//! The text of files and lists: UTF-8, with or without a byte order mark.

use std::borrow::Cow;

use crate::hint::Hint;

/// The byte order mark that some editors write at the start of a file.
const MARK: char = '\u{feff}';

/// Why bytes are not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The bytes are UTF-16, as Windows PowerShell writes it.
    #[error("UTF-16 text, expected UTF-8")]
    Utf16,
    /// The bytes are something else.
    #[error("not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Position of the first invalid byte, from 0.
        offset: usize,
    },
}

impl Hint for TextError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        (*self == Self::Utf16).then(|| "save it as UTF-8; in PowerShell, use `Out-File -Encoding utf8`".into())
    }
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// If the file is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, TextError> {
    if is_utf16(bytes) {
        return Err(TextError::Utf16);
    }
    let text = str::from_utf8(bytes).map_err(|error| TextError::NotUtf8 { offset: error.valid_up_to() })?;
    Ok(without_mark(text))
}

/// The text without a byte order mark.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Whether the start of a file or a list is UTF-16: it has a byte order mark, or a zero byte in its first character.
pub fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=255, ..] | [1..=255, 0, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_skipped_and_utf16_is_named() {
        let utf16 = |text: &str, mark: &str| -> (Vec<u8>, Vec<u8>) {
            let units: Vec<u16> = mark.encode_utf16().chain(text.encode_utf16()).collect();
            let bytes = |to: fn(u16) -> [u8; 2]| units.iter().flat_map(|&unit| to(unit)).collect();
            (bytes(u16::to_le_bytes), bytes(u16::to_be_bytes))
        };
        for text in ["", "m", "mirrors: {}", "ü", "\n"] {
            assert_eq!(decode(text.as_bytes()), Ok(text));
            assert_eq!(decode(format!("\u{feff}{text}").as_bytes()), Ok(text));
            let (little, big) = utf16(text, "\u{feff}");
            assert_eq!((decode(&little), decode(&big)), (Err(TextError::Utf16), Err(TextError::Utf16)), "{text}");
        }
        let (little, big) = utf16("mirrors: {}", "");
        assert_eq!((decode(&little), decode(&big)), (Err(TextError::Utf16), Err(TextError::Utf16)));
        assert_eq!(decode(b"ab\xff"), Err(TextError::NotUtf8 { offset: 2 }));
    }
}
