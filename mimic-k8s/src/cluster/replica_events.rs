//! Events about this replica of Mimic.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use mimic_core::Hint as _;

use super::connect::Cluster;
use super::error::ClusterError;
use super::events::{REPORTER, shortened};

/// Creates Events about this replica's pod, in Mimic's namespace. Objects without a namespace would need Events in the
/// namespace `default`, where Mimic has no permissions.
#[derive(Clone)]
pub struct ReplicaEvents {
    cluster: Cluster,
    regarding: ObjectReference,
}

impl ReplicaEvents {
    /// Events about the pod of this name.
    pub fn new(cluster: &Cluster, pod: &str) -> Self {
        let regarding = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.to_owned()),
            namespace: Some(cluster.namespace().to_owned()),
            ..ObjectReference::default()
        };
        Self { cluster: cluster.clone(), regarding }
    }

    /// Creates a warning, in the background. A failure is logged.
    pub fn warn(&self, reason: &str, action: &str, note: String) {
        let event = Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: Some(shortened(note)),
            action: action.to_owned(),
            secondary: None,
        };
        let Self { cluster, regarding } = self.clone();
        tokio::spawn(async move {
            // A recorder merges Events that differ only in their notes, so each Event gets its own.
            let recorder = Recorder::new(cluster.client().clone(), Reporter::from(REPORTER));
            if let Err(error) = recorder.publish(&event, &regarding).await.map_err(ClusterError::from) {
                log::warn!(error:% = error.full_message(); "cannot create an Event");
            }
        });
    }
}
