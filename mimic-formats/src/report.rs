//! What an import found: rules, problems, warnings and notes.

use std::collections::BTreeSet;

use mimic_core::{Hint as _, Problem, RuleSpec};

use crate::entry::Entry;

/// What an import leaves out that does not change which image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Note {
    Credentials,
    Tls,
    Upstream,
    Other,
}

impl Note {
    fn text(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Tls => "TLS settings, plain HTTP and headers",
            Self::Upstream => "the upstream as the last resort",
            Self::Other => "settings of the tool itself",
        }
    }
}

/// Collects what an import finds.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) entries: Vec<Entry>,
    /// The files are not valid; there is no result.
    pub(crate) problems: Vec<Problem>,
    /// What changes which image is pulled.
    pub(crate) warnings: Vec<Problem>,
    notes: BTreeSet<Note>,
}

impl Report {
    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn warn(&mut self, warning: Problem) {
        self.warnings.push(warning);
    }

    pub(crate) fn warn_all(&mut self, warnings: Vec<Problem>) {
        self.warnings.extend(warnings);
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.notes.insert(note);
    }

    /// Adds a rule that comes from this line. One that is not valid becomes a warning. Returns whether it was added.
    pub(crate) fn add(&mut self, file: &str, line: usize, spec: RuleSpec) -> bool {
        if let Err(error) = spec.clone().check() {
            let warning = Problem::new(file, format!("not imported: {error}")).at_line(line);
            self.warn(match error.hint() {
                Some(hint) => warning.with_hint(hint),
                None => warning,
            });
            return false;
        }
        self.entries.push(Entry { spec, file: file.to_owned(), line });
        true
    }

    /// The one note about what is left out.
    pub(crate) fn notes(&self) -> Option<String> {
        let parts: Vec<&str> = self.notes.iter().map(|note| note.text()).collect();
        if parts.is_empty() {
            return None;
        }
        let mut note = format!("not imported, as it does not change which image is pulled: {}", parts.join(", "));
        if self.notes.contains(&Note::Tls) || self.notes.contains(&Note::Credentials) {
            note += " (nodes need those of the mirror under the mirror's own name)";
        }
        Some(note)
    }
}
