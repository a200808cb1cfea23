//! Rewrites of repositories by regular expressions in Go's syntax.

use std::collections::HashSet;
use std::fmt::Write as _;

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{AssertionKind, Ast};

/// Groups for what is around a match.
const BEFORE: &str = "before";
const AFTER: &str = "after";

/// Every match of a pattern in a repository is replaced.
pub(crate) struct Rewrite {
    pub(crate) pattern: String,
    /// With `$1`, `${1}` or `${name}` for groups.
    pub(crate) replacement: String,
    pub(crate) line: usize,
}

/// The same as a rule.
pub(crate) struct Rewritten {
    /// Matches `registry/repository`.
    pub(crate) pattern: String,
    /// The repository at the mirror, a template.
    pub(crate) path: String,
    /// The rewrite can replace several matches, the rule only the first.
    pub(crate) replaces_first: bool,
}

impl Rewrite {
    /// The rule for images of a registry, or of all registries. The error says what cannot be expressed.
    pub(crate) fn translate(&self, registry: Option<&str>) -> Result<Rewritten, String> {
        let ast = Parser::new().parse(&self.pattern).map_err(|error| format!("is not valid: {}", error.kind()))?;
        let shape = Shape::of(&ast);
        let text = &self.pattern;
        let inner = &text[usize::from(shape.is_start)..text.len() - usize::from(shape.is_end)];
        if has_anchor(&Parser::new().parse(inner).map_err(|error| format!("is not valid: {}", error.kind()))?) {
            return Err("has an anchor in the middle".to_owned());
        }
        let groups = groups(&ast);
        if groups.iter().flatten().any(|name| name == BEFORE || name == AFTER) {
            return Err(format!("has a group named `{BEFORE}` or `{AFTER}`"));
        }
        let registry = registry.map_or_else(|| "[^/]+".to_owned(), regex_syntax::escape);
        let (before, shift) = if shape.is_start { (String::new(), 0) } else { (format!("(?P<{BEFORE}>.*?)"), 1) };
        let ends = shape.is_end || shape.takes_rest;
        let after = if ends { String::new() } else { format!("(?P<{AFTER}>.*)") };
        let inner = if matches!(ast, Ast::Alternation(_)) || !shape.is_start {
            format!("(?:{inner})")
        } else {
            inner.to_owned()
        };
        let mut path = if shape.is_start { String::new() } else { format!("{{{BEFORE}}}") };
        path.push_str(&template(&self.replacement, &groups, shift)?);
        if !ends {
            path = format!("{path}{{{AFTER}}}");
        }
        Ok(Rewritten {
            pattern: format!("{registry}/{before}{inner}{after}"),
            path,
            replaces_first: !shape.is_start && !ends,
        })
    }

    /// Whether both can match the same repository, as far as their beginnings tell.
    pub(crate) fn can_overlap(&self, other: &Self) -> bool {
        match (literal_start(&self.pattern), literal_start(&other.pattern)) {
            (Some(a), Some(b)) => a.starts_with(&b) || b.starts_with(&a),
            _ => true,
        }
    }
}

/// How an expression begins and ends.
struct Shape {
    is_start: bool,
    is_end: bool,
    /// It ends with `.*`, so it matches everything to the end.
    takes_rest: bool,
}

impl Shape {
    fn of(ast: &Ast) -> Self {
        let parts = match ast {
            Ast::Concat(concat) => concat.asts.as_slice(),
            _ => std::slice::from_ref(ast),
        };
        let is =
            |part: Option<&Ast>, kind: AssertionKind| matches!(part, Some(Ast::Assertion(found)) if found.kind == kind);
        Self {
            is_start: is(parts.first(), AssertionKind::StartLine),
            is_end: is(parts.last(), AssertionKind::EndLine),
            takes_rest: parts.last().is_some_and(takes_rest),
        }
    }
}

fn takes_rest(ast: &Ast) -> bool {
    match ast {
        Ast::Group(group) => takes_rest(&group.ast),
        Ast::Concat(concat) => concat.asts.last().is_some_and(takes_rest),
        Ast::Repetition(repetition) => {
            let is_any = matches!(*repetition.ast, Ast::Dot(_));
            is_any
                && repetition.greedy
                && matches!(
                    repetition.op.kind,
                    regex_syntax::ast::RepetitionKind::ZeroOrMore | regex_syntax::ast::RepetitionKind::OneOrMore
                )
        }
        _ => false,
    }
}

fn has_anchor(ast: &Ast) -> bool {
    match ast {
        Ast::Assertion(found) => !matches!(found.kind, AssertionKind::WordBoundary | AssertionKind::NotWordBoundary),
        Ast::Group(group) => has_anchor(&group.ast),
        Ast::Repetition(repetition) => has_anchor(&repetition.ast),
        Ast::Concat(concat) => concat.asts.iter().any(has_anchor),
        Ast::Alternation(alternation) => alternation.asts.iter().any(has_anchor),
        _ => false,
    }
}

