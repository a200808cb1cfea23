//! How much was processed, on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Between two updates, and before the first one: short runs show nothing.
const INTERVAL: Duration = Duration::from_millis(500);

/// Shows the progress on standard error, if that is a terminal that shows nothing else.
#[derive(Debug)]
pub(crate) struct Progress {
    enabled: bool,
    shown: bool,
    last: Instant,
    bytes: usize,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let enabled = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Self { enabled, shown: false, last: Instant::now(), bytes: 0 }
    }

    /// Counts bytes of an input.
    pub(crate) fn add(&mut self, bytes: usize, input: &str) {
        self.bytes += bytes;
        if self.enabled && self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            self.shown = true;
            // A failure to show progress is no failure of the command.
            let _ = write!(io::stderr(), "\r\x1b[K{} MiB, {input}", self.bytes >> 20);
        }
    }

    /// Clears the line, before messages.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
