//! What is wrong with an entry of a configuration that was written by people.

use std::fmt;

use crate::rule::RuleError;

/// One mistake in a list of rules: where, what, and what to do.
///
/// `mirrors.yaml:7: unknown key `upstrem` (hint: did you mean `upstream`?)`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: String,
    line: Option<usize>,
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// A problem in `origin`, the name of a file, variable or object.
    pub fn new(origin: &str, message: impl Into<String>) -> Self {
        Self { origin: origin.to_owned(), line: None, message: message.into(), hint: None }
    }

    /// Adds the line, counted from 1, where there is one.
    #[must_use]
    pub fn at_line(self, line: impl Into<Option<usize>>) -> Self {
        Self { line: line.into(), ..self }
    }

    /// Says it in other words; where and what to do stay.
    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// A problem that a rule's own check found.
    pub fn from_rule(origin: &str, error: &RuleError) -> Self {
        let problem = Self::new(origin, error.to_string());
        match error.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }

    /// Name of the file, variable or object.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The line, counted from 1, where there are lines.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// The nearest of `known` to a misspelt word, if one is near enough to be what was meant.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let distance = |name: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase());
    let (name, distance) =
        known.into_iter().map(|name| (name, distance(name))).min_by_key(|(_, distance)| *distance)?;
    (distance <= 1 + name.len() / 4).then_some(name)
}
