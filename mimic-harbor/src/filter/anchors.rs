//! Removes `^` and `$` from a filter. Mimic embeds filters in a rule's pattern, where the two would match at the ends of
//! the image instead of the ends of the repository inside the project.

use super::error::UNSUPPORTED_SIZE;
use super::node::Node;

/// Which ends of the repository a node touches.
#[derive(Clone, Copy)]
struct Ends {
    /// Nothing was matched before the node.
    begin: bool,
    /// Nothing is matched after the node.
    end: bool,
}

impl Ends {
    /// In front of something that is not empty.
    fn inner_end(self) -> Self {
        Self { end: false, ..self }
    }

    /// After something that is not empty.
    fn inner_begin(self) -> Self {
        Self { begin: false, ..self }
    }

    const INNER: Self = Self { begin: false, end: false };
}

/// The same filter without anchors, for a whole repository.
///
/// # Errors
///
/// The reason why Mimic cannot write it without anchors.
pub(super) fn remove(node: &Node) -> Result<Node, &'static str> {
    let mut work = Work { steps: 10_000 };
    work.all(node, Ends { begin: true, end: true })
}

/// Repetitions of nodes with anchors are written out up to this number.
const MOST_COPIES: u32 = 8;

/// Bounds the work: what an anchor inside of a repetition means depends on what is empty around it.
struct Work {
    steps: u32,
}

type Found = Result<Node, &'static str>;

impl Work {
    fn step(&mut self) -> Result<(), &'static str> {
        self.steps = self.steps.checked_sub(1).ok_or(UNSUPPORTED_SIZE)?;
        Ok(())
    }

    /// All that the node matches between these ends.
    fn all(&mut self, node: &Node, ends: Ends) -> Found {
        self.step()?;
        if !has_anchor(node) {
            return Ok(node.clone());
        }
        match node {
            Node::Begin => Ok(if ends.begin { Node::Empty } else { Node::NEVER }),
            Node::End => Ok(if ends.end { Node::Empty } else { Node::NEVER }),
            Node::Concat(nodes) => match split(nodes) {
                // The left part has no `$` and the right part no `^`, so neither depends on whether the other one is empty.
                Some((left, right)) => {
                    let left = self.all(&concat(left), Ends { end: false, ..ends })?;
                    Ok(Node::Concat(vec![left, self.all(&concat(right), Ends { begin: false, ..ends })?]))
                }
                None => Ok(Node::Alternation(vec![self.empty_node(node, ends)?, self.nonempty(node, ends)?])),
            },
            Node::Alternation(nodes) => {
                let nodes = nodes.iter().map(|node| self.all(node, ends));
                Ok(Node::Alternation(nodes.collect::<Result<_, _>>()?))
            }
            Node::Repeat(..) => Ok(Node::Alternation(vec![self.empty_node(node, ends)?, self.nonempty(node, ends)?])),
            Node::Empty | Node::Set(_) | Node::Word(_) => Ok(node.clone()),
        }
    }

    fn empty_node(&mut self, node: &Node, ends: Ends) -> Found {
        Ok(if self.is_empty(node, ends)? { Node::Empty } else { Node::NEVER })
    }

    /// Whether the node matches the empty string between these ends.
    fn is_empty(&mut self, node: &Node, ends: Ends) -> Result<bool, &'static str> {
        self.step()?;
        if is_never_empty(node) {
            return Ok(false);
        }
        Ok(match node {
            Node::Empty => true,
            Node::Begin => ends.begin,
            Node::End => ends.end,
            Node::Set(_) => false,
            Node::Word(_) => return Err("it has a word boundary beside an anchor"),
            Node::Concat(nodes) => {
                for node in nodes {
                    if !self.is_empty(node, ends)? {
                        return Ok(false);
                    }
                }
                true
            }
            Node::Alternation(nodes) => {
                for node in nodes {
                    if self.is_empty(node, ends)? {
                        return Ok(true);
                    }
                }
                false
            }
            Node::Repeat(node, min, _) => *min == 0 || self.is_empty(node, ends)?,
        })
    }

    /// What the node matches between these ends, without the empty string.
    fn nonempty(&mut self, node: &Node, ends: Ends) -> Found {
        self.step()?;
        let anchored = has_anchor(node);
        if !anchored && is_never_empty(node) {
            return Ok(node.clone());
        }
        match node {
            Node::Empty | Node::Begin | Node::End | Node::Repeat(_, _, Some(0)) => Ok(Node::NEVER),
            Node::Set(_) => Ok(node.clone()),
            Node::Word(_) => Err("it has a word boundary beside an anchor"),
            Node::Alternation(nodes) => {
                let nodes = nodes.iter().map(|node| self.nonempty(node, ends));
                Ok(Node::Alternation(nodes.collect::<Result<_, _>>()?))
            }
            Node::Concat(nodes) => match nodes.as_slice() {
                [] => Ok(Node::NEVER),
                [node] => self.nonempty(node, ends),
                [first, rest @ ..] => {
                    let rest = concat(rest);
                    let mut found = Vec::new();
                    if self.is_empty(&rest, ends.inner_begin())? {
                        found.push(self.nonempty(first, ends)?);
                    }
                    if self.is_empty(first, ends.inner_end())? {
                        found.push(self.nonempty(&rest, ends)?);
                    }
                    let both = [self.nonempty(first, ends.inner_end())?, self.nonempty(&rest, ends.inner_begin())?];
                    found.push(Node::Concat(both.into()));
                    Ok(Node::Alternation(found))
                }
            },
            Node::Repeat(node, _, max) if !anchored => Ok(self.nonempty(node, ends)?.repeated(1, *max)),
            Node::Repeat(node, min, Some(1)) if *min < 2 => self.nonempty(node, ends),
            Node::Repeat(node, min, None) if *min < 2 => {
                let (first, last) = (self.nonempty(node, ends.inner_end())?, self.nonempty(node, ends.inner_begin())?);
                let more = self.nonempty(node, Ends::INNER)?.repeated(0, None);
                let one = self.nonempty(node, ends)?;
                Ok(Node::Alternation(vec![one, Node::Concat(vec![first, more, last])]))
            }
            Node::Repeat(inner, min, max) => {
                let copies = max.unwrap_or(*min);
                if copies > MOST_COPIES {
                    return Err("it repeats an anchor many times");
                }
                let mut nodes = vec![(**inner).clone(); *min as usize];
                let optional = (**inner).clone().repeated(0, Some(1));
                nodes.extend(vec![optional; copies.saturating_sub(*min) as usize]);
                nodes.extend(max.is_none().then(|| (**inner).clone().repeated(0, None)));
                self.nonempty(&Node::Concat(nodes), ends)
            }
        }
    }
}

