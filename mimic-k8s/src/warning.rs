//! Sentences for people, kept short and harmless whatever the object holds.

use std::fmt::{self, Write};

/// The longest warning, in characters: beyond this, Kubernetes asks webhooks to be brief, and `kubectl` shows each on a line.
pub(crate) const MAX_CHARS: usize = 120;

/// The most warnings in one answer. The API server cuts off all warnings of a request together at 4,096 bytes.
pub(crate) const MAX_WARNINGS: usize = 10;

/// Formats into at most `limit` characters, the last of them `…` if something was cut off. Control characters, and those
/// that reorder or break lines, are replaced: the text ends up in terminals, logs and HTTP headers.
pub(crate) fn brief(text: fmt::Arguments<'_>, limit: usize) -> String {
    let mut brief = Brief { text: String::new(), room: limit };
    // The only error is the one that `Brief` returns once it is full, to stop the formatting there.
    if brief.write_fmt(text).is_err() {
        brief.text.pop();
        brief.text.push('…');
    }
    brief.text
}

struct Brief {
    text: String,
    room: usize,
}

impl Write for Brief {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if is_harmful(c) { char::REPLACEMENT_CHARACTER } else { c });
        }
        Ok(())
    }
}

/// Control characters, line and paragraph separators, marks and overrides of the writing direction.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A bounded number of sentences.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    kept: Vec<String>,
    dropped: usize,
}

impl Notes {
    /// Adds a sentence; what is beyond the limit is only counted.
    pub(crate) fn add(&mut self, text: fmt::Arguments<'_>) {
        if self.kept.len() < MAX_WARNINGS {
            self.kept.push(brief(text, MAX_CHARS));
        } else {
            self.dropped += 1;
        }
    }

    /// Adds what `other` holds.
    pub(crate) fn append(&mut self, other: Self) {
        self.dropped += other.dropped;
        for text in other.kept {
            self.add(format_args!("{text}"));
        }
    }

    /// The sentences; if there were too many, the last one says how many more.
    pub(crate) fn into_warnings(mut self) -> Vec<String> {
        if self.dropped > 0 && self.kept.pop().is_some() {
            self.kept.push(format!("mimic: and {} more", self.dropped + 1));
        }
        self.kept
    }

    /// The sentences in one line, or `None` if there are none.
    pub(crate) fn joined(&self) -> Option<String> {
        if self.kept.is_empty() {
            return None;
        }
        let mut line = self.kept.join("; ");
        if self.dropped > 0 {
            line.push_str("; and ");
            line.push_str(&self.dropped.to_string());
            line.push_str(" more");
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, limit: usize) -> String {
        brief(format_args!("{text}"), limit)
    }

    #[test]
    fn text_is_cut_at_a_character_boundary() {
        assert_eq!(of("abc", 3), "abc");
        assert_eq!(of("abcd", 3), "ab…");
        assert_eq!(of("☃☃☃☃", 3), "☃☃…");
        assert_eq!(of(&"x".repeat(1000), MAX_CHARS).chars().count(), MAX_CHARS);
    }

    #[test]
    fn what_could_upset_a_terminal_or_a_header_is_replaced() {
        assert_eq!(
            of("a\r\nb\u{1b}[1m\u{7f}\u{85}\u{202e}\u{2028}ü", 99),
            "a\u{fffd}\u{fffd}b\u{fffd}[1m\u{fffd}\u{fffd}\u{fffd}\u{fffd}ü"
        );
    }

    #[test]
    fn the_last_warning_counts_the_rest() {
        let mut notes = Notes::default();
        for n in 0..10 {
            notes.add(format_args!("{n}"));
        }
        assert_eq!(notes.joined().unwrap(), "0; 1; 2; 3; 4; 5; 6; 7; 8; 9");
        notes.add(format_args!("10"));
        assert_eq!(notes.joined().unwrap(), "0; 1; 2; 3; 4; 5; 6; 7; 8; 9; and 1 more");
        let mut all = Notes::default();
        all.add(format_args!("first"));
        all.append(notes);
        let warnings = all.into_warnings();
        assert_eq!(warnings.len(), MAX_WARNINGS);
        assert_eq!(warnings[..2], ["first", "0"]);
        assert_eq!(warnings[9], "mimic: and 3 more", "8, 9 and 10");
    }

    #[test]
    fn no_notes_are_no_line() {
        assert_eq!(Notes::default().joined(), None);
        assert!(Notes::default().into_warnings().is_empty());
    }
}
