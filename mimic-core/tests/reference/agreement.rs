//! Compares `ImageRef` with the Go library.

use mimic_core::ImageRef;

use crate::table::{Case, Parts};

/// Fails with all the differences at once, so that a change of the parser shows its whole effect.
pub(crate) fn assert_agreement(cases: &[Case]) {
    let differences: Vec<_> = cases.iter().filter_map(difference).collect();
    assert!(
        differences.is_empty(),
        "{} of {} references differ from distribution/reference:\n{}",
        differences.len(),
        cases.len(),
        differences.join("\n"),
    );
}

/// How `ImageRef` differs; `None` if it agrees.
fn difference(case: &Case) -> Option<String> {
    let parsed = ImageRef::parse(&case.input);
    let found = parsed.as_ref().map(Parts::from);
    match (case.expected(), &found) {
        (Err(_), Err(_)) => None,
        (Ok(expected), Ok(found)) if expected == found => None,
        (expected, found) => Some(format!("{:?}: Go returns {expected:?}, found {found:?}", case.input)),
    }
}
