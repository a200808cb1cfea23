//! Regular expressions of the crate `regex`, rewritten for CEL, which has Go's.

use std::fmt::Write as _;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// Separates the name, the tag and the digest in the text that the expressions of globs are matched against.
pub(super) const SEPARATOR: u8 = b' ';

/// Go refuses expressions that repeat a part more often, also by nested repetitions.
const MAX_REPETITIONS: u32 = 1000;

/// Longest expression, in bytes. The cost of a match is proportional to it, and there is a budget for each pod.
const MAX_LENGTH: usize = 4_000;

/// A class that matches nothing.
const NOTHING: &str = r"[^\x00-\x{10FFFF}]";

/// Rewrites an expression. The result matches the same texts that consist of the bytes of normalised images. `None` if
/// there is no such expression, or if it is too long.
pub(super) fn rewrite(expression: &str) -> Option<String> {
    let hir = parse(expression)?;
    let mut out = String::new();
    Writer { out: &mut out, looks: true }.write(&hir, 1)?;
    (out.len() <= MAX_LENGTH).then_some(out)
}

/// Rewrites an expression that matches whole texts, without its anchors, so that it can be a part of another one.
pub(super) fn rewrite_part(expression: &str) -> Option<String> {
    let hir = parse(expression)?;
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let [first, between @ .., last] = &parts[..] else { return None };
    let is = |part: &Hir, look| matches!(part.kind(), HirKind::Look(found) if *found == look);
    if !is(first, Look::Start) || !is(last, Look::End) {
        return None;
    }
    let mut out = String::new();
    Writer { out: &mut out, looks: false }.write(&Hir::concat(between.to_vec()), 1)?;
    (out.len() <= MAX_LENGTH).then_some(out)
}

/// The expression that matches texts with this beginning.
pub(super) fn beginning(text: &str) -> String {
    let mut out = String::from("^");
    text.bytes().for_each(|byte| literal(&mut out, byte));
    out
}

/// Whether an expression is short enough for a pod with many images.
pub(super) fn is_short(expression: &str) -> bool {
    expression.len() <= MAX_LENGTH
}

fn parse(expression: &str) -> Option<Hir> {
    // As the core compiles them.
    ParserBuilder::new().unicode(false).utf8(false).build().parse(expression).ok()
}

/// Whether a normalised image, without separators, can contain a byte.
fn is_possible(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':' | b'/' | b'[' | b']')
}

/// All bytes that a normalised image can contain.
fn possible() -> impl Iterator<Item = u8> {
    (0..=0x7f).filter(|&byte| is_possible(byte))
}

fn literal(out: &mut String, byte: u8) {
    if !is_possible(byte) {
        out.push_str(NOTHING);
        return;
    }
    if matches!(byte, b'.' | b'[' | b']') {
        out.push('\\');
    }
    out.push(char::from(byte));
}

struct Writer<'o> {
    out: &'o mut String,
    /// Whether assertions are allowed.
    looks: bool,
}

