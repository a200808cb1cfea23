//! The Kubernetes parts of Mimic.
//!
//! * [`admission`] answers an AdmissionReview of a pod with a patch that rewrites the pod's images. It is pure: bytes in,
//!   bytes out.
//! * `mirrors` reads mirrors from a `mirrors.yaml`, a ConfigMap manifest or the chart's values. It needs the feature `mirrors`,
//!   which is off by default.
//! * `policy` compiles rules to a `MutatingAdmissionPolicy`, which the API server evaluates itself. It needs the feature
//!   `policy`, which is off by default.
//! * `cluster` connects to an API server, watches single objects and reads mirrors from a ConfigMap. It needs the feature
//!   `cluster`, which is off by default, includes `mirrors`, and depends on `kube` and `tokio`.
//!
//! ```
//! use mimic_core::{Rewriter, Rule};
//! use mimic_k8s::admission::{Review, ReviewSettings};
//!
//! let rules = vec![Rule::mirror("docker.io", "harbor.example.com/dockerhub")?];
//! let rewriter = Rewriter::new([("mine", rules.into())]);
//! let settings = ReviewSettings::default();
//!
//! // The request body that the API server sends, reduced to the fields that are read.
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
//! let response = String::from_utf8(verdict.to_response())?;
//! assert!(response.contains(r#""uid":"430f2ff3","allowed":true,"patchType":"JSONPatch""#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this crate does not do
//!
//! * It never rejects a pod, and it checks nothing about a pod except its images.
//! * A verdict depends only on the request, the rules and the settings: evaluating a review sends no request to the cluster
//!   or to a registry.
//! * It does not change Deployments, Jobs or other objects with a pod template. Their pods are rewritten when they are
//!   created.
//! * It opens no socket. `mimic-server` serves the webhook over TLS.

pub mod admission;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(feature = "mirrors")]
pub mod mirrors;
#[cfg(feature = "policy")]
pub mod policy;
