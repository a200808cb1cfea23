//! Settings for all reviews.

use mimic_core::internal::Globs;

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
