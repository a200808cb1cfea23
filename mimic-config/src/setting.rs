//! The definition of one setting.

use crate::value_type::ValueType;

/// One setting, with the type of its value.
pub struct Setting<T: 'static> {
    /// The key in the configuration file: levels joined by dots, each of them one word.
    pub path: &'static str,
    /// The type of its value.
    pub value_type: &'static ValueType<T>,
    /// The default, as it would be written.
    pub default: &'static str,
    about: &'static str,
}

impl<T> Setting<T> {
    /// A setting. `about` is its text on the reference page.
    pub const fn new(
        path: &'static str,
        value_type: &'static ValueType<T>,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self { path, value_type, default, about }
    }

    /// Its entry on the reference page.
    pub const fn row(&self) -> Row {
        Row { path: self.path, type_name: self.value_type.name, default: self.default, about: self.about }
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        variable(self.path)
    }
}

/// One setting without its type: an entry of the reference page.
pub struct Row {
    /// The key in the configuration file.
    pub path: &'static str,
    /// The name of its type; empty if the page need not say it.
    pub type_name: &'static str,
    /// The default, as it would be written.
    pub default: &'static str,
    /// What it means.
    pub about: &'static str,
}

impl Row {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        variable(self.path)
    }
}

/// The environment variable of a key.
pub(crate) fn variable(path: &str) -> String {
    format!("MIMIC_{}", path.replace('.', "_").to_ascii_uppercase())
}
