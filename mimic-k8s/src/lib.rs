//! The Kubernetes side of Mimic: AdmissionReview in, AdmissionReview out.

mod annotation;
mod decide;
mod json;
mod patch;
mod pod;
mod response;
mod review;
mod view;
mod warning;

pub use annotation::ORIGINAL_IMAGES;
pub use decide::{Decision, Settings, Skip, Verdict};
pub use pod::{OPT_OUT_LABEL, Place};
pub use review::{Review, ReviewError};
