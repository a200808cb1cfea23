//! Globs as the Go module [doublestar](https://github.com/bmatcuk/doublestar) v1.3.4 matches them, which Harbor uses.
//!
//! It matches a repository component by component, and some results surprise: `x/**` does not match `x`, `a*{,b}` does
//! not match `a`, and of the ways to match a component with a `*` only the first one counts. The translation is exact:
//! where it would not be, it fails.

use super::chars::Chars;
use super::error::{ParseError, UNSUPPORTED_SIZE};
use super::node::Node;

/// Translates a glob.
pub(super) fn parse(glob: &str) -> Result<Node, ParseError> {
    let mut translation = Translation { steps: 2_000 };
    let translated = translation.path(glob).map_err(ParseError::Unsupported)?;
    if translated.can_fail && translated.node.expression().is_none() {
        return Err(ParseError::invalid("an unclosed `{` or `[`, an invalid class or an incomplete escape"));
    }
    Ok(translated.node)
}

/// A part of a component.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    One(Chars),
    /// Any number of characters.
    Star,
}

/// What follows after the pattern has matched a whole component.
#[derive(Clone, PartialEq)]
enum Next {
    /// The glob ends, so the repository must end, too.
    End,
    /// The rest of the repository must match this glob.
    Glob(String),
    /// The matching stops with an error: the repository does not match, whatever the alternatives are.
    Failure,
}

/// A way to match a component, and what follows.
#[derive(Clone, PartialEq)]
struct Way {
    parts: Vec<Part>,
    next: Next,
}

struct Translated {
    node: Node,
    /// Some repositories cause an error.
    can_fail: bool,
}

/// Bounds the work: each brace multiplies the ways.
struct Translation {
    steps: u32,
}

impl Translation {
    fn step(&mut self) -> Result<(), &'static str> {
        self.steps = self.steps.checked_sub(1).ok_or(UNSUPPORTED_SIZE)?;
        Ok(())
    }

    /// Translates a glob for a whole path of one or more components.
    fn path(&mut self, glob: &str) -> Result<Translated, &'static str> {
        self.step()?;
        if glob.is_empty() {
            return Ok(Translated { node: Node::NEVER, can_fail: false });
        }
        let slash = unescaped(glob, '/');
        if &glob[..slash.unwrap_or(glob.len())] == "**" {
            let Some(slash) = slash else {
                return Ok(Translated { node: Node::Set(Chars::ALL).repeated(1, None), can_fail: false });
            };
            let rest = self.path(&glob[slash + 1..])?.node;
            let component = Node::Set(Chars::component()).repeated(1, None);
            let skipped = Node::Concat(vec![component, separator()]).repeated(0, None);
            // Errors behind two stars only mean that this number of components does not match.
            return Ok(Translated { node: Node::Concat(vec![skipped, rest]), can_fail: false });
        }

        let mut nodes = Vec::new();
        let mut can_fail = false;
        let ways = self.component(glob)?;
        let conflicts = self.conflicts(&ways)?;
        for (way, is_void) in ways.iter().zip(conflicts) {
            let mut path: Vec<Node> = way
                .parts
                .iter()
                .map(|part| match part {
                    Part::One(chars) => Node::Set(*chars),
                    Part::Star => Node::any(Chars::component()),
                })
                .collect();
            match &way.next {
                Next::Failure => {
                    can_fail = true;
                    continue;
                }
                _ if is_void => continue,
                Next::End => {}
                Next::Glob(rest) => {
                    let rest = self.path(rest)?;
                    can_fail |= rest.can_fail;
                    path.extend([separator(), rest.node]);
                }
            }
            nodes.push(Node::Concat(path));
        }
        Ok(Translated { node: Node::Alternation(nodes), can_fail })
    }

    /// Returns for each way whether another one that matches the same components overrides it.
    fn conflicts(&mut self, ways: &[Way]) -> Result<Vec<bool>, &'static str> {
        let mut void = vec![false; ways.len()];
        for (index, way) in ways.iter().enumerate() {
            for other in ways.iter().filter(|other| other.next != way.next) {
                self.step()?;
                if !overlap(&way.parts, &other.parts) {
                    continue;
                }
                let has_star = way.parts.contains(&Part::Star) || other.parts.contains(&Part::Star);
                match (&way.next, &other.next) {
                    // Both are tried, unless the first one fails; a `*` before them would keep only its first match.
                    (Next::Glob(one), Next::Glob(two)) if !has_star => {
                        if self.path(one)?.can_fail || self.path(two)?.can_fail {
                            return Err("its alternatives contain an error");
                        }
                    }
                    // The end counts only if no alternative goes on, and nothing counts beside an error.
                    (Next::End, Next::Glob(_)) | (_, Next::Failure) if way.parts == other.parts => void[index] = true,
                    (Next::Glob(_), Next::End) | (Next::Failure, _) if way.parts == other.parts => {}
                    _ => return Err("its alternatives with a `/` overlap"),
                }
            }
        }
        Ok(void)
    }

    /// The ways to match a component that is not empty.
    fn component(&mut self, glob: &str) -> Result<Vec<Way>, &'static str> {
        self.step()?;
        let fails = || vec![Way { parts: vec![Part::One(Chars::component()), Part::Star], next: Next::Failure }];
        let mut chars = glob.chars();
        let Some(first) = chars.next() else { return Ok(Vec::new()) };
        let rest = chars.as_str();
        match first {
            '/' => Ok(Vec::new()),
            '*' => {
                let any = |next| vec![Way { parts: vec![Part::One(Chars::component()), Part::Star], next }];
                if rest.is_empty() {
                    return Ok(any(Next::End));
                }
                if let Some(rest) = rest.strip_prefix('/') {
                    return Ok(any(Next::Glob(rest.to_owned())));
                }
                // What follows the star must match at least one character.
                Ok(in_front(Part::Star, self.component(rest)?))
            }
            '{' => {
                let Some((options, rest)) = alternatives(rest) else { return Ok(fails()) };
                let mut ways = Vec::new();
                for option in options {
                    for way in self.component(&format!("{option}{rest}"))? {
                        if !ways.contains(&way) {
                            ways.push(way);
                        }
                    }
                }
                Ok(ways)
            }
            '?' => self.character(Chars::component(), rest),
            '[' => match class(rest) {
                Some((class, rest)) => self.character(class, rest),
                None => Ok(fails()),
            },
            '\\' => {
                let mut chars = rest.chars();
                match chars.next() {
                    Some(escaped) if escaped != char::REPLACEMENT_CHARACTER => {
                        self.character(Chars::of(|c| c == escaped), chars.as_str())
                    }
                    _ => Ok(fails()),
                }
            }
            literal => self.character(Chars::of(|c| c == literal), rest),
        }
    }

    /// The ways to match a component that begins with one of these characters.
    fn character(&mut self, set: Chars, rest: &str) -> Result<Vec<Way>, &'static str> {
        let set = set.intersection(Chars::component());
        if set.is_empty() {
            return Ok(Vec::new());
        }
        let mut ways = self.component(rest)?;
        ways.extend(component_end(rest).map(|next| Way { parts: Vec::new(), next }));
        Ok(in_front(Part::One(set), ways))
    }
}

