//! Reads and writes the mirror configuration of other tools: container runtimes, OpenShift, and other admission webhooks.
//!
//! * [`import`] turns files of another tool into a `mirrors.yaml`.
//! * [`export`] writes rules in the format of another tool.
//!
//! A runtime tries a list of mirrors, and an admission webhook chooses one of them. So not all of another tool's configuration
//! can become rules. What changes which image is pulled is a warning with the file and the line; what does not is a note.
//!
//! # What this crate does not do
//!
//! It opens no files: the caller passes their names and texts. It never reads credentials or certificates.

mod candidates;
mod container_webhook;
mod documents;
mod endpoint;
mod entry;
mod export;
mod globs;
mod host_table;
mod hosts_toml;
mod image_mapper;
mod image_swapper;
mod imageswap;
mod import;
mod kyverno;
mod mirror_sets;
mod registries_conf;
mod registries_yaml;
mod render;
mod report;
mod rewrite;
mod scope;
mod source_file;
mod toml_tree;
mod tree;

pub use export::format::{ExportFormat, ExportedFile};
pub use export::{Exported, export};
pub use import::{ImportFormat, Imported, import};
pub use source_file::SourceFile;
