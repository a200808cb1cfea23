//! Warnings for API clients.

use std::borrow::Cow;
use std::fmt;

use mimic_core::{Outcome, Reason};

use crate::admission::brief::brief;
use crate::admission::decision::Decision;
use crate::admission::review::Request;
use crate::admission::skip::Skip;

/// The longest warning, in characters. Kubernetes asks webhooks to keep warnings below this, and `kubectl` prints each on a
/// line.
const MAX_CHARS: usize = 120;

/// The most warnings in one answer. When a request has more than 4,096 characters of warnings, the API server cuts each one
/// at 256. Other webhooks return warnings, too.
const MAX_WARNINGS: usize = 10;
const _: () = assert!(MAX_WARNINGS * MAX_CHARS <= 4_096 / 2);

/// The longest container, volume or rule name in a warning, in characters.
const MAX_NAME: usize = 40;

/// A list of warnings, limited in length and number.
#[derive(Debug, Default)]
pub(in crate::admission) struct Warnings {
    kept: Vec<String>,
    dropped: usize,
}

impl Warnings {
    /// Adds a warning. Warnings beyond the limit are only counted.
    pub(in crate::admission) fn add(&mut self, text: fmt::Arguments<'_>) {
        if self.kept.len() < MAX_WARNINGS {
            self.kept.push(brief(text, MAX_CHARS));
        } else {
            self.dropped += 1;
        }
    }

    /// Warns about a skipped request that points to a configuration error or an invalid pod.
    pub(in crate::admission) fn add_skip(&mut self, skip: Skip, request: &Request<'_>) {
        match skip {
            Skip::NotAPod => {
                let group =
                    request.resource.group.given().map_or(Cow::Borrowed(""), |group| Cow::Owned(format!(".{group}")));
                self.add(format_args!(
                    "mimic: received `{}`; only pods are supported - check the webhook rules",
                    brief(format_args!("{}{group}", &*request.resource.resource), 45)
                ));
            }
            Skip::TooCostly => self.add(format_args!("mimic: pod too costly to evaluate; images not rewritten")),
            Skip::Unreadable => self.add(format_args!("mimic: cannot parse the pod; images not rewritten")),
            _ => {}
        }
    }

    /// Warns about images that are invalid, that a rule would make invalid, or whose mirror needs a missing pull secret.
    pub(in crate::admission) fn add_unchanged_images(&mut self, images: &[Decision<'_>]) {
        for Decision { kind, name, outcome, .. } in images {
            let (kind, name) = (kind.display_name(), || brief(format_args!("{name}"), MAX_NAME));
            match outcome {
                Outcome::Invalid(error) => {
                    self.add(format_args!("mimic: image of {kind} `{}` not rewritten: {error}", name()));
                }
                Outcome::Unchanged(Reason::InvalidResult { rule, error, .. }) => self.add(format_args!(
                    "mimic: image of {kind} `{}` not rewritten: rule `{}` would produce an invalid name: {error}",
                    name(),
                    brief(format_args!("{}", rule.rule.name()), MAX_NAME)
                )),
                Outcome::Unchanged(Reason::PullSecretMissing(rule)) => self.add(format_args!(
                    "mimic: image of {kind} `{}` not rewritten: the pod does not list the pull secret `{}`",
                    name(),
                    rule.rule.pull_secret().unwrap_or_default()
                )),
                _ => {}
            }
        }
    }

    /// Reports what dry-run mode would rewrite.
    pub(in crate::admission) fn add_dry_run(&mut self, images: &[Decision<'_>]) {
        for Decision { kind, name, outcome, .. } in images {
            if let Some(image) = outcome.rewritten() {
                let name = brief(format_args!("{name}"), MAX_NAME);
                self.add(format_args!("mimic dry run: image of {} `{name}` would be `{image}`", kind.display_name()));
            }
        }
    }

    /// Adds the warnings of `other`.
    pub(in crate::admission) fn append(&mut self, other: Self) {
        self.dropped += other.dropped;
        for text in other.kept {
            self.add(format_args!("{text}"));
        }
    }

    /// The warnings. If some were dropped, the last one is their number.
    pub(in crate::admission) fn into_warnings(mut self) -> Vec<String> {
        if self.dropped > 0 && self.kept.pop().is_some() {
            self.kept.push(format!("mimic: and {} more", self.dropped + 1));
        }
        self.kept
    }

    /// The warnings in one line, or `None` if there are none.
    pub(in crate::admission) fn joined(&self) -> Option<String> {
        if self.kept.is_empty() {
            return None;
        }
        let mut line = self.kept.join("; ");
        if self.dropped > 0 {
            line.push_str("; and ");
            line.push_str(&self.dropped.to_string());
            line.push_str(" more");
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_warning_counts_the_dropped_ones() {
        let mut warnings = Warnings::default();
        for n in 0..10 {
            warnings.add(format_args!("{n}"));
        }
        assert_eq!(warnings.joined().unwrap(), "0; 1; 2; 3; 4; 5; 6; 7; 8; 9");
        warnings.add(format_args!("10"));
        assert_eq!(warnings.joined().unwrap(), "0; 1; 2; 3; 4; 5; 6; 7; 8; 9; and 1 more");
        let mut all = Warnings::default();
        all.add(format_args!("first"));
        all.append(warnings);
        let warnings = all.into_warnings();
        assert_eq!(warnings.len(), MAX_WARNINGS);
        assert_eq!(warnings[..2], ["first", "0"]);
        assert_eq!(warnings[9], "mimic: and 3 more", "8, 9 and 10");
    }

    #[test]
    fn a_warning_is_cut_at_its_limit() {
        let mut warnings = Warnings::default();
        warnings.add(format_args!("{}", "x".repeat(1000)));
        assert_eq!(warnings.into_warnings()[0].chars().count(), MAX_CHARS);
    }

    #[test]
    fn without_warnings_there_is_no_line() {
        assert_eq!(Warnings::default().joined(), None);
        assert!(Warnings::default().into_warnings().is_empty());
    }
}
