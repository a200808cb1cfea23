//! The configuration file: which keys it has and on which lines.

use std::collections::BTreeMap;
use std::path::Path;

use mimic_core::Problem;
use mimic_core::internal::nearest;
use saphyr_parser::{Event, Parser, ScanError};

use super::candidate;
use super::table::TABLE;

/// The one group of keys that can be listed, each element with all of its keys.
pub(crate) const LISTED: &str = "harbor";

/// A configuration file that is well-formed YAML. Its values are read by `config`, its lines are known here.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    name: String,
    pub(crate) text: String,
    keys: BTreeMap<String, Found>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    line: usize,
    is_group: bool,
    is_list: bool,
    is_empty: bool,
}

impl ConfigFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(name, text),
            Err(error) => Err(Problem::new(&name, format!("the configuration file cannot be read: {error}"))),
        }
    }

    pub(crate) fn parse(name: String, text: String) -> Result<Self, Problem> {
        let keys = find_keys(&text).map_err(|error| {
            Problem::new(&name, format!("not valid YAML: {}", error.info())).at_line(error.marker().line())
        })?;
        Ok(Self { name, text, keys })
    }

    /// The line on which `path` is set.
    pub(crate) fn line(&self, path: &str) -> Option<usize> {
        self.keys.get(path).map(|found| found.line)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Keys that the table does not have, and groups and values in each other's place.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut unknown: Option<&str> = None;
        for (path, found) in &self.keys {
            // What lies below an unknown key is not worth a second complaint.
            if unknown.is_some_and(|above| path.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', '[']))) {
                continue;
            }
            let problem = |message: String| Problem::new(&self.name, message).at_line(found.line);
            let (path, key) = (path.as_str(), without_numbers(path));
            if TABLE.iter().any(|row| row.path == key) {
                if found.is_group {
                    problems.push(problem(format!("`{path}` is a single value, not a group of keys")));
                    unknown = Some(path);
                }
            } else if TABLE.iter().any(|row| row.path.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.'))) {
                if found.is_list && path != LISTED {
                    problems.push(problem(format!("`{path}` is a group of keys, not a list")));
                    unknown = Some(path);
                } else if !found.is_group && !found.is_list && !found.is_empty {
                    problems.push(problem(format!("`{path}` is a group of keys, not a single value")));
                }
            } else {
                let nearest = nearest(&key, TABLE.iter().map(|row| row.path));
                problems.push(candidate(problem(format!("unknown key `{path}`")), nearest));
                unknown = Some(path);
            }
        }
        problems
    }
}

/// The key that the path of a setting in a list stands for: `harbor.name` for `harbor[2].name`.
fn without_numbers(path: &str) -> String {
    let mut pieces = path.split('[');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |key, piece| key + piece.split_once(']').map_or(piece, |(_, rest)| rest))
}

