//! Writes YAML for people: blocks, and strings of several lines as they are.

use serde_json::Value;

/// A document. It ends with a line end.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.trim_start_matches('\n').to_owned()
}

/// Writes a value after `key:` or `-`, which `out` ends with.
fn write(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            // The name of an entry comes first, as in Kubernetes' own examples.
            let (first, others): (Vec<_>, Vec<_>) = members.iter().partition(|(key, _)| *key == "name");
            for (key, value) in first.into_iter().chain(others) {
                start(out, indent);
                out.push_str(&scalar(key));
                out.push(':');
                below(out, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                start(out, indent);
                out.push('-');
                match item {
                    // The first member follows the dash.
                    Value::Object(members) if !members.is_empty() => {
                        out.push(' ');
                        let at = out.len();
                        write(out, item, indent + 2);
                        let begun = out[at..].trim_start().to_owned();
                        out.truncate(at);
                        out.push_str(&begun);
                    }
                    _ => below(out, item, indent),
                }
            }
        }
        Value::String(text) if is_block(text) => {
            out.push_str("|-");
            for line in text.lines() {
                out.push('\n');
                if !line.is_empty() {
                    out.push_str(&" ".repeat(indent));
                    out.push_str(line);
                }
            }
        }
        Value::String(text) => out.push_str(&scalar(text)),
        other => out.push_str(&other.to_string()),
    }
}

/// Writes a value that belongs to a key or dash at `indent`.
fn below(out: &mut String, value: &Value, indent: usize) {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if !is_block {
        out.push(' ');
    }
    write(out, value, indent + 2);
}

fn start(out: &mut String, indent: usize) {
    out.push('\n');
    out.push_str(&" ".repeat(indent));
}

/// Whether a string is written as a block. It must not begin with a blank, nor end with a line end.
fn is_block(text: &str) -> bool {
    let is_printable = |c: char| c == '\n' || !c.is_control();
    text.contains('\n') && !text.starts_with([' ', '\n']) && !text.ends_with('\n') && text.chars().all(is_printable)
}

/// A string on one line. Quoted as in JSON, which is YAML, unless it is a word that YAML cannot read as anything else.
fn scalar(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'_'));
    let is_keyword = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|keyword| keyword.eq_ignore_ascii_case(text));
    if is_word && !is_keyword { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_blocks() {
        let value = json!({
            "kind": "Thing",
            "list": [{"a": "x", "b": ["1", "true", ""], "name": "web"}, "word"],
            "none": {"empty": {}, "list": [], "number": 1, "off": false},
            "text": "a: b\n\n  c",
        });
        let text = "kind: Thing
list:
  - name: web
    a: x
    b:
      - \"1\"
      - \"true\"
      - \"\"
  - word
none:
  empty: {}
  list: []
  number: 1
  \"off\": false
text: |-
  a: b

    c
";
        assert_eq!(document(&value), text);
    }
}
