//! Objects of the cluster in messages, and problems with them.

use mimic_core::Problem;
use mimic_k8s::cluster::{Cluster, ClusterError};

/// The name of a Secret in Mimic's namespace, for messages.
pub(super) fn secret_label(cluster: &Cluster, name: &str) -> String {
    format!("Secret {}/{name}", cluster.namespace())
}

/// A failed request to the API server as a problem with the requested object.
pub(super) fn from_cluster(object: &str, error: &ClusterError) -> Problem {
    Problem::from_error(object, error)
}
