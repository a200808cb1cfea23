//! Splits a stream into documents, in linear time and with the memory of the largest document.

use std::io::{self, Read};

use memchr::memchr2;

use crate::position::advance;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A part of a stream with at most one document: with its comments, directives and markers.
#[derive(Clone, Copy, Debug)]
pub struct Document<'b> {
    /// The bytes. All parts together are the stream.
    pub bytes: &'b [u8],
    /// The line of the first byte in the stream, from 1.
    pub line: usize,
    /// The column of the first byte in characters, from 1.
    pub column: usize,
}

/// Reads a stream of documents. They are YAML with `---` or `...` between them, or JSON objects one after the other.
#[derive(Debug)]
pub struct Documents<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were returned.
    returned: usize,
    ended: bool,
    /// Line and column of the first byte that was not returned.
    position: (usize, usize),
}

impl<R: Read> Documents<R> {
    /// Starts at the beginning of a stream.
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), returned: 0, ended: false, position: (1, 1) }
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn next_document(&mut self) -> io::Result<Option<Document<'_>>> {
        let mut scan = Scan::default();
        let length = loop {
            let bytes = &self.buffer[self.returned..];
            if let Some(length) = scan.end(bytes, self.ended) {
                break length;
            }
            if self.ended {
                break bytes.len();
            }
            self.fill()?;
        };
        if length == 0 {
            return Ok(None);
        }
        let start = self.returned;
        self.returned += length;
        let bytes = &self.buffer[start..self.returned];
        let (line, column) = self.position;
        self.position = advance(self.position, bytes);
        Ok(Some(Document { bytes, line, column }))
    }

    fn fill(&mut self) -> io::Result<()> {
        // What is left is less than a document, so moving it costs no more than reading it did.
        self.buffer.drain(..self.returned);
        self.returned = 0;
        // Reads more at once the longer the document is, so that the buffer grows a few times only.
        let more = CHUNK.max(self.buffer.len() / 2) as u64;
        let read = self.reader.by_ref().take(more).read_to_end(&mut self.buffer)?;
        self.ended = read == 0;
        Ok(())
    }
}

/// How the end of a document is found.
#[derive(Debug, Default)]
enum Mode {
    /// Nothing but space was seen.
    #[default]
    Unknown,
    Json {
        depth: usize,
        in_string: bool,
    },
    /// After a JSON object: the rest of its line.
    AfterJson,
    Lines {
        /// Where the search for the end of the line continues.
        searched: usize,
        has_content: bool,
    },
}

/// The search for the end of one document.
#[derive(Debug, Default)]
struct Scan {
    mode: Mode,
    at: usize,
}

