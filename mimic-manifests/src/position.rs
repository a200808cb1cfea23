//! Lines and columns of a text.

use memchr::memchr2_iter;

/// The starts of the lines of a text. A line ends with `\n`, `\r\n` or `\r`, as in YAML.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// The last position that was asked for: byte, line and column. A line can be as long as the text, so columns are counted
    /// from there.
    last: (usize, usize, usize),
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let mut starts = vec![0];
        starts.extend(breaks(text.as_bytes()));
        Self { text, starts, last: (0, 1, 1) }
    }

    /// Line and column of a byte, both from 1; columns are characters. Fast if the bytes come in order.
    pub(crate) fn position(&mut self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= offset);
        let (last, last_line, last_column) = self.last;
        let (from, column) =
            if line == last_line && last <= offset { (last, last_column) } else { (self.starts[line - 1], 1) };
        let column = column + characters(&self.text.as_bytes()[from..offset.min(self.text.len())]);
        self.last = (offset, line, column);
        (line, column)
    }

    /// Where a line starts, counted from 1; `None` after the last one.
    pub(crate) fn start(&self, line: usize) -> Option<usize> {
        self.starts.get(line.checked_sub(1)?).copied()
    }
}

/// The ends of the lines, each after its line break.
fn breaks(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr2_iter(b'\n', b'\r', bytes)
        .filter(|&at| bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n'))
        .map(|at| at + 1)
}

/// The number of characters, if the bytes are UTF-8.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

/// Line and column after some bytes, from those before them.
pub(crate) fn advance((line, column): (usize, usize), bytes: &[u8]) -> (usize, usize) {
    let (count, last) = breaks(bytes).fold((0, None), |(count, _), end| (count + 1, Some(end)));
    match last {
        Some(end) => (line + count, 1 + characters(&bytes[end..])),
        None => (line, column + characters(bytes)),
    }
}

/// Finds positions that a parser counts in lines and characters. Fast if they come in order.
#[derive(Debug)]
pub(crate) struct Cursor<'t> {
    lines: Lines<'t>,
    line: usize,
    column: usize,
    offset: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { lines: Lines::new(text), line: 1, column: 0, offset: 0 }
    }

    /// The byte at a line, from 1, and a column, from 0. `None` if the text has no such place.
    pub(crate) fn offset(&mut self, line: usize, column: usize) -> Option<usize> {
        if line != self.line || column < self.column {
            self.offset = self.lines.start(line)?;
            (self.line, self.column) = (line, 0);
        }
        let text = self.lines.text;
        let ahead = column - self.column;
        let bytes = text.as_bytes().get(self.offset..self.offset + ahead);
        self.offset += match bytes {
            Some(bytes) if bytes.is_ascii() => ahead,
            _ => {
                let rest = &text[self.offset..];
                rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(ahead)?
            }
        };
        self.column = column;
        Some(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ab\ncé\r\nd\re☃f";

    #[test]
    fn all_line_breaks_count_and_columns_are_characters() {
        let mut lines = Lines::new(TEXT);
        let mut position = |part: &str| lines.position(TEXT.find(part).unwrap());
        assert_eq!(
            ["a", "b", "c", "é", "d", "e", "f"].map(&mut position),
            [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (4, 1), (4, 3)]
        );
        assert_eq!(["f", "☃", "a", "d", "é", "c"].map(&mut position), [(4, 3), (4, 2), (1, 1), (3, 1), (2, 2), (2, 1)]);
        assert_eq!(advance((1, 1), TEXT.as_bytes()), (4, 4));
        assert_eq!(advance((7, 3), "é".as_bytes()), (7, 4));
    }

    #[test]
    fn a_position_is_found_in_any_order() {
        let mut cursor = Cursor::new(TEXT);
        for part in ["a", "b", "é", "d", "f", "e", "c", "a", "☃"] {
            let at = TEXT.find(part).unwrap();
            let (line, column) = Lines::new(TEXT).position(at);
            assert_eq!(cursor.offset(line, column - 1), Some(at), "{part}");
        }
        assert_eq!(cursor.offset(4, 3), Some(TEXT.len()));
        assert_eq!((cursor.offset(4, 9), cursor.offset(5, 0)), (None, None));
    }
}
