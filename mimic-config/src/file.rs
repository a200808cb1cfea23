//! The configuration file: its keys with their lines, and its values as they were written.

use std::collections::BTreeMap;
use std::path::Path;

use config::{ConfigError, Map, Source, Value};
use mimic_core::Problem;
use mimic_core::internal::nearest;
use mimic_core::internal::text::decode;
use mimic_core::internal::yaml::{self, Node};

use crate::files;
use crate::schema::{Schema, suggest};

/// Largest file, in bytes.
const MAX_SIZE: u64 = 1 << 20;
/// Most memory of the parsed file, in bytes.
const MAX_MEMORY: usize = 4 << 20;
/// Longest path of a key, in bytes. No setting has a longer one.
const MAX_PATH: usize = 256;

/// A configuration file that is valid YAML.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    name: String,
    /// Every key and every element of a list, by its path: `harbor[2].name`.
    entries: BTreeMap<String, Entry>,
    /// Keys that are not strings, or set twice.
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Entry {
    line: usize,
    kind: Kind,
    /// The value of a scalar or of a list of scalars, in the form of a variable.
    value: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Nothing, or `null`.
    Empty,
    Scalar,
    List,
    Group,
}

impl ConfigFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let name = path.display().to_string();
        match files::read(path, MAX_SIZE) {
            Ok(bytes) => {
                let text = decode(&bytes).map_err(|error| Problem::from_error(&name, &error))?;
                Self::parse(name, text)
            }
            Err(error) => Err(Problem::new(&name, format!("cannot read the configuration file: {error}"))),
        }
    }

    pub(crate) fn parse(name: String, text: &str) -> Result<Self, Problem> {
        let root =
            yaml::parse(text, MAX_MEMORY).map_err(|error| Problem::from_error(&name, &error).at_line(error.line))?;
        let mut file = Self { name, entries: BTreeMap::new(), problems: Vec::new() };
        match &root.value {
            yaml::Value::Null => {}
            yaml::Value::Map(_) => file.add("", &root),
            _ => {
                let message = format!("the file contains {}, not a mapping", root.kind());
                return Err(Problem::new(&file.name, message).at_line(root.line));
            }
        }
        Ok(file)
    }

    /// Adds what is below `path`. The depth of a tree is bounded by the YAML reader.
    fn add(&mut self, path: &str, node: &Node) {
        match &node.value {
            yaml::Value::Map(entries) => {
                for (key, value) in entries {
                    let yaml::Value::Text(name) = &key.value else {
                        let message = format!("a key must be a string, not {}", key.kind());
                        self.problems.push(Problem::new(&self.name, message).at_line(key.line));
                        continue;
                    };
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.insert(&path, key.line, value);
                }
            }
            yaml::Value::List(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.insert(&format!("{path}[{index}]"), element.line, element);
                }
            }
            _ => {}
        }
    }

    fn insert(&mut self, path: &str, line: usize, node: &Node) {
        if path.len() > MAX_PATH {
            let message = format!("key `{path}` is longer than {MAX_PATH} bytes");
            self.problems.push(Problem::new(&self.name, message).at_line(line));
            return;
        }
        if let Some(first) = self.entries.get(path) {
            let message = format!("key `{path}` is already set on line {}", first.line);
            self.problems.push(Problem::new(&self.name, message).at_line(line));
            return;
        }
        let (kind, value) = match &node.value {
            yaml::Value::Null => (Kind::Empty, None),
            yaml::Value::Map(_) => (Kind::Group, None),
            // The value of the outer list includes it.
            yaml::Value::List(_) if path.ends_with(']') => (Kind::List, None),
            yaml::Value::List(_) => (Kind::List, as_variable(node)),
            yaml::Value::Bool(_) | yaml::Value::Text(_) => (Kind::Scalar, as_variable(node)),
        };
        self.entries.insert(path.to_owned(), Entry { line, kind, value });
        self.add(path, node);
    }

    /// The line on which `path` is set.
    pub(crate) fn line(&self, path: &str) -> Option<usize> {
        self.entries.get(path).map(|entry| entry.line)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Keys that do not exist, are set twice, or have a group in place of a value or the reverse.
    pub(crate) fn problems(&self, schema: &Schema) -> Vec<Problem> {
        let mut problems = self.problems.clone();
        let mut reported: Option<&str> = None;
        for (path, entry) in &self.entries {
            if !schema.covers_key(path) {
                continue;
            }
            // Nothing below a reported key is reported again.
            if reported.is_some_and(|above| path.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', '[']))) {
                continue;
            }
            let problem = |message: String| Problem::new(&self.name, message).at_line(entry.line);
            let (path, key) = (path.as_str(), without_numbers(path));
            let found = match (entry.kind, schema.is_setting(&key), schema.is_group(&key)) {
                (Kind::Group, true, _) => problem(format!("`{path}` is a single value, not a group of keys")),
                (_, true, _) | (Kind::Group | Kind::Empty, _, true) => continue,
                (Kind::List, _, true) if schema.lists.contains(&path) => continue,
                (Kind::List, _, true) => problem(format!("`{path}` is a group of keys, not a list")),
                (Kind::Scalar, _, true) => problem(format!("`{path}` is a group of keys, not a single value")),
                (_, _, false) => {
                    let nearest = nearest(&key, schema.rows.iter().map(|row| row.path));
                    suggest(problem(format!("unknown key `{path}`")), nearest)
                }
            };
            problems.push(found);
            reported = Some(path);
        }
        problems
    }

    /// How many elements the list at `path` has; `None` if it is not a list.
    pub(crate) fn list_length(&self, path: &str) -> Option<usize> {
        let is_list = matches!(self.entries.get(path)?.kind, Kind::List);
        let is_element = |index: &usize| self.entries.contains_key(&format!("{path}[{index}]"));
        is_list.then(|| (0..self.entries.len()).take_while(is_element).count())
    }

    /// The values of all settings; those of a group that is a list are not included.
    pub(crate) fn values(&self, schema: &Schema) -> Values {
        self.select(|path| schema.is_setting(path).then(|| path.to_owned()))
    }

    /// The values of one element of the list at `group`, as if it were the group.
    pub(crate) fn element(&self, schema: &Schema, group: &str, index: usize) -> Values {
        let element = format!("{group}[{index}]");
        let in_group = |path: &str| path.strip_prefix(&element).map(|rest| format!("{group}{rest}"));
        self.select(|path| in_group(path).filter(|path| schema.is_setting(path)))
    }

    fn select(&self, setting: impl Fn(&str) -> Option<String>) -> Values {
        Values(self.entries.iter().filter_map(|(path, entry)| Some((setting(path)?, entry.value.clone()?))).collect())
    }
}

/// Values by the paths of their settings: a layer to merge.
#[derive(Clone, Debug)]
pub(crate) struct Values(pub(crate) BTreeMap<String, String>);

impl Source for Values {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.iter().map(|(path, value)| (path.clone(), value.as_str().into())).collect())
    }
}

