//! Random pods in random styles: nothing but their images changes.

use std::fmt::Write as _;

use mimic_core::{Rewriter, Rule};
use mimic_k8s::admission::ReviewSettings;
use mimic_manifests::{Documents, FileKind, ImagePaths, Manifests};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// Images, and what they become.
const IMAGES: [(&str, &str); 6] = [
    ("nginx", "h.example.com/hub/library/nginx"),
    ("nginx:1.27-alpine", "h.example.com/hub/library/nginx:1.27-alpine"),
    (
        "acme/app:1@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "h.example.com/hub/acme/app:1@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    ("six.example.com/a:1", "[2001:db8::1]:5000/six/a:1"),
    ("registry.internal.example:5000/a/b", "registry.internal.example:5000/a/b"),
    ("h.example.com/hub/library/nginx", "h.example.com/hub/library/nginx"),
];

/// Values and keys beside the images, some of which look like YAML or like images.
const OTHERS: [&str; 14] = [
    "web",
    "image: nginx",
    "- image: nginx",
    "# image",
    "é☃𝄞",
    "yes",
    "1.27",
    "a: b",
    "--- ",
    "{image: nginx}",
    "it's",
    "\"quoted\"",
    "two\nlines: é\n",
    " ",
];

/// A stream of choices. When it ends, the first alternative is always chosen.
struct Choices<'c>(std::slice::Iter<'c, u8>);

impl Choices<'_> {
    fn of(&mut self, alternatives: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % alternatives
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.of(from.len())]
    }
}

/// Writes a pod. The same choices give the same bytes but for the images.
struct Writer<'c> {
    choices: Choices<'c>,
    /// Whether images are written as they should be after the rewrite.
    after: bool,
    text: String,
}

impl Writer<'_> {
    fn scalar(&mut self, text: &str, new: Option<&str>, block: Option<usize>) {
        let is_plain = |text: &str| {
            text.starts_with(|c: char| c.is_alphabetic()) && !text.contains(['\n', '"', '\'']) && !text.contains(": ")
        };
        let style = self.choices.of(if block.is_some() && text.trim() == text && !text.contains('\n') { 6 } else { 4 });
        let value = if self.after { new.unwrap_or(text) } else { text };
        match style {
            0 if is_plain(text) && is_plain(value) => self.text.push_str(value),
            // An address of IPv6 needs quotes.
            0 if is_plain(text) => write!(self.text, "\"{value}\"").unwrap(),
            1 if !text.contains('\n') => write!(self.text, "'{}'", value.replace('\'', "''")).unwrap(),
            2 if new == Some(text) || (new.is_some() && !self.after) => {
                // An escape, which a new value does not have.
                let first = text.chars().next().unwrap();
                write!(self.text, "\"\\x{:02x}{}\"", u32::from(first), &text[1..]).unwrap();
            }
            4 | 5 => {
                let indent = " ".repeat(block.unwrap() + 1 + self.choices.of(3));
                let header = self.choices.pick(&["-", "- # text", "-  "]);
                let sign = if style == 4 { '|' } else { '>' };
                write!(self.text, "{sign}{header}\n{indent}{value}").unwrap();
                let blank = self.choices.pick(&["", "\n", "\n   "]);
                self.text.push_str(blank);
            }
            _ => self.text.push_str(&serde_json::to_string(value).unwrap()),
        }
    }

    fn image(&mut self, block: Option<usize>) {
        let (before, after) = IMAGES[self.choices.of(IMAGES.len())];
        self.scalar(before, Some(after), block);
    }

    fn other(&mut self, block: Option<usize>) {
        let text = self.choices.pick(&OTHERS);
        self.scalar(text, None, block);
    }

    fn key(&mut self, key: &str) {
        let quote = self.choices.pick(&["", "", "\"", "'"]);
        let space = self.choices.pick(&["", "", " "]);
        write!(self.text, "{quote}{key}{quote}{space}:").unwrap();
    }

    /// The end of a line in block style, and lines without content.
    fn line_end(&mut self) {
        let end =
            self.choices.pick(&["\n", "\n", " # image: nginx é\n", "  \n", "\n\n", "\n# é comment\n", "\n   \n\n"]);
        self.text.push_str(end);
    }

    /// Space in flow style.
    fn space(&mut self, indent: usize) {
        let indent = " ".repeat(indent + 1);
        match self.choices.of(6) {
            0 | 1 => {}
            2 => self.text.push(' '),
            3 => self.text.push('\t'),
            4 => write!(self.text, "\n{indent}").unwrap(),
            _ => write!(self.text, " # é, image: nginx\n{indent}").unwrap(),
        }
    }

    /// A container in flow style.
    fn flow_container(&mut self, indent: usize) {
        self.text.push('{');
        for n in 0..2 + self.choices.of(2) {
            if n > 0 {
                self.text.push(',');
            }
            self.space(indent);
            self.key(["image", "name", "x"][n]);
            self.text.push(' ');
            self.space(indent);
            if n == 0 {
                self.image(None);
            } else {
                self.other(None);
            }
            self.space(indent);
        }
        self.text.push('}');
    }

    /// A list of containers in block or flow style, after its key.
    fn containers(&mut self, indent: usize) {
        let count = 1 + self.choices.of(3);
        if self.choices.of(3) == 0 {
            self.text.push_str(" [");
            for n in 0..count {
                if n > 0 {
                    self.text.push(',');
                }
                self.space(indent);
                self.flow_container(indent);
                self.space(indent);
            }
            self.text.push(']');
            self.line_end();
            return;
        }
        self.line_end();
        let indent = indent + self.choices.of(3);
        for _ in 0..count {
            self.text.push_str(&" ".repeat(indent));
            self.text.push_str("- ");
            if self.choices.of(4) == 0 {
                self.flow_container(indent + 1);
                self.line_end();
                continue;
            }
            for n in 0..2 + self.choices.of(2) {
                if n > 0 {
                    self.text.push_str(&" ".repeat(indent + 2));
                }
                self.key(["name", "image", "x"][n]);
                let space = self.choices.pick(&[" ", "  ", " \t", "\n      \t \n          "]);
                self.text.push_str(space);
                if n == 1 {
                    self.image(Some(indent + 2));
                } else {
                    self.other(Some(indent + 2));
                }
                // A comment after a block scalar would be a part of it.
                self.text.push('\n');
                let comment = self.choices.pick(&["", "", "# é\n", "\n"]);
                self.text.push_str(comment);
            }
        }
    }

    fn pod(&mut self) {
        self.text.push_str("apiVersion: v1");
        self.line_end();
        self.text.push_str("kind: Pod");
        self.line_end();
        if self.choices.of(2) == 1 {
            self.text.push_str("metadata: {annotations: {");
            self.other(None);
            self.text.push_str(": \"x\"}}");
            self.line_end();
        }
        self.key("spec");
        self.line_end();
        for list in ["containers", "initContainers"] {
            self.text.push_str("  ");
            self.key(list);
            self.containers(2);
        }
    }
}

