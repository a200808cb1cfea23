//! Numbers with their nouns.

use std::fmt;

/// A number and the noun in its singular or plural.
pub(crate) fn counted<N: Copy + PartialEq + From<u8> + fmt::Display>(number: N, one: &str, many: &str) -> String {
    let noun = if number == N::from(1) { one } else { many };
    format!("{number} {noun}")
}
