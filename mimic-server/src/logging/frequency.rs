//! Limits how many lines of a kind are logged, so that nothing can fill a disk through the log.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::Record;

/// Lines of a kind in each [`PERIOD`].
const LINES: u32 = 1_000;

/// Bytes of a kind in each [`PERIOD`], after which no line of it begins.
const BYTES: usize = 1 << 20;

/// The time after which lines of a kind are logged again.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// Lines with the same message from the same module. A message that is not constant does not count as one.
type Kind = (&'static str, &'static str);

/// How much of each kind was logged lately.
#[derive(Debug, Default)]
pub(super) struct Frequency(Mutex<HashMap<Kind, Lately>>);

#[derive(Debug)]
struct Lately {
    start: Instant,
    lines: u32,
    bytes: usize,
    /// Lines that were left out and not reported.
    left_out: u64,
    /// When the first of them was left out.
    since: Instant,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Logged,
    LeftOut {
        /// No earlier one waits to be reported.
        is_first: bool,
    },
}

/// Lines that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) target: &'static str,
    pub(super) message: &'static str,
    pub(super) count: u64,
}

/// The kind of a line. Modules of programs are constants; without one, the line has no kind of its own.
pub(super) fn kind(record: &Record<'_>) -> Kind {
    (record.module_path_static().unwrap_or_default(), record.args().as_str().unwrap_or_default())
}

impl Frequency {
    /// What happens to a line of this kind at the time `now`.
    pub(super) fn admit(&self, kind: Kind, now: Instant) -> Fate {
        let mut kinds = self.lock();
        let fresh = || Lately { start: now, lines: 0, bytes: 0, left_out: 0, since: now };
        let lately = kinds.entry(kind).or_insert_with(fresh);
        if now.saturating_duration_since(lately.start) >= PERIOD {
            (lately.start, lately.lines, lately.bytes) = (now, 0, 0);
        }
        if lately.lines < LINES && lately.bytes < BYTES {
            lately.lines += 1;
            return Fate::Logged;
        }
        let is_first = lately.left_out == 0;
        if is_first {
            lately.since = now;
        }
        lately.left_out += 1;
        Fate::LeftOut { is_first }
    }

    /// Counts the size of a line that was logged.
    pub(super) fn logged(&self, kind: Kind, bytes: usize) {
        if let Some(lately) = self.lock().get_mut(&kind) {
            lately.bytes += bytes;
        }
    }

    /// What was left out since a [`PERIOD`] ago or longer, and whether there is more to be reported later.
    pub(super) fn take_left_out(&self, now: Instant) -> (Vec<LeftOut>, bool) {
        let mut left_out = Vec::new();
        let mut is_more = false;
        for (&(target, message), lately) in &mut *self.lock() {
            if lately.left_out == 0 {
                continue;
            }
            if now.saturating_duration_since(lately.since) < PERIOD {
                is_more = true;
                continue;
            }
            left_out.push(LeftOut { target, message, count: std::mem::take(&mut lately.left_out) });
        }
        (left_out, is_more)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Lately>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REWRITTEN: Kind = ("mimic_server::http::mutate", "pod rewritten");
    const LOADED: Kind = ("mimic_server::sources::runner", "mirrors loaded");

    fn allowed(frequency: &Frequency, kind: Kind, now: Instant, lines: u32) -> u32 {
        (0..lines).map(|_| u32::from(frequency.admit(kind, now) == Fate::Logged)).sum()
    }

    #[test]
    fn lines_of_a_kind_beyond_the_limit_are_counted_and_affect_no_other_kind() {
        let (frequency, start) = (Frequency::default(), Instant::now());
        assert_eq!(allowed(&frequency, REWRITTEN, start, LINES), LINES);
        assert_eq!(frequency.admit(REWRITTEN, start), Fate::LeftOut { is_first: true });
        assert_eq!(frequency.admit(REWRITTEN, start), Fate::LeftOut { is_first: false });
        assert_eq!(allowed(&frequency, REWRITTEN, start, 498), 0);
        assert_eq!(allowed(&frequency, LOADED, start, 1), 1);
        assert_eq!(frequency.take_left_out(start), (Vec::new(), true));

        let later = start + PERIOD;
        let left_out = LeftOut { target: REWRITTEN.0, message: REWRITTEN.1, count: 500 };
        assert_eq!(frequency.take_left_out(later), (vec![left_out], false));
        assert_eq!(frequency.take_left_out(later), (Vec::new(), false));
        assert_eq!(allowed(&frequency, REWRITTEN, later, LINES + 1), LINES);
    }

    #[test]
    fn long_lines_reach_the_limit_sooner() {
        let (frequency, start) = (Frequency::default(), Instant::now());
        let mut lines = 0;
        while frequency.admit(REWRITTEN, start) == Fate::Logged {
            frequency.logged(REWRITTEN, 16 << 10);
            lines += 1;
        }
        assert_eq!(lines, BYTES / (16 << 10));
    }

    #[test]
    fn the_limit_applies_to_each_period() {
        let (frequency, start) = (Frequency::default(), Instant::now());
        for period in 0..5 {
            assert_eq!(allowed(&frequency, REWRITTEN, start + period * PERIOD, LINES), LINES);
        }
        assert_eq!(frequency.take_left_out(start + 10 * PERIOD).0, []);
    }
}
