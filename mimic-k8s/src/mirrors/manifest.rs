//! The manifest of a ConfigMap, as a file.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mimic_core::internal::ListBuilder;
use mimic_core::internal::yaml::{Node, Value};
use mimic_core::{Problem, RuleList};

use super::config_map::{Entry, RULES_FILE_KEY, binary_value, parse_data};

/// Whether a document is the manifest of a ConfigMap.
pub(super) fn is_config_map(root: &Node) -> bool {
    root.get("kind").and_then(text) == Some("ConfigMap")
}

/// Parses the data of a manifest, as Mimic does in the cluster. `source` is the text of the manifest.
pub(super) fn parse(name: &str, source: &str, manifest: &Node) -> Result<RuleList, Problem> {
    let mut problems = ListBuilder::default();
    let mut entries = Vec::new();
    // The line before the rules file, if each line of it is a line of the manifest.
    let mut offset = None;
    for (key, value) in members(name, manifest, "data")? {
        let (Some(key), Some(value_text)) = (text(key), text(value)) else {
            problems.problem(Problem::new(name, "keys and values of `data` must be strings").at_line(key.line));
            continue;
        };
        let mut origin = name.to_owned();
        if key == RULES_FILE_KEY {
            offset = line_of_block(source, value);
            if offset.is_none() {
                origin = format!("{name}, key `{key}`");
            }
        }
        entries.push(Entry { key, value: value_text, origin, line: Some(value.line) });
    }
    // As in the cluster, where data has no order.
    entries.sort_by_key(|entry| entry.key);
    let in_manifest = |problem: Problem| {
        let line = problem.line().map(|line| line + offset.unwrap_or_default());
        problem.at_line(line)
    };
    let rules = parse_data(entries.into_iter());
    let file = rules.file.map_err(in_manifest)?;
    for (key, value) in members(name, manifest, "binaryData")? {
        let bytes = text(value).and_then(|value| BASE64_STANDARD.decode(value).ok()).unwrap_or_default();
        problems.problem(binary_value(name, &bytes).at_line(key.line));
    }
    let mut list = rules.entries;
    list.rules.extend(file.rules);
    list.problems.extend(file.problems.into_iter().map(in_manifest));
    list.problems.extend(problems.finish().problems);
    Ok(list)
}

/// The members of a mapping in the manifest, none if it is absent.
fn members<'n>(name: &str, manifest: &'n Node, key: &str) -> Result<&'n [(Node, Node)], Problem> {
    match manifest.get(key).map(|node| (node, &node.value)) {
        None | Some((_, Value::Null)) => Ok(&[]),
        Some((_, Value::Map(members))) => Ok(members),
        Some((node, _)) => {
            let message = format!("`{key}` must be a mapping, not {}", node.kind());
            Err(Problem::new(name, message).at_line(node.line))
        }
    }
}

/// The line of `mirrors.yaml: |`, after which the value begins: a block in which each line of the manifest is a line of the
/// value. `None` for a value in another style.
fn line_of_block(source: &str, value: &Node) -> Option<usize> {
    let before: Vec<&str> = source.lines().take(value.line.saturating_sub(1)).collect();
    let (number, line) = (1..).zip(before).filter(|(_, line)| !line.trim().is_empty()).last()?;
    let (key, style) = line.split_once(':')?;
    let style = style.split(" #").next().unwrap_or_default().trim();
    let is_literal = style.starts_with('|') && style[1..].chars().all(|c| "+-123456789".contains(c));
    (is_literal && key.trim().trim_matches(['"', '\'']) == RULES_FILE_KEY).then_some(number)
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
