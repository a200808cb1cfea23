//! Invalid entries, reported as Events on their ConfigMap.

use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource as _};
use mimic_core::{Hint as _, Problem};
use tokio::task::JoinHandle;

use super::error::ClusterError;

/// The most Events about one version of an object. One more has the number of the other problems.
const MAX_EVENTS: usize = 10;

/// The longest note that the API server accepts, in bytes
/// (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>).
const LONGEST_NOTE: usize = 1024;

/// The name of Mimic in Events.
pub(super) const REPORTER: &str = "mimic.cryptkcoding.com/mimic-server";

/// Publishes Events in the background.
pub(super) struct Events {
    client: Client,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// The last reported version of the object.
    version: Option<String>,
    task: Option<JoinHandle<()>>,
}

impl Events {
    pub(super) fn new(client: Client) -> Self {
        Self { client, current: Mutex::default() }
    }

    /// Reports the problems of this version of the ConfigMap, once, in the background. Reports of an earlier version that
    /// are still pending are dropped.
    pub(super) fn report(&self, config_map: &ConfigMap, problems: &[Problem]) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let version = config_map.metadata.resource_version.clone();
        if version.is_some() && current.version == version {
            return;
        }
        current.version = version;
        if let Some(task) = current.task.take() {
            task.abort();
        }
        if !problems.is_empty() {
            let publishing = publish(self.client.clone(), config_map.object_ref(&()), notes(problems));
            current.task = Some(tokio::spawn(publishing));
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let current = self.current.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = current.task.take() {
            task.abort();
        }
    }
}

async fn publish(client: Client, regarding: ObjectReference, notes: Vec<String>) {
    for note in notes {
        // A recorder merges Events that differ only in their notes, so each Event gets its own.
        let recorder = Recorder::new(client.clone(), Reporter::from(REPORTER));
        let event = Event {
            type_: EventType::Warning,
            reason: "InvalidMirror".to_owned(),
            note: Some(note),
            action: "LoadMirrors".to_owned(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, &regarding).await.map_err(ClusterError::from) {
            log::warn!(error:% = error.full_message(); "cannot create Events for invalid entries");
            return;
        }
    }
}

/// One note for each problem up to the limit, and one for the rest.
fn notes(problems: &[Problem]) -> Vec<String> {
    let messages = problems.iter().take(MAX_EVENTS).map(|problem| problem.full_message().to_string());
    let mut notes: Vec<String> = messages.map(shortened).collect();
    if let Some(more) = problems.len().checked_sub(MAX_EVENTS).filter(|more| *more > 0) {
        let skipped = if more == 1 { "entry was skipped" } else { "entries were skipped" };
        notes.push(format!("{more} more {skipped}; Mimic's log lists all of them"));
    }
    notes
}

/// A note that the API server accepts.
pub(super) fn shortened(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        note.truncate(note.floor_char_boundary(LONGEST_NOTE - '…'.len_utf8()));
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_note_for_each_problem_up_to_a_limit_and_one_for_the_rest() {
        let problems: Vec<Problem> =
            (1..=13).map(|number| Problem::new("configmap a/b", format!("no {number}"))).collect();
        assert_eq!(notes(&problems[..2]), ["configmap a/b: no 1", "configmap a/b: no 2"]);
        assert_eq!(notes(&problems[..10]).len(), 10);
        assert_eq!(notes(&problems[..11])[10], "1 more entry was skipped; Mimic's log lists all of them");
        assert_eq!(notes(&problems)[10], "3 more entries were skipped; Mimic's log lists all of them");
    }

    #[test]
    fn a_note_is_never_longer_than_the_api_server_accepts() {
        for filler in ["x", "ä", "€"] {
            let note = shortened(filler.repeat(2000));
            assert!(note.len() <= LONGEST_NOTE && note.len() > LONGEST_NOTE - 6 && note.ends_with('…'), "{filler}");
        }
        assert_eq!(shortened("x".repeat(LONGEST_NOTE)).len(), LONGEST_NOTE);
    }
}
