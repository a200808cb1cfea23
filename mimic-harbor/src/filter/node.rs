//! The syntax tree of a filter, and its translation to the `regex` crate's syntax.

use std::fmt::Write as _;

use super::chars::Chars;

/// A part of a filter. [`super::go_regex`] and [`super::doublestar`] parse filters to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Matches the empty string.
    Empty,
    /// One character of the set.
    Set(Chars),
    /// The start of the repository.
    Begin,
    /// The end of the repository.
    End,
    /// A word boundary, or with `false` a place that is none.
    Word(bool),
    /// One after the other.
    Concat(Vec<Node>),
    /// One of these. Without any, it never matches.
    Alternation(Vec<Node>),
    /// At least the first number of times, at most the second one, if there is one.
    Repeat(Box<Node>, u32, Option<u32>),
}

impl Node {
    pub(super) const NEVER: Self = Self::Alternation(Vec::new());

    pub(super) fn any(set: Chars) -> Self {
        Self::Set(set).repeated(0, None)
    }

    pub(super) fn repeated(self, min: u32, max: Option<u32>) -> Self {
        Self::Repeat(Box::new(self), min, max)
    }

    /// Whether the node matches no string.
    fn is_never(&self) -> bool {
        match self {
            Self::Empty | Self::Begin | Self::End | Self::Word(_) => false,
            Self::Set(set) => set.is_empty(),
            Self::Concat(nodes) => nodes.iter().any(Self::is_never),
            Self::Alternation(nodes) => nodes.iter().all(Self::is_never),
            Self::Repeat(node, min, _) => *min > 0 && node.is_never(),
        }
    }

    /// The node in the syntax of the `regex` crate. [`Node::Begin`] and [`Node::End`] must not be in it:
    /// [`super::anchors`] removes them, as the expression becomes part of another one. `None` if it matches no string.
    pub(super) fn expression(&self) -> Option<String> {
        (!self.is_never()).then(|| {
            let mut out = String::new();
            self.write(&mut out, Inside::Whole);
            out
        })
    }

    fn write(&self, out: &mut String, inside: Inside) {
        match self {
            Self::Empty => out.push_str(if inside == Inside::Repeat { "(?:)" } else { "" }),
            Self::Begin | Self::End => debug_assert!(false, "anchors are removed before a filter is written"),
            Self::Set(set) => set.write(out),
            Self::Word(boundary) => out.push_str(match (boundary, inside) {
                (true, Inside::Repeat) => "(?:\\b)",
                (false, Inside::Repeat) => "(?:\\B)",
                (true, _) => "\\b",
                (false, _) => "\\B",
            }),
            Self::Concat(nodes) => group(out, inside == Inside::Repeat, |out| {
                for node in nodes {
                    node.write(out, Inside::Concat);
                }
            }),
            Self::Alternation(nodes) => group(out, inside != Inside::Whole, |out| {
                let nodes = nodes.iter().filter(|node| !node.is_never());
                for (index, node) in nodes.enumerate() {
                    out.push_str(if index > 0 { "|" } else { "" });
                    node.write(out, Inside::Whole);
                }
            }),
            // What never matches is repeated no times.
            Self::Repeat(node, ..) if node.is_never() => Self::Empty.write(out, inside),
            Self::Repeat(node, min, max) => group(out, inside == Inside::Repeat, |out| {
                node.write(out, Inside::Repeat);
                match (min, max) {
                    (0, None) => out.push('*'),
                    (1, None) => out.push('+'),
                    (0, Some(1)) => out.push('?'),
                    (min, None) => _ = write!(out, "{{{min},}}"),
                    (min, Some(max)) if min == max => _ = write!(out, "{{{min}}}"),
                    (min, Some(max)) => _ = write!(out, "{{{min},{max}}}"),
                }
            }),
        }
    }
}

/// Where a node is written.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Whole,
    Concat,
    Repeat,
}

fn group(out: &mut String, grouped: bool, write: impl FnOnce(&mut String)) {
    out.push_str(if grouped { "(?:" } else { "" });
    write(out);
    out.push_str(if grouped { ")" } else { "" });
}
