//! Regular expressions over whole references as globs.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{AssertionKind, Ast, RepetitionKind, RepetitionRange};

/// Most alternatives of an expression.
const MAX: usize = 32;

/// The references that an expression finds a match in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The registry; `None` for all.
    pub(crate) registry: Option<String>,
    /// Globs; `None` for all references of the registry.
    pub(crate) globs: Option<Vec<String>>,
}

/// A piece of an alternative.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `.*`
    Any,
    Start,
    End,
}

/// What an expression over `registry/repository:tag` matches, as globs. A dot in place of a text counts as a dot, as it is
/// meant. `None` if there are no such globs.
pub(crate) fn globs(expression: &str) -> Option<Vec<Found>> {
    let ast = Parser::new().parse(expression).ok()?;
    expand(&ast)?.into_iter().map(|pieces| found(&pieces)).collect()
}

fn found(pieces: &[Piece]) -> Option<Found> {
    let (is_start, pieces) = match pieces.split_first() {
        Some((Piece::Start, rest)) => (true, rest),
        _ => (false, pieces),
    };
    let (is_end, pieces) = match pieces.split_last() {
        Some((Piece::End, rest)) => (true, rest),
        _ => (false, pieces),
    };
    let (has_rest, pieces) = match pieces.split_last() {
        Some((Piece::Any, rest)) => (true, rest),
        _ => (false, pieces),
    };
    let is_open = has_rest || !is_end;
    let text = match pieces {
        [] if is_open => return Some(Found { registry: None, globs: None }),
        [Piece::Text(text)] if is_start => text.as_str(),
        _ => return None,
    };
    let Some((registry, path)) = text.split_once('/') else {
        // The start of a registry is meant to be the registry.
        return (is_open && text.contains(['.', ':'])).then(|| Found { registry: Some(text.to_owned()), globs: None });
    };
    if text.contains(['*', '?', '[', ']', '{', '}', '\\']) {
        return None;
    }
    let has_tag = path.contains([':', '@']);
    let globs = match (path, is_open, has_tag) {
        ("", true, _) => None,
        (_, true, true) => Some(vec![format!("{text}*")]),
        (_, false, true) => Some(vec![text.to_owned()]),
        (_, true, false) if path.ends_with('/') => Some(vec![format!("{text}**")]),
        (_, true, false) => Some(vec![format!("{text}*"), format!("{text}*/**")]),
        // References have a tag there.
        (_, false, false) => return None,
    };
    Some(Found { registry: Some(registry.to_owned()), globs })
}

/// The alternatives of an expression, as pieces.
fn expand(ast: &Ast) -> Option<Vec<Vec<Piece>>> {
    let text = |text: String| Some(vec![vec![Piece::Text(text)]]);
    match ast {
        Ast::Empty(_) => Some(vec![Vec::new()]),
        Ast::Literal(literal) => text(literal.c.to_string()),
        Ast::Dot(_) => text(".".to_owned()),
        Ast::Assertion(assertion) => match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText => Some(vec![vec![Piece::Start]]),
            AssertionKind::EndLine | AssertionKind::EndText => Some(vec![vec![Piece::End]]),
            _ => None,
        },
        Ast::Group(group) => expand(&group.ast),
        Ast::Repetition(repetition) => match (&*repetition.ast, &repetition.op.kind) {
            (Ast::Dot(_), RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore) => Some(vec![vec![Piece::Any]]),
            (inner, RepetitionKind::ZeroOrOne | RepetitionKind::Range(RepetitionRange::Bounded(0, 1))) => {
                let mut all = expand(inner)?;
                all.push(Vec::new());
                Some(all)
            }
            _ => None,
        },
        Ast::Alternation(alternation) => {
            let mut all = Vec::new();
            for ast in &alternation.asts {
                all.extend(expand(ast)?);
                if all.len() > MAX {
                    return None;
                }
            }
            Some(all)
        }
        Ast::Concat(concat) => {
            let mut all = vec![Vec::new()];
            for ast in &concat.asts {
                let next = expand(ast)?;
                if all.len() * next.len() > MAX {
                    return None;
                }
                all = all.iter().flat_map(|start| next.iter().map(move |end| join(start, end))).collect();
            }
            Some(all)
        }
        _ => None,
    }
}

fn join(start: &[Piece], end: &[Piece]) -> Vec<Piece> {
    let mut all = start.to_vec();
    for piece in end {
        match (all.last_mut(), piece) {
            (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(more),
            (Some(Piece::Any), Piece::Any) => {}
            _ => all.push(piece.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_globs() {
        let shown = |expression: &str| {
            let all = globs(expression)?;
            let shown = all.iter().map(|found| match (&found.registry, &found.globs) {
                (None, _) => "all".to_owned(),
                (Some(registry), None) => registry.clone(),
                (Some(_), Some(globs)) => globs.join(" "),
            });
            Some(shown.collect::<Vec<_>>().join(", "))
        };
        for (expression, expected) in [
            ("^docker.io", Some("docker.io")),
            (r"^quay\.io/", Some("quay.io")),
            ("^(docker.io|quay.io)/.*$", Some("docker.io, quay.io")),
            ("^docker.io/(library/)?ubuntu:.*$", Some("docker.io/library/ubuntu:*, docker.io/ubuntu:*")),
            ("^ghcr.io/acme/", Some("ghcr.io/acme/**")),
            ("^ghcr.io/acme", Some("ghcr.io/acme* ghcr.io/acme*/**")),
            ("^ghcr.io/acme/app:1$", Some("ghcr.io/acme/app:1")),
            (".*", Some("all")),
            ("", Some("all")),
            ("docker.io", None),
            ("^ghcr.io/acme/app$", None),
            ("^ghcr.io/[a-z]+/", None),
            ("^ghcr.io/.*/x", None),
            ("(", None),
            ("^(a|b)(a|b)(a|b)(a|b)(a|b)(a|b).io", None),
        ] {
            assert_eq!(shown(expression).as_deref(), expected, "{expression}");
        }
    }
}
