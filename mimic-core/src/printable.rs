//! Text from outside, safe for a terminal and on one line.

use std::fmt::{self, Write as _};

/// Writes a text with its invisible characters escaped: control characters, such as those that move a cursor or break a
/// line, and marks that reverse the direction of text. Quotes and backslashes stay as they are.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\'' | '"' | '\\' => f.write_char(c),
            _ => write!(f, "{}", c.escape_debug()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped_and_others_are_not() {
        for (text, expected) in [
            ("the account's \"name\" C:\\x é 日", "the account's \"name\" C:\\x é 日"),
            ("a\nb\tc\0", "a\\nb\\tc\\0"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
        ] {
            assert_eq!(Printable(text).to_string(), expected);
        }
    }
}
