//! The filter of a project, as a regular expression over repositories.

use std::fmt;

use regex::bytes::RegexBuilder;
use serde::Serialize;

use crate::api::Metadata;

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

/// A filter that cannot be parsed. Harbor serves nothing through a project with such a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot parse its filter `{pattern}`: {reason}")]
pub struct FilterError {
    pattern: String,
    reason: String,
}

impl Filter {
    /// The filter of a project, if it has one.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        let pattern = metadata.proxy_cache_filter_pattern.as_deref()?.trim();
        let kind = metadata.proxy_cache_filter_pattern_kind.as_ref().or(metadata.proxy_cache_filter_kind.as_ref());
        let kind = match kind.map(String::as_str) {
            Some("regex") => FilterKind::Regex,
            _ => FilterKind::Doublestar,
        };
        (!pattern.is_empty()).then(|| Self { pattern: pattern.to_owned(), kind })
    }

    /// A regular expression for whole repositories, to embed in another one.
    pub(crate) fn expression(&self) -> Result<String, FilterError> {
        let error = |reason: &str| FilterError { pattern: self.pattern.clone(), reason: reason.to_owned() };
        let expression = match self.kind {
            FilterKind::Regex => self.pattern.clone(),
            FilterKind::Doublestar => doublestar(&self.pattern).map_err(error)?,
        };
        // Compiled separately first: `a)|(b` is valid only inside of another expression, with another meaning.
        match RegexBuilder::new(&expression).unicode(false).build() {
            Ok(_) => Ok(expression),
            Err(reason) => Err(error(reason.to_string().lines().last().unwrap_or_default().trim())),
        }
    }
}

/// Translates a doublestar glob.
fn doublestar(glob: &str) -> Result<String, &'static str> {
    let mut out = String::new();
    let mut braces = 0_usize;
    let mut rest = glob;
    while let Some(c) = rest.chars().next() {
        // Two stars that are a whole component match any number of components, including none.
        let begins = out.is_empty() || ["/", "(?:", "|"].iter().any(|before| out.ends_with(before));
        rest = &rest[c.len_utf8()..];
        let after = rest.strip_prefix('*').filter(|_| c == '*' && begins);
        let ends = |after: &str| after.is_empty() || braces > 0 && after.starts_with([',', '}']);
        match c {
            '*' if after.is_some_and(ends) => {
                rest = after.unwrap_or_default();
                // At the end, the slash before them is optional, too.
                if out.ends_with('/') {
                    out.pop();
                    out.push_str("(?:/.*)?");
                } else {
                    out.push_str(".*");
                }
            }
            '*' if after.is_some_and(|after| after.starts_with('/')) => {
                rest = after.unwrap_or_default().trim_start_matches('/');
                while let Some(again) = rest.strip_prefix("**/") {
                    rest = again;
                }
                if rest == "**" {
                    out.push_str(".*");
                    rest = "";
                } else {
                    out.push_str("(?:.*/)?");
                }
            }
            '*' => {
                rest = rest.trim_start_matches('*');
                out.push_str("[^/]*");
            }
            '?' => out.push_str("[^/]"),
            '{' => {
                braces += 1;
                out.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                out.push(')');
            }
            ',' if braces > 0 => out.push('|'),
            '[' => {
                let (class, after) = class(rest)?;
                out.push_str(&class);
                rest = after;
            }
            '\\' => {
                let escaped = rest.chars().next().ok_or("incomplete escape at the end")?;
                rest = &rest[escaped.len_utf8()..];
                out.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
            }
            _ => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    if braces > 0 { Err("unclosed brace") } else { Ok(out) }
}

/// Translates a class; `rest` is what follows its opening bracket.
fn class(rest: &str) -> Result<(String, &str), &'static str> {
    const OPEN: &str = "unclosed bracket";
    let mut out = String::from("[");
    let mut chars = rest.char_indices().peekable();
    if chars.next_if(|(_, c)| matches!(c, '^' | '!')).is_some() {
        // A negated class does not match `/` either.
        out.push_str("^/");
    }
    let start = out.len();
    while let Some((at, c)) = chars.next() {
        match c {
            ']' if out.len() > start => {
                out.push(']');
                return Ok((out, &rest[at + 1..]));
            }
            '-' => out.push('-'),
            '\\' => {
                let (_, escaped) = chars.next().ok_or(OPEN)?;
                out.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
            }
            _ => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    Err(OPEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(kind: FilterKind, pattern: &str, repository: &str) -> bool {
        let filter = Filter { pattern: pattern.to_owned(), kind };
        let expression = filter.expression().expect("the filter can be parsed");
        let whole = RegexBuilder::new(&format!("^(?:{expression})$")).unicode(false).build();
        whole.expect("it can be embedded").is_match(repository.as_bytes())
    }

    #[test]
    fn globs_match_what_doublestar_matches() {
        for (pattern, repository, expected) in [
            ("library/**", "library/nginx", true),
            ("library/**", "library/a/b", true),
            ("library/**", "library", true),
            ("library/**", "libraryx/a", false),
            ("library/*", "library/nginx", true),
            ("library/*", "library/a/b", false),
            ("**", "a/b/c", true),
            ("**/nginx", "nginx", true),
            ("**/nginx", "a/b/nginx", true),
            ("**/nginx", "a/xnginx", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/**/b", "a/x/b", true),
            ("a**", "ab", true),
            ("a**", "a/b", false),
            ("**/**", "a/b", true),
            ("{library/**,acme/*}", "library/a/b", true),
            ("{library/**,acme/*}", "acme/a/b", false),
            ("{library,bitnami}/*", "bitnami/redis", true),
            ("{library,bitnami}/*", "acme/redis", false),
            ("app-?", "app-1", true),
            ("app-?", "app-/", false),
            ("app-[0-9]", "app-7", true),
            ("app-[^0-9]", "app-x", true),
            ("app-[!0-9]", "app-7", false),
            ("a[^b]c", "a/c", false),
            ("a.b", "axb", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
        ] {
            assert_eq!(matches(FilterKind::Doublestar, pattern, repository), expected, "{pattern} {repository}");
        }
    }

    #[test]
    fn regular_expressions_match_the_whole_repository() {
        for (pattern, repository, expected) in [
            ("library/.*", "library/nginx", true),
            ("nginx", "library/nginx", false),
            ("a|b", "a", true),
            ("a|b", "ab", false),
        ] {
            assert_eq!(matches(FilterKind::Regex, pattern, repository), expected, "{pattern} {repository}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_parsed_is_an_error_with_the_reason() {
        for (kind, pattern, reason) in [
            (FilterKind::Regex, "a)|(b", "error: unopened group"),
            (FilterKind::Regex, "(", "error: unclosed group"),
            (FilterKind::Doublestar, "{a", "unclosed brace"),
            (FilterKind::Doublestar, "[a", "unclosed bracket"),
            (FilterKind::Doublestar, "a\\", "incomplete escape at the end"),
        ] {
            let filter = Filter { pattern: pattern.to_owned(), kind };
            let expected = FilterError { pattern: pattern.to_owned(), reason: reason.to_owned() };
            assert_eq!(filter.expression(), Err(expected));
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
