//! Reads settings from the environment and one YAML file: merged, checked and typed. The settings themselves are in
//! `settings/` and `sources/`.

mod file;
mod layers;
mod page;
mod schema;
mod secret;
mod setting;
pub(crate) mod value_type;
mod variables;

pub(crate) use layers::Layers;
pub(crate) use page::reference_page;
pub(crate) use schema::Schema;
pub(crate) use secret::{Secret, read_secret};
pub(crate) use setting::{Row, Setting};