/// The names of the groups in the order of their numbers, from 1; `None` for those without a name.
pub(crate) fn groups(ast: &Ast) -> Vec<Option<String>> {
    let mut found = Vec::new();
    collect_groups(ast, &mut found);
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, name)| name).collect()
}

fn collect_groups(ast: &Ast, found: &mut Vec<(u32, Option<String>)>) {
    match ast {
        Ast::Group(group) => {
            if let Some(number) = group.capture_index() {
                let name = match &group.kind {
                    regex_syntax::ast::GroupKind::CaptureName { name, .. } => Some(name.name.clone()),
                    _ => None,
                };
                found.push((number, name));
            }
            collect_groups(&group.ast, found);
        }
        Ast::Repetition(repetition) => collect_groups(&repetition.ast, found),
        Ast::Concat(concat) => concat.asts.iter().for_each(|ast| collect_groups(ast, found)),
        Ast::Alternation(alternation) => alternation.asts.iter().for_each(|ast| collect_groups(ast, found)),
        _ => {}
    }
}

/// A replacement as a template, with `shift` groups before its own. Go reads `$1x` as the group named `1x`.
pub(crate) fn template(replacement: &str, groups: &[Option<String>], shift: usize) -> Result<String, String> {
    let names: HashSet<&str> = groups.iter().flatten().map(String::as_str).collect();
    let mut out = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, after) = braced.unwrap_or_else(|| {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            after.split_at(end)
        });
        let number = name.parse::<usize>().ok();
        if let Some(number) = number.filter(|number| (1..=groups.len()).contains(number)) {
            let _ = write!(out, "{{{}}}", number + shift);
        } else if names.contains(name) {
            let _ = write!(out, "{{{name}}}");
        } else {
            let reason = "which is no group of its pattern and stands for nothing";
            return Err(format!("has `${name}` in its replacement, {reason}"));
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The text that every match begins with, at the start of the repository; `None` if the expression is not anchored there or
/// has alternatives.
fn literal_start(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix('^')?;
    if rest.contains('|') {
        return None;
    }
    let mut start = String::new();
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => chars.next().filter(|c| !c.is_ascii_alphanumeric()),
            c => (c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '_')).then_some(c),
        };
        if matches!(chars.peek(), Some('*' | '+' | '?' | '{')) {
            break;
        }
        match literal {
            Some(c) => start.push(c),
            None => break,
        }
    }
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(pattern: &str, replacement: &str) -> Result<(String, String), String> {
        let rewrite = Rewrite { pattern: pattern.into(), replacement: replacement.into(), line: 1 };
        rewrite.translate(Some("docker.io")).map(|rewritten| (rewritten.pattern, rewritten.path))
    }

    #[test]
    fn rewrites_become_patterns() {
        for (pattern, replacement, to_pattern, path) in [
            ("^rancher/(.*)", "p/rancher-images/$1", r"docker\.io/rancher/(.*)", "p/rancher-images/{1}"),
            ("^library/", "official/", r"docker\.io/library/(?P<after>.*)", "official/{after}"),
            ("^a/b$", "c", r"docker\.io/a/b", "c"),
            ("(x)y", "${1}z", r"docker\.io/(?P<before>.*?)(?:(x)y)(?P<after>.*)", "{before}{2}z{after}"),
            ("^(?P<n>.+)$", "p/${n}", r"docker\.io/(?P<n>.+)", "p/{n}"),
        ] {
            assert_eq!(translated(pattern, replacement), Ok((to_pattern.into(), path.into())), "{pattern}");
        }
    }

    #[test]
    fn what_has_no_pattern_is_refused() {
        for (pattern, replacement) in
            [("(", "a"), ("a|^b", "a"), ("^a^b", "a"), ("^(a)", "$1x"), ("^(a)", "$2"), ("a\\z|b", "c")]
        {
            assert!(translated(pattern, replacement).is_err(), "{pattern}");
        }
    }

    #[test]
    fn overlaps_are_told_from_the_beginning() {
        let rewrite = |pattern: &str| Rewrite { pattern: pattern.into(), replacement: String::new(), line: 1 };
        for (a, b, expected) in [
            ("^a/", "^b/", false),
            ("^a/", "^a/b", true),
            ("a", "^b", true),
            ("^(.*)", "^b", true),
            (r"^a\.b", "^acb", false),
        ] {
            assert_eq!(rewrite(a).can_overlap(&rewrite(b)), expected, "{a} {b}");
        }
    }
}
