//! What can be said about the names that a regular expression matches, without matching.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::Extractor;

/// The syntax tree of a pattern.
pub(crate) fn parse(pattern: &str) -> Option<Hir> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()
}

/// Texts of which every match starts with one; `None` if there are none, or too many. A bare `.` in the registry counts
/// as a dot, which is what it is meant to be.
pub(crate) fn starts(pattern: &str) -> Option<Vec<String>> {
    let hir = parse(&with_literal_dots(pattern))?;
    let starts = Extractor::new().extract(&hir);
    let texts = starts.literals()?.iter().map(|literal| String::from_utf8(literal.as_bytes().to_vec()).ok());
    texts.collect()
}

/// Escapes each `.` of the registry that stands for itself: one that is not repeated, nor in a class.
fn with_literal_dots(pattern: &str) -> String {
    let (registry, rest) = pattern.split_at(pattern.find('/').unwrap_or(pattern.len()));
    let mut out = String::new();
    let mut chars = registry.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '.' if !in_class && !matches!(chars.peek(), Some('*' | '+' | '?' | '{')) => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out + rest
}
