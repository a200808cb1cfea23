//! Merges defaults, file and environment, and reads typed values out of the result.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{Config, Environment, FileFormat, Value, ValueKind};
use mimic_core::Problem;

use super::file::ConfigFile;
use super::table::{Key, TABLE};
use super::variables::Variables;

/// All that was said about the configuration, merged: defaults, then the file, then the environment.
pub(crate) struct Layers {
    merged: Config,
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

        // A file that `config` cannot take in must not hide what is wrong elsewhere: it is left out and reported.
        let merged = match build(defaults, file.as_ref(), &variables) {
            Ok(merged) => merged,
            Err(error) => {
                let place = file.as_ref().map_or("configuration", ConfigFile::name);
                problems.push(Problem::new(place, error.to_string()));
                build(defaults, None, &variables).unwrap_or_default()
            }
        };
        Self { merged, file, variables, problems }
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
        let problem = match self.line(key) {
            Some((file, line)) => Problem::new(file, format!("`{}`: {message}", key.path)).at_line(line),
            None => Problem::new(&key.variable(), message.to_string()),
        };
        let hinted = if allowed.is_empty() { problem } else { problem.with_hint(format!("allowed: {allowed}")) };
        self.problems.push(hinted);
    }

    /// What sets the value of `key`: the variable, or the key when it is the file that does.
    pub(crate) fn setter<T>(&self, key: &Key<T>) -> String {
        self.line(key).map_or_else(|| key.variable(), |_| key.path.to_owned())
    }

    /// The file and line that set the value of `key`, unless a variable or nothing does.
    fn line<T>(&self, key: &Key<T>) -> Option<(&str, usize)> {
        let file = self.file.as_ref().filter(|_| !self.variables.known.contains_key(&key.variable()))?;
        Some((file.name(), file.line(key.path)?))
    }

    pub(crate) fn warnings(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.variables.warnings)
    }

    fn text(&self, path: &str) -> Result<Option<String>, ()> {
        match self.merged.get::<Value>(path) {
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
    }
    let known = variables.known.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    builder.add_source(Environment::with_prefix("MIMIC").separator("_").source(Some(known))).build()
}
