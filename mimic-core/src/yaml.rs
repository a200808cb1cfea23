//! A YAML document as a tree with line numbers for error messages.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::hint::Hint;
use crate::text::without_mark;
use crate::yaml_input::{LimitedInput, MAX_TOKENS};

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
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    message: String,
    hint: &'static str,
}

impl YamlError {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into(), hint: "" }
    }

    fn with_hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }
}

impl Hint for YamlError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        (!self.hint.is_empty()).then(|| self.hint.into())
    }
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
    let text = without_mark(text);
    let last_line = last_line(text);
    let mut builder = Builder { limit, last_line, open: Vec::new(), anchors: HashMap::new(), bytes: 0, root: None };
    let tokens = Cell::new(0);
    let mut parser = Parser::new(LimitedInput::new(text, &tokens));
    let mut line = 1;
    while let Some(event) = parser.next_event() {
        if tokens.replace(0) > MAX_TOKENS {
            let message = "a list or mapping in brackets has too many values";
            return Err(YamlError::new(line, message).with_hint("write one value a line, without brackets around them"));
        }
        match event {
            Ok((event, span)) => {
                line = span.end.line().clamp(1, last_line);
                builder.take(event, span)?;
            }
            Err(error) => {
                let line = error.marker().line().clamp(1, last_line);
                return Err(YamlError::new(line, format!("not valid YAML: {}", error.info())));
            }
        }
    }
    Ok(builder.root.unwrap_or(Node { line: 1, value: Value::Null }))
}

struct Builder {
    limit: usize,
    /// Of the text. The parser reports what is missing at the end on a line after it.
    last_line: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    /// Memory of everything that was built, in bytes.
    bytes: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let line = span.start.line().clamp(1, self.last_line);
        let error = |message: &str| Err(YamlError::new(line, format!("not valid YAML: {message}")));
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

/// The last line with text, from 1.
fn last_line(text: &str) -> usize {
    let bytes = text.trim_end().as_bytes();
    // YAML also breaks lines at a lone carriage return.
    let is_break = |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    1 + (0..bytes.len()).filter(|&at| is_break(at)).count()
}

/// Counts memory before it is used.
fn spend(bytes: &mut usize, limit: usize, more: usize, line: usize) -> Result<(), YamlError> {
    *bytes += more;
    if *bytes > limit {
        let message = format!("the document needs more than {} MiB of memory, with aliases expanded", limit >> 20);
        return Err(
            YamlError::new(line, message).with_hint("use fewer values and aliases, or divide it between two files")
        );
    }
    Ok(())
}

fn too_deep(line: usize) -> YamlError {
    YamlError::new(line, format!("not valid YAML: more than {MAX_DEPTH} levels of nesting"))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest limit with which a text is read.
    fn needs(text: &str) -> usize {
        let (mut too_small, mut enough) = (0, 1 << 20);
        while enough - too_small > 1 {
            let middle = usize::midpoint(too_small, enough);
            *(if parse(text, middle).is_ok() { &mut enough } else { &mut too_small }) = middle;
        }
        enough
    }

    #[test]
    fn every_node_is_counted_with_its_copies() {
        let string = |length: usize| NODE + TEXT + length;
        for (text, expected) in [
            ("ab", string(2)),
            ("\"ab\"", string(2)),
            ("~", string(1)),
            ("[]", NODE),
            ("[a, bcd]", NODE + string(1) + string(3)),
            ("{a: bc, d: [e]}", NODE + string(1) + string(2) + string(1) + NODE + string(1)),
            // An anchor keeps a copy, and an alias is one.
            ("&x ab", 2 * string(2)),
            ("[&x ab, *x, *x]", NODE + 4 * string(2)),
            ("[&x [a, bc], *x]", NODE + 3 * (NODE + string(1) + string(2))),
            ("[&x {a: bcd}, *x]", NODE + 3 * (NODE + string(1) + string(3))),
            ("[&x ~, *x]", NODE + string(1) + 2 * NODE),
            ("[&x true, *x]", NODE + string(4) + 2 * NODE),
        ] {
            assert_eq!(needs(text), expected, "{text}");
        }
    }

    #[test]
    fn sixty_four_levels_are_read() {
        let lists = |levels: usize| format!("{}a{}", "[".repeat(levels), "]".repeat(levels));
        let with_alias =
            |levels: usize, of: usize| format!("[&x {}, {}*x{}]", lists(of), "[".repeat(levels), "]".repeat(levels));
        let mapping = |levels: usize| format!("{}a{}", "{a: ".repeat(levels), "}".repeat(levels));
        for (text, is_read) in [
            (lists(64), true),
            (lists(65), false),
            (mapping(64), true),
            (mapping(65), false),
            (with_alias(60, 3), true),
            (with_alias(61, 3), false),
            (with_alias(63, 0), true),
        ] {
            let error = parse(&text, MAX_BYTES).err().map(|error| error.to_string());
            let expected = (!is_read).then(|| "not valid YAML: more than 64 levels of nesting".to_owned());
            assert_eq!(error, expected, "{text}");
        }
    }

    #[test]
    fn half_of_the_tokens_of_a_list_are_its_commas() {
        let lists = |strings: usize| format!("- [{}]", "a,".repeat(strings));
        let most = MAX_TOKENS / 2;
        assert!(parse(&lists(most - 8), usize::MAX).is_ok());
        let error = parse(&lists(most + 8), usize::MAX).unwrap_err();
        assert_eq!((error.line, error.hint().is_some()), (1, true));
        assert!(error.to_string().contains("too many values"), "{error}");
        // A list that cannot be a key is not kept, nor are several lists at once.
        assert!(parse(&format!("rules: [{}]", "a,".repeat(most + 8)), usize::MAX).is_ok());
        assert!(parse(&format!("{0}\n{0}", lists(most - 8)), usize::MAX).is_ok());
        // A colon is up to four tokens.
        let pairs = |pairs: usize| format!("- {{{}}}", "a: b,".repeat(pairs));
        assert!(parse(&pairs(MAX_TOKENS / 7 - 8), usize::MAX).is_ok());
        assert!(parse(&pairs(MAX_TOKENS / 7 + 8), usize::MAX).is_err());
    }

    #[test]
    fn the_last_line_is_the_last_with_text() {
        for (text, line) in
            [("", 1), ("\n\n", 1), ("a", 1), ("a\n \n", 1), ("a\nb", 2), ("a\r\nb\r\n", 2), ("a\rb\r", 2), ("\n\na", 3)]
        {
            assert_eq!(last_line(text), line, "{text:?}");
        }
    }

    #[test]
    fn plain_words_are_values_and_quoted_ones_are_strings() {
        for (text, expected) in [
            ("~", "Null"),
            ("null", "Null"),
            ("Null", "Null"),
            ("NULL", "Null"),
            ("true", "Bool(true)"),
            ("True", "Bool(true)"),
            ("TRUE", "Bool(true)"),
            ("false", "Bool(false)"),
            ("False", "Bool(false)"),
            ("FALSE", "Bool(false)"),
            ("'true'", "Text(\"true\")"),
            ("'~'", "Text(\"~\")"),
            ("yes", "Text(\"yes\")"),
            ("12", "Text(\"12\")"),
        ] {
            assert_eq!(format!("{:?}", parse(text, MAX_BYTES).unwrap().value), expected);
        }
    }
}
