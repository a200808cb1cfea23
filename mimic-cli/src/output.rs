//! Where results and problems go.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::args::Format;

/// Results and problems are written out when this many bytes of them have come together, or before waiting for input.
const ENOUGH: usize = 256 << 10;

/// Collects results for standard output and problems for standard error, and remembers whether there were errors.
pub(crate) struct Output {
    format: Format,
    results: Vec<u8>,
    problems: Vec<u8>,
    failed: bool,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, results: Vec::new(), problems: Vec::new(), failed: false }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether there was an error.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// The results, to add to.
    pub(crate) fn results(&mut self) -> &mut Vec<u8> {
        &mut self.results
    }

    /// Adds a line to the results.
    pub(crate) fn line(&mut self, line: &[u8]) {
        self.results.extend_from_slice(line);
        self.results.push(b'\n');
    }

    /// Adds a text of one or more lines to the results.
    pub(crate) fn text(&mut self, text: impl Display) {
        append(&mut self.results, format_args!("{text}\n"));
    }

    /// Adds an object on a line of its own to the results.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.results, object)?;
        self.results.push(b'\n');
        Ok(())
    }

    /// Reports bad input; the exit status will be 1.
    pub(crate) fn error(&mut self, message: impl Display) {
        self.failed = true;
        append(&mut self.problems, format_args!("error: {message}\n"));
    }

    /// Notes that something is wrong that the results tell; the exit status will be 1.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Reports what is odd but no error.
    pub(crate) fn warning(&mut self, message: impl Display) {
        append(&mut self.problems, format_args!("warning: {message}\n"));
    }

    /// Writes out what has come together if it is enough to be worth it.
    pub(crate) fn flush_if_full(&mut self) -> io::Result<()> {
        if self.results.len() + self.problems.len() < ENOUGH { Ok(()) } else { self.flush() }
    }

    /// Writes out all that has come together.
    ///
    /// # Errors
    /// Those of standard output; problems that nobody reads are dropped.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.problems.is_empty() {
            let _ = io::stderr().lock().write_all(&self.problems);
            self.problems.clear();
        }
        if !self.results.is_empty() {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&self.results).and_then(|()| stdout.flush());
            self.results.clear();
            written?;
        }
        Ok(())
    }
}

fn append(buffer: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    buffer.write_fmt(text).expect("writing to memory cannot fail, and our Display implementations do not");
}
