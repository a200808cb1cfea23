//! Writes results to standard output, and errors and warnings to standard error.

use std::fmt::Display;
use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

/// Buffered results and messages are written at this size in bytes, and before the command waits for input.
const BUFFER_SIZE: usize = 256 << 10;

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Human-readable; `rewrite` prints one reference per line.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Buffers results and messages, and records whether there were errors.
pub(crate) struct Output {
    format: Format,
    results: Vec<u8>,
    messages: Vec<u8>,
    failed: bool,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, results: Vec::new(), messages: Vec::new(), failed: false }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether an error was reported.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// The buffer of the results.
    pub(crate) fn results(&mut self) -> &mut Vec<u8> {
        &mut self.results
    }

    /// Adds a line to the results.
    pub(crate) fn line(&mut self, line: &[u8]) {
        self.results.extend_from_slice(line);
        self.results.push(b'\n');
    }

    /// Adds a string of one or more lines to the results.
    pub(crate) fn text(&mut self, text: impl Display) {
        append(&mut self.results, format_args!("{text}\n"));
    }

    /// Adds an object to the results, on its own line.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.results, object)?;
        self.results.push(b'\n');
        Ok(())
    }

    /// Reports an error; the exit status will be 1.
    pub(crate) fn error(&mut self, message: impl Display) {
        self.failed = true;
        append(&mut self.messages, format_args!("error: {message}\n"));
    }

    /// Records an error that the results already show; the exit status will be 1.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Reports a warning.
    pub(crate) fn warning(&mut self, message: impl Display) {
        append(&mut self.messages, format_args!("warning: {message}\n"));
    }

    /// Reports something that is neither an error nor a warning.
    pub(crate) fn notice(&mut self, message: impl Display) {
        append(&mut self.messages, format_args!("{message}\n"));
    }

    /// Reports what needs no action.
    pub(crate) fn note(&mut self, message: impl Display) {
        append(&mut self.messages, format_args!("note: {message}\n"));
    }

    /// Whether the buffers are full.
    pub(crate) fn is_full(&self) -> bool {
        self.results.len() + self.messages.len() >= BUFFER_SIZE
    }

    /// Writes the buffers if they are full.
    pub(crate) fn flush_if_full(&mut self) -> io::Result<()> {
        if self.is_full() { self.flush() } else { Ok(()) }
    }

    /// Writes the buffers.
    ///
    /// # Errors
    /// Those of standard output. Errors of standard error are ignored.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.messages.is_empty() {
            let _ = io::stderr().lock().write_all(&self.messages);
            self.messages.clear();
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
    buffer.write_fmt(text).expect("writing to memory and our Display implementations never fail");
}
