//! TOML as the tree that the YAML reader gives, with lines and in the order of the document.

use mimic_core::Problem;
use mimic_core::internal::yaml::{Node, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Largest text, in bytes. The files of these formats have a few kilobytes.
const MAX_BYTES: usize = 1 << 20;

/// Parses a TOML text. `name` names it in the problem.
pub(crate) fn parse(name: &str, text: &str) -> Result<Node, Problem> {
    if text.len() > MAX_BYTES {
        return Err(Problem::new(name, format!("larger than {} MiB", MAX_BYTES >> 20)));
    }
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(table) => Ok(Node { line: 1, value: map(table.get_ref(), &lines) }),
        Err(error) => {
            let line = error.span().map(|span| lines.line(span.start));
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            Err(Problem::new(name, format!("not valid TOML: {message}")).at_line(line))
        }
    }
}

fn map(table: &DeTable<'_>, lines: &Lines) -> Value {
    let mut entries: Vec<_> = table.iter().collect();
    // Its own order is that of the keys' names.
    entries.sort_by_key(|(key, _)| key.span().start);
    let entries = entries.into_iter().map(|(key, value)| {
        let name = Node { line: lines.line(key.span().start), value: Value::Text(key.get_ref().to_string()) };
        let mut value = node(value, lines);
        // The span of a table can begin at its first entry.
        value.line = value.line.max(name.line);
        (name, value)
    });
    Value::Map(entries.collect())
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let line = lines.line(value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(number) => Value::Text(number.to_string()),
        DeValue::Float(number) => Value::Text(number.to_string()),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(item, lines)).collect()),
        DeValue::Table(table) => map(table, lines),
    };
    Node { line, value }
}

/// Where the lines of a text start, in bytes.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The line of a byte, counted from 1.
    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_the_order_of_the_document_with_their_lines() {
        let root = parse("a", "b = 1\n\n[z.\"https://two\"]\nx = [\n'a',\n'b']\n[z.\"https://one\"]\n").ok().unwrap();
        assert_eq!(root.get("b").unwrap().line, 1);
        let Value::Map(entries) = &root.get("z").unwrap().value else { panic!() };
        let names: Vec<_> = entries.iter().map(|(key, value)| (format!("{:?}", key.value), value.line)).collect();
        assert_eq!(names, [("Text(\"https://two\")".into(), 3), ("Text(\"https://one\")".into(), 7)]);
        let Value::List(items) = &entries[0].1.get("x").unwrap().value else { panic!() };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn errors_have_the_line() {
        for (text, line) in [("a = 1\nb = \n", Some(2)), ("a = 1\na = 2\n", Some(2)), ("\n\n[x\n", Some(3))] {
            assert_eq!(parse("f", text).err().unwrap().line(), line, "{text}");
        }
        assert!(parse("f", &"[".repeat(1_000_000)).is_err());
        assert!(parse("f", &"a".repeat(MAX_BYTES + 1)).is_err());
    }
}