impl Writer<'_> {
    /// `repeated` is how often the expression is repeated by what surrounds it.
    fn write(&mut self, hir: &Hir, repeated: u32) -> Option<()> {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(text) => text.0.iter().for_each(|&byte| literal(self.out, byte)),
            HirKind::Class(class) => self.class(class),
            HirKind::Look(look) => self.look(*look)?,
            HirKind::Repetition(repetition) => self.repetition(repetition, repeated)?,
            HirKind::Capture(capture) => self.group(&capture.sub, repeated)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| match part.kind() {
                HirKind::Alternation(_) => self.group(part, repeated),
                _ => self.write(part, repeated),
            })?,
            HirKind::Alternation(parts) => {
                for (number, part) in parts.iter().enumerate() {
                    if number > 0 {
                        self.out.push('|');
                    }
                    self.write(part, repeated)?;
                }
            }
        }
        (self.out.len() <= 2 * MAX_LENGTH).then_some(())
    }

    fn group(&mut self, hir: &Hir, repeated: u32) -> Option<()> {
        self.out.push_str("(?:");
        self.write(hir, repeated)?;
        self.out.push(')');
        Some(())
    }

    fn look(&mut self, look: Look) -> Option<()> {
        if !self.looks {
            return None;
        }
        // The text is ASCII and one line.
        self.out.push_str(match look {
            Look::Start | Look::StartLF | Look::StartCRLF => "^",
            Look::End | Look::EndLF | Look::EndCRLF => "$",
            Look::WordAscii | Look::WordUnicode => r"\b",
            Look::WordAsciiNegate | Look::WordUnicodeNegate => r"\B",
            _ => return None,
        });
        Some(())
    }

    fn repetition(&mut self, repetition: &Repetition, repeated: u32) -> Option<()> {
        let times = repetition.max.unwrap_or(0).max(repetition.min).max(1);
        let repeated = repeated.checked_mul(times).filter(|&times| times <= MAX_REPETITIONS)?;
        let start = self.out.len();
        self.group(&repetition.sub, repeated)?;
        // Without parentheses around a class or a byte.
        let inner = &self.out[start + 3..self.out.len() - 1];
        let is_class = inner.starts_with('[') && inner.find(']') == Some(inner.len() - 1);
        if is_class || inner.len() == 1 || (inner.len() == 2 && inner.starts_with('\\')) {
            let inner = inner.to_owned();
            self.out.truncate(start);
            self.out.push_str(&inner);
        }
        match (repetition.min, repetition.max) {
            (0, None) => self.out.push('*'),
            (1, None) => self.out.push('+'),
            (0, Some(1)) => self.out.push('?'),
            (min, None) => write!(self.out, "{{{min},}}").ok()?,
            (min, Some(max)) if min == max => write!(self.out, "{{{min}}}").ok()?,
            (min, Some(max)) => write!(self.out, "{{{min},{max}}}").ok()?,
        }
        Some(())
    }

    fn class(&mut self, class: &Class) {
        let contains = |byte: u8| match class {
            Class::Bytes(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&byte)),
            Class::Unicode(class) => {
                class.iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
            }
        };
        let (inside, outside): (Vec<u8>, Vec<u8>) = possible().partition(|&byte| contains(byte));
        match inside[..] {
            [] => self.out.push_str(NOTHING),
            [one] => literal(self.out, one),
            _ => {
                let (inside, outside) = (ranges(&inside), ranges(&outside));
                if outside.len() < inside.len() {
                    let _ = write!(self.out, "[^{}{outside}]", char::from(SEPARATOR));
                } else {
                    let _ = write!(self.out, "[{inside}]");
                }
            }
        }
    }
}

/// The content of a class with these bytes, which are sorted.
fn ranges(bytes: &[u8]) -> String {
    let mut out = String::new();
    let byte = |out: &mut String, byte: u8| {
        if matches!(byte, b'-' | b'[' | b']') {
            out.push('\\');
        }
        out.push(char::from(byte));
    };
    for range in bytes.chunk_by(|a, b| a + 1 == *b) {
        match range {
            [first, _, .., last] if range.len() > 2 => {
                byte(&mut out, *first);
                out.push('-');
                byte(&mut out, *last);
            }
            _ => range.iter().for_each(|&one| byte(&mut out, one)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_rewritten() {
        for (expression, rewritten) in [
            (r"^(?:ghcr\.io/(?P<rest>.+))$", r"^ghcr\.io/(?:[^ ]+)$"),
            (r"[^/]*", r"[^ /]*"),
            (r"(?i)Ab", r"[Aa][Bb]"),
            (r"a{2,3}|b?|c{4}|(?:de)+", r"a{2,3}|b?|c{4}|(?:de)+"),
            (r"\d\w", r"[0-9][^ \--/:\[\]]"),
            (r"(?m)^a$", "^a$"),
            (r"a b@", &format!("a{NOTHING}b{NOTHING}")),
            (r"[[:punct:]]", "[^ 0-9A-Za-z]"),
        ] {
            assert_eq!(rewrite(expression).as_deref(), Some(rewritten), "{expression}");
        }
    }

    #[test]
    fn what_go_refuses_has_no_expression() {
        for expression in [r"a{1001}", r"(?:a{40}){26}", r"\b{start}a", &"(?:abc|def)".repeat(1_000)] {
            assert_eq!(rewrite(expression), None, "{expression}");
        }
        assert!(rewrite(r"(?:a{40}){25}").is_some());
    }

    #[test]
    fn parts_have_no_anchors() {
        assert_eq!(rewrite_part(r"(?-u)^docker\.io/[^/]*$").as_deref(), Some(r"docker\.io/[^ /]*"));
        assert_eq!(rewrite_part("^a$b$"), None);
        assert_eq!(rewrite_part("ab"), None);
    }
}
