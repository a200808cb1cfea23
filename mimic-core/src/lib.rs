//! Image references, mirror rules and the rewriter.
mod reference;
pub use reference::{DOCKER_HUB, ImageRef, LIBRARY, ParseError, ParseErrorKind, REPOSITORY_MAX, TAG_MAX};
