//! Documents with mirrors: `mirrors.yaml`, the manifest of a ConfigMap, and the values of Mimic's chart.
//!
//! ```
//! let manifest = "
//! apiVersion: v1
//! kind: ConfigMap
//! metadata: {name: mimic-mirrors}
//! data:
//!   docker.io: harbor.example.com/dockerhub
//!   mirrors.yaml: |
//!     rules:
//!       - upstream: quay.io
//!         mirrors: [harbor.example.com/quay]
//! ";
//! let list = mimic_k8s::mirrors::parse_document("mimic-mirrors.yaml", manifest)?;
//! assert_eq!((list.rules.len(), list.problems.len()), (2, 0));
//! # Ok::<(), mimic_core::Problem>(())
//! ```

mod chart;
mod config_map;
mod document;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod manifest;

pub use config_map::{ConfigMapRules, RULES_FILE_KEY};
#[cfg(feature = "cluster")]
pub(crate) use config_map::{Entry, binary_value, parse_data};
pub use document::{parse_document, parse_document_or_values};