/// The dotted path of every mapping key of the first document, and of every element of a list: `harbor[2].name`.
fn find_keys(text: &str) -> Result<BTreeMap<String, Found>, ScanError> {
    /// A collection that is open: a mapping with the path above it and the key whose value comes next, or a sequence.
    enum Open {
        Mapping { path: String, key: Option<String> },
        Sequence { path: String, length: usize },
    }
    let found = |line| Found { line, is_group: false, is_list: false, is_empty: false };
    let mut keys = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event?;
        // A scalar is a key where a mapping waits for one; everything else is a value, of a key or of a sequence.
        match (&event, open.last_mut()) {
            (Event::Scalar(name, ..), Some(Open::Mapping { path, key: key @ None })) => {
                let full = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
                keys.entry(full.clone()).or_insert(found(span.start.line()));
                *key = Some(full);
            }
            (Event::MappingEnd | Event::SequenceEnd, _) => {
                open.pop();
            }
            (Event::Scalar(..) | Event::MappingStart(..) | Event::SequenceStart(..) | Event::Alias(_), above) => {
                let path = match above {
                    Some(Open::Mapping { key, .. }) => key.take(),
                    Some(Open::Sequence { path, length }) => {
                        let element = format!("{path}[{length}]");
                        keys.insert(element.clone(), found(span.start.line()));
                        *length += 1;
                        Some(element)
                    }
                    None => None,
                };
                if let Some(found) = path.as_ref().and_then(|path| keys.get_mut(path)) {
                    found.is_group = matches!(event, Event::MappingStart(..));
                    found.is_list = matches!(event, Event::SequenceStart(..));
                    found.is_empty = matches!(&event, Event::Scalar(text, ..) if text.is_empty() || text == "~");
                }
                match event {
                    Event::MappingStart(..) => {
                        open.push(Open::Mapping { path: path.unwrap_or_default(), key: None });
                    }
                    Event::SequenceStart(..) => {
                        open.push(Open::Sequence { path: path.unwrap_or_default(), length: 0 });
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use mimic_core::Hint as _;

    use super::*;

    fn problems(text: &str) -> Vec<String> {
        match ConfigFile::parse("mimic.yaml".to_owned(), text.to_owned()) {
            Ok(file) => file.problems().iter().map(|problem| problem.full_message().to_string()).collect(),
            Err(problem) => vec![problem.full_message().to_string()],
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_name() {
        assert_eq!(
            problems("loglevel: debug\nlistnport: 8443\nharbor:\n  api:\n    hots: h\n    host: h\n"),
            [
                "mimic.yaml:5: unknown key `harbor.api.hots` (hint: did you mean `harbor.api.host`?)",
                "mimic.yaml:2: unknown key `listnport` (hint: did you mean `listenport`?)",
            ]
        );
    }

    #[test]
    fn what_is_below_an_unknown_key_is_not_reported_again() {
        assert_eq!(problems("nonsense:\n  a: 1\n  b: {c: 2}\n"), ["mimic.yaml:1: unknown key `nonsense`"]);
    }

    #[test]
    fn groups_and_values_are_told_apart() {
        assert_eq!(
            problems("harbor: true\nlistenport:\n  a: 1\nadmin:\n"),
            [
                "mimic.yaml:1: `harbor` is a group of keys, not a single value",
                "mimic.yaml:2: `listenport` is a single value, not a group of keys",
            ]
        );
    }

    #[test]
    fn a_list_is_a_list_of_groups_where_there_can_be_several() {
        assert!(problems("harbor:\n  - name: a\n    api: {host: h}\n  - name: b\n").is_empty());
        assert_eq!(
            problems(
                "harbor:\n  - name: a\n    api: [h]\n  - nam: b\n  - c\nadmin:\n  - listenport: 1\nannotate: [{a: 1}]\n"
            ),
            [
                "mimic.yaml:6: `admin` is a group of keys, not a list",
                "mimic.yaml:8: `annotate[0]` is a single value, not a group of keys",
                "mimic.yaml:3: `harbor[0].api` is a group of keys, not a list",
                "mimic.yaml:4: unknown key `harbor[1].nam` (hint: did you mean `harbor.name`?)",
                "mimic.yaml:5: `harbor[2]` is a group of keys, not a single value",
            ]
        );
    }

    #[test]
    fn lists_and_dotted_keys_and_json_are_understood() {
        assert!(problems("file:\n  path: [a.yaml, b.yaml]\nexclude:\n  namespaces:\n  - a\n  - b\n").is_empty());
        assert!(problems("harbor.api.host: h\n").is_empty());
        assert!(problems(r#"{"limits": {"body": "1MiB"}}"#).is_empty());
        assert!(problems("").is_empty());
    }

    #[test]
    fn broken_yaml_is_one_problem_with_its_line() {
        let problems = problems("listenport: 1\n  loglevel: [\n");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("mimic.yaml:2: not valid YAML"), "{}", problems[0]);
    }
}
