//! Advice on errors, and the one way to print it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};

/// An error that can advise how to fix it.
///
/// ```
/// use mimic_core::{Hint as _, Rule};
///
/// let error = Rule::mirror("https://quay.io", "harbor.example.com/quay").unwrap_err();
/// # #[cfg(feature = "lint")] {
/// assert_eq!(error.to_string(), "upstream `https://quay.io` has a scheme");
/// assert_eq!(error.hint().as_deref(), Some("write `quay.io`"));
/// assert_eq!(error.full_message().to_string(), "upstream `https://quay.io` has a scheme (hint: write `quay.io`)");
/// # }
/// ```
pub trait Hint: Error {
    /// How to fix the error: a sentence fragment in lower case, without a full stop. `Display` never writes it.
    fn hint(&self) -> Option<Cow<'_, str>>;

    /// The error with its causes and its hint, to print.
    fn full_message(&self) -> FullMessage<'_>
    where
        Self: Sized,
    {
        FullMessage(self)
    }
}

/// Prints an error on one line: the error, its chain of sources, the hint.
///
/// ```text
/// cannot read `mirrors.yaml`: permission denied (hint: run as the owner of the file)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FullMessage<'a>(&'a dyn Hint);

impl<'a> FullMessage<'a> {
    /// The message of an error whose type is not known; otherwise use [`Hint::full_message`].
    pub fn new(error: &'a dyn Hint) -> Self {
        Self(error)
    }
}

impl fmt::Display for FullMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(self.0))?;
        match self.0.hint() {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

/// An error and its chain of sources, as in `cannot connect: connection refused`.
pub(crate) fn with_causes(error: &dyn Hint) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(message, ": {error}");
        source = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failure {
        text: &'static str,
        hint: Option<&'static str>,
        source: Option<Box<Failure>>,
    }

    impl Hint for Failure {
        fn hint(&self) -> Option<Cow<'_, str>> {
            self.hint.map(Into::into)
        }
    }

    #[test]
    fn a_message_is_the_error_then_its_causes_then_its_hint() {
        let root = Failure { text: "connection refused", hint: Some("not shown: not the outermost"), source: None };
        let middle = Failure { text: "cannot connect", hint: None, source: Some(root.into()) };
        let error = Failure { text: "cannot list `a`", hint: Some("start it"), source: Some(middle.into()) };
        let full = "cannot list `a`: cannot connect: connection refused (hint: start it)";
        assert_eq!(error.full_message().to_string(), full);
        assert_eq!(FullMessage::new(&error).to_string(), full);
        let bare = Failure { text: "cannot list `a`", hint: None, source: None };
        assert_eq!(bare.full_message().to_string(), "cannot list `a`");
    }
}
