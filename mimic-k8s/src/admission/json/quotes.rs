//! Finds where the strings of a JSON text end.
//!
//! Most of a review consists of short strings. Searching for the end of each one is slower than finding all quotes at once,
//! 64 bytes at a time.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x64};

/// The positions of the quotes that end a string, and of the backslashes: a bit set for every 64 bytes of the text. The
/// first byte is the lowest bit.
#[derive(Debug, PartialEq)]
pub(super) struct Quotes {
    ends: Vec<u64>,
    backslashes: Vec<u64>,
}

impl Quotes {
    /// Finds the quotes in `text`. `None` if a string has no end, contains a control character, or contains an escape that
    /// JSON does not define.
    pub(super) fn find(text: &[u8]) -> Option<Self> {
        Self::find_on(Level::new(), text)
    }

    fn find_on(processor: Level, text: &[u8]) -> Option<Self> {
        dispatch!(processor, simd => Self::find_with(simd, text))
    }

    #[expect(clippy::inline_always, reason = "it is compiled once for each instruction set")]
    #[inline(always)]
    fn find_with<S: Simd>(simd: S, text: &[u8]) -> Option<Self> {
        let (blocks, tail) = text.as_chunks::<64>();
        let mut last = [b' '; 64];
        last[..tail.len()].copy_from_slice(tail);
        let mut found = Self { ends: vec![0; blocks.len() + 1], backslashes: vec![0; blocks.len() + 1] };
        let mut escape = 0;
        // All ones if the next block begins inside a string.
        let mut within = 0;
        for (number, (ends, backslashes)) in found.ends.iter_mut().zip(&mut found.backslashes).enumerate() {
            let block: u8x64<S> = (*blocks.get(number).unwrap_or(&last)).simd_into(simd);
            let mut quotes = block.simd_eq(b'"').to_bitmask();
            *backslashes = block.simd_eq(b'\\').to_bitmask();
            if *backslashes | escape != 0 {
                let escaped = escaped(*backslashes, &mut escape);
                let unusual = escaped & !(quotes | *backslashes);
                if unusual != 0 {
                    check_escapes(text, number * 64, unusual)?;
                }
                quotes &= !escaped;
            }
            // The set contains the opening quote of each string, but not the closing one.
            let strings = odd(quotes) ^ within;
            within = (strings >> 63).wrapping_neg();
            *ends = quotes & !strings;
            if block.simd_lt(b' ').to_bitmask() & strings != 0 {
                return None;
            }
        }
        (within == 0).then_some(found)
    }

    /// The positions at which strings end, in ascending order.
    pub(super) fn ends(&self) -> Ends<'_> {
        Ends { sets: &self.ends, word: 0, rest: self.ends.first().copied().unwrap_or_default() }
    }

    /// The position of the first backslash at or after `at`. `usize::MAX` if there is none.
    pub(super) fn next_backslash(&self, at: usize) -> usize {
        let first = |word: usize, bits: u64| (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize);
        let here = self.backslashes.get(at / 64).and_then(|bits| first(at / 64, bits & u64::MAX << (at % 64)));
        let mut others = at / 64 + 1..self.backslashes.len();
        here.or_else(|| others.find_map(|word| first(word, self.backslashes[word]))).unwrap_or(usize::MAX)
    }
}

/// Iterates over the positions at which strings end.
#[derive(Debug, Clone)]
pub(super) struct Ends<'q> {
    sets: &'q [u64],
    word: usize,
    /// The remaining positions in the current set.
    rest: u64,
}

impl Iterator for Ends<'_> {
    type Item = usize;

    #[expect(clippy::inline_always, reason = "it is called for every string")]
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        while self.rest == 0 {
            self.word += 1;
            self.rest = *self.sets.get(self.word)?;
        }
        let first = self.rest.trailing_zeros() as usize;
        self.rest &= self.rest - 1;
        Some(self.word * 64 + first)
    }
}

/// The positions with an odd number of members of `set` at or before them.
#[inline]
fn odd(mut set: u64) -> u64 {
    for distance in [1, 2, 4, 8, 16, 32] {
        set ^= set << distance;
    }
    set
}

/// The escaped bytes of a block: those after a backslash that is not itself escaped. `escape` is 1 if the first byte is
/// escaped, and is set to 1 if the first byte of the next block is.
#[inline]
fn escaped(backslashes: u64, escape: &mut u64) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    // In a run of backslashes, every other one is escaped. A subtraction carries through each run, which separates odd
    // from even positions, counted from the start of the run. simdjson uses the same method.
    let first = backslashes & !*escape;
    let turns = (first << 1 | ODD).wrapping_sub(first) ^ ODD;
    let escaped = turns ^ (backslashes | *escape);
    *escape = (turns & backslashes) >> 63;
    escaped
}

/// Checks the escapes in the block at `start`. `positions` has the byte after the backslash of each.
fn check_escapes(text: &[u8], start: usize, mut positions: u64) -> Option<()> {
    while positions != 0 {
        let at = start + positions.trailing_zeros() as usize;
        match text.get(at)? {
            b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
            b'u' if text.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit) => {}
            _ => return None,
        }
        positions &= positions - 1;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// The ends of strings and the positions of backslashes, found byte by byte.
    fn byte_by_byte(text: &[u8]) -> Option<(Vec<usize>, Vec<usize>)> {
        let (mut ends, mut backslashes) = (Vec::new(), Vec::new());
        let mut bytes = text.iter().enumerate();
        let mut within = false;
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                b'"' => {
                    if within {
                        ends.push(at);
                    }
                    within = !within;
                }
                b'\\' => {
                    backslashes.push(at);
                    match bytes.next()? {
                        (_, b'"' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                        (at, b'\\') => backslashes.push(at),
                        (at, b'u') if text.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit) => {}
                        _ => return None,
                    }
                }
                0..b' ' if within => return None,
                _ => {}
            }
        }
        (!within).then_some((ends, backslashes))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_instruction_set_finds_the_same_as_a_search_byte_by_byte(
            pieces in prop::collection::vec(
                select(&["\"", "\"", "\\\\", "\\\"", "\\u00e9", "\\u12", "\\x", "\\", "\n", "\u{1f}", " ", ":{},", "é", "\u{2603}", "abcdefghijklmnopqrstuvwxyz", "\"name\":\"value\",", "\"k:{\\\"uid\\\":\\\"1\\\"}\":{},"][..]),
                0..60,
            ),
        ) {
            let text = pieces.concat();
            let found = Quotes::find(text.as_bytes());
            for processor in super::super::processors::processors() {
                prop_assert_eq!(&Quotes::find_on(processor, text.as_bytes()), &found, "{:?}", processor);
            }
            if let Some((ends, backslashes)) = byte_by_byte(text.as_bytes()) {
                let found = found.expect("the text is valid");
                prop_assert_eq!(found.ends().collect::<Vec<_>>(), ends);
                let mut from = 0;
                for at in backslashes {
                    prop_assert_eq!(found.next_backslash(from), at);
                    from = at + 1;
                }
                prop_assert_eq!(found.next_backslash(from), usize::MAX);
            } else {
                prop_assert!(found.is_none(), "{}", text);
            }
        }
    }
}
