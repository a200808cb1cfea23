//! The references to process: arguments, or lines of standard input.

use std::fmt;
use std::io::{self, Read};

use memchr::memchr;
use mimic_core::Hint as _;
use mimic_core::internal::text::{TextError, is_utf16};

use crate::args::{ImageArgs, STDIN};
use crate::output::Output;

/// Longest line that is read, in bytes without the line end: far longer than any reference, yet little memory.
pub(crate) const LINE_MAX: usize = 1 << 20;
/// Most bytes per read; they fit into the cache of the processor.
const CHUNK: usize = 128 << 10;
/// What some programs write before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One argument or line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Input<'a> {
    /// Line number, from 1; `None` for an argument.
    line: Option<u64>,
    /// The content.
    pub(crate) text: Result<&'a str, Unreadable<'a>>,
}

/// A line that is not UTF-8, or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable<'a> {
    /// Invalid UTF-8 at `offset`.
    NotUtf8 { bytes: &'a [u8], offset: usize },
    /// More than [`LINE_MAX`] bytes; they are skipped.
    TooLong,
}

impl Input<'_> {
    /// Reports an error in this input.
    pub(crate) fn error(&self, out: &mut Output, message: impl fmt::Display) {
        match self.line {
            Some(line) => out.error(format_args!("line {line}: {message}")),
            None => out.error(message),
        }
    }
}

impl<'a> Unreadable<'a> {
    /// One stable word, in addition to those of [`mimic_core::ParseErrorKind`].
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "not_utf8",
            Self::TooLong => "line_too_long",
        }
    }

    /// Where reading ended, in bytes from the start of the line.
    pub(crate) fn offset(self) -> usize {
        match self {
            Self::NotUtf8 { offset, .. } => offset,
            Self::TooLong => LINE_MAX,
        }
    }

    /// The line as read; empty if it was skipped.
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Self::NotUtf8 { bytes, .. } => bytes,
            Self::TooLong => b"",
        }
    }
}

impl fmt::Display for Unreadable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { offset, .. } => write!(f, "not UTF-8 at byte {offset}"),
            Self::TooLong => write!(f, "longer than {LINE_MAX} bytes"),
        }
    }
}

