//! Builds the tree of a document from its nodes in order.

use std::collections::HashMap;

use crate::tree::{Id, Kind, MAX_DEPTH, NONE, Node, OWNED, Tree};

/// Why a document cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Byte in the text.
    pub(crate) offset: usize,
    /// What is wrong there.
    pub(crate) message: String,
}

/// A list or mapping that is still open.
struct Open {
    id: Id,
    last: Id,
    anchor: usize,
}

/// A tree that is not complete.
pub(crate) struct Builder<'t> {
    tree: Tree<'t>,
    open: Vec<Open>,
    /// Complete nodes with an anchor.
    anchors: HashMap<usize, Id>,
}

impl<'t> Builder<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let tree = Tree { text, nodes: Vec::new(), owned: Vec::new(), root: NONE, has_aliases: false };
        Self { tree, open: Vec::new(), anchors: HashMap::new() }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &'t str {
        self.tree.text
    }

    /// Whether the document has content already.
    pub(crate) fn has_root(&self) -> bool {
        self.tree.root != NONE
    }

    /// Adds a scalar. `raw` is where its value is expected in the text.
    pub(crate) fn scalar(&mut self, kind: Kind, start: usize, raw: usize, value: &str, anchor: usize) {
        let found = self.tree.text.as_bytes().get(raw..).is_some_and(|rest| rest.starts_with(value.as_bytes()));
        let (first, len) = if found {
            (raw, small(value.len()))
        } else {
            self.tree.owned.push(value.into());
            (self.tree.owned.len() - 1, OWNED)
        };
        let id = self.add(Node { kind, start: small(start), next: NONE, first: small(first), len });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
    }

    /// Adds a reference to an anchored node.
    pub(crate) fn alias(&mut self, start: usize, anchor: usize) -> Result<(), Failure> {
        let Some(&target) = self.anchors.get(&anchor) else {
            let message = "an alias within the node that it refers to".to_owned();
            return Err(Failure { offset: start, message });
        };
        self.tree.has_aliases = true;
        self.add(Node { kind: Kind::Alias, start: small(start), next: NONE, first: target, len: 0 });
        Ok(())
    }

    /// Opens a list or mapping.
    pub(crate) fn begin(&mut self, kind: Kind, start: usize, anchor: usize) -> Result<(), Failure> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Failure { offset: start, message: format!("more than {MAX_DEPTH} levels of nesting") });
        }
        let id = self.add(Node { kind, start: small(start), next: NONE, first: NONE, len: 0 });
        self.open.push(Open { id, last: NONE, anchor });
        Ok(())
    }

    /// Closes the innermost list or mapping.
    pub(crate) fn end(&mut self) {
        if let Some(Open { id, anchor, .. }) = self.open.pop()
            && anchor != 0
        {
            self.anchors.insert(anchor, id);
        }
    }

    pub(crate) fn finish(self) -> Tree<'t> {
        self.tree
    }

    fn add(&mut self, node: Node) -> Id {
        let id = small(self.tree.nodes.len());
        self.tree.nodes.push(node);
        match self.open.last_mut() {
            None => self.tree.root = id,
            Some(open) => {
                let nodes = &mut self.tree.nodes;
                if open.last == NONE {
                    nodes[open.id as usize].first = id;
                } else {
                    nodes[open.last as usize].next = id;
                }
                open.last = id;
            }
        }
        id
    }
}

/// Offsets and counts fit, because larger documents are refused: each node takes at least a byte.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
