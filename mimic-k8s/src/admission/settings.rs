//! Settings for all reviews.

use mimic_core::internal::Globs;

/// The work on one review, in steps of [`mimic_core::Batch`]. A pod that needs more is allowed unchanged.
///
/// 10,000 different images without a `pattern` cost less than a tenth. It is a constant, so that `mimic review` and every
/// server give the same answer.
pub const MAX_STEPS: u64 = 100_000_000;

/// Settings that apply to all reviews.
#[derive(Debug, Clone)]
pub struct ReviewSettings {
    /// Record the original images in an annotation of the pod.
    pub annotate: bool,
    /// Evaluate images and return warnings, but patch nothing.
    pub dry_run: bool,
    /// Namespaces whose pods are skipped.
    pub excluded_namespaces: Globs,
}

impl Default for ReviewSettings {
    /// Records the original images, patches pods, and excludes Kubernetes' own namespaces.
    fn default() -> Self {
        let own = ["kube-system", "kube-node-lease", "kube-public"];
        Self {
            annotate: true,
            dry_run: false,
            excluded_namespaces: Globs::new(own).expect("names without special characters are valid globs"),
        }
    }
}
