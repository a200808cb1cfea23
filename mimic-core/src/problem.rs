//! What is wrong with an entry of a configuration.

use std::borrow::Cow;
use std::fmt;

use crate::hint::{self, Hint};

/// Longest message and longest hint, in bytes. They quote the entry.
const LONGEST: usize = 2 << 10;

/// An error in one entry of a configuration: where it is, what is wrong, and how to fix it.
///
/// `Display` writes it without the hint, as in ``mirrors.yaml:7: unknown key `upstrem` ``;
/// [`full_message`](Hint::full_message) adds ``(hint: did you mean `upstream`?)``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: String,
    line: Option<usize>,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// A problem in `origin`: the name of a file, variable or object.
    pub fn new(origin: &str, message: impl Into<String>) -> Self {
        Self { origin: origin.to_owned(), line: None, message: cut(message.into()), hint: None }
    }

    /// Sets the line, counted from 1.
    #[must_use]
    pub fn at_line(self, line: impl Into<Option<usize>>) -> Self {
        Self { line: line.into(), ..self }
    }

    /// Replaces the message.
    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self { message: cut(message.into()), ..self }
    }

    /// Sets how to fix it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(cut(hint.into())), ..self }
    }

    /// A problem with the message, the causes and the hint of an error.
    pub fn from_error(origin: &str, error: &dyn Hint) -> Self {
        let hint = error.hint().map(|hint| cut(hint.into_owned()));
        Self { hint, ..Self::new(origin, hint::with_causes(error)) }
    }

    /// Name of the file, variable or object.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The line, counted from 1; `None` if the origin has no lines.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The start of a text that is too long.
fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Problem {}

impl Hint for Problem {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Into::into)
    }
}
