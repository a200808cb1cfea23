//! What a run counts.

use std::cell::Cell;

use crate::client::Channel;
use crate::load::Requests;

/// What was counted.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) requests: Cell<u64>,
    pub(super) wrong: Cell<u64>,
    pub(super) refused: Cell<u64>,
    /// The first wrong or missing response.
    pub(super) fault: Cell<Option<String>>,
}

impl Counts {
    /// Sends a request. Without a response the channel cannot be used any more.
    pub(super) async fn send(&self, requests: &mut Requests<'_>, channel: &mut Channel) -> bool {
        add(&self.requests);
        let (counter, fault) = match requests.send(channel).await {
            Ok(true) => return true,
            Ok(false) => (&self.wrong, "wrong response".to_owned()),
            Err(error) => (&self.refused, format!("{error:#}")),
        };
        add(counter);
        self.note(fault);
        false
    }

    pub(super) fn refuse(&self, error: &anyhow::Error) {
        add(&self.requests);
        add(&self.refused);
        self.note(format!("{error:#}"));
    }

    fn note(&self, fault: String) {
        let first = self.fault.take();
        self.fault.set(first.or(Some(fault)));
    }
}

/// Adds one.
pub(super) fn add(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
