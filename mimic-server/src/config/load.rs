//! Merges defaults, file and environment, and reads typed values out of the result.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{Config, Environment, FileFormat, Value, ValueKind};
use mimic_core::Problem;

use super::file::{ConfigFile, LISTED};
use super::table::{Key, TABLE, variable};
use super::variables::Variables;

/// All that was said about the configuration, merged: defaults, then the file, then the environment.
pub(crate) struct Layers {
    merged: Config,
    /// The elements of the group that is listed, each merged with the defaults; `None` when it is not a list.
    listed: Option<Vec<Config>>,
    /// The element whose values are read.
    element: Option<usize>,
    file: Option<ConfigFile>,
    variables: Variables,
    /// Every mistake found so far. They are reported together.
    pub(crate) problems: Vec<Problem>,
}

impl Layers {
    /// Merges. `defaults` replace those of the table for some keys; `file` is that of the command line, which wins over
    /// the variable's.
    pub(crate) fn merge(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        file: Option<&Path>,
        defaults: &[(&str, &str)],
    ) -> Self {
        let mut variables = Variables::sort_out(environment);
        let mut problems = std::mem::take(&mut variables.problems);
        let path = file.map(Path::to_owned).or_else(|| variables.config.as_ref().map(PathBuf::from));
        let file = path.and_then(|path| ConfigFile::read(&path).map_err(|problem| problems.push(problem)).ok());
        problems.extend(file.iter().flat_map(ConfigFile::problems));

        let listed = file.as_ref().and_then(elements);
        if listed.is_some() {
            problems.extend(variables.known.keys().filter(|name| name.starts_with(&variable(LISTED))).map(|name| {
                Problem::new(name, format!("set although the file lists several of `{LISTED}`"))
                    .with_hint("variables set the only one: write this into the list, or list none")
            }));
        }

        // A file that `config` cannot take in must not hide what is wrong elsewhere: it is left out and reported.
        let merged = match build(defaults, file.as_ref(), &variables) {
            Ok(merged) => merged,
            Err(error) => {
                let place = file.as_ref().map_or("configuration", ConfigFile::name);
                problems.push(Problem::new(place, error.to_string()));
                build(defaults, None, &variables).unwrap_or_default()
            }
        };
        Self { merged, listed, element: None, file, variables, problems }
    }

    /// How many elements the list has, if there is one.
    pub(crate) fn listed(&self) -> Option<usize> {
        self.listed.as_ref().map(Vec::len)
    }

    /// Reads the keys of the listed group from one of its elements from now on.
    pub(crate) fn enter(&mut self, element: usize) {
        self.element = Some(element);
    }

    /// Ends what `enter` began.
    pub(crate) fn leave(&mut self) {
        self.element = None;
    }

    /// The value of `key`. When it is impossible that is noted as a problem, and what is returned stands for nothing.
    pub(crate) fn read<T: Default>(&mut self, key: &Key<T>) -> T {
        match self.text(key.path) {
            Ok(Some(text)) => (key.form.parse)(&text).unwrap_or_else(|| {
                let shown = if key.form.secret { "the value".to_owned() } else { format!("`{}`", text.escape_debug()) };
                self.note(key, format!("{shown} is not {}", key.form.what), key.form.allowed);
                T::default()
            }),
            Ok(None) => (key.form.parse)(key.default).unwrap_or_default(),
            Err(()) => {
                self.note(key, format!("the value is not {}", key.form.what), key.form.allowed);
                T::default()
            }
        }
    }

    /// Notes a problem with the value of `key`, at the place that set it, and what is allowed, unless that is empty.
    pub(crate) fn note<T>(&mut self, key: &Key<T>, message: impl fmt::Display, allowed: &str) {
        let problem = match self.place(key) {
            (file, Some(line)) => Problem::new(&file, format!("`{}`: {message}", self.path(key))).at_line(line),
            (variable, None) => Problem::new(&variable, message.to_string()),
        };
        let hinted = if allowed.is_empty() { problem } else { problem.with_hint(format!("allowed: {allowed}")) };
        self.problems.push(hinted);
    }

