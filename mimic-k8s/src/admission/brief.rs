//! Text that may quote an object, made short and safe for terminals, logs and HTTP headers.

use std::fmt::{self, Write};

use mimic_core::internal::is_hidden;

/// Formats into at most `limit` characters. The last one is `…` if text was cut off. Control characters, and characters
/// that break lines or change the writing direction, are replaced.
pub(super) fn brief(text: fmt::Arguments<'_>, limit: usize) -> String {
    let mut brief = Brief { text: String::new(), room: limit };
    // `Brief` returns an error only when it is full, to stop the formatting.
    if brief.write_fmt(text).is_err() {
        brief.text.pop();
        brief.text.push('…');
    }
    brief.text
}

struct Brief {
    text: String,
    room: usize,
}

impl Write for Brief {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, limit: usize) -> String {
        brief(format_args!("{text}"), limit)
    }

    #[test]
    fn text_is_cut_at_a_character_boundary() {
        assert_eq!(of("abc", 3), "abc");
        assert_eq!(of("abcd", 3), "ab…");
        assert_eq!(of("☃☃☃☃", 3), "☃☃…");
        assert_eq!(of(&"x".repeat(1000), 120).chars().count(), 120);
    }

    #[test]
    fn characters_that_are_unsafe_in_a_terminal_or_a_header_are_replaced() {
        assert_eq!(
            of("a\r\nb\u{1b}[1m\u{7f}\u{85}\u{202e}\u{2028}ü", 99),
            "a\u{fffd}\u{fffd}b\u{fffd}[1m\u{fffd}\u{fffd}\u{fffd}\u{fffd}ü"
        );
    }
}
