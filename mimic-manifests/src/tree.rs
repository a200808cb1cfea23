//! A parsed document: a compact tree whose scalars refer to the text.

/// The index of a node.
pub(crate) type Id = u32;

/// No node.
pub(crate) const NONE: Id = Id::MAX;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A scalar.
    Scalar(Style, Tag),
    /// Its children are the items.
    List,
    /// Its children are keys and values in turn.
    Map,
    /// A reference to an anchored node.
    Alias,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// The explicit tag of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    None,
    /// `!!str`, or `!`, which means the same for a scalar.
    Str,
    Other,
}

/// A node. Twenty bytes, because a list of all pods of a cluster has millions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Where a scalar's token starts; of a block scalar, where its first line of content does.
    pub(crate) start: u32,
    /// The next item, key or value of the same list or mapping.
    pub(crate) next: Id,
    /// Scalar: start of its value in the text, or index into `owned`. List, map: first child. Alias: target.
    pub(crate) first: u32,
    /// Length of a scalar's value in the text in bytes; [`OWNED`] if it is in `owned`.
    pub(crate) len: u32,
}

/// The value of the scalar differs from its bytes in the text.
pub(crate) const OWNED: u32 = u32::MAX;

/// The tree of one document.
#[derive(Debug)]
pub(crate) struct Tree<'t> {
    pub(crate) text: &'t str,
    pub(crate) nodes: Vec<Node>,
    pub(crate) owned: Vec<Box<str>>,
    /// [`NONE`] for a document without content.
    pub(crate) root: Id,
    pub(crate) has_aliases: bool,
}

/// Why a path through a document cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclear {
    /// The mapping has this key twice.
    Duplicate(Id),
    /// Aliases expand to too many nodes, or too deeply.
    TooManyAliases,
}

/// Deepest nesting with aliases expanded. Kubernetes' objects have fewer than thirty levels.
pub(crate) const MAX_DEPTH: usize = 256;

impl Tree<'_> {
    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    /// The anchored node if `id` is an alias, otherwise `id`.
    pub(crate) fn resolve(&self, id: Id) -> Id {
        let node = self.node(id);
        // An anchor cannot be on an alias, so one step is enough.
        if node.kind == Kind::Alias { node.first } else { id }
    }

    /// The value of a scalar; empty for other nodes.
    pub(crate) fn text(&self, id: Id) -> &str {
        let node = self.node(id);
        match node.kind {
            Kind::Scalar(..) if node.len == OWNED => &self.owned[node.first as usize],
            Kind::Scalar(..) => &self.text[node.first as usize..][..node.len as usize],
            _ => "",
        }
    }

    /// The children of a list or mapping, aliases not resolved.
    pub(crate) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let node = self.node(id);
        let first = if matches!(node.kind, Kind::List | Kind::Map) { node.first } else { NONE };
        let some = |id: Id| (id != NONE).then_some(id);
        std::iter::successors(some(first), move |&child| some(self.node(child).next))
    }

    /// The items of a list, aliases resolved. None if the node is no list.
    pub(crate) fn items(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let id = self.resolve(id);
        let is_list = self.node(id).kind == Kind::List;
        self.children(id).take_while(move |_| is_list).map(|item| self.resolve(item))
    }

    /// The keys and values that a mapping itself contains, aliases not resolved. None if the node is no mapping.
    pub(crate) fn own_entries(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let is_map = self.node(id).kind == Kind::Map;
        let mut children = self.children(id).take_while(move |_| is_map);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// Whether a key is the merge key of YAML 1.1, which Kubernetes' tools support.
    pub(crate) fn is_merge(&self, key: Id) -> bool {
        self.node(key).kind == Kind::Scalar(Style::Plain, Tag::None) && self.text(key) == "<<"
    }

    /// The mappings that the value of a merge key names, in order of precedence.
    pub(crate) fn merged(&self, value: Id) -> Vec<Id> {
        let value = self.resolve(value);
        match self.node(value).kind {
            Kind::Map => vec![value],
            Kind::List => self.items(value).filter(|&item| self.node(item).kind == Kind::Map).collect(),
            _ => Vec::new(),
        }
    }

    /// The value of a key, with aliases and merge keys resolved. `None` if the node is no mapping or has no such key.
    ///
    /// # Errors
    /// If the key occurs twice, because tools disagree on which one counts.
    pub(crate) fn get(&self, id: Id, name: &str) -> Result<Option<Id>, Unclear> {
        self.get_within(id, name, 0)
    }

    fn get_within(&self, id: Id, name: &str, depth: usize) -> Result<Option<Id>, Unclear> {
        if depth > MAX_DEPTH {
            return Err(Unclear::TooManyAliases);
        }
        let id = self.resolve(id);
        let mut found = None;
        let mut merges = Vec::new();
        for (key, value) in self.own_entries(id) {
            let key = self.resolve(key);
            if !matches!(self.node(key).kind, Kind::Scalar(..)) {
                continue;
            }
            if self.text(key) == name {
                if found.is_some() {
                    return Err(Unclear::Duplicate(key));
                }
                found = Some(self.resolve(value));
            } else if self.is_merge(key) {
                merges.extend(self.merged(value));
            }
        }
        if found.is_none() {
            for merged in merges {
                if let Some(value) = self.get_within(merged, name, depth + 1)? {
                    return Ok(Some(value));
                }
            }
        }
        Ok(found)
    }

    /// All entries of a mapping with those of its merge keys, aliases resolved.
    pub(crate) fn entries(&self, id: Id) -> Result<Vec<(Id, Id)>, Unclear> {
        let mut entries = Vec::new();
        self.add_entries(self.resolve(id), &mut entries, 0)?;
        Ok(entries)
    }

    fn add_entries(&self, id: Id, entries: &mut Vec<(Id, Id)>, depth: usize) -> Result<(), Unclear> {
        if depth > MAX_DEPTH || entries.len() > self.nodes.len() {
            return Err(Unclear::TooManyAliases);
        }
        let own = entries.len();
        let mut merges = Vec::new();
        for (key, value) in self.own_entries(id) {
            let key = self.resolve(key);
            if self.is_merge(key) {
                merges.extend(self.merged(value));
            } else if depth == 0 || !entries[..own].iter().any(|(known, _)| self.text(*known) == self.text(key)) {
                entries.push((key, self.resolve(value)));
            }
        }
        merges.into_iter().try_for_each(|merged| self.add_entries(merged, entries, depth + 1))
    }

    /// Whether `other` has the same nodes, except that the scalars of `edits`, sorted by id, have other values.
    pub(crate) fn equals_except(&self, other: &Tree<'_>, edits: &[(Id, &str)]) -> bool {
        let mut edits = edits.iter().peekable();
        self.root == other.root
            && self.nodes.len() == other.nodes.len()
            && (0..).zip(self.nodes.iter().zip(&other.nodes)).all(|(id, (before, after))| {
                if before.next != after.next {
                    return false;
                }
                match edits.next_if(|(edited, _)| *edited == id) {
                    Some((_, value)) => other.text(id) == *value && matches!(after.kind, Kind::Scalar(..)),
                    None if before.kind != after.kind => false,
                    None if matches!(before.kind, Kind::Scalar(..)) => self.text(id) == other.text(id),
                    None => before.first == after.first,
                }
            })
    }
}
