//! Where the strings of a JSON text end.
//!
//! Most of a review is strings, short ones. Looking for the end of each of them costs more than finding all quotes at once,
//! sixty-four bytes at a time.

use std::ops::Range;

use wide::u8x16;

/// The quotes that begin or end a string, and the backslashes: of every sixty-four bytes of the text a set each, in which
/// the first byte is the lowest bit.
#[derive(Debug)]
pub(crate) struct Quotes(Vec<(u64, u64)>);

impl Quotes {
    /// Finds the quotes in `text`; `None` if there is an escape that JSON does not know, or a control character in a string.
    pub(crate) fn find(text: &[u8]) -> Option<Self> {
        let (blocks, tail) = text.as_chunks::<64>();
        let mut found = Vec::with_capacity(blocks.len() + 1);
        let mut last = [b' '; 64];
        last[..tail.len()].copy_from_slice(tail);
        let mut escape = 0;
        let mut control = false;
        for (number, block) in blocks.iter().chain([&last]).enumerate() {
            let Block { quotes, backslashes, control: controls } = Block::new(block);
            let escaped = escaped(backslashes, &mut escape);
            let unusual = escaped & !(quotes | backslashes);
            if unusual != 0 {
                check_escapes(text, number * 64, unusual)?;
            }
            control |= controls;
            found.push((quotes & !escaped, backslashes));
        }
        let quotes = Self(found);
        (!control || quotes.control_characters_are_outside(text)).then_some(quotes)
    }

    /// Where the first quote is from `at` on.
    #[expect(clippy::inline_always, reason = "it is called for every string")]
    #[inline(always)]
    pub(crate) fn next(&self, at: usize) -> Option<usize> {
        let mut word = at / 64;
        let bits = self.0.get(word)?.0 >> (at % 64);
        if bits != 0 {
            return Some(at + bits.trailing_zeros() as usize);
        }
        loop {
            word += 1;
            let (bits, _) = *self.0.get(word)?;
            if bits != 0 {
                return Some(word * 64 + bits.trailing_zeros() as usize);
            }
        }
    }

    /// Whether there is a backslash in `range` or close to it.
    pub(crate) fn may_hold_escapes(&self, range: Range<usize>) -> bool {
        let blocks = self.0.get(range.start / 64..=range.end / 64);
        blocks.is_none_or(|blocks| blocks.iter().any(|(_, backslashes)| *backslashes != 0))
    }

    /// Whether no control character is within a string. What the API server writes has none anywhere, so this is rare.
    #[cold]
    fn control_characters_are_outside(&self, text: &[u8]) -> bool {
        let mut within = false;
        text.iter().enumerate().all(|(at, byte)| {
            within ^= self.0[at / 64].0 >> (at % 64) & 1 == 1;
            !(within && *byte < b' ')
        })
    }
}

/// What is of interest in sixty-four bytes.
struct Block {
    quotes: u64,
    backslashes: u64,
    /// Whether there is a control character.
    control: bool,
}

impl Block {
    #[expect(clippy::inline_always, reason = "the sets are to stay in registers")]
    #[inline(always)]
    fn new(bytes: &[u8; 64]) -> Self {
        let (quarters, _) = bytes.as_chunks::<16>();
        let bytes: [u8x16; 4] = std::array::from_fn(|quarter| u8x16::new(quarters[quarter]));
        let equal = |byte: u8| {
            let [first, second, third, fourth] =
                bytes.map(|bytes| u64::from(bytes.simd_eq(u8x16::splat(byte)).to_bitmask()));
            (first | second << 16) | (third | fourth << 16) << 32
        };
        let lowest = bytes[0].min(bytes[1]).min(bytes[2].min(bytes[3]));
        let control = lowest.min(u8x16::splat(b' ' - 1)).simd_eq(lowest).to_bitmask() != 0;
        Self { quotes: equal(b'"'), backslashes: equal(b'\\'), control }
    }
}

/// Which bytes of a block are escaped: those after a backslash that is not itself escaped. `escape` is 1 if the first byte
/// is, and is set to 1 if that of the next block will be.
#[inline]
fn escaped(backslashes: u64, escape: &mut u64) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    // Backslashes in a row escape each other in turn. A subtraction carries through each row, and so tells those at odd
    // positions of the block from those at even ones, counted from where the row begins. It is simdjson's way.
    let first = backslashes & !*escape;
    let turns = (first << 1 | ODD).wrapping_sub(first) ^ ODD;
    let escaped = turns ^ (backslashes | *escape);
    *escape = (turns & backslashes) >> 63;
    escaped
}

/// Checks the escapes in the block at `start` whose second bytes are at `positions`.
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
