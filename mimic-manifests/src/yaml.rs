//! YAML to a tree.
//!
//! Of the parser's positions, only the starts are used, as line and column: it counts some comments in bytes and others in
//! characters, and the end of a quoted scalar includes what follows it.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag as YamlTag};

use crate::builder::{Builder, Failure};
use crate::position::Cursor;
use crate::tree::{Kind, Style, Tag, Tree};

/// Parses a text with at most one document.
///
/// # Errors
/// If it is not YAML, or nested too deeply.
pub(crate) fn parse(text: &str) -> Result<Tree<'_>, Failure> {
    read(text, text).or_else(|failure| {
        // The parser refuses a tab after a colon, which other parsers take as a space. Of the same length, so that positions
        // stay.
        if text.contains(":\t") { read(text, &text.replace(":\t", ": ")) } else { Err(failure) }
    })
}

/// Parses `source`, and refers to the bytes of `text`, which are the same but for blanks.
fn read<'t>(text: &'t str, source: &str) -> Result<Tree<'t>, Failure> {
    let mut builder = Builder::new(text);
    let mut cursor = Cursor::new(text);
    let mut parser = Parser::new_from_str(source);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            let offset = cursor.offset(marker.line().max(1), marker.col()).unwrap_or(text.len());
            Failure { offset, message: error.info().to_owned() }
        })?;
        take(&mut builder, &mut cursor, event, span)?;
    }
    Ok(builder.finish())
}

fn take(builder: &mut Builder<'_>, cursor: &mut Cursor<'_>, event: Event<'_>, span: Span) -> Result<(), Failure> {
    match event {
        Event::DocumentStart(_) if builder.has_root() => {
            let message = "more than one document".to_owned();
            Err(Failure { offset: start(cursor, span), message })
        }
        Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => Ok(()),
        Event::Alias(anchor) => builder.alias(start(cursor, span), anchor),
        Event::Scalar(value, style, anchor, tag) => {
            let (style, before) = match style {
                ScalarStyle::Plain => (Style::Plain, 0),
                ScalarStyle::SingleQuoted => (Style::SingleQuoted, 1),
                ScalarStyle::DoubleQuoted => (Style::DoubleQuoted, 1),
                ScalarStyle::Literal => (Style::Literal, 0),
                ScalarStyle::Folded => (Style::Folded, 0),
            };
            let tag = match tag.as_deref() {
                None => Tag::None,
                Some(tag) if is_string(tag) => Tag::Str,
                Some(_) => Tag::Other,
            };
            // The position of an absent value is not always in the text.
            let start = if value.is_empty() { 0 } else { start(cursor, span) };
            let start =
                if anchor != 0 || tag != Tag::None { after_properties(builder.text(), start, style) } else { start };
            builder.scalar(Kind::Scalar(style, tag), start, start + before, &value, anchor);
            Ok(())
        }
        // The start of a block collection can be the position of a token before it, and is not needed.
        Event::SequenceStart(anchor, _) => builder.begin(Kind::List, start(cursor, span), anchor),
        Event::MappingStart(anchor, _) => builder.begin(Kind::Map, start(cursor, span), anchor),
        Event::SequenceEnd | Event::MappingEnd => {
            builder.end();
            Ok(())
        }
    }
}

fn is_string(tag: &YamlTag) -> bool {
    // Written `!<…>`, the whole tag is the suffix.
    (tag.is_yaml_core_schema() && tag.suffix == "str")
        || (tag.handle.is_empty() && matches!(tag.suffix.as_str(), "!" | "tag:yaml.org,2002:str"))
}

/// The byte where a node starts. A wrong one is noticed when a change is made there, so it is not an error here.
fn start(cursor: &mut Cursor<'_>, span: Span) -> usize {
    cursor.offset(span.start.line().max(1), span.start.col()).unwrap_or(0)
}

/// The byte where a scalar starts after its anchor and its tag, which the parser counts as parts of it; of a block scalar,
/// where its content does.
fn after_properties(text: &str, mut start: usize, style: Style) -> usize {
    let is_block = matches!(style, Style::Literal | Style::Folded);
    let mut in_header = is_block;
    loop {
        let rest = &text[start..];
        let to = |ends: &[char]| rest.find(ends).unwrap_or(rest.len());
        start += match rest.as_bytes().first() {
            Some(b' ' | b'\t' | b'\r' | b'\n') => 1,
            Some(b'|' | b'>') if in_header => {
                in_header = false;
                to(&['\r', '\n'])
            }
            Some(b'&' | b'!') if in_header || !is_block => to(&[' ', '\t', '\r', '\n']),
            Some(b'#') if in_header || !is_block => to(&['\r', '\n']),
            _ => return start,
        };
    }
}
