//! What the author of a manifest should know.

use std::fmt;

/// How serious a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something was not rewritten that might have to be.
    Error,
    /// Everything was rewritten, but something else may have to change.
    Warning,
}

/// A note about one place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Line in the stream, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How serious it is.
    pub severity: Severity,
    /// What is wrong there: lower case, without a full stop, safe for terminals.
    pub message: String,
}

impl fmt::Display for Note {
    /// Writes `LINE:COLUMN: MESSAGE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}
