//! What an answer contains: the patch, the annotation with the original images, and warnings.

pub(super) mod annotation;
mod patch;
mod response;
pub(super) mod warning;