/// A value in the form of a variable: lists with commas. A group has no such form.
fn as_variable(node: &Node) -> Option<String> {
    match &node.value {
        yaml::Value::Null => Some(String::new()),
        yaml::Value::Bool(value) => Some(value.to_string()),
        yaml::Value::Text(text) => Some(text.clone()),
        yaml::Value::List(elements) => Some(elements.iter().map(as_variable).collect::<Option<Vec<_>>>()?.join(",")),
        yaml::Value::Map(_) => None,
    }
}

/// The key of a path: `harbor.name` for `harbor[2].name`.
fn without_numbers(path: &str) -> String {
    let mut pieces = path.split('[');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |key, piece| key + piece.split_once(']').map_or(piece, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use mimic_core::Hint as _;

    use super::*;
    use crate::test_schema::schema;

    fn problems(text: &str) -> Vec<String> {
        let problems = match ConfigFile::parse("mimic.yaml".to_owned(), text) {
            Ok(file) => file.problems(&schema()),
            Err(problem) => vec![problem],
        };
        problems.iter().map(|problem| problem.full_message().to_string()).collect()
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
    fn groups_and_values_are_distinguished() {
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
    fn a_key_that_is_set_twice_is_named_with_both_lines() {
        assert_eq!(
            problems("drain: 1s\ndrain: 2s\nharbor.name: a\nharbor: {name: b}\n"),
            [
                "mimic.yaml:2: key `drain` is already set on line 1",
                "mimic.yaml:4: key `harbor.name` is already set on line 3",
            ]
        );
    }

    #[test]
    fn a_key_that_is_not_a_string_is_named_with_its_line() {
        assert_eq!(
            problems("drain: 1s\n? [a, b]\n: 1\n? {c: d}\n: 2\ntrue: 3\n~: 4\n5: 6\n"),
            [
                "mimic.yaml:2: a key must be a string, not a list",
                "mimic.yaml:4: a key must be a string, not a mapping",
                "mimic.yaml:6: a key must be a string, not a boolean",
                "mimic.yaml:7: a key must be a string, not empty",
                "mimic.yaml:8: unknown key `5`",
            ]
        );
    }

    #[test]
    fn the_file_must_be_a_mapping_of_bounded_size_and_depth() {
        let problem = |text: &str| problems(text).concat();
        assert!(problem("- a\n").starts_with("mimic.yaml:1: the file contains a list, not a mapping"));
        assert!(problem("a").starts_with("mimic.yaml:1: the file contains a "));
        assert!(problem("drain: 1s\n---\ndrain: 2s\n").starts_with("mimic.yaml:2: not valid YAML: "));
        assert!(
            problem(&("[".repeat(100) + "\n"))
                .starts_with("mimic.yaml:1: not valid YAML: more than 64 levels of nesting")
        );
        assert!(problem(&"[".repeat(100_000)).starts_with("mimic.yaml:1: not valid YAML: "));
        let bombs = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
            text + &format!("a{n}: &a{n} [*a{last}, *a{last}]\n", last = n - 1)
        });
        assert!(problem(&bombs).contains("the document needs more than 4 MiB of memory"));
        let folder = tempfile::tempdir().expect("a folder can be created");
        let path = folder.path().join("mimic.yaml");
        std::fs::write(&path, format!("#{}\n", "x".repeat(1 << 20))).expect("it can be written");
        let problem = ConfigFile::read(&path).expect_err("it is too large").to_string();
        assert!(problem.ends_with(": cannot read the configuration file: it is larger than 1 MiB"), "{problem}");
    }

    #[test]
    fn values_are_read_as_they_were_written() {
        let text = "harbor.name: 1.10\ndrain: ''\nstartup:\nfile: {path: [a, [b, 007]]}\ndryrun: TRUE\nloglevel: &l info\n\
                    logformat: *l\nexclude: {namespaces: []}\n";
        let file = ConfigFile::parse(String::new(), text).expect("it is valid");
        let values = file.values(&schema()).0;
        let values: Vec<_> = values.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
        assert_eq!(
            values,
            [
                ("drain", ""),
                ("dryrun", "true"),
                ("exclude.namespaces", ""),
                ("file.path", "a,b,007"),
                ("harbor.name", "1.10"),
                ("logformat", "info"),
                ("loglevel", "info"),
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
