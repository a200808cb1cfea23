//! Mirrors in the short form, in `MIMIC_MIRRORS`.

use std::sync::Arc;

use mimic_config::value_type::ValueType;
use mimic_config::{Layers, Row, Setting};
use mimic_core::{Problem, parse_short_form};

use super::kind::{ConfiguredSource, Host, SourceKind, SourceSettings};

pub(super) const KIND: SourceKind = SourceKind { names: &[NAME], rows: ROWS, list: None, read };

/// Name of the source.
const NAME: &str = "environment";

const SHORT_FORM: ValueType<String> =
    ValueType::new("", "a list of mirrors", "upstream=mirror pairs, separated by commas", |text| Some(text.to_owned()));

const MIRRORS: Setting<String> = Setting::new(
    "mirrors",
    &SHORT_FORM,
    "",
    "Mirrors in the short form: `docker.io=harbor.example.com/dockerhub,quay.io=harbor.example.com/quay`. They take \
     precedence over all other sources for the same upstream.",
);

static ROWS: &[Row] = &[MIRRORS.row()];

fn read(layers: &mut Layers) -> Vec<Arc<dyn SourceSettings>> {
    let text = layers.read(&MIRRORS);
    if text.is_empty() {
        return Vec::new();
    }
    vec![Arc::new(ShortForm { text, origin: layers.origin(&MIRRORS) })]
}

#[derive(Debug)]
struct ShortForm {
    text: String,
    /// What sets the text: the variable, or the file and the line in it.
    origin: (String, Option<usize>),
}

impl SourceSettings for ShortForm {
    fn open(&self, _: &Host<'_>) -> Result<Option<ConfiguredSource>, Vec<Problem>> {
        let (origin, line) = &self.origin;
        let list = parse_short_form(origin, &self.text);
        if list.problems.is_empty() {
            return Ok(Some(ConfiguredSource::Fixed(NAME, list.rules)));
        }
        Err(match line {
            Some(line) => list.problems.into_iter().map(|problem| problem.at_line(*line)).collect(),
            None => list.problems,
        })
    }
}
