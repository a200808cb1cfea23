//! Typed access to a document, with errors that name the file and the line.

use mimic_core::Problem;
use mimic_core::internal::nearest;
use mimic_core::internal::yaml::{Node, Value};

/// Reads values of one file.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// Name of the file.
    pub(crate) file: &'a str,
}

impl Reader<'_> {
    pub(crate) fn problem(self, line: usize, message: impl Into<String>) -> Problem {
        Problem::new(self.file, message).at_line(line)
    }

    fn wrong(self, node: &Node, what: &str, expected: &str) -> Problem {
        self.problem(node.line, format!("{what} must be {expected}, not {}", node.kind()))
    }

    pub(crate) fn text<'n>(self, node: &'n Node, what: &str) -> Result<&'n str, Problem> {
        match &node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong(node, what, "a string")),
        }
    }

    pub(crate) fn flag(self, node: &Node, what: &str) -> Result<bool, Problem> {
        match node.value {
            Value::Bool(flag) => Ok(flag),
            _ => Err(self.wrong(node, what, "`true` or `false`")),
        }
    }

    /// Whether a key of a mapping is `true`.
    pub(crate) fn flag_at(self, node: &Node, key: &str) -> Result<bool, Problem> {
        node.get(key).map_or(Ok(false), |node| self.flag(node, &format!("`{key}`")))
    }

    /// The string at a key of a mapping.
    pub(crate) fn text_at<'n>(self, node: &'n Node, key: &str) -> Result<Option<(&'n str, usize)>, Problem> {
        let Some(node) = node.get(key) else { return Ok(None) };
        Ok(Some((self.text(node, &format!("`{key}`"))?, node.line)))
    }

    /// A list; no value is an empty one.
    pub(crate) fn list<'n>(self, node: &'n Node, what: &str) -> Result<&'n [Node], Problem> {
        match &node.value {
            Value::Null => Ok(&[]),
            Value::List(items) => Ok(items),
            _ => Err(self.wrong(node, what, "a list")),
        }
    }

    /// The list at a key of a mapping; empty without the key.
    pub(crate) fn list_at<'n>(self, node: &'n Node, key: &str) -> Result<&'n [Node], Problem> {
        node.get(key).map_or(Ok(&[]), |node| self.list(node, &format!("`{key}`")))
    }

    /// The entries of a mapping; no value is an empty one.
    pub(crate) fn map<'n>(self, node: &'n Node, what: &str) -> Result<&'n [(Node, Node)], Problem> {
        match &node.value {
            Value::Null => Ok(&[]),
            Value::Map(entries) => Ok(entries),
            _ => Err(self.wrong(node, what, "a mapping")),
        }
    }

    /// The entries of the mapping at a key of a mapping; empty without the key.
    pub(crate) fn map_at<'n>(self, node: &'n Node, key: &str) -> Result<&'n [(Node, Node)], Problem> {
        node.get(key).map_or(Ok(&[]), |node| self.map(node, &format!("`{key}`")))
    }

    /// Warnings about keys of a mapping that are not `known`, and that `tool` ignores.
    pub(crate) fn unknown_keys(self, entries: &[(Node, Node)], known: &[&str], tool: &str) -> Vec<Problem> {
        let unknown = entries.iter().filter_map(|(key, _)| match &key.value {
            Value::Text(text) if !known.contains(&text.as_str()) => Some((text, key.line)),
            _ => None,
        });
        let warning = |(text, line): (&String, usize)| {
            let warning = self.problem(line, format!("unknown key `{text}`, which {tool} ignores"));
            match nearest(text, known.iter().copied()) {
                Some(near) => warning.with_hint(format!("did you mean `{near}`?")),
                None => warning,
            }
        };
        unknown.map(warning).collect()
    }
}
