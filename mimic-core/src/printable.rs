//! Text from outside, safe for a terminal and on one line.

use std::fmt::{self, Write};

/// Writes a text with its hidden characters escaped. Quotes and backslashes stay as they are.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| write_printable(f, c))
    }
}

/// Writes a character, escaped as in JSON if it is hidden.
///
/// # Errors
/// Those of `out`.
pub fn write_printable(out: &mut impl Write, c: char) -> fmt::Result {
    match c {
        '\n' => out.write_str("\\n"),
        '\t' => out.write_str("\\t"),
        '\r' => out.write_str("\\r"),
        _ if is_hidden(c) => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
        _ => out.write_char(c),
    }
}

/// Whether a character cannot be seen: a control character, such as those that move a cursor or break a line, a mark that
/// reverses the direction of text, or one without a width.
pub fn is_hidden(c: char) -> bool {
    !matches!(c, ' '..='~') && c.escape_debug().len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_others_are_not() {
        for (text, expected) in [
            ("the account's \"name\" C:\\x é 日 ☃", "the account's \"name\" C:\\x é 日 ☃"),
            ("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\u0000"),
            ("\u{1b}[31mred\u{7f}\u{9b}", "\\u001b[31mred\\u007f\\u009b"),
            ("a\u{202e}b\u{2066}\u{200f}\u{61c}\u{2028}", "a\\u202eb\\u2066\\u200f\\u061c\\u2028"),
            ("no\u{200b}width\u{feff}\u{e0041}", "no\\u200bwidth\\ufeff\\udb40\\udc41"),
        ] {
            assert_eq!(Printable(text).to_string(), expected);
        }
    }
}
