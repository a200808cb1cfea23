//! A YAML document as a tree with line numbers for error messages.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::text::without_mark;

/// Most nodes of one document, with aliases expanded. Limits the memory that a file can take.
const MAX_NODES: usize = 2_000_000;
/// Deepest nesting; the format itself needs seven.
const MAX_DEPTH: usize = 64;

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

    fn size(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|(key, value)| key.size() + value.size()).sum::<usize>(),
            _ => 1,
        }
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
pub fn parse(text: &str) -> Result<Node, YamlError> {
    let mut builder = Builder::default();
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

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
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
                    let node = node.clone();
                    self.nodes += node.size();
                    self.add(node, line)
                }
                None => error("an alias within the node that it refers to"),
            },
            Event::Scalar(text, style, anchor, _) => {
                self.nodes += 1;
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
        self.nodes += 1;
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError { line, message: format!("more than {MAX_DEPTH} levels of nesting") });
        }
        self.open.push(Open { node: Node { line, value }, anchor, key: None });
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize, line: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            self.nodes += node.size();
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node, line)
    }

    fn add(&mut self, node: Node, line: usize) -> Result<(), YamlError> {
        if self.nodes > MAX_NODES {
            return Err(YamlError { line, message: format!("more than {MAX_NODES} values") });
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => entries.push((key, node)),
            (_, _) => open.key = Some(node),
        }
        Ok(())
    }
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
