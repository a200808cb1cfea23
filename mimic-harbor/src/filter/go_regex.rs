//! Regular expressions in the syntax of Go's [`regexp`](https://pkg.go.dev/regexp/syntax), as Harbor matches them.
//!
//! The syntax differs from that of the `regex` crate: classes have no `&&` and `--`, `\Q…\E` quotes, and an expression
//! that one of them accepts can be an error for the other.

use super::chars::Chars;
use super::error::{ParseError, UNSUPPORTED_SIZE};
use super::go_class::{self, Class};
use super::node::Node;

/// Go's limit for the counts of a repetition, and for the product of nested ones.
const MOST_REPETITIONS: u32 = 1000;

/// Deeper groups are not translated. (Go's limit is 1,000.)
const MOST_NESTED: usize = 100;

/// Parses an expression as Harbor compiles it: for the whole repository.
pub(super) fn parse(pattern: &str) -> Result<Node, ParseError> {
    // Harbor adds the anchors to the text of the pattern, so `a)|(b` is valid.
    let text = format!("^(?:{pattern})$");
    let mut parser = Parser { rest: &text, fold: false, depth: 0 };
    let node = parser.alternation()?;
    match (parser.rest, node) {
        // The anchors belong to the first and the last branch only, and Go searches in the middle of the text, too.
        ("", Node::Alternation(branches)) => {
            let anywhere = || Node::any(Chars::ALL);
            let branches = branches.into_iter().map(|branch| Node::Concat(vec![anywhere(), branch, anywhere()]));
            Ok(Node::Alternation(branches.collect()))
        }
        ("", node) => Ok(node),
        _ => Err(ParseError::invalid("unexpected `)`")),
    }
}

struct Parser<'a> {
    rest: &'a str,
    /// Letters match without regard to case. The flags `m`, `s` and `U` make no difference for a repository: it has no
    /// line breaks, and what counts is only whether it matches.
    fold: bool,
    depth: usize,
}

