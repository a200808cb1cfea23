//! Waiting until the rules stop changing.

use std::time::Duration;

use tokio::time::Instant;

/// After a change, wait for further ones for this long: sources load at the same time, and a change of several objects is
/// not instantaneous.
const QUIET: Duration = Duration::from_millis(250);

/// But not longer than this after the first.
const LONGEST: Duration = Duration::from_secs(1);

/// Changes of the rules that have not been compiled yet.
#[derive(Default)]
pub(super) struct Changes {
    first: Option<Instant>,
    due: Option<Instant>,
}

impl Changes {
    pub(super) fn note(&mut self, now: Instant) {
        let first = *self.first.get_or_insert(now);
        self.due = Some((now + QUIET).min(first + LONGEST));
    }

    /// When to compile, if there are changes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether to compile now. If so, the changes count as compiled.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            *self = Self::default();
        }
        is_due
    }
}

#[test]
fn changes_are_compiled_together_but_not_much_later_than_the_first() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut changes = Changes::default();
    assert_eq!(changes.due(), None);
    changes.note(at(0));
    assert_eq!(changes.due(), Some(at(250)));
    changes.note(at(200));
    assert!(!changes.take(at(449)) && changes.take(at(450)), "quiet since the second change");
    assert!(!changes.take(at(460)), "nothing new");
    for millis in (1_000..=3_000).step_by(200) {
        changes.note(at(millis));
        let taken = changes.take(at(millis));
        assert_eq!(taken, millis == 2_000, "{millis}");
        if taken {
            return;
        }
    }
    panic!("steady changes are compiled");
}
