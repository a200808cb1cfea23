//! The Kubernetes side of Mimic: AdmissionReview in, AdmissionReview out.
//!
//! ```
//! use mimic_core::{Rewriter, Rule};
//! use mimic_k8s::{Review, Settings};
//!
//! let rules = vec![Rule::mirror("docker.io", "harbor.example.com/dockerhub")?];
//! let rewriter = Rewriter::new([("mine", rules.into())]);
//! let settings = Settings::default();
//!
//! // What the API server posts, cut down to what is read of it.
//! let body = br#"{
//!     "apiVersion": "admission.k8s.io/v1",
//!     "kind": "AdmissionReview",
//!     "request": {
//!         "uid": "430f2ff3",
//!         "resource": {"group": "", "version": "v1", "resource": "pods"},
//!         "operation": "CREATE",
//!         "object": {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]}}
//!     }
//! }"#;
//! let review = Review::parse(body)?;
//! let verdict = review.decide(&rewriter, &settings);
//!
//! let web = &verdict.images()[0];
//! assert_eq!((web.name, web.image), ("web", "nginx:1.27"));
//! assert_eq!(web.outcome.rewritten(), Some("harbor.example.com/dockerhub/library/nginx:1.27"));
//!
//! let answer = String::from_utf8(verdict.to_response())?;
//! assert!(answer.contains(r#""uid":"430f2ff3","allowed":true,"patchType":"JSONPatch""#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * [`Review`] is a borrowed view of a request; whoever holds the body can parse it, decide and answer without a copy.
//! * [`Verdict`] says what became of every image and why ([`Decision`]), or why the pod was passed over ([`Skip`]); it
//!   writes the patch and the answer.
//!
//! # What this crate does not do
//!
//! It never refuses a pod, and it asks nothing of the cluster while it decides: a verdict depends on the request, the rules
//! and the settings alone. (What Mimic itself needs of a cluster is in the module `cluster`, a feature that is off by
//! default.) It does not check a pod for anything but its images, and leaves Deployments and other
//! templates of pods as they are. It opens no socket: serving the webhook over TLS is another crate's part.

mod annotation;
#[cfg(feature = "cluster")]
pub mod cluster;
mod decide;
mod json;
mod patch;
mod pod;
mod quotes;
mod reader;
mod response;
mod review;
mod view;
mod warning;

pub use annotation::ORIGINAL_IMAGES;
pub use decide::{Decision, Settings, Skip, Verdict};
pub use pod::{OPT_OUT_LABEL, Owner, Place};
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use reader::agreement::assert_reads_the_same;
pub use review::{Review, ReviewError};

/// The kinds of processor that this one can stand in for; what is compiled for each of them is to do the same.
#[cfg(test)]
fn processors() -> Vec<fearless_simd::Level> {
    use fearless_simd::Level;

    let best = Level::new();
    let mut kinds = vec![best, Level::baseline()];
    #[cfg(target_arch = "x86_64")]
    {
        kinds.extend(best.as_sse4_2().map(Level::Sse4_2));
        kinds.extend(best.as_avx2().map(Level::Avx2));
    }
    kinds
}
