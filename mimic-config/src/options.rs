//! The options of a command that set settings.

use std::collections::BTreeMap;

/// The options of a command that set settings: the layer above the environment.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Every option of the command with the path of its setting.
    known: &'static [(&'static str, &'static str)],
    /// The values of the given ones, by the path of their setting.
    pub(crate) given: BTreeMap<&'static str, String>,
}

impl Options {
    /// The options of a command, as pairs of an option and the path of its setting. None of them is given yet.
    pub fn new(known: &'static [(&'static str, &'static str)]) -> Self {
        Self { known, given: BTreeMap::new() }
    }

    /// Sets a setting.
    #[must_use]
    pub fn with(mut self, path: &'static str, value: impl Into<String>) -> Self {
        self.given.insert(path, value.into());
        self
    }

    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The option that sets this path.
    pub(crate) fn of(&self, path: &str) -> Option<&'static str> {
        self.known.iter().find(|(_, known)| *known == path).map(|(option, _)| *option)
    }

    /// The option that set this path.
    pub(crate) fn giving(&self, path: &str) -> Option<&'static str> {
        self.of(path).filter(|_| self.given.contains_key(path))
    }
}
