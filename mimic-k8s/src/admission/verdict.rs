//! The result for one request.

use super::decision::Decision;
use super::skip::Skip;

/// The result for one request: a [`Decision`] for each image, and what the answer contains.
#[derive(Debug)]
pub struct Verdict<'r> {
    pub(super) uid: &'r str,
    pub(super) skipped: Option<Skip>,
    pub(super) images: Vec<Decision<'r>>,
    pub(super) changes: Option<Changes<'r>>,
    pub(super) original_images: Option<String>,
    pub(super) problems: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) steps: u64,
}

/// What the patch changes in addition to the rewritten images.
#[derive(Debug)]
pub(super) struct Changes<'r> {
    /// Names to add to `imagePullSecrets`.
    pub(super) pull_secrets: Vec<&'r str>,
    /// Whether the pod already has a list `imagePullSecrets`.
    pub(super) has_pull_secrets: bool,
    /// How to record the original images in an annotation. `None` if they are not recorded.
    pub(super) annotation: Option<Annotate>,
}

/// How the annotation is added.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Annotate {
    /// The pod has annotations: add the entry or replace its value.
    Entry {
        /// This review's original images and those that an earlier one recorded. `None` if there are no earlier ones.
        merged: Option<String>,
    },
    /// The pod has no annotations: add the map with the entry.
    Map,
}

impl<'r> Verdict<'r> {
    /// Why the request was answered without the outcome of any image. `None` if images were evaluated.
    pub fn skipped(&self) -> Option<Skip> {
        self.skipped
    }

    /// The work on the images, in steps of [`mimic_core::Batch`]; at most [`MAX_STEPS`](super::MAX_STEPS).
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The evaluated images. On an UPDATE, images that did not change are not evaluated.
    pub fn images(&self) -> &[Decision<'r>] {
        &self.images
    }

    /// The warnings for the API client, most important first.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The original images of the containers and volumes that this verdict rewrites: a JSON object, name → image. The answer
    /// has it as an audit annotation, of at most 10 KiB.
    pub fn original_images(&self) -> Option<&str> {
        self.original_images.as_deref()
    }
}
