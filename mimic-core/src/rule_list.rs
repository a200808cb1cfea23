//! What a source or a file contains: valid rules and rejected entries.

use crate::problem::Problem;
use crate::rule::Rule;

/// The valid rules of a file or a source, and one problem for each entry that is not valid.
#[derive(Clone, Debug, Default)]
pub struct RuleList {
    /// Valid rules, in the order written.
    pub rules: Vec<Rule>,
    /// What is wrong with the entries that were skipped.
    pub problems: Vec<Problem>,
}
