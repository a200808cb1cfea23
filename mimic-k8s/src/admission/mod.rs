//! Answering AdmissionReview requests for pods.
//!
//! 1. [`Review::parse`] reads a request body. The [`Review`] borrows from the body.
//! 2. [`Review::decide`] evaluates the pod's images and returns a [`Verdict`]: a [`Decision`] for each image, or why the
//!    pod is skipped ([`Skip`]).
//! 3. [`Verdict::to_response`] writes the response, with the patch and the warnings.

mod answer;
mod brief;
mod container_kind;
mod decide;
mod decision;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod label_index;
mod pod;
mod review;
mod settings;
mod skip;
mod verdict;

pub use container_kind::ContainerKind;
pub use decision::Decision;
pub use pod::{OPT_OUT, ORIGINAL_IMAGES, Owner};
pub use review::{Review, ReviewError};
pub use settings::{MAX_STEPS, ReviewSettings};
pub use skip::Skip;
pub use verdict::Verdict;
