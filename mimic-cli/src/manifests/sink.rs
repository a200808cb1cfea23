//! What happens with rewritten documents.

use mimic_core::internal::Printable;
use mimic_manifests::{Document, Rewritten};
use serde::Serialize;

use crate::manifests::diff::UnifiedDiff;
use crate::manifests::files::Input;
use crate::manifests::in_place::Replacement;
use crate::output::{Format, Output};

/// Takes the documents of one input after the other.
pub(crate) trait Sink {
    /// A new input begins.
    fn begin(&mut self, input: &Input);
    /// The next document of the input.
    fn document(&mut self, document: &Document<'_>, rewritten: &Rewritten, out: &mut Output) -> anyhow::Result<()>;
    /// The input ends.
    fn end(&mut self, out: &mut Output) -> anyhow::Result<()>;
}

/// Writes all documents to standard output.
#[derive(Debug, Default)]
pub(crate) struct Print {
    /// Whether an earlier input was not empty.
    has_output: bool,
    ends_line: bool,
    is_first_of_input: bool,
}

impl Sink for Print {
    fn begin(&mut self, _: &Input) {
        self.is_first_of_input = true;
    }

    fn document(&mut self, document: &Document<'_>, rewritten: &Rewritten, out: &mut Output) -> anyhow::Result<()> {
        let new = rewritten.apply(document.bytes);
        let mut bytes: &[u8] = &new;
        if std::mem::take(&mut self.is_first_of_input) && self.has_output {
            // A byte order mark belongs to the start of a stream.
            bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
            if !self.ends_line {
                out.results().push(b'\n');
            }
            out.results().extend_from_slice(separator(bytes));
        }
        out.results().extend_from_slice(bytes);
        self.has_output = true;
        self.ends_line = bytes.ends_with(b"\n");
        Ok(())
    }

    fn end(&mut self, _: &mut Output) -> anyhow::Result<()> {
        Ok(())
    }
}

/// What separates a document from those of an earlier file.
fn separator(document: &[u8]) -> &'static [u8] {
    let mut lines = document.split(|&byte| byte == b'\n' || byte == b'\r');
    let first = lines.find(|line| !(line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with(b"#")));
    match first {
        Some(line) if line.starts_with(b"---") && line.get(3).is_none_or(u8::is_ascii_whitespace) => b"",
        // Directives come after the end of a document.
        Some(line) if line.starts_with(b"%") => b"...\n",
        _ => b"---\n",
    }
}

/// Lists what would change.
#[derive(Debug, Default)]
pub(crate) struct Check {
    name: String,
}

#[derive(Serialize)]
struct Listed<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    before: &'a str,
    after: &'a str,
    rule: &'a str,
    source: &'a str,
}

impl Sink for Check {
    fn begin(&mut self, input: &Input) {
        self.name.clone_from(&input.name);
    }

    fn document(&mut self, _: &Document<'_>, rewritten: &Rewritten, out: &mut Output) -> anyhow::Result<()> {
        for change in &rewritten.changes {
            out.fail();
            let (line, column, before, after) = (change.line, change.column, &change.before, &change.after);
            match out.format() {
                Format::Json => {
                    let (rule, source) = (change.rule.as_str(), change.source.as_str());
                    out.json(&Listed { file: &self.name, line, column, before, after, rule, source })?;
                }
                Format::Text => {
                    let before = Printable(before);
                    out.text(format_args!("{}:{line}:{column}: {before} -> {after}", self.name));
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Output) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Prints a unified diff.
#[derive(Debug, Default)]
pub(crate) struct Diff(UnifiedDiff);

impl Sink for Diff {
    fn begin(&mut self, input: &Input) {
        self.0 = UnifiedDiff::new(&input.name);
    }

    fn document(&mut self, document: &Document<'_>, rewritten: &Rewritten, out: &mut Output) -> anyhow::Result<()> {
        let mut done = 0;
        for change in &rewritten.changes {
            out.fail();
            self.0.same(&document.bytes[done..change.range.start], out.results());
            self.0.replace(&document.bytes[change.range.clone()], change.text.as_bytes());
            done = change.range.end;
        }
        self.0.same(&document.bytes[done..], out.results());
        Ok(())
    }

    fn end(&mut self, out: &mut Output) -> anyhow::Result<()> {
        std::mem::take(&mut self.0).finish(out.results());
        Ok(())
    }
}

/// Replaces the files.
#[derive(Debug, Default)]
pub(crate) struct InPlace {
    input: Option<Replacement>,
}

impl Sink for InPlace {
    fn begin(&mut self, input: &Input) {
        self.input = input.path.as_deref().map(Replacement::new);
    }

    fn document(&mut self, document: &Document<'_>, rewritten: &Rewritten, out: &mut Output) -> anyhow::Result<()> {
        if let Some(replacement) = &mut self.input
            && let Err(error) = replacement.add(document.bytes, rewritten)
        {
            out.error(format_args!("{error:#}; the file is unchanged"));
            self.input = None;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output) -> anyhow::Result<()> {
        let Some(replacement) = self.input.take() else { return Ok(()) };
        let name = replacement.name();
        match replacement.finish() {
            Ok(0) => {}
            Ok(images) => {
                let images = if images == 1 { "1 image".to_owned() } else { format!("{images} images") };
                out.text(format_args!("{name}: {images} rewritten"));
            }
            Err(error) => out.error(format_args!("{error:#}; the file is unchanged")),
        }
        Ok(())
    }
}
