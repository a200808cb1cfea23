//! All settings that exist, and suggestions for misspelt ones.

use mimic_core::Problem;

use crate::setting::{Row, variable};

/// The variable that names the configuration file. It has no key in the file.
pub const CONFIG_VARIABLE: &str = "MIMIC_CONFIG";

/// The settings that can be read.
pub struct Schema {
    /// In the order of the reference page.
    pub rows: Vec<&'static Row>,
    /// The groups of keys that the file can list, each element with all keys of the group.
    pub lists: Vec<&'static str>,
    /// Whether settings outside of the groups in `lists` exist, too. They are ignored.
    pub is_partial: bool,
}

impl Schema {
    pub(crate) fn is_setting(&self, path: &str) -> bool {
        self.rows.iter().any(|row| row.path == path)
    }

    pub(crate) fn is_group(&self, path: &str) -> bool {
        self.rows.iter().any(|row| row.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Whether a key in the file is to be checked.
    pub(crate) fn covers_key(&self, path: &str) -> bool {
        let first = path.split(['.', '[']).next();
        !self.is_partial || self.lists.iter().any(|group| Some(*group) == first)
    }

    /// Whether a variable is to be checked.
    pub(crate) fn covers_variable(&self, name: &str) -> bool {
        let is_of = |group: &&str| name.strip_prefix(&variable(group)).is_some_and(|rest| rest.starts_with('_'));
        !self.is_partial || name == CONFIG_VARIABLE || self.lists.iter().any(is_of)
    }
}

/// Adds the nearest known name as a hint, if one is similar.
pub(crate) fn suggest(problem: Problem, nearest: Option<&str>) -> Problem {
    match nearest {
        Some(name) => problem.with_hint(format!("did you mean `{name}`?")),
        None => problem,
    }
}