    /// Where the value of `key` is set: the variable, or the file and the line in it.
    pub(crate) fn place<T>(&self, key: &Key<T>) -> (String, Option<usize>) {
        match self.line(key) {
            Some((file, line)) => (file.to_owned(), Some(line)),
            None => (key.variable(), None),
        }
    }

    /// What sets the value of `key`: the variable, or the key when it is the file that does.
    pub(crate) fn setter<T>(&self, key: &Key<T>) -> String {
        self.line(key).map_or_else(|| key.variable(), |_| self.path(key))
    }

    /// The path of a key in the file.
    fn path<T>(&self, key: &Key<T>) -> String {
        match (self.element, key.path.strip_prefix(LISTED)) {
            (Some(element), Some(rest)) => format!("{LISTED}[{element}]{rest}"),
            _ => key.path.to_owned(),
        }
    }

    /// The file and line that set the value of `key`, unless a variable or nothing does.
    fn line<T>(&self, key: &Key<T>) -> Option<(&str, usize)> {
        let is_set = self.element.is_none() && self.variables.known.contains_key(&key.variable());
        let file = self.file.as_ref().filter(|_| !is_set)?;
        // What an element lacks is said at its beginning.
        let line = file.line(&self.path(key)).or_else(|| file.line(&format!("{LISTED}[{}]", self.element?)))?;
        Some((file.name(), line))
    }

    pub(crate) fn warnings(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.variables.warnings)
    }

    fn text(&self, path: &str) -> Result<Option<String>, ()> {
        let element = self.element.and_then(|element| self.listed.as_ref()?.get(element));
        match element.unwrap_or(&self.merged).get::<Value>(path) {
            Ok(value) => as_text(value),
            // Not set: an empty group in the file hides the defaults below it.
            Err(_) => Ok(None),
        }
    }
}

/// A value as it would have been written in a variable; lists with commas. A group has no such form.
fn as_text(value: Value) -> Result<Option<String>, ()> {
    match value.kind {
        ValueKind::Nil => Ok(None),
        ValueKind::Array(items) => {
            let items: Result<Vec<_>, ()> = items.into_iter().map(as_text).collect();
            Ok(Some(items?.into_iter().flatten().collect::<Vec<_>>().join(",")))
        }
        ValueKind::Table(_) => Err(()),
        _ => value.into_string().map(Some).map_err(drop),
    }
}

/// The elements of the group that is listed in a file.
fn elements(file: &ConfigFile) -> Option<Vec<Config>> {
    let file = Config::builder().add_source(config::File::from_str(&file.text, FileFormat::Yaml)).build().ok()?;
    let ValueKind::Array(list) = file.get::<Value>(LISTED).ok()?.kind else { return None };
    let element = |value: Value| {
        // To list one is to enable it. Whatever is no group has been reported.
        let mut builder = Config::builder().set_default(format!("{LISTED}.enabled"), true)?;
        for (key, value) in value.into_table().unwrap_or_default() {
            builder = builder.set_override(format!("{LISTED}.{key}"), value)?;
        }
        builder.build()
    };
    Some(list.into_iter().map(|value| element(value).unwrap_or_default()).collect())
}

fn build(
    defaults: &[(&str, &str)],
    file: Option<&ConfigFile>,
    variables: &Variables,
) -> Result<Config, config::ConfigError> {
    let mut builder = Config::builder();
    for row in TABLE {
        builder = builder.set_default(row.path, row.default)?;
    }
    for (path, value) in defaults {
        builder = builder.set_default(*path, *value)?;
    }
    if let Some(file) = file {
        builder = builder.add_source(config::File::from_str(&file.text, FileFormat::Yaml));
        if elements(file).is_some() {
            // Its elements are read one by one, and no list is a group.
            builder = builder.set_override(LISTED, HashMap::<String, Value>::new())?;
        }
    }
    let known = variables.known.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    builder.add_source(Environment::with_prefix("MIMIC").separator("_").source(Some(known))).build()
}
