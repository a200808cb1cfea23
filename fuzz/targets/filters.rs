//! A filter of Harbor is an error, or a regular expression that a rule can embed. What a pattern of Go and one of the crate
//! `regex` mean alike, the translation means too.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mimic_harbor::{Filter, FilterError, FilterKind};
use regex::bytes::RegexBuilder;

static NAMES: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("../../mimic-harbor/tests/data/filters/names.txt").split_whitespace().collect());

fuzz_target!(|input: &str| {
    let kind = match input.chars().next() {
        Some('r') => FilterKind::Regex,
        Some('d') => FilterKind::Doublestar,
        _ => return,
    };
    // Harbor trims the pattern.
    let filter = Filter { pattern: input[1..].trim().to_owned(), kind };
    let translated = match filter.expression() {
        Ok(expression) => {
            let expression = format!("r/(?P<rest>{expression})");
            // As a rule does. Its size limit is no fault of the translation.
            match builder(&format!("^(?:{expression})$")).build() {
                Ok(regex) => Some(regex),
                Err(regex::Error::CompiledTooBig(_)) => return,
                Err(error) => panic!("{filter}: {error}"),
            }
        }
        Err(FilterError::MatchesNothing { .. }) => None,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let serves = |name: &str| translated.as_ref().is_some_and(|regex| regex.is_match(format!("r/{name}").as_bytes()));
    match kind {
        FilterKind::Regex if is_common(&filter.pattern) => {
            let Ok(regex) = builder(&format!("^(?:{})$", filter.pattern)).build() else { return };
            for name in &*NAMES {
                assert_eq!(serves(name), regex.is_match(name.as_bytes()), "{filter}: {name}");
            }
        }
        FilterKind::Doublestar if !filter.pattern.contains(['*', '?', '[', ']', '{', '}', '\\']) => {
            for name in &*NAMES {
                assert_eq!(serves(name), filter.pattern == *name, "{filter}: {name}");
            }
        }
        _ => {}
    }
});

fn builder(pattern: &str) -> RegexBuilder {
    let mut builder = RegexBuilder::new(pattern);
    builder.unicode(false);
    builder
}

/// Whether both kinds of regular expression read a pattern alike. Classes, escapes and flags differ.
fn is_common(pattern: &str) -> bool {
    pattern.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/()|*+?^$:".contains(&b)) && !pattern.contains("(?")
}
