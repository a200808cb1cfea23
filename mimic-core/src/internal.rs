//! Helpers that Mimic's own crates share. **Not part of the public API**: they may change in any release.

pub use crate::glob::{GlobError, Globs};
#[cfg(feature = "file")]
pub use crate::nearest::nearest;
