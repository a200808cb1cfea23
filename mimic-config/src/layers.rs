//! Merges defaults, file and environment, and reads typed values from the result. `value_type.rs` parses each value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, Environment};
use mimic_core::Problem;
use mimic_core::internal::Printable;

use crate::file::{ConfigFile, Values};
use crate::options::Options;
use crate::schema::Schema;
use crate::setting::{Setting, variable};
use crate::variables::Variables;

/// The whole configuration, merged: defaults, then the file, then the environment, then the options of a command.
pub struct Layers {
    schema: Schema,
    merged: Config,
    /// The elements of each group that the file lists, each merged with the defaults.
    lists: BTreeMap<&'static str, Vec<Config>>,
    /// The list and the element that settings are read from.
    element: Option<(&'static str, usize)>,
    file: Option<ConfigFile>,
    /// Whether a file was named.
    names_file: bool,
    variables: Variables,
    options: Options,
    /// Every error found so far. They are reported together.
    problems: Vec<Problem>,
}

impl Layers {
    /// Merges. `defaults` replace those of the schema for some keys; `file` is that of the command line, which takes
    /// precedence over the variable's. Options also take precedence over every element of a list.
    pub fn merge(
        schema: Schema,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        file: Option<&Path>,
        defaults: &[(&str, &str)],
        options: Options,
    ) -> Self {
        let mut variables = Variables::sort_out(&schema, environment);
        let mut problems = std::mem::take(&mut variables.problems);
        let path = file.map(Path::to_owned).or_else(|| variables.config.as_ref().map(PathBuf::from));
        let names_file = path.is_some();
        let file = path.and_then(|path| ConfigFile::read(&path).map_err(|problem| problems.push(problem)).ok());
        problems.extend(file.iter().flat_map(|file| file.problems(&schema)));

        let mut layers = Self {
            schema,
            merged: Config::default(),
            lists: BTreeMap::new(),
            element: None,
            file,
            names_file,
            variables,
            options,
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
        let options = self.options.given.iter().map(|(path, value)| ((*path).to_owned(), value.clone()));
        let options = Values(options.collect());
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
                    let layers = [defaults.clone(), values, options.clone()];
                    layers.into_iter().fold(Config::builder(), ConfigBuilder::<DefaultState>::add_source).build()
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
        builder.add_source(environment).add_source(options).build()
    }

    /// How many entries the file lists for a group; `None` when the group is single.
    pub fn list_length(&self, group: &str) -> Option<usize> {
        self.lists.get(group).map(Vec::len)
    }

    /// Reads the settings of `group` from this element of its list, until [`Layers::leave`].
    pub fn enter(&mut self, group: &'static str, element: usize) {
        self.element = Some((group, element));
    }

    /// Reads settings from the merged configuration again.
    pub fn leave(&mut self) {
        self.element = None;
    }

    /// The value of a setting. An invalid value is noted as a problem, and the result is then a placeholder.
    pub fn read<T: Default>(&mut self, setting: &Setting<T>) -> T {
        debug_assert!(self.schema.is_setting(setting.path), "`{}` is not in the schema", setting.path);
        let text = self.text(setting);
        let value_type = setting.value_type;
        (value_type.parse)(&text).unwrap_or_else(|| {
            let shown = if value_type.secret { "the value".to_owned() } else { format!("`{}`", Printable(&text)) };
            self.note(setting, format!("{shown} is not {}", value_type.what), value_type.allowed);
            T::default()
        })
    }

    /// The value of a setting as it is written; empty if it is not set.
    pub fn text<T>(&self, setting: &Setting<T>) -> String {
        let config = self.element.and_then(|(group, element)| self.lists.get(group)?.get(element));
        config.unwrap_or(&self.merged).get_string(setting.path).unwrap_or_default()
    }

    /// Notes a problem with the value of a setting, where it is set, and the allowed values, unless those are empty.
    pub fn note<T>(&mut self, setting: &Setting<T>, message: impl fmt::Display, allowed: &str) {
        let problem = match self.origin(setting) {
            (file, Some(line)) => Problem::new(&file, format!("`{}`: {message}", self.path(setting))).at_line(line),
            (variable, None) => Problem::new(&variable, message.to_string()),
        };
        let hinted = if allowed.is_empty() { problem } else { problem.with_hint(format!("allowed: {allowed}")) };
        self.problems.push(hinted);
    }

    /// Notes that the value of a setting has no effect.
    pub fn warn<T>(&mut self, setting: &Setting<T>, message: &str, hint: impl Into<String>) {
        let problem = match self.origin(setting) {
            (file, Some(line)) => Problem::new(&file, format!("`{}`: {message}", self.path(setting))).at_line(line),
            (variable, None) => Problem::new(&variable, message),
        };
        self.variables.warnings.push(problem.with_hint(hint));
    }

    /// Where the value of a setting comes from: the option, the variable, or the file and the line.
    pub fn origin<T>(&self, setting: &Setting<T>) -> (String, Option<usize>) {
        match self.line(setting) {
            Some((file, line)) => (file.to_owned(), Some(line)),
            None => (self.setter(setting), None),
        }
    }

    /// What sets a setting, or what can set it: its key if the file does, its variable, or the option of a command.
    pub fn setter<T>(&self, setting: &Setting<T>) -> String {
        if self.line(setting).is_some() {
            return self.path(setting);
        }
        let is_variable = self.variables.known.contains_key(&setting.variable());
        let option = if is_variable { self.options.giving(setting.path) } else { self.options.of(setting.path) };
        option.map_or_else(|| setting.variable(), ToOwned::to_owned)
    }

    /// Whether the file sets a setting, which something above it can set, too.
    pub fn is_in_file<T>(&self, setting: &Setting<T>) -> bool {
        self.file.as_ref().is_some_and(|file| file.line(setting.path).is_some())
    }

    /// Whether a file was named, but could not be read.
    pub fn has_unreadable_file(&self) -> bool {
        self.file.is_none() && self.names_file
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
        let is_above = is_variable || self.options.giving(setting.path).is_some();
        let file = self.file.as_ref().filter(|_| !is_above)?;
        // What an element lacks is reported on its first line.
        let element = || self.element.and_then(|(group, element)| file.line(&format!("{group}[{element}]")));
        let line = file.line(&self.path(setting)).or_else(element)?;
        Some((file.name(), line))
    }

    /// All errors and all warnings.
    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems, self.variables.warnings)
    }
}
