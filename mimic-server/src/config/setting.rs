//! The definition of one setting.

use super::value_type::ValueType;

/// One setting, with the type of its value.
pub(crate) struct Setting<T: 'static> {
    /// The key in the configuration file: levels joined by dots, each of them one word.
    pub(crate) path: &'static str,
    pub(crate) value_type: &'static ValueType<T>,
    pub(crate) default: &'static str,
    about: &'static str,
}

impl<T> Setting<T> {
    /// A setting. `about` is its text on the reference page.
    pub(crate) const fn new(
        path: &'static str,
        value_type: &'static ValueType<T>,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self { path, value_type, default, about }
    }

    pub(crate) const fn row(&self) -> Row {
        Row { path: self.path, type_name: self.value_type.name, default: self.default, about: self.about }
    }

    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        variable(self.path)
    }
}

/// One setting without its type: an entry of the reference page.
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) type_name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
}

impl Row {
    pub(crate) fn variable(&self) -> String {
        variable(self.path)
    }
}

/// The environment variable of a key.
pub(crate) fn variable(path: &str) -> String {
    format!("MIMIC_{}", path.replace('.', "_").to_ascii_uppercase())
}
