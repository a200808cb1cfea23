//! Reading the few fields of a review that are needed, and writing the response.
//!
//! `docs/decisions/0007-own-json-reader.md` explains why `serde_json` alone does not do this.

#[cfg(test)]
mod processors;
mod quotes;
pub(super) mod reader;
pub(super) mod views;
pub(super) mod writer;
