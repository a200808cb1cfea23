//! Merges defaults, file and environment, and reads typed values from the result. `value_type.rs` parses each value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment};
use mimic_core::Problem;
use mimic_core::internal::Printable;

use super::file::{ConfigFile, Values};
use super::schema::Schema;
use super::setting::{Setting, variable};
use super::variables::Variables;

/// The whole configuration, merged: defaults, then the file, then the environment.
pub(crate) struct Layers {
    schema: Schema,
    merged: Config,
    /// The elements of each group that the file lists, each merged with the defaults.
    lists: BTreeMap<&'static str, Vec<Config>>,
    /// The list and the element that settings are read from.
    element: Option<(&'static str, usize)>,
    file: Option<ConfigFile>,
    variables: Variables,
    /// Every error found so far. They are reported together.
    problems: Vec<Problem>,
}

impl Layers {
    /// Merges. `defaults` replace those of the schema for some keys; `file` is that of the command line, which takes
    /// precedence over the variable's.
    pub(crate) fn merge(
        schema: Schema,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        file: Option<&Path>,
        defaults: &[(&str, &str)],
    ) -> Self {
        let mut variables = Variables::sort_out(&schema, environment);
        let mut problems = std::mem::take(&mut variables.problems);
        let path = file.map(Path::to_owned).or_else(|| variables.config.as_ref().map(PathBuf::from));
        let file = path.and_then(|path| ConfigFile::read(&path).map_err(|problem| problems.push(problem)).ok());
        problems.extend(file.iter().flat_map(|file| file.problems(&schema)));

        let mut layers = Self {
            schema,
            merged: Config::default(),
            lists: BTreeMap::new(),
            element: None,
            file,
            variables,
            problems,
        };
        // The layers are texts by path, so there is nothing in them that `config` could refuse.
        match layers.build(defaults) {
            Ok(merged) => layers.merged = merged,
            Err(error) => layers.problems.push(Problem::new("configuration", error.to_string())),
        }
        layers
    }

    fn build(&mut self, defaults: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let rows = self.schema.rows.iter().map(|row| (row.path, row.default));
        let defaults = rows.chain(defaults.iter().copied());
        let defaults = Values(defaults.map(|(path, value)| (path.to_owned(), value.to_owned())).collect());
        let known = self.variables.known.clone().into_iter().collect();
        let environment = Environment::with_prefix("MIMIC").separator("_").source(Some(known));
        let mut builder = Config::builder().add_source(defaults.clone());
        if let Some(file) = &self.file {
            builder = builder.add_source(file.values(&self.schema));
            for group in self.schema.lists.iter().copied() {
                let Some(length) = file.list_length(group) else { continue };
                let mut defaults = defaults.clone();
                // An element of a list is enabled by default.
                defaults.0.insert(format!("{group}.enabled"), true.to_string());
                let element = |index| {
                    let values = file.element(&self.schema, group, index);
                    Config::builder().add_source(defaults.clone()).add_source(values).build()
                };
                self.lists.insert(group, (0..length).map(element).collect::<Result<_, _>>()?);
                let prefix = variable(group) + "_";
                let variables = self.variables.known.keys().filter(|name| name.starts_with(&prefix));
                self.problems.extend(variables.map(|name| {
                    Problem::new(name, format!("cannot be combined with a list of `{group}` entries in the file"))
                        .with_hint("variables configure a single entry; move this setting into the list")
                }));
            }
        }
        builder.add_source(environment).build()
    }

    /// How many entries the file lists for a group; `None` when the group is single.
    pub(crate) fn list_length(&self, group: &str) -> Option<usize> {
        self.lists.get(group).map(Vec::len)
    }

    /// Reads the settings of `group` from this element of its list, until [`Layers::leave`].
    pub(crate) fn enter(&mut self, group: &'static str, element: usize) {
        self.element = Some((group, element));
    }

    pub(crate) fn leave(&mut self) {
        self.element = None;
    }

    /// The value of a setting. An invalid value is noted as a problem, and the result is then a placeholder.
    pub(crate) fn read<T: Default>(&mut self, setting: &Setting<T>) -> T {
        debug_assert!(self.schema.is_setting(setting.path), "`{}` is not in the schema", setting.path);
        let config = self.element.and_then(|(group, element)| self.lists.get(group)?.get(element));
        let text = config.unwrap_or(&self.merged).get_string(setting.path).unwrap_or_default();
        let value_type = setting.value_type;
        (value_type.parse)(&text).unwrap_or_else(|| {
            let shown = if value_type.secret { "the value".to_owned() } else { format!("`{}`", Printable(&text)) };
            self.note(setting, format!("{shown} is not {}", value_type.what), value_type.allowed);
            T::default()
        })
    }

    /// Notes a problem with the value of a setting, where it is set, and the allowed values, unless those are empty.
    pub(crate) fn note<T>(&mut self, setting: &Setting<T>, message: impl fmt::Display, allowed: &str) {
        let problem = match self.origin(setting) {
            (file, Some(line)) => Problem::new(&file, format!("`{}`: {message}", self.path(setting))).at_line(line),
            (variable, None) => Problem::new(&variable, message.to_string()),
        };
        let hinted = if allowed.is_empty() { problem } else { problem.with_hint(format!("allowed: {allowed}")) };
        self.problems.push(hinted);
    }

    /// Notes that the value of a setting has no effect.
    pub(crate) fn warn<T>(&mut self, setting: &Setting<T>, message: &str, hint: impl Into<String>) {
        let problem = match self.origin(setting) {
            (file, Some(line)) => Problem::new(&file, format!("`{}`: {message}", self.path(setting))).at_line(line),
            (variable, None) => Problem::new(&variable, message),
        };
        self.variables.warnings.push(problem.with_hint(hint));
    }

    /// Where the value of a setting comes from: the variable, or the file and the line.
    pub(crate) fn origin<T>(&self, setting: &Setting<T>) -> (String, Option<usize>) {
        match self.line(setting) {
            Some((file, line)) => (file.to_owned(), Some(line)),
            None => (setting.variable(), None),
        }
    }

    /// What sets a setting: its variable, or its key if the file does.
    pub(crate) fn setter<T>(&self, setting: &Setting<T>) -> String {
        self.line(setting).map_or_else(|| setting.variable(), |_| self.path(setting))
    }

    /// The path of a setting in the file.
    fn path<T>(&self, setting: &Setting<T>) -> String {
        let in_element = self.element.and_then(|(group, element)| {
            let rest = setting.path.strip_prefix(group)?;
            Some(format!("{group}[{element}]{rest}"))
        });
        in_element.unwrap_or_else(|| setting.path.to_owned())
    }

    /// The file and line that set a setting, unless a variable or a default does.
    fn line<T>(&self, setting: &Setting<T>) -> Option<(&str, usize)> {
        let is_variable = self.element.is_none() && self.variables.known.contains_key(&setting.variable());
        let file = self.file.as_ref().filter(|_| !is_variable)?;
        // What an element lacks is reported on its first line.
        let element = || self.element.and_then(|(group, element)| file.line(&format!("{group}[{element}]")));
        let line = file.line(&self.path(setting)).or_else(element)?;
        Some((file.name(), line))
    }

    /// All errors and all warnings.
    pub(crate) fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems, self.variables.warnings)
    }
}
