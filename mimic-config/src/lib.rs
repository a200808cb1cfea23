//! Reads Mimic's settings: defaults, then a YAML file, then environment variables, then the options of a command. Every error
//! is reported, each with the variable, or the file and the line.
//!
//! * [`Setting`] defines a setting, and [`Layers`] merges and reads the settings of a [`Schema`].
//! * [`harbor`] defines the settings of Harbors, which the server and the command share; a [`Selection`] reads them for the
//!   command.
//!
//! # What this crate does not do
//!
//! It does not know the other settings: those of the server are defined there. It connects to nothing.

mod file;
pub mod files;
pub mod harbor;
mod layers;
mod options;
mod registries;
mod schema;
mod secret;
mod selection;
mod setting;
#[cfg(test)]
mod test_schema;
pub mod value_type;
mod variables;

pub use layers::Layers;
pub use options::Options;
pub use registries::source_name;
pub use schema::{CONFIG_VARIABLE, Schema};
pub use secret::{Secret, read_secret};
pub use selection::{SelectedHarbors, Selection};
pub use setting::{Row, Setting};
