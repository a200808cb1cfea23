//! Bad entries, told where whoever wrote them looks: as Events on their object.

use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource as _};
use mimic_core::{Hint as _, Problem};
use tokio::task::JoinHandle;

use super::error::ClusterError;

/// Most Events about one version of an object; what is beyond them is counted in one more.
const MOST: usize = 10;

/// Longest note that the API server takes, in bytes
/// (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>).
const LONGEST_NOTE: usize = 1024;

/// Publishes Events, beside everything else.
pub(super) struct Events {
    client: Client,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// The version of the object that was reported last.
    version: Option<String>,
    task: Option<JoinHandle<()>>,
}

impl Events {
    pub(super) fn new(client: Client) -> Self {
        Self { client, current: Mutex::default() }
    }

    /// Reports what is wrong with this version of the ConfigMap, once, without being waited for. What has not been said
    /// of an earlier version by then is not said any more.
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
        // A recorder takes two Events that differ in nothing but their notes for one that has happened twice.
        let recorder = Recorder::new(client.clone(), Reporter::from("mimic.cryptkcoding.com/mimic-server"));
        let event = Event {
            type_: EventType::Warning,
            reason: "InvalidMirror".to_owned(),
            note: Some(note),
            action: "LoadMirrors".to_owned(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, &regarding).await.map_err(ClusterError::from) {
            let hint = error.hint().unwrap_or_default();
            log::warn!(error:%, hint; "bad entries could not be reported as Events");
            return;
        }
    }
}

/// One note for each problem, and one for those beyond the limit.
fn notes(problems: &[Problem]) -> Vec<String> {
    let mut notes: Vec<String> =
        problems.iter().take(MOST).map(|problem| shortened(problem.full_message().to_string())).collect();
    if let Some(more) = problems.len().checked_sub(MOST).filter(|more| *more > 0) {
        notes.push(format!("{more} more entries were left out; Mimic's log names each"));
    }
    notes
}

fn shortened(mut note: String) -> String {
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
        assert_eq!(notes(&problems[..11]).len(), 11);
        assert_eq!(notes(&problems)[10], "3 more entries were left out; Mimic's log names each");
    }

    #[test]
    fn a_note_is_never_longer_than_the_api_server_takes() {
        for filler in ["x", "ä", "€"] {
            let note = shortened(filler.repeat(2000));
            assert!(note.len() <= LONGEST_NOTE && note.len() > LONGEST_NOTE - 6 && note.ends_with('…'), "{filler}");
        }
        assert_eq!(shortened("x".repeat(LONGEST_NOTE)).len(), LONGEST_NOTE);
    }
}
