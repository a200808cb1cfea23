//! Rewrites the images of Kubernetes manifests, in YAML and JSON, as the webhook rewrites those of pods.
//!
//! Only the scalars that contain images change. All other bytes stay: comments, quotes, anchors, line ends.
//!
//! ```
//! use mimic_core::{Rewriter, Rule};
//! use mimic_k8s::admission::ReviewSettings;
//! use mimic_manifests::{Documents, FileKind, ImagePaths, Manifests};
//!
//! let rules = vec![Rule::mirror("docker.io", "harbor.example.com/dockerhub")?];
//! let rewriter = Rewriter::new([("mine", rules.into())]);
//! let manifests = Manifests {
//!     rewriter: &rewriter,
//!     settings: &ReviewSettings::default(),
//!     paths: &ImagePaths::built_in(),
//!     namespace: None,
//! };
//!
//! let file = "kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - {name: web, image: 'nginx:1.27'} # the front\n";
//! let mut documents = Documents::new(file.as_bytes());
//! let mut rewritten = Vec::new();
//! while let Some(document) = documents.next_document()? {
//!     let result = manifests.rewrite(&document, FileKind::Manifest);
//!     assert!(result.notes.is_empty());
//!     rewritten.extend_from_slice(&result.apply(document.bytes));
//! }
//! let expected = file.replace("nginx", "harbor.example.com/dockerhub/library/nginx");
//! assert_eq!(String::from_utf8(rewritten)?, expected);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this crate does not do
//!
//! * It reads no files and sends no requests: bytes in, bytes out.
//! * It evaluates no templates. A document that is not YAML or JSON is left unchanged, with a [`Note`].
//! * It adds nothing. A pull secret that the webhook would add to a pod is only named in a [`Note`].

mod builder;
mod built_in;
mod decide;
mod document;
mod find;
mod found;
mod image_path;
mod json;
mod kustomization;
mod note;
mod position;
mod scalar;
mod splitter;
mod tree;
mod yaml;

pub use document::{Change, FileKind, Manifests, Rewritten};
pub use image_path::{ImagePath, ImagePathError, ImagePaths};
pub use note::{Note, Severity};
pub use splitter::{Document, Documents};
