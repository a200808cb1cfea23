//! Helpers that Mimic's own crates share. **Not part of the public API**: they may change in any release.

pub use crate::glob::{GlobError, Globs};
#[cfg(feature = "file")]
pub use crate::nearest::nearest;
/// The YAML reader of `mirrors.yaml`, for Mimic's configuration file.
#[cfg(feature = "file")]
pub mod yaml {
    pub use crate::yaml::{Node, Value, YamlError, parse};
}
