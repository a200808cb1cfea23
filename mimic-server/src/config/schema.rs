//! All settings that exist, and suggestions for misspelt ones.

use mimic_core::Problem;

use super::setting::Row;

/// The variable that names the configuration file. It has no key in the file.
pub(crate) const CONFIG_VARIABLE: &str = "MIMIC_CONFIG";

/// All settings that exist.
pub(crate) struct Schema {
    /// In the order of the reference page.
    pub(crate) rows: Vec<&'static Row>,
    /// The groups of keys that the file can list, each element with all keys of the group.
    pub(crate) lists: Vec<&'static str>,
}

impl Schema {
    pub(crate) fn is_setting(&self, path: &str) -> bool {
        self.rows.iter().any(|row| row.path == path)
    }

    pub(crate) fn is_group(&self, path: &str) -> bool {
        self.rows.iter().any(|row| row.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }
}

/// Adds the nearest known name as a hint, if one is similar.
pub(super) fn suggest(problem: Problem, nearest: Option<&str>) -> Problem {
    match nearest {
        Some(name) => problem.with_hint(format!("did you mean `{name}`?")),
        None => problem,
    }
}
