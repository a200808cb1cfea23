//! The golden table: image strings with what the Go library makes of them.

use mimic_core::ImageRef;
use serde::Deserialize;

/// A line of the table.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) input: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Refused { error: String },
    Reference(Parts),
}

/// What an image string means.
#[derive(Debug, Deserialize, PartialEq)]
pub(crate) struct Parts {
    pub(crate) registry: String,
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) canonical: String,
}

impl From<&ImageRef<'_>> for Parts {
    fn from(reference: &ImageRef<'_>) -> Self {
        Self {
            registry: reference.registry().to_owned(),
            repository: reference.repository().into_owned(),
            tag: reference.tag().map(str::to_owned),
            digest: reference.digest().map(str::to_owned),
            canonical: reference.to_string(),
        }
    }
}

impl Case {
    /// The parts that the Go library found, or its error.
    pub(crate) fn expected(&self) -> Result<&Parts, &str> {
        match &self.answer {
            Answer::Refused { error } => Err(error),
            Answer::Reference(parts) => Ok(parts),
        }
    }
}

/// The cases in `text`, one JSON object a line.
pub(crate) fn parse(text: &str) -> Vec<Case> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// The golden table.
pub(crate) fn cases() -> Vec<Case> {
    parse(include_str!("../data/reference/cases.jsonl"))
}