impl Scan {
    /// The length of the document at the start of `bytes`; `None` if more bytes are needed, or all belong to it.
    fn end(&mut self, bytes: &[u8], ended: bool) -> Option<usize> {
        loop {
            match self.mode {
                Mode::Unknown => {
                    if bytes.len() < BYTE_ORDER_MARK.len() && !ended {
                        return None;
                    }
                    let mark = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
                    self.at = self.at.max(mark);
                    let space = bytes[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    self.at += space;
                    match bytes.get(self.at) {
                        None if !ended => return None,
                        Some(b'{') => self.mode = Mode::Json { depth: 0, in_string: false },
                        _ => self.read_lines(),
                    }
                }
                Mode::Json { ref mut depth, ref mut in_string } => {
                    match json_end(bytes, &mut self.at, depth, in_string) {
                        Json::Ended => self.mode = Mode::AfterJson,
                        Json::More if !ended => return None,
                        Json::More | Json::Invalid => self.read_lines(),
                    }
                }
                Mode::AfterJson => {
                    let rest = &bytes[self.at..];
                    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                    let line_break = match &rest[blanks..] {
                        [b'\r', b'\n', ..] => 2,
                        [b'\r'] | [] if !ended => return None,
                        [b'\r' | b'\n', ..] => 1,
                        _ => 0,
                    };
                    return Some(self.at + blanks + line_break);
                }
                Mode::Lines { ref mut searched, ref mut has_content } => {
                    return line_end(bytes, ended, &mut self.at, searched, has_content);
                }
            }
        }
    }

    fn read_lines(&mut self) {
        self.at = 0;
        self.mode = Mode::Lines { searched: 0, has_content: false };
    }
}

enum Json {
    Ended,
    More,
    /// Not JSON: perhaps a flow mapping of YAML, or a template.
    Invalid,
}

/// Searches for the end of a JSON object.
fn json_end(bytes: &[u8], at: &mut usize, depth: &mut usize, in_string: &mut bool) -> Json {
    loop {
        if *in_string {
            match memchr2(b'"', b'\\', &bytes[*at..]) {
                None => {
                    *at = bytes.len();
                    return Json::More;
                }
                Some(found) if bytes[*at + found] == b'"' => {
                    *at += found + 1;
                    *in_string = false;
                }
                Some(found) if *at + found + 1 < bytes.len() => *at += found + 2,
                Some(found) => {
                    *at += found;
                    return Json::More;
                }
            }
            continue;
        }
        let Some(&byte) = bytes.get(*at) else { return Json::More };
        *at += 1;
        match byte {
            b'"' => *in_string = true,
            b'{' | b'[' => *depth += 1,
            b'}' | b']' => {
                *depth = depth.saturating_sub(1);
                if *depth == 0 {
                    return Json::Ended;
                }
            }
            // Space, numbers, and the letters of `true`, `false`, `null` and `1e9`.
            b' '
            | b'\t'
            | b'\r'
            | b'\n'
            | b','
            | b':'
            | b'0'..=b'9'
            | b'+'
            | b'-'
            | b'.'
            | b'E'
            | b'a'
            | b'e'
            | b'f'
            | b'l'
            | b'n'
            | b'r'
            | b's'
            | b't'
            | b'u' => {}
            _ => return Json::Invalid,
        }
    }
}

/// Searches for the end of a YAML document, line by line. `---` and `...` at the start of a line end it even in a block or
/// quoted scalar.
fn line_end(bytes: &[u8], ended: bool, at: &mut usize, searched: &mut usize, has_content: &mut bool) -> Option<usize> {
    while *at < bytes.len() {
        let end = match memchr2(b'\n', b'\r', &bytes[*searched..]) {
            Some(found) => {
                let found = *searched + found;
                match (bytes[found], bytes.get(found + 1)) {
                    (b'\r', Some(b'\n')) => found + 2,
                    (b'\r', None) if !ended => {
                        *searched = found;
                        return None;
                    }
                    _ => found + 1,
                }
            }
            None if ended => bytes.len(),
            None => {
                *searched = bytes.len();
                return None;
            }
        };
        let line = &bytes[*at..end];
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        let is_marker = line.get(3).is_none_or(u8::is_ascii_whitespace);
        if is_marker && line.starts_with(b"---") {
            if *has_content {
                return Some(*at);
            }
            *has_content = true;
        } else if is_marker && line.starts_with(b"...") {
            return Some(end);
        } else if !*has_content {
            let is_directive = line.starts_with(b"%");
            let text = line.trim_ascii_start();
            *has_content = !(text.is_empty() || text.starts_with(b"#") || is_directive);
        }
        *at = end;
        *searched = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `size` bytes per read, as pipes do.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(size);
            buffer[..size].copy_from_slice(now);
            self.0 = later;
            Ok(size)
        }
    }

    fn split(text: &str, size: usize) -> Vec<(String, usize, usize)> {
        let mut documents = Documents::new(Pieces(text.as_bytes(), size));
        let mut parts = Vec::new();
        while let Some(Document { bytes, line, column }) = documents.next_document().unwrap() {
            parts.push((String::from_utf8(bytes.to_vec()).unwrap(), line, column));
        }
        parts
    }

    #[test]
    fn a_stream_is_split_at_its_markers_whatever_the_reads_return() {
        let cases: &[&[&str]] = &[
            &[],
            &["a: 1"],
            &["a: 1\n", "---\nb: 2\n"],
            &["---\na: 1\n", "---\nb: 2\n", "---\n"],
            &["# comment\n\n---\na: 1\r\n", "--- # other\r\nb: 2\r\n"],
            &["%YAML 1.2\n---\na: 1\n...\n", "%TAG ! x\n---\nb: 2\n...\n", "# end\n"],
            &["a: |\n  ---\n  b\n", "---\rc: 1\r", "--- d\r\n"],
            &["a: |\n", "--- \n b: 1\n"],
            &["a: ---\n----\n---b\n ---\n", "---"],
            &["\u{feff}a: 1\n", "\u{feff}---\nb: 1\n"],
            &["{\"a\": 1}\n", "{\"b\": \"}\\\"\"}", "{\"c\": [{}]} \r\n", "\n---\nd: 1\n"],
            &["{\"a\": 1}\n", "---\n{\"b\": 1}\n", "---\nc: 1\n"],
            &["\u{feff} {\n\t\"a\": 1\n}"],
            &["{a: \"}\", b: '{'}\n", "---\n{c: 1}\n"],
            &["{{ if .x }}\na: 1\n", "---\nb: 1\n{{ end }}\n"],
            &["{ \"a\": 1\n", "---\nkind: Pod\n"],
            &["{\"a\": 1} ", "# comment\n---\nb: 1\n"],
        ];
        for parts in cases {
            let text = parts.concat();
            for size in (1..=text.len().max(1)).chain([usize::MAX]) {
                let found = split(&text, size);
                let bytes: Vec<&str> = found.iter().map(|(text, ..)| text.as_str()).collect();
                assert_eq!(&bytes, parts, "{size} bytes at a time");
                let mut position = (1, 1);
                for (text, line, column) in found {
                    assert_eq!((line, column), position);
                    position = advance(position, text.as_bytes());
                }
            }
        }
    }
}