/// Splits nodes into a part without `$` and a part without `^` after it, with at least one node each.
fn split(nodes: &[Node]) -> Option<(&[Node], &[Node])> {
    let has = |nodes: &[Node], anchor: &Node| nodes.iter().any(|node| contains(node, &|node| node == anchor));
    let middles = 1..nodes.len();
    middles.map(|at| nodes.split_at(at)).find(|(left, right)| !has(left, &Node::End) && !has(right, &Node::Begin))
}

fn concat(nodes: &[Node]) -> Node {
    match nodes {
        [node] => node.clone(),
        nodes => Node::Concat(nodes.to_vec()),
    }
}

fn has_anchor(node: &Node) -> bool {
    contains(node, &|node| matches!(node, Node::Begin | Node::End))
}

/// Whether every match has a character.
fn is_never_empty(node: &Node) -> bool {
    match node {
        Node::Empty | Node::Begin | Node::End | Node::Word(_) => false,
        Node::Set(_) => true,
        Node::Concat(nodes) => nodes.iter().any(is_never_empty),
        Node::Alternation(nodes) => nodes.iter().all(is_never_empty),
        Node::Repeat(node, min, _) => *min > 0 && is_never_empty(node),
    }
}

fn contains(node: &Node, is: &impl Fn(&Node) -> bool) -> bool {
    is(node)
        || match node {
            Node::Concat(nodes) | Node::Alternation(nodes) => nodes.iter().any(|node| contains(node, is)),
            Node::Repeat(node, ..) => contains(node, is),
            Node::Empty | Node::Set(_) | Node::Begin | Node::End | Node::Word(_) => false,
        }
}
