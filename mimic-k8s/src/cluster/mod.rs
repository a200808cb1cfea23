//! The cluster that Mimic runs in: how it is reached, and objects in it that are followed by name.
//!
//! ```no_run
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use mimic_k8s::cluster::{Cluster, Follower};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::connect("").await?;
//! let mut config_map = Follower::<ConfigMap>::new(cluster.api(), "mimic-mirrors");
//! loop {
//!     match config_map.next().await {
//!         Ok(Some(_)) => println!("there it is"),
//!         Ok(None) => println!("there is none"),
//!         Err(error) => println!("{error}; trying again"),
//!     }
//! }
//! # }
//! ```

mod configmap;
mod connect;
mod error;
mod events;
mod follow;
mod mirrors;
mod namespace;
mod secret;
mod webhook;

pub use configmap::ConfigMapSource;
pub use connect::{Cluster, ConnectError, request_limit};
pub use error::{ClusterError, ClusterErrorKind};
pub use follow::Follower;
pub use mirrors::{LONG_FORM, Mirrors, read_mirrors};
pub use namespace::{in_pod, own_namespace};
pub use secret::{CertificateSecret, IncompleteSecret, MANAGED, Owner, PemPair, owner, pem_pair};
pub use webhook::{BundlePatch, Standing, WebhookConfiguration};
