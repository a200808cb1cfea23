//! The filter of a project, as a regular expression over repositories.

mod anchors;
mod chars;
mod doublestar;
mod error;
mod go_class;
mod go_regex;
mod node;

use std::fmt;

use serde::Serialize;

use crate::api::Metadata;

pub use error::FilterError;
use error::ParseError;

/// The filter of a project (Harbor 2.16 and later). The project does not serve repositories that do not match it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Filter {
    /// Must match the whole repository.
    pub pattern: String,
    /// The syntax of the pattern.
    pub kind: FilterKind,
}

/// The syntax of a [`Filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FilterKind {
    /// Globs of [doublestar](https://github.com/bmatcuk/doublestar).
    Doublestar,
    /// Go's regular expressions.
    Regex,
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FilterKind::Doublestar => "",
            FilterKind::Regex => "regex ",
        })?;
        f.write_str(&self.pattern)
    }
}

/// Longer patterns are not translated, in bytes: the parsers recurse.
const LONGEST: usize = 1024;

impl Filter {
    /// The filter of a project, if it has one.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        let pattern = metadata.proxy_cache_filter_pattern.as_deref()?.trim();
        let kind = metadata.proxy_cache_filter_kind.as_ref().or(metadata.proxy_cache_filter_pattern_kind.as_ref());
        let kind = match kind.map(String::as_str) {
            Some("regex") => FilterKind::Regex,
            _ => FilterKind::Doublestar,
        };
        (!pattern.is_empty()).then(|| Self { pattern: pattern.to_owned(), kind })
    }

    /// A regular expression of the `regex` crate, to embed in another one. It matches the whole repositories inside of
    /// the project that Harbor serves. Strings that are not valid repositories may or may not match.
    ///
    /// # Errors
    ///
    /// The filter cannot be parsed, has no exact translation or matches nothing.
    pub fn expression(&self) -> Result<String, FilterError> {
        let pattern = || self.pattern.clone();
        if self.pattern.len() > LONGEST {
            return Err(FilterError::Unsupported { pattern: pattern(), reason: "it is longer than 1,024 bytes" });
        }
        let node = match self.kind {
            FilterKind::Regex => {
                go_regex::parse(&self.pattern).and_then(|node| anchors::remove(&node).map_err(ParseError::Unsupported))
            }
            FilterKind::Doublestar => doublestar::parse(&self.pattern),
        };
        let node = node.map_err(|error| match error {
            ParseError::Invalid(reason) => FilterError::Invalid { pattern: pattern(), reason },
            ParseError::Unsupported(reason) => FilterError::Unsupported { pattern: pattern(), reason },
        })?;
        node.expression().ok_or_else(|| FilterError::MatchesNothing { pattern: pattern() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_parsed_is_an_error_with_the_reason() {
        for (kind, pattern, expected) in [
            (FilterKind::Regex, "a)", "cannot parse its filter `a)`: unexpected `)`"),
            (FilterKind::Regex, "(", "cannot parse its filter `(`: missing `)`"),
            (FilterKind::Regex, "a**", "cannot parse its filter `a**`: a repetition of a repetition"),
            (FilterKind::Regex, "|+a", "cannot parse its filter `|+a`: `+` repeats nothing"),
            (FilterKind::Regex, "[c-a]", "cannot parse its filter `[c-a]`: invalid range `c-a`"),
            (FilterKind::Regex, "(?=a)", "cannot parse its filter `(?=a)`: unsupported group `(?=`"),
            (FilterKind::Regex, r"\Z", r"cannot parse its filter `\Z`: invalid escape `\Z`"),
            (
                FilterKind::Doublestar,
                "{a",
                "cannot parse its filter `{a`: an unclosed `{` or `[`, an invalid class or an incomplete escape",
            ),
            (FilterKind::Regex, "library/A", "its filter `library/A` matches no repository"),
            (FilterKind::Doublestar, "/library", "its filter `/library` matches no repository"),
        ] {
            let filter = Filter { pattern: pattern.to_owned(), kind };
            assert_eq!(filter.expression().expect_err(pattern).to_string(), expected);
        }
    }

    #[test]
    fn both_names_of_the_kind_are_read_and_an_empty_pattern_is_no_filter() {
        let of = |json: &str| Filter::of(&serde_json::from_str(json).expect("metadata"));
        let regex = |pattern: &str| Some(Filter { pattern: pattern.to_owned(), kind: FilterKind::Regex });
        let pattern = r#""proxy_cache_filter_pattern":" a.* ""#;
        assert_eq!(of(&format!(r#"{{{pattern},"proxy_cache_filter_pattern_kind":"regex"}}"#)), regex("a.*"));
        assert_eq!(of(&format!(r#"{{{pattern},"proxy_cache_filter_kind":"regex"}}"#)), regex("a.*"));
        assert_eq!(of(&format!("{{{pattern}}}")).map(|filter| filter.kind), Some(FilterKind::Doublestar));
        assert_eq!(of(r#"{"proxy_cache_filter_pattern":" "}"#), None);
        assert_eq!(of("{}"), None);
    }
}