fn write(choices: &[u8], documents: usize, after: bool) -> String {
    let mut writer = Writer { choices: Choices(choices.iter()), after, text: String::new() };
    let mark = writer.choices.pick(&["", "", "\u{feff}"]);
    writer.text.push_str(mark);
    for n in 0..documents {
        if n > 0 {
            let separator = writer.choices.pick(&["---\n", "...\n---\n", "--- # next\n", "...\n%YAML 1.2\n---\n"]);
            writer.text.push_str(separator);
        }
        writer.pod();
    }
    let text = writer.text;
    match writer.choices.of(4) {
        0 => text.replace('\n', "\r\n"),
        1 => text.trim_end_matches('\n').to_owned(),
        _ => text,
    }
}

/// The documents as another parser reads them, with the images replaced.
fn values(text: &str, rewrite: bool) -> Vec<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut values: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    for list in values.iter_mut().flat_map(|pod| pod["spec"].as_object_mut().unwrap().values_mut()) {
        for container in list.as_array_mut().unwrap() {
            let image = container["image"].as_str().unwrap().to_owned();
            let after = IMAGES.iter().find(|(before, _)| *before == image).map(|(_, after)| *after);
            if rewrite && let Some(after) = after {
                container["image"] = after.into();
            }
        }
    }
    values
}

fn rewrite(text: &str) -> (String, usize) {
    let rules = [("docker.io", "h.example.com/hub"), ("six.example.com", "[2001:db8::1]:5000/six")];
    let rules: Vec<Rule> = rules.iter().map(|(from, to)| Rule::mirror(from, to).unwrap()).collect();
    let rewriter = Rewriter::new([("test", rules.into())]);
    let (settings, paths) = (ReviewSettings::default(), ImagePaths::built_in());
    let manifests = Manifests { rewriter: &rewriter, settings: &settings, paths: &paths, namespace: None };
    let mut documents = Documents::new(text.as_bytes());
    let mut output = Vec::new();
    let mut count = 0;
    while let Some(document) = documents.next_document().unwrap() {
        let rewritten = manifests.rewrite(&document, FileKind::Manifest);
        assert_eq!(rewritten.notes, [], "{text}");
        count += rewritten.changes.len();
        output.extend_from_slice(&rewritten.apply(document.bytes));
    }
    (String::from_utf8(output).unwrap(), count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn only_images_change(choices in vec(any::<u8>(), 0..150), documents in 1..4_usize) {
        let before = write(&choices, documents, false);
        let after = write(&choices, documents, true);
        prop_assert_eq!(values(&before, true), values(&after, false), "{}", before);
        let (found, count) = rewrite(&before);
        prop_assert_eq!(&found, &after);
        prop_assert_eq!(count == 0, before == after);
    }

    #[test]
    fn no_input_panics_and_what_is_left_out_of_changes_stays(text in "(apiVersion: v1\n|kind: Pod\n|spec:\n| containers:\n| *- *|name: a\n|image: ?|nginx|[&*]a ?|<<: |[{}\\[\\],\"'|>#!%?:]|\r|\n|\t|---|\\.\\.\\.|é|\u{feff}){0,60}") {
        let rules = vec![Rule::mirror("docker.io", "h.example.com/hub").unwrap()];
        let rewriter = Rewriter::new([("test", rules.into())]);
        let (settings, paths) = (ReviewSettings::default(), ImagePaths::built_in());
        let manifests = Manifests { rewriter: &rewriter, settings: &settings, paths: &paths, namespace: None };
        let mut documents = Documents::new(text.as_bytes());
        let mut whole = Vec::new();
        while let Some(document) = documents.next_document().unwrap() {
            whole.extend_from_slice(document.bytes);
            let rewritten = manifests.rewrite(&document, FileKind::Manifest);
            let output = rewritten.apply(document.bytes);
            let mut restored = output.to_vec();
            for change in rewritten.changes.iter().rev() {
                let shift: isize = rewritten
                    .changes
                    .iter()
                    .take_while(|earlier| earlier.range.start < change.range.start)
                    .map(|earlier| earlier.text.len().cast_signed() - earlier.range.len().cast_signed())
                    .sum();
                let start = change.range.start.checked_add_signed(shift).unwrap();
                restored.splice(start..start + change.text.len(), document.bytes[change.range.clone()].iter().copied());
            }
            prop_assert_eq!(&restored[..], document.bytes);
        }
        prop_assert_eq!(&whole[..], text.as_bytes());
    }
}
