//! Sets of the characters that repositories consist of.

use std::fmt::Write as _;

/// The characters of a valid repository, in the order of their codes.
pub(super) const ALPHABET: &[u8; 40] = b"-./0123456789_abcdefghijklmnopqrstuvwxyz";

/// A set of characters of [`ALPHABET`]: bit `n` stands for its `n`-th character.
///
/// Mimic matches filters with valid repositories only, so other characters of a filter have no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chars(u64);

impl Chars {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self((1 << ALPHABET.len()) - 1);

    /// The characters for which `contains` is true.
    pub(super) fn of(contains: impl Fn(char) -> bool) -> Self {
        let bits = ALPHABET.iter().enumerate().filter(|(_, byte)| contains(char::from(**byte)));
        Self(bits.fold(0, |set, (bit, _)| set | 1 << bit))
    }

    /// All characters but the one that separates the components of a repository.
    pub(super) fn component() -> Self {
        Self::of(|c| c != '/')
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn complement(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }

    /// Writes the set as a class of the `regex` crate.
    pub(super) fn write(self, out: &mut String) {
        if self == Self::ALL {
            out.push('.');
            return;
        }
        let member = |index: usize| index < ALPHABET.len() && self.0 & 1 << index != 0;
        let mut class = String::new();
        let mut index = 0;
        while index < ALPHABET.len() {
            if !member(index) {
                index += 1;
                continue;
            }
            let first = index;
            while member(index + 1) && ALPHABET[index + 1] == ALPHABET[index] + 1 {
                index += 1;
            }
            for (end, show) in [(first, true), (index, index > first)] {
                if show {
                    if end > first + 1 {
                        class.push('-');
                    }
                    if ALPHABET[end] == b'-' {
                        class.push('\\');
                    }
                    class.push(char::from(ALPHABET[end]));
                }
            }
            index += 1;
        }
        match class.as_str() {
            "." | "\\-" => _ = write!(out, "\\{}", &class[class.len() - 1..]),
            _ if class.len() == 1 => out.push_str(&class),
            _ => _ = write!(out, "[{class}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_as_a_class_that_contains_exactly_its_characters() {
        let written = |set: Chars| {
            let mut out = String::new();
            set.write(&mut out);
            out
        };
        for (set, expected) in [
            (Chars::of(|c| c == 'a'), "a"),
            (Chars::of(|c| c == '.'), "\\."),
            (Chars::of(|c| c == '-'), "\\-"),
            (Chars::of(|c| c.is_ascii_digit()), "[0-9]"),
            (Chars::of(|c| "-./ab".contains(c)), "[\\--/ab]"),
            (Chars::component(), "[\\-.0-9_a-z]"),
            (Chars::ALL, "."),
        ] {
            assert_eq!(written(set), expected);
            let regex = regex::Regex::new(&format!("^{expected}$")).expect("a class");
            for byte in ALPHABET {
                let text = char::from(*byte).to_string();
                assert_eq!(regex.is_match(&text), !set.intersection(Chars::of(|c| c == char::from(*byte))).is_empty());
            }
        }
    }
}
