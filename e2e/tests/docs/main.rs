//! Runs the commands and samples of the documentation.

mod conflicts;
mod getting_started;
mod links;
mod migrating;
mod operation;