/// Calls `each` for every reference, and writes the results in between.
pub(crate) fn for_each(
    images: &ImageArgs,
    out: &mut Output,
    mut each: impl FnMut(Input<'_>, &mut Output) -> io::Result<()>,
) -> anyhow::Result<()> {
    if images.references.is_empty() {
        return lines(io::stdin().lock(), out, &mut each);
    }
    for reference in &images.references {
        if reference == STDIN {
            lines(io::stdin().lock(), out, &mut each)?;
        } else {
            each(Input { line: None, text: Ok(reference) }, out)?;
            out.flush_if_full()?;
        }
    }
    Ok(())
}

/// Calls `each` for every line. Writes the results before it waits for more lines, so that another program can use the
/// command as a co-process.
fn lines(
    mut reader: impl Read,
    out: &mut Output,
    each: &mut impl FnMut(Input<'_>, &mut Output) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; LINE_MAX + CHUNK];
    // An incomplete line is kept at the start of the buffer.
    let mut begun = 0;
    let mut skipping = false;
    let mut number = 0;
    loop {
        out.flush()?;
        let read = match reader.read(&mut buffer[begun..begun + CHUNK]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(anyhow::anyhow!("cannot read standard input: {error}")),
        };
        let filled = begun + read;
        let mut start = 0;
        let mut searched = begun;
        while let Some(length) = memchr(b'\n', &buffer[searched..filled]) {
            let end = searched + length;
            if !std::mem::take(&mut skipping) {
                number += 1;
                each(line(number, &buffer[start..end])?, out)?;
                out.flush_if_full()?;
            }
            start = end + 1;
            searched = start;
        }
        buffer.copy_within(start..filled, 0);
        begun = filled - start;
        if skipping {
            begun = 0;
        } else if begun > LINE_MAX {
            // The extra byte could be the carriage return of the line end, but no reference is this long.
            number += 1;
            each(Input { line: Some(number), text: Err(Unreadable::TooLong) }, out)?;
            skipping = true;
            begun = 0;
        }
    }
    if begun > 0 {
        each(line(number + 1, &buffer[..begun])?, out)?;
    }
    Ok(())
}

/// The line without its end; the first one also without a byte order mark.
///
/// # Errors
/// If the first line shows that the input is UTF-16: each line would be an error.
fn line(number: u64, mut bytes: &[u8]) -> anyhow::Result<Input<'_>> {
    if number == 1 {
        if is_utf16(bytes) {
            anyhow::bail!("cannot read standard input: {}", TextError::Utf16.full_message());
        }
        bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    }
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let text = if bytes.len() > LINE_MAX {
        Err(Unreadable::TooLong)
    } else {
        str::from_utf8(bytes).map_err(|error| Unreadable::NotUtf8 { bytes, offset: error.valid_up_to() })
    };
    Ok(Input { line: Some(number), text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    /// Returns `size` bytes per read, as pipes do.
    struct Pieces<'a> {
        bytes: &'a [u8],
        size: usize,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.size.min(self.bytes.len()).min(buffer.len());
            let (now, later) = self.bytes.split_at(size);
            buffer[..size].copy_from_slice(now);
            self.bytes = later;
            Ok(size)
        }
    }

    /// The lines of `bytes`, each as its number and the bytes or the error.
    fn read(bytes: &[u8], size: usize) -> Vec<(u64, Result<Vec<u8>, &'static str>)> {
        let mut seen = Vec::new();
        let mut each = |input: Input<'_>, _: &mut Output| {
            let text = input.text.map(|text| text.as_bytes().to_vec()).map_err(Unreadable::kind);
            seen.push((input.line.unwrap(), text));
            Ok(())
        };
        lines(Pieces { bytes, size }, &mut Output::new(Format::Text), &mut each).unwrap();
        seen
    }

    #[test]
    fn lines_do_not_depend_on_how_the_input_is_split() {
        let text = b"nginx\r\n\nquay.io/a/b\nlast";
        for size in 1..=text.len() {
            let expected = [&b"nginx"[..], b"", b"quay.io/a/b", b"last"];
            let expected: Vec<_> = (1..).zip(expected.map(|line| Ok(line.to_vec()))).collect();
            assert_eq!(read(text, size), expected, "{size} bytes at a time");
        }
        assert_eq!(read(b"", 1), []);
        assert_eq!(read(b"\n", 1), [(1, Ok(Vec::new()))]);
    }

    #[test]
    fn a_line_that_is_too_long_is_one_error_and_the_others_are_read() {
        for length in [LINE_MAX + 1, LINE_MAX + CHUNK, 3 * LINE_MAX] {
            for size in [4096, CHUNK, usize::MAX] {
                let mut text = b"first\n".to_vec();
                text.resize(text.len() + length, b'x');
                text.extend_from_slice(b"\nlast");
                let expected = [(1, Ok(b"first".to_vec())), (2, Err("line_too_long")), (3, Ok(b"last".to_vec()))];
                assert_eq!(read(&text, size), expected, "{length} bytes, {size} at a time");
                text.truncate(text.len() - "\nlast".len());
                assert_eq!(read(&text, size), expected[..2], "{length} bytes, {size} at a time, without an end");
            }
        }
    }

    #[test]
    fn the_longest_line_is_read() {
        let mut text = vec![b'x'; LINE_MAX];
        for size in [4096, usize::MAX] {
            text.truncate(LINE_MAX);
            assert_eq!(read(&text, size), [(1, Ok(text.clone()))]);
            text.extend_from_slice(b"\n");
            assert_eq!(read(&text, size), [(1, Ok(text[..LINE_MAX].to_vec()))]);
        }
    }
}
