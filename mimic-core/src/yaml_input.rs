//! Limits the memory of the YAML scanner.
//!
//! A `[` or `{` can begin a key, as in `[a, b]: c`. The scanner knows only at the end of the list, so it stores all
//! tokens of the list. A token takes up to 100 times the memory of its text.

use std::cell::Cell;

use saphyr_parser::{Input, StrInput};

/// Most tokens that the scanner keeps, each of about 100 bytes.
pub(crate) const MAX_TOKENS: usize = 1 << 18;

/// A text that ends early if the scanner keeps too many tokens of it.
#[derive(Clone)]
pub(crate) struct LimitedInput<'t> {
    text: StrInput<'t>,
    tokens: &'t Cell<usize>,
}

impl<'t> LimitedInput<'t> {
    /// `tokens` counts the tokens that are scanned. The caller resets it when the parser returns an event: the scanner has
    /// then returned all tokens that it waited for.
    pub(crate) fn new(text: &'t str, tokens: &'t Cell<usize>) -> Self {
        Self { text: StrInput::new(text), tokens }
    }

    fn is_over(&self) -> bool {
        self.tokens.get() > MAX_TOKENS
    }
}

impl Input for LimitedInput<'_> {
    fn lookahead(&mut self, count: usize) {
        self.text.lookahead(count);
    }

    fn buflen(&self) -> usize {
        self.text.buflen()
    }

    fn bufmaxlen(&self) -> usize {
        self.text.bufmaxlen()
    }

    fn raw_read_ch(&mut self) -> char {
        self.text.raw_read_ch()
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.text.raw_read_non_breakz_ch()
    }

    fn skip(&mut self) {
        self.text.skip();
    }

    fn skip_n(&mut self, count: usize) {
        self.text.skip_n(count);
    }

    fn peek(&self) -> char {
        self.text.peek()
    }

    fn peek_nth(&self, n: usize) -> char {
        self.text.peek_nth(n)
    }

    fn peek_opt(&self) -> Option<char> {
        if self.is_over() { None } else { self.text.peek_opt() }
    }

    /// The scanner looks for the end of the text once before every token.
    fn next_is_z(&self) -> bool {
        self.is_over() || self.text.next_is_z()
    }

    /// The scanner looks for a byte order mark once before every token. A colon ends a key, and is up to four of them.
    fn next_char_is(&self, c: char) -> bool {
        if c == '\u{FEFF}' {
            let more = if self.text.next_char_is(':') { 4 } else { 1 };
            self.tokens.set(self.tokens.get() + more);
        }
        self.text.next_char_is(c)
    }

    // The following are faster than what the trait provides.

    fn skip_while_non_breakz(&mut self) -> usize {
        self.text.skip_while_non_breakz()
    }

    fn skip_while_blank(&mut self) -> usize {
        self.text.skip_while_blank()
    }
}
