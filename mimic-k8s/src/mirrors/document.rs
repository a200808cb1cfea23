//! Which kind of document a text is.

use mimic_core::internal::{rules_document, rules_of};
use mimic_core::{Problem, RuleList};

use super::{chart, manifest};

/// Parses a `mirrors.yaml`, or the manifest of a ConfigMap that holds mirrors. `name` names the text in problems.
///
/// An invalid entry is skipped and reported; the other entries are used.
///
/// # Errors
/// [`Problem`] if the text is neither.
pub fn parse_document(name: &str, text: &str) -> Result<RuleList, Problem> {
    let root = rules_document(name, text)?;
    if manifest::is_config_map(&root) { manifest::parse(name, text, &root) } else { rules_of(name, &root, &[]) }
}

/// As [`parse_document`], but the text can also be the values of Mimic's chart. Of these, `mirrors` and `rules` are read.
///
/// # Errors
/// [`Problem`] if the text is none of them.
pub fn parse_document_or_values(name: &str, text: &str) -> Result<RuleList, Problem> {
    let root = rules_document(name, text)?;
    if manifest::is_config_map(&root) {
        manifest::parse(name, text, &root)
    } else if chart::is_values(&root) {
        rules_of(name, &root, chart::OTHER_VALUES)
    } else {
        rules_of(name, &root, &[])
    }
}
