//! What can be said about the names that a regular expression matches, without matching.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::host::docker_hub_alias;
use crate::printable::Printable;
use crate::reference::{DOCKER_HUB, LIBRARY};

/// The parts of an image's name that a location contains.
#[derive(Debug, Default)]
pub(crate) struct Contained {
    pub(crate) registry: bool,
    pub(crate) repository: bool,
    /// Groups of the pattern.
    pub(crate) groups: Vec<usize>,
}

/// The syntax tree of a pattern.
fn parse(pattern: &str) -> Option<Hir> {
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

/// The registries of all names that a pattern can match; `None` if it is not bound to a few.
pub(crate) fn registries(pattern: &str) -> Option<Vec<String>> {
    starts(pattern)?.iter().map(|start| start.split_once('/').map(|(registry, _)| registry.to_owned())).collect()
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

/// Why no image can match a pattern, and how to write it. `None` if one can, or if it cannot be told.
pub(crate) fn never_matches(pattern: &str) -> Option<(String, String)> {
    let hir = parse(pattern)?;
    let whole = "a pattern matches the whole `registry/repository`";
    if !can_contain_slash(&hir) {
        return Some((
            "cannot match a `/`, which every name has, and never matches".to_owned(),
            format!("{whole}: write `{pattern}/.+`"),
        ));
    }
    if let Some((_, rest)) = pattern.split_once("://") {
        return Some(("has a scheme and never matches".to_owned(), format!("{whole}: write `{rest}`")));
    }
    if pattern.contains(":443/") {
        let hint = format!("{whole}, where port 443 is left out: write `{}`", pattern.replace(":443/", "/"));
        return Some(("names port 443 and never matches".to_owned(), hint));
    }
    let registries = registries(pattern).unwrap_or_default();
    let all_are = |is: fn(&str) -> bool| !registries.is_empty() && registries.iter().all(|registry| is(registry));
    if all_are(|registry| docker_hub_alias(registry).is_some()) {
        let hint = format!("{whole}, where Docker Hub is `{DOCKER_HUB}`");
        return Some((format!("names an alias of `{DOCKER_HUB}` and never matches"), hint));
    }
    match required(&hir, &mut false) {
        None => {
            let most = most_slashes(&parse(&with_literal_dots(pattern))?);
            (most == Some(1) && all_are(|registry| registry == DOCKER_HUB)).then(|| {
                let official = pattern.replacen('/', &format!("/{LIBRARY}"), 1);
                let hint = format!("{whole}: for an official image write `{official}`");
                (format!("has one component on `{DOCKER_HUB}` and never matches"), hint)
            })
        }
        Some(b':' | b'@') => Some((
            "has a tag or digest and never matches".to_owned(),
            format!("{whole}: use `include` for tags and digests, as in `include: [\"**:1.*\"]`"),
        )),
        Some(letter) if letter.is_ascii_uppercase() => {
            let hint = format!("{whole}, in lower case");
            Some(("has an upper-case letter and never matches".to_owned(), hint))
        }
        Some(other) => {
            let text = char::from(other).to_string();
            Some((format!("requires `{}` and never matches", Printable(&text)), whole.to_owned()))
        }
    }
}

/// The most slashes that a match can contain; `None` if there is no limit.
fn most_slashes(hir: &Hir) -> Option<u32> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(0),
        HirKind::Literal(literal) => Some(literal.0.iter().map(|&byte| u32::from(byte == b'/')).sum()),
        HirKind::Class(Class::Bytes(class)) => {
            Some(class.iter().any(|range| (range.start()..=range.end()).contains(&b'/')).into())
        }
        HirKind::Class(Class::Unicode(class)) => {
            Some(class.iter().any(|range| (range.start()..=range.end()).contains(&'/')).into())
        }
        HirKind::Repetition(repetition) => match most_slashes(&repetition.sub)? {
            0 => Some(0),
            slashes => slashes.checked_mul(repetition.max?),
        },
        HirKind::Capture(capture) => most_slashes(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(most_slashes).try_fold(0u32, |sum, n| sum.checked_add(n?)),
        HirKind::Alternation(parts) => parts.iter().map(most_slashes).try_fold(0, |most, n| Some(n?.max(most))),
    }
}

fn can_contain_slash(hir: &Hir) -> bool {
    most_slashes(hir) != Some(0)
}

/// A byte that every match contains and no name does. `slash` is whether a slash comes before; it is updated.
fn required(hir: &Hir, slash: &mut bool) -> Option<u8> {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().copied().find(|&byte| {
            *slash |= byte == b'/';
            match byte {
                b':' => *slash,
                b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/' | b'[' | b']' => false,
                _ => true,
            }
        }),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub, slash),
        HirKind::Capture(capture) => required(&capture.sub, slash),
        HirKind::Concat(parts) => parts.iter().find_map(|part| required(part, slash)),
        HirKind::Alternation(parts) => {
            let before = *slash;
            let results = parts.iter().map(|part| {
                let mut slash = before;
                (required(part, &mut slash), slash)
            });
            let results: Vec<_> = results.collect();
            *slash = results.iter().all(|(byte, slash)| byte.is_some() || *slash);
            if results.iter().all(|(byte, _)| byte.is_some()) { results.first()?.0 } else { None }
        }
        _ => None,
    }
}

/// Whether a location gives the same name to several images that a pattern matches. Errs on the side of `false`.
pub(crate) fn loses_names(pattern: &str, contained: &Contained) -> bool {
    parse(&with_literal_dots(pattern)).is_some_and(|hir| loses(&hir, contained, &mut false))
}

/// Whether a part that can differ between matches is not in the location. `slash` is whether a slash comes before.
fn loses(hir: &Hir, contained: &Contained, slash: &mut bool) -> bool {
    let is_contained = |slash: bool| match (contained.registry, contained.repository) {
        (true, true) => true,
        (false, true) => slash,
        (true, false) => !slash && !can_contain_slash(hir),
        (false, false) => false,
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => {
            *slash |= literal.0.contains(&b'/');
            false
        }
        HirKind::Class(_) => !is_contained(*slash),
        HirKind::Repetition(repetition) if Some(repetition.min) == repetition.max => {
            loses(&repetition.sub, contained, slash)
        }
        // How often it is repeated, or which alternative matched, can be seen in a group inside.
        HirKind::Repetition(repetition) => !is_contained(*slash) && !has_group(&repetition.sub, contained),
        HirKind::Alternation(parts) => !is_contained(*slash) && !parts.iter().any(|part| has_group(part, contained)),
        HirKind::Capture(capture) => {
            if contained.groups.contains(&(capture.index as usize)) {
                return false;
            }
            loses(&capture.sub, contained, slash)
        }
        HirKind::Concat(parts) => parts.iter().any(|part| loses(part, contained, slash)),
    }
}

fn has_group(hir: &Hir, contained: &Contained) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => {
            contained.groups.contains(&(capture.index as usize)) || has_group(&capture.sub, contained)
        }
        HirKind::Repetition(repetition) => has_group(&repetition.sub, contained),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(|part| has_group(part, contained)),
        _ => false,
    }
}