fn separator() -> Node {
    Node::Set(Chars::of(|c| c == '/'))
}

fn in_front(part: Part, mut ways: Vec<Way>) -> Vec<Way> {
    for way in &mut ways {
        way.parts.insert(0, part);
    }
    ways
}

/// What follows if the component ends in front of this rest of the glob; `None` if it must not end there.
fn component_end(rest: &str) -> Option<Next> {
    if rest.is_empty() {
        return Some(Next::End);
    }
    let slash = unescaped(rest, '/');
    match matches_nothing(&rest[..slash.unwrap_or(rest.len())]) {
        None => Some(Next::Failure),
        Some(false) => None,
        Some(true) => Some(slash.map_or(Next::End, |slash| Next::Glob(rest[slash + 1..].to_owned()))),
    }
}

/// Whether doublestar lets this rest of a component match the empty string; `None` if that is an error.
fn matches_nothing(rest: &str) -> Option<bool> {
    if matches!(rest, "" | "*" | "**") {
        return Some(true);
    }
    let Some(braced) = rest.strip_prefix('{') else { return Some(false) };
    let (options, rest) = alternatives(braced)?;
    if !matches_nothing(rest)? {
        return Some(false);
    }
    for option in options {
        if matches_nothing(option)? {
            return Some(true);
        }
    }
    Some(false)
}

/// The position of the first such character without a backslash before it.
fn unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut start = 0;
    loop {
        let found = text[start..].find(wanted)?;
        // The search starts again behind an escaped character, and does not look at what is before it.
        if found == 0 || !text[start..start + found].ends_with('\\') {
            return Some(start + found);
        }
        start += found + wanted.len_utf8();
    }
}

/// The alternatives in braces, from behind the opening brace, and what follows the closing one.
fn alternatives(text: &str) -> Option<(Vec<&str>, &str)> {
    let mut options = Vec::new();
    let (mut depth, mut start) = (1, 0);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                options.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            options.push(&text[start..at]);
            return Some((options, &text[at + 1..]));
        }
    }
    None
}

/// The class from behind its opening bracket, and what follows it; `None` if it is invalid.
fn class(text: &str) -> Option<(Chars, &str)> {
    let end = unescaped(text, ']')?;
    let (class, rest) = (&text[..end], &text[end + 1..]);
    let negated = class.strip_prefix('^');
    let mut chars = negated.unwrap_or(class).chars().peekable();
    if class.is_empty() {
        return None;
    }
    let bound = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| match chars.next()? {
        '-' => None,
        '\\' => chars.next(),
        c => Some(c),
    };
    let mut set = Chars::NONE;
    while chars.peek().is_some() {
        let low = bound(&mut chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { bound(&mut chars)? } else { low };
        set = set.union(Chars::of(|c| (low..=high).contains(&c)));
    }
    Some((if negated.is_some() { set.complement() } else { set }, rest))
}

/// Whether there is a component that both match.
fn overlap(one: &[Part], two: &[Part]) -> bool {
    // `reached[j]`: the parts of `one` so far and the first `j` parts of `two` match a common text.
    let mut reached = vec![false; two.len() + 1];
    reached[0] = true;
    let skip_stars = |reached: &mut Vec<bool>| {
        for (at, part) in two.iter().enumerate() {
            reached[at + 1] |= reached[at] && *part == Part::Star;
        }
    };
    skip_stars(&mut reached);
    for part in one {
        let mut next = vec![false; two.len() + 1];
        for at in 0..=two.len() {
            match (part, two.get(at)) {
                _ if !reached[at] => {}
                // A star matches what `two` matches from here on, any number of its parts.
                (Part::Star, _) => next[at..].fill(true),
                (Part::One(_), None) => {}
                (Part::One(_), Some(Part::Star)) => next[at] = true,
                (Part::One(one), Some(Part::One(two))) => next[at + 1] |= !one.intersection(*two).is_empty(),
            }
        }
        skip_stars(&mut next);
        reached = next;
    }
    reached[two.len()]
}
