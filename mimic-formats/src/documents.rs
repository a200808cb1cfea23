//! The YAML documents of a file.

use std::collections::HashSet;

use mimic_core::Problem;
use mimic_core::internal::yaml::{Node, Value, parse};

use crate::report::Report;
use crate::source_file::SourceFile;
use crate::tree::Reader;

/// Most memory of the documents of one file, in bytes.
const MAX_BYTES: usize = 40 << 20;

/// Reads all documents of the files. An error is reported, and the rest of its file is not read.
pub(crate) fn read_each(
    files: &[SourceFile<'_>],
    report: &mut Report,
    read: impl Fn(Reader<'_>, &Node, &mut Report) -> Result<(), Problem>,
) {
    for file in files {
        let reader = Reader { file: file.name };
        let result = documents(file.name, file.text)
            .and_then(|documents| documents.iter().try_for_each(|root| read(reader, root, report)));
        if let Err(problem) = result {
            report.problem(problem);
        }
    }
}

/// Parses all documents of a file, and the items of a Kubernetes `List` in place of it. Empty documents are left out.
///
/// # Errors
/// If a document is not YAML, or a mapping has a key twice.
pub(crate) fn documents(name: &str, text: &str) -> Result<Vec<Node>, Problem> {
    let mut all = Vec::new();
    let mut start = 0;
    let mut first_line = 0;
    let mut limit = MAX_BYTES;
    let mut take = |part: &str, first_line: usize| -> Result<(), Problem> {
        let mut root =
            parse(part, limit).map_err(|error| Problem::from_error(name, &error).at_line(error.line + first_line))?;
        // A document takes far less memory than this many times its text.
        limit = limit.saturating_sub(part.len()).max(1);
        shift(&mut root, first_line);
        if let Some((key, line)) = duplicate(&root) {
            let problem = Problem::new(name, format!("duplicate key `{key}`")).at_line(line);
            return Err(problem.with_hint("remove one of them"));
        }
        match root.value {
            Value::Null => {}
            _ if is_list(&root) => {
                if let Some(Node { value: Value::List(items), .. }) = take_items(root) {
                    all.extend(items);
                }
            }
            _ => all.push(root),
        }
        Ok(())
    };
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        // Nothing but a new document can begin a line with this.
        let is_marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if is_marker && number > 0 {
            take(&text[start..at], first_line)?;
            (start, first_line) = (at, number);
        }
        at += line.len();
    }
    take(&text[start..], first_line)?;
    Ok(all)
}

fn is_list(root: &Node) -> bool {
    matches!(root.get("kind").map(|kind| &kind.value), Some(Value::Text(kind)) if kind.ends_with("List"))
        && root.get("items").is_some()
}

fn take_items(root: Node) -> Option<Node> {
    let Value::Map(entries) = root.value else { return None };
    let is_items = |key: &Node| matches!(&key.value, Value::Text(text) if text == "items");
    entries.into_iter().find(|(key, _)| is_items(key)).map(|(_, value)| value)
}

/// The parser limits the depth of a tree.
fn shift(node: &mut Node, by: usize) {
    node.line += by;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Map(entries) => {
            for (key, value) in entries {
                shift(key, by);
                shift(value, by);
            }
        }
        Value::Null | Value::Bool(_) | Value::Text(_) => {}
    }
}

/// The first key that a mapping has twice, with the line of the second.
fn duplicate(node: &Node) -> Option<(String, usize)> {
    match &node.value {
        Value::List(items) => items.iter().find_map(duplicate),
        Value::Map(entries) => {
            let mut seen = HashSet::new();
            let twice = entries.iter().find_map(|(key, _)| match &key.value {
                Value::Text(text) if !seen.insert(text.as_str()) => Some((text.clone(), key.line)),
                _ => None,
            });
            twice.or_else(|| entries.iter().find_map(|(_, value)| duplicate(value)))
        }
        Value::Null | Value::Bool(_) | Value::Text(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        documents("f", text).ok().unwrap().iter().map(|node| node.line).collect()
    }

    #[test]
    fn documents_have_the_lines_of_the_file() {
        assert_eq!(lines(""), [0; 0]);
        assert_eq!(lines("a: 1\n"), [1]);
        assert_eq!(lines("---\na: 1\n---\n\n---\n# c\nb: |\n  --- x\n"), [2, 7]);
        assert_eq!(lines("a: 1\n--- {b: 2}\r\n---\r\nc: 3"), [1, 2, 4]);
        assert_eq!(lines("kind: List\nitems:\n- a: 1\n- b: 1\n"), [3, 4]);
    }

    #[test]
    fn errors_have_the_line_of_the_file() {
        for (text, line) in [("a: 1\n---\nb: [\n", 3), ("a: 1\n---\nb: 1\nc: {d: 1,\n d: 2}\n", 5)] {
            assert_eq!(documents("f", text).err().unwrap().line(), Some(line), "{text}");
        }
    }
}
