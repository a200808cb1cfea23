//! Globs over paths and names.

use std::fmt;

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::work::{LOOKUP, STATE};

/// A set of globs. `*` and `?` match within one component of a path, `**` matches across components, `{a,b}` and
/// `[a-z]` work as in a shell. The default set matches nothing.
#[derive(Clone, Default)]
pub struct Globs {
    set: GlobSet,
    patterns: Vec<String>,
    /// States of the expressions that the globs are compiled to.
    states: u64,
}

/// A glob that is not valid.
#[derive(Clone, Debug, thiserror::Error)]
#[error("invalid glob `{glob}`: {reason}")]
pub struct GlobError {
    glob: String,
    reason: String,
}

impl Globs {
    /// Compiles a set of globs.
    ///
    /// # Errors
    /// [`GlobError`] for the first glob that is not valid.
    pub fn new<S: AsRef<str>>(globs: impl IntoIterator<Item = S>) -> Result<Self, GlobError> {
        let mut set = GlobSetBuilder::new();
        let mut patterns = Vec::new();
        for glob in globs {
            let text = glob.as_ref();
            set.add(compile(text)?);
            patterns.push(text.to_owned());
        }
        let states = patterns.iter().map(|glob| states(glob)).sum();
        let set = set.build().map_err(|error| GlobError::new(error.glob().unwrap_or_default(), &error))?;
        Ok(Self { set, patterns, states })
    }

    /// Compiles one glob.
    ///
    /// # Errors
    /// [`GlobError`] if it is not valid.
    pub(crate) fn matcher(glob: &str) -> Result<GlobMatcher, GlobError> {
        Ok(compile(glob)?.compile_matcher())
    }

    /// The indexes of the globs that match the whole of `text`, in order.
    pub(crate) fn matches(&self, text: &str) -> impl Iterator<Item = usize> {
        if self.patterns.is_empty() { Vec::new() } else { self.set.matches(text) }.into_iter()
    }

    /// Whether one of the globs matches the whole of `text`.
    pub fn is_match(&self, text: &str) -> bool {
        // Without globs the set would still split the path.
        !self.patterns.is_empty() && self.set.is_match(text)
    }

    /// Steps to match `text`, see [`Batch`](crate::Batch).
    pub fn steps(&self, text: &str) -> u64 {
        if self.patterns.is_empty() { 0 } else { LOOKUP + (1 + STATE * self.states) * text.len() as u64 }
    }

    /// The globs as written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The globs as regular expressions in the syntax of the crate `regex`, which match whole texts. Requires the feature
    /// `table`.
    #[cfg(feature = "table")]
    pub fn expressions(&self) -> Vec<String> {
        let matchers = self.patterns.iter().filter_map(|glob| Self::matcher(glob).ok());
        matchers.map(|matcher| matcher.glob().regex().to_owned()).collect()
    }

    /// Whether there are no globs.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

/// Whether a glob matches exactly itself.
pub(crate) fn is_literal(glob: &str) -> bool {
    !glob.contains(['*', '?', '[', '{', '\\'])
}

/// States of the expression that a glob is compiled to. A name, and everything below a name, are found by their hash or by
/// one automaton for all of them.
fn states(glob: &str) -> u64 {
    if is_literal(glob.strip_suffix("/**").unwrap_or(glob)) { 0 } else { 2 * glob.len() as u64 }
}

fn compile(glob: &str) -> Result<Glob, GlobError> {
    GlobBuilder::new(glob).literal_separator(true).build().map_err(|error| GlobError::new(glob, &error))
}

impl GlobError {
    fn new(glob: &str, error: &globset::Error) -> Self {
        Self { glob: glob.to_owned(), reason: error.kind().to_string() }
    }
}

impl fmt::Debug for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.patterns).finish()
    }
}
