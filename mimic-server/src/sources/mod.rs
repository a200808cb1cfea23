//! The sources of mirrors. `docs/architecture.md` explains how to add one.

mod config_map;
mod environment;
mod example;
mod file;
mod harbor;
mod kind;
mod openshift;
mod registries;
mod runner;

use std::sync::Arc;

use mimic_config::Layers;
use mimic_core::Problem;

pub(crate) use example::Example;
pub(crate) use kind::{ConfiguredSource, Host, SourceKind, SourceSettings};
pub(crate) use runner::Runner;

/// Every kind of source, in order of precedence.
pub(crate) static KINDS: &[SourceKind] =
    &[environment::KIND, file::KIND, config_map::KIND, openshift::KIND, harbor::KIND];

/// Whether problems are also reported as Events.
pub(crate) fn events(layers: &Layers) -> bool {
    config_map::events(layers)
}

/// Creates the configured sources, in order of precedence, or returns all errors. Blocks on the disk.
pub(crate) fn open(
    sources: &[Arc<dyn SourceSettings>],
    host: &Host<'_>,
) -> Result<Vec<ConfiguredSource>, Vec<Problem>> {
    let mut opened = Vec::new();
    let mut problems = Vec::new();
    for source in sources {
        match source.open(host) {
            Ok(source) => opened.extend(source),
            Err(errors) => problems.extend(errors),
        }
    }
    if problems.is_empty() { Ok(opened) } else { Err(problems) }
}