impl Parser<'_> {
    fn eat(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Alternatives up to the end of the group or of the expression.
    fn alternation(&mut self) -> Result<Node, ParseError> {
        let mut branches = vec![self.concatenation()?];
        while self.eat("|") {
            branches.push(self.concatenation()?);
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Alternation(branches) })
    }

    fn concatenation(&mut self) -> Result<Node, ParseError> {
        let mut nodes = Vec::new();
        // A repetition must not follow another one.
        let mut follows_repetition = false;
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let before = self.rest;
            if let Some((min, max)) = self.repetition()? {
                if follows_repetition {
                    return Err(ParseError::invalid("a repetition of a repetition"));
                }
                let text = &before[..before.len() - self.rest.len()];
                let node: Node = nodes.pop().ok_or_else(|| ParseError::invalid(format!("`{text}` repeats nothing")))?;
                let counted = text.starts_with('{');
                let node = node.repeated(min, max);
                if counted
                    && (min >= 2 || max.is_some_and(|max| max >= 2))
                    && !counts_are_valid(&node, MOST_REPETITIONS)
                {
                    return Err(ParseError::invalid("nested repetitions of more than 1,000 times"));
                }
                nodes.push(node);
                follows_repetition = true;
            } else {
                self.item(&mut nodes)?;
                follows_repetition = false;
            }
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Concat(nodes),
        })
    }

    /// A repetition operator, if there is one.
    fn repetition(&mut self) -> Result<Option<(u32, Option<u32>)>, ParseError> {
        let counts = if self.eat("*") {
            (0, None)
        } else if self.eat("+") {
            (1, None)
        } else if self.eat("?") {
            (0, Some(1))
        } else {
            match counts(self.rest) {
                // An invalid count is literal text.
                None => return Ok(None),
                Some((min, max, rest)) => {
                    let text = &self.rest[..self.rest.len() - rest.len()];
                    let is_valid =
                        min <= MOST_REPETITIONS && max.is_none_or(|max| max <= MOST_REPETITIONS && min <= max);
                    if !is_valid {
                        return Err(ParseError::invalid(format!("invalid repeat count `{text}`")));
                    }
                    self.rest = rest;
                    (min, max)
                }
            }
        };
        self.eat("?");
        Ok(Some(counts))
    }

    /// Anything but a repetition.
    fn item(&mut self, nodes: &mut Vec<Node>) -> Result<(), ParseError> {
        if self.rest.starts_with("(?") {
            if let Some(node) = self.flags()? {
                nodes.push(node);
            }
            return Ok(());
        }
        if self.eat("\\Q") {
            let (text, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            nodes.extend(text.chars().map(|c| self.literal(c)));
            return Ok(());
        }
        for (text, node) in [
            ("^", Node::Begin),
            ("$", Node::End),
            (".", Node::Set(Chars::ALL)),
            ("\\A", Node::Begin),
            ("\\z", Node::End),
            ("\\b", Node::Word(true)),
            ("\\B", Node::Word(false)),
        ] {
            if self.eat(text) {
                nodes.push(node);
                return Ok(());
            }
        }
        if self.eat("(") {
            nodes.push(self.group()?);
            return Ok(());
        }
        let (class, rest) = match self.rest.as_bytes() {
            [b'[', ..] => go_class::bracketed(self.rest, self.fold)?,
            [b'\\', ..] => go_class::escape(self.rest, self.fold)?,
            _ => {
                if let Some(c) = self.next() {
                    nodes.push(self.literal(c));
                }
                return Ok(());
            }
        };
        self.rest = rest;
        nodes.push(Node::Set(class));
        Ok(())
    }

    fn literal(&self, c: char) -> Node {
        let mut class = Class::new(self.fold);
        class.add(c.into(), c.into());
        Node::Set(class.chars())
    }

    /// What follows an opening parenthesis, up to and with the closing one.
    fn group(&mut self) -> Result<Node, ParseError> {
        self.depth += 1;
        if self.depth > MOST_NESTED {
            return Err(ParseError::Unsupported(UNSUPPORTED_SIZE));
        }
        // Flags that change inside of a group apply until its end.
        let fold = self.fold;
        let node = self.alternation()?;
        self.fold = fold;
        self.depth -= 1;
        if self.eat(")") { Ok(node) } else { Err(ParseError::invalid("missing `)`")) }
    }

    /// What begins with `(?`: flags, or a group that has a name, has flags or is not captured.
    fn flags(&mut self) -> Result<Option<Node>, ParseError> {
        let invalid = |text: &str| ParseError::invalid(format!("unsupported group `{text}`"));
        let start = self.rest;
        if self.eat("(?P<") || self.eat("(?<") {
            let name = self.rest.split_once('>').filter(|(name, _)| is_name(name));
            let (_, rest) = name.ok_or_else(|| ParseError::invalid("invalid name of a group"))?;
            self.rest = rest;
            return self.group().map(Some);
        }
        self.rest = &start[2..];
        let (mut fold, mut on, mut any) = (self.fold, true, true);
        while let Some(c) = self.next() {
            match c {
                'i' => (fold, any) = (on, true),
                'm' | 's' | 'U' => any = true,
                '-' if on => (on, any) = (false, false),
                ':' if any => {
                    let outside = std::mem::replace(&mut self.fold, fold);
                    let node = self.group()?;
                    self.fold = outside;
                    return Ok(Some(node));
                }
                ')' if any => {
                    self.fold = fold;
                    return Ok(None);
                }
                _ => break,
            }
        }
        Err(invalid(&start[..start.len() - self.rest.len()]))
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// The counts of `{2}`, `{2,}` or `{2,3}` at the start of a text, and the rest. Counts that are too large become
/// [`u32::MAX`].
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = number(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Some(min), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, None, rest));
    }
    let (max, rest) = number(rest)?;
    Some((min, Some(max), rest.strip_prefix('}')?))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(digits);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    (!digits.is_empty() && !leading_zero).then(|| (digits.parse().unwrap_or(u32::MAX), rest))
}

/// Whether the product of nested counts is at most `most`. Only counts in braces count.
fn counts_are_valid(node: &Node, most: u32) -> bool {
    match node {
        Node::Repeat(inner, min, max) => {
            // `*`, `+` and `?` are no counts, but read as ones they change nothing: they are at most 1.
            let count = max.unwrap_or(*min);
            if *max == Some(0) {
                return true;
            }
            count <= most && counts_are_valid(inner, most.checked_div(count).unwrap_or(most))
        }
        Node::Concat(nodes) | Node::Alternation(nodes) => nodes.iter().all(|node| counts_are_valid(node, most)),
        Node::Empty | Node::Set(_) | Node::Begin | Node::End | Node::Word(_) => true,
    }
}
