//! A YAML document as a tree with line numbers for error messages.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::text::without_mark;

/// Most memory of the tree of one document, in bytes. Anchors and aliases count as the copies that they are.
pub(crate) const MAX_BYTES: usize = 40 << 20;
/// Deepest nesting, with aliases expanded; the format itself needs seven.
const MAX_DEPTH: usize = 64;
/// Memory of a node in bytes. A list or mapping that grows has room for twice as many.
const NODE: usize = 2 * size_of::<Node>();
/// Memory of a string in addition to its text, in bytes.
const TEXT: usize = 24;

/// A node and the line on which it starts.
#[derive(Clone, Debug)]
pub struct Node {
    /// Counted from 1.
    pub line: usize,
    /// What the node holds.
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// Empty, `~` or `null`, unquoted.
    Null,
    /// `true` or `false`, unquoted.
    Bool(bool),
    /// Any other scalar, numbers included.
    Text(String),
    /// Its items.
    List(Vec<Node>),
    /// Keys and values, in the order written.
    Map(Vec<(Node, Node)>),
}

/// Why a text is not a valid document.
pub struct YamlError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Node {
    /// The value of a key of a mapping. `None` if the node is no mapping or has no such key.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        let is_named = |key: &Self| matches!(&key.value, Value::Text(text) if text == name);
        entries.iter().find(|(key, _)| is_named(key)).map(|(_, value)| value)
    }

    /// The type of the node, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "empty",
            Value::Bool(_) => "a boolean",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    fn cost(&self) -> Cost {
        match &self.value {
            Value::List(items) => Cost::of(items),
            Value::Map(entries) => Cost::of(entries.iter().flat_map(|(key, value)| [key, value])),
            Value::Text(text) => Cost { bytes: NODE + TEXT + text.len(), depth: 0 },
            Value::Null | Value::Bool(_) => Cost { bytes: NODE, depth: 0 },
        }
    }
}

/// What a node takes.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Memory in bytes.
    bytes: usize,
    /// Levels of lists and mappings.
    depth: usize,
}

impl Cost {
    /// Of a list or mapping with these nodes.
    fn of<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> Self {
        let mut cost = Self { bytes: NODE, depth: 0 };
        for node in nodes {
            let inner = node.cost();
            cost.bytes += inner.bytes;
            cost.depth = cost.depth.max(inner.depth);
        }
        Self { depth: cost.depth + 1, ..cost }
    }
}

/// A list or mapping that is still open.
struct Open {
    node: Node,
    anchor: usize,
    /// A key of the mapping whose value comes next.
    key: Option<Node>,
}

/// Parses a text with one document. An empty text is [`Value::Null`]. A byte order mark is skipped.
///
/// # Errors
/// [`YamlError`] if the text is not YAML, is nested too deeply, or needs more than `limit` bytes of memory.
pub fn parse(text: &str, limit: usize) -> Result<Node, YamlError> {
    let mut builder = Builder { limit, open: Vec::new(), anchors: HashMap::new(), bytes: 0, root: None };
    let mut parser = Parser::new_from_str(without_mark(text));
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                return Err(YamlError { line: error.marker().line().max(1), message: error.info().to_owned() });
            }
        }
    }
    Ok(builder.root.unwrap_or(Node { line: 1, value: Value::Null }))
}

struct Builder {
    limit: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    /// Memory of everything that was built, in bytes.
    bytes: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let line = span.start.line().max(1);
        let error = |message: &str| Err(YamlError { line, message: message.to_owned() });
        match event {
            Event::DocumentStart(_) if self.root.is_some() => error("more than one document"),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let cost = node.cost();
                    if self.open.len() + cost.depth > MAX_DEPTH {
                        return Err(too_deep(line));
                    }
                    spend(&mut self.bytes, self.limit, cost.bytes, line)?;
                    let node = node.clone();
                    self.add(node);
                    Ok(())
                }
                None => error("an alias within the node that it refers to"),
            },
            Event::Scalar(text, style, anchor, _) => {
                spend(&mut self.bytes, self.limit, NODE + TEXT + text.len(), line)?;
                let node = Node { line, value: scalar(&text, style) };
                self.finish(node, anchor, line)
            }
            // Most rules have one mirror and two keys. The default first allocation would be for four entries.
            Event::SequenceStart(anchor, _) => self.begin(Value::List(Vec::with_capacity(1)), anchor, line),
            Event::MappingStart(anchor, _) => self.begin(Value::Map(Vec::with_capacity(2)), anchor, line),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.finish(open.node, open.anchor, line),
                None => error("an end without a start"),
            },
        }
    }

    fn begin(&mut self, value: Value, anchor: usize, line: usize) -> Result<(), YamlError> {
        spend(&mut self.bytes, self.limit, NODE, line)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(line));
        }
        self.open.push(Open { node: Node { line, value }, anchor, key: None });
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize, line: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            spend(&mut self.bytes, self.limit, node.cost().bytes, line)?;
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node);
        Ok(())
    }

    fn add(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut open.node.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => entries.push((key, node)),
            (_, _) => open.key = Some(node),
        }
    }
}

/// Counts memory before it is used.
fn spend(bytes: &mut usize, limit: usize, more: usize, line: usize) -> Result<(), YamlError> {
    *bytes += more;
    if *bytes > limit {
        let message = format!("needs more than {} MiB of memory, with aliases expanded", limit >> 20);
        return Err(YamlError { line, message });
    }
    Ok(())
}

fn too_deep(line: usize) -> YamlError {
    YamlError { line, message: format!("more than {MAX_DEPTH} levels of nesting") }
}

/// Scalars of YAML's core schema, as far as the format needs them.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    match text {
        _ if style != ScalarStyle::Plain => Value::Text(text.to_owned()),
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => Value::Text(text.to_owned()),
    }
}
