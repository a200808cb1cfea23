//! Mirrors in the data of a ConfigMap.

use mimic_core::internal::text::{TextError, decode, without_mark};
use mimic_core::internal::{ListBuilder, nearest, other_tool, parse_rules_part};
use mimic_core::{Problem, Rule, RuleList};

/// The key whose value has the format of the file `mirrors.yaml`.
pub const RULES_FILE_KEY: &str = "mirrors.yaml";

/// The rules of a ConfigMap.
#[derive(Debug, Clone)]
pub struct ConfigMapRules {
    /// The rules of the entries `UPSTREAM: MIRROR`, sorted by key because a ConfigMap has no other order, and the problems
    /// of invalid entries.
    pub entries: RuleList,
    /// The rules in `mirrors.yaml`, which are none without that key. The error is why nothing of it can be parsed.
    pub file: Result<RuleList, Problem>,
}

/// An entry of a ConfigMap's `data`.
#[derive(Debug)]
pub(crate) struct Entry<'d> {
    /// The key.
    pub(crate) key: &'d str,
    /// The value.
    pub(crate) value: &'d str,
    /// Names the entry in problems.
    pub(crate) origin: String,
    /// Where the value starts, from 1. `None` if it is not known.
    pub(crate) line: Option<usize>,
}

/// Parses the entries of a ConfigMap's `data`, in order. Each key is an upstream and its value is the mirror. The key
/// `mirrors.yaml` is an exception: it has a whole rules file.
pub(crate) fn parse_data<'d>(data: impl Iterator<Item = Entry<'d>>) -> ConfigMapRules {
    let mut entries = ListBuilder::default();
    let mut file = None;
    for entry in data {
        if entry.key == RULES_FILE_KEY {
            file = Some(entry);
            continue;
        }
        if entries.is_full() {
            continue;
        }
        let rule = parse_entry(&entry).map_err(|problem| problem.at_line(entry.line));
        entries.add(rule, |message| Problem::new(&entry.origin, message).at_line(entry.line));
    }
    let file = file.map(|entry| parse_rules_part(&entry.origin, entry.value, entries.memory()));
    ConfigMapRules { entries: entries.finish(), file: file.unwrap_or_else(|| Ok(RuleList::default())) }
}

/// The problem with an entry of `binaryData`. `kubectl create configmap --from-file` writes there what is not UTF-8.
pub(crate) fn binary_value(origin: &str, value: &[u8]) -> Problem {
    match decode(value) {
        Err(error @ TextError::Utf16) => Problem::from_error(origin, &error),
        _ => {
            Problem::new(origin, "the value is binary, not text").with_hint("the value must be UTF-8 text under `data`")
        }
    }
}

fn parse_entry(entry: &Entry<'_>) -> Result<Rule, Problem> {
    let &Entry { key, ref origin, .. } = entry;
    let is_document = [".yaml", ".yml", ".json"].iter().any(|end| key.to_ascii_lowercase().ends_with(end));
    if is_document || nearest(key, [RULES_FILE_KEY]).is_some() {
        let hint = format!("a rules file must have the key `{RULES_FILE_KEY}`");
        return Err(Problem::new(origin, format!("`{key}` is not a valid upstream")).with_hint(hint));
    }
    let value = without_mark(entry.value).trim();
    if value.lines().count() > 1 {
        if let Some(problem) = other_tool(origin, value) {
            return Err(problem);
        }
        let hint = format!("for more than one mirror use the key `{RULES_FILE_KEY}`");
        return Err(Problem::new(origin, "the value has more than one line").with_hint(hint));
    }
    Rule::mirror(key, value).map_err(|error| Problem::from_error(origin, &error))
}
