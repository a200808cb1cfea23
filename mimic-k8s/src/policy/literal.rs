//! Literals of CEL.

use std::fmt::Write as _;

/// Largest map or list in one variable, in bytes. CEL allows 100,000 characters for an expression.
const MAX_LITERAL: usize = 75_000;

/// A string.
pub(super) fn string(text: &str) -> String {
    let is_simple = |c: char| c.is_ascii_graphic() || c == ' ';
    if text.contains('\'') || !text.chars().all(is_simple) {
        // JSON's escapes are also CEL's.
        return serde_json::Value::from(text).to_string();
    }
    if text.contains('\\') { format!("r'{text}'") } else { format!("'{text}'") }
}

/// A list of strings.
pub(super) fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(string).collect();
    format!("[{}]", texts.join(", "))
}

/// Maps with these entries, as many as are needed. There is always one.
pub(super) fn maps<'t>(entries: impl IntoIterator<Item = (&'t str, String)>) -> Vec<String> {
    literals(('{', '}'), entries.into_iter().map(|(key, value)| format!("{}: {value}", string(key))))
}

/// Lists of these strings, as many as are needed. There is always one.
pub(super) fn lists<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    literals(('[', ']'), texts.into_iter().map(string))
}

fn literals((open, close): (char, char), entries: impl Iterator<Item = String>) -> Vec<String> {
    let mut literals = Vec::new();
    let mut literal = String::from(open);
    for entry in entries {
        if literal.len() > 1 && literal.len() + entry.len() > MAX_LITERAL {
            literal.push('\n');
            literal.push(close);
            literals.push(std::mem::replace(&mut literal, String::from(open)));
        }
        let comma = if literal.len() == 1 { "" } else { "," };
        let _ = write!(literal, "{comma}\n  {entry}");
    }
    if literal.len() > 1 {
        literal.push('\n');
    }
    literal.push(close);
    literals.push(literal);
    literals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted() {
        for (text, quoted) in
            [("a b", "'a b'"), (r"a\.b", r"r'a\.b'"), ("it's", r#""it's""#), ("a\nb", r#""a\nb""#), ("ü", "\"ü\"")]
        {
            assert_eq!(string(text), quoted);
        }
    }

    #[test]
    fn a_large_map_is_divided() {
        assert_eq!(maps([]), ["{}"]);
        assert_eq!(maps([("a", "true".to_owned()), ("b", "true".to_owned())]), ["{\n  'a': true,\n  'b': true\n}"]);
        let texts: Vec<String> = (0..10_000).map(|number| format!("registry-{number:05}.example.com")).collect();
        let many = maps(texts.iter().map(|text| (&**text, string(text))));
        assert_eq!(many.len(), 9);
        assert!(many.iter().all(|map| map.len() < 95_000));
        assert_eq!(many.iter().map(|map| map.lines().count() - 2).sum::<usize>(), 10_000);
    }
}
