//! The example mirrors of `--demo`.

use mimic_core::{Problem, parse_rules_file};

use super::kind::{ConfiguredSource, Host, SourceSettings};

/// Name of the source.
const NAME: &str = "example";

/// The text of a `mirrors.yaml`.
#[derive(Debug)]
pub(crate) struct Example(pub(crate) String);

impl SourceSettings for Example {
    fn open(&self, _: &Host<'_>) -> Result<Option<ConfiguredSource>, Vec<Problem>> {
        let list = parse_rules_file(NAME, &self.0).map_err(|problem| vec![problem])?;
        Ok(Some(ConfiguredSource::Fixed(NAME, list.rules)))
    }
}
