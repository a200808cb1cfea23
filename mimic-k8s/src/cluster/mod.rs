//! Mimic's access to a cluster: the API server client, watches of single objects, mirrors from a ConfigMap, the objects
//! that certificates need, and the admission policy.
//!
//! ```no_run
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use mimic_k8s::cluster::{Cluster, ObjectWatch};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::connect("").await?;
//! let mut config_map = ObjectWatch::<ConfigMap>::new(cluster.api(), "mimic-mirrors");
//! loop {
//!     match config_map.next().await {
//!         Ok(Some(_)) => println!("created or changed"),
//!         Ok(None) => println!("absent or deleted"),
//!         Err(error) => println!("{error}; the next call tries again"),
//!     }
//! }
//! # }
//! ```

mod configmap_data;
mod configmap_source;
mod connect;
mod error;
mod events;
mod namespace;
mod policy_api;
mod policy_content;
mod policy_object;
mod replica_events;
mod secret;
mod watch;
mod webhook;

pub use configmap_data::parse_config_map;
pub use configmap_source::ConfigMapSource;
pub use connect::{Cluster, ConnectError, request_limit};
pub use error::{Cause, ClusterError, ClusterErrorKind};
pub use namespace::{in_pod, own_namespace};
pub use policy_api::PolicyApi;
pub use policy_content::PolicyContent;
pub use policy_object::{OtherPolicyBound, PolicyObject, PolicyState, StoredObject};
pub use replica_events::ReplicaEvents;
pub use secret::{CertificateSecret, IncompleteSecret, MANAGED, PemPair, SecretOwner, pem_pair, secret_owner};
pub use watch::ObjectWatch;
pub use webhook::{ALWAYS, CONDITION, CaBundleState, ConditionState, WebhookConfiguration, WebhookPatch};
