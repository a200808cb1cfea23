//! Rewrites one document.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use mimic_core::Rewriter;
use mimic_core::internal::Printable;
use mimic_core::internal::text::{TextError, is_utf16};
use mimic_k8s::admission::ReviewSettings;

use crate::builder::Failure;
use crate::decide::{Decided, NodeNote, decide};
use crate::find::find;
use crate::found::Found;
use crate::image_path::ImagePaths;
use crate::note::{Note, Severity};
use crate::position::{Lines, advance};
use crate::splitter::Document;
use crate::tree::{Id, Kind, MAX_DEPTH, NONE, Tree, Unclear};
use crate::{json, yaml};

/// How manifests are rewritten.
#[derive(Clone, Copy, Debug)]
pub struct Manifests<'s> {
    /// The rules.
    pub rewriter: &'s Rewriter,
    /// The namespaces that are excluded; the other settings have no effect.
    pub settings: &'s ReviewSettings,
    /// Where images are.
    pub paths: &'s ImagePaths,
    /// The namespace of objects that name none.
    pub namespace: Option<&'s str>,
}

/// What a file contains, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Objects of Kubernetes.
    Manifest,
    /// A kustomization, which need not have a kind.
    Kustomization,
}

impl FileKind {
    /// From the last component of a path.
    pub fn of(name: &str) -> Self {
        match name {
            "kustomization.yaml" | "kustomization.yml" | "Kustomization" => Self::Kustomization,
            _ => Self::Manifest,
        }
    }
}

/// A scalar to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The bytes of the document to replace.
    pub range: Range<usize>,
    /// What to write there.
    pub text: String,
    /// Line in the stream, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The value before.
    pub before: String,
    /// The value after.
    pub after: String,
    /// The rule.
    pub rule: String,
    /// The source of the rule.
    pub source: String,
}

/// What to change in a document, in order, and what its author should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// The changes.
    pub changes: Vec<Change>,
    /// The notes.
    pub notes: Vec<Note>,
}

impl Rewritten {
    /// The document with the changes.
    pub fn apply<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.changes.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut new = Vec::with_capacity(bytes.len() + 64 * self.changes.len());
        let mut copied = 0;
        for Change { range, text, .. } in &self.changes {
            new.extend_from_slice(&bytes[copied..range.start]);
            new.extend_from_slice(text.as_bytes());
            copied = range.end;
        }
        new.extend_from_slice(&bytes[copied..]);
        Cow::Owned(new)
    }
}

/// The changes by scalar, and the notes.
struct Plan {
    changes: BTreeMap<Id, Decided>,
    notes: Vec<NodeNote>,
}

impl Manifests<'_> {
    /// Rewrites the images of a document.
    pub fn rewrite(&self, document: &Document<'_>, file: FileKind) -> Rewritten {
        let at = |offset: usize, message: String| {
            let (line, column) = advance((document.line, document.column), &document.bytes[..offset]);
            let notes = vec![Note { line, column, severity: Severity::Error, message }];
            Rewritten { changes: Vec::new(), notes }
        };
        if is_utf16(document.bytes) {
            return at(0, TextError::Utf16.to_string());
        }
        let whole = match str::from_utf8(document.bytes) {
            Ok(text) => text,
            Err(error) => return at(error.valid_up_to(), "not UTF-8".to_owned()),
        };
        if u32::try_from(whole.len()).is_err() {
            return at(0, "the document is larger than 4 GiB".to_owned());
        }
        let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
        let mark = whole.len() - text.len();
        let tree = match parse(text) {
            Ok(tree) => tree,
            Err(Failure { offset, message }) => return at(mark + offset, Printable(&message).to_string()),
        };
        let plan = match self.plan(&tree, file) {
            Ok(plan) => plan,
            Err(Unclear::Duplicate(key)) => {
                let message = format!("the key `{}` occurs twice", Printable(tree.text(key)));
                return at(mark + tree.node(key).start as usize, message);
            }
            Err(Unclear::TooManyAliases) => {
                return at(mark, "aliases expand to more than can be checked".to_owned());
            }
        };
        if plan.changes.is_empty() && plan.notes.is_empty() {
            return Rewritten::default();
        }
        // Positions of notes and changes; most documents have neither.
        let mut lines = Lines::new(text);
        let position = |offset: usize| {
            let (line, column) = lines.position(offset);
            let before = if line == 1 { document.column - 1 } else { 0 };
            (document.line + line - 1, column + before)
        };
        match changes(&tree, &plan, position, mark) {
            Ok(rewritten) => rewritten,
            Err(offset) => at(mark + offset, "the document would not stay the same apart from its images".to_owned()),
        }
    }

    fn plan(&self, tree: &Tree<'_>, file: FileKind) -> Result<Plan, Unclear> {
        let Found { units, not_strings } = find(tree, self.paths, file == FileKind::Kustomization)?;
        let mut notes: Vec<NodeNote> = Vec::new();
        for value in not_strings {
            let message = format!("the image is {}, not a string", value.found.name());
            notes.push((value.node, Severity::Error, message));
        }
        // With how often each image is visited, and whether all visits agree.
        let mut images: BTreeMap<Id, (Decided, u64, bool)> = BTreeMap::new();
        for unit in &units {
            let decided = decide(tree, unit, self.rewriter, self.settings, self.namespace, &mut notes)?;
            for image in decided {
                match images.get_mut(&image.node) {
                    Some((known, visits, agree)) => {
                        *visits += 1;
                        *agree &= known.value == image.value;
                    }
                    None => {
                        images.insert(image.node, (image, 1, true));
                    }
                }
            }
        }
        images.retain(|_, (image, _, agree)| image.value.is_some() || !*agree);
        let uses = if tree.has_aliases && !images.is_empty() { Some(uses(tree, &images)?) } else { None };
        let mut changes = BTreeMap::new();
        for (node, (image, visits, agree)) in images {
            let total = uses.as_ref().map_or(visits, |uses| uses[&node]);
            let reason = if visits != total {
                "an alias uses the anchored image where no image is, or where it is not rewritten"
            } else if !agree {
                "an alias uses the anchored image in several pods, of which not all are rewritten to the same"
            } else {
                changes.insert(node, image);
                continue;
            };
            let message = format!("`{}` unchanged: {reason}", Printable(tree.text(node)));
            notes.push((node, Severity::Error, message));
        }
        // Anchored images are reported once.
        notes.sort_by_key(|(node, ..)| tree.node(*node).start);
        notes.dedup();
        Ok(Plan { changes, notes })
    }
}

fn parse(text: &str) -> Result<Tree<'_>, Failure> {
    json::parse(text).map_or_else(|| yaml::parse(text), Ok)
}

/// How often each scalar of `images` is used, with aliases and merge keys expanded.
fn uses(tree: &Tree<'_>, images: &BTreeMap<Id, (Decided, u64, bool)>) -> Result<BTreeMap<Id, u64>, Unclear> {
    let mut uses: BTreeMap<Id, u64> = images.keys().map(|&id| (id, 0)).collect();
    let mut left = 1_000_000 + tree.nodes.len().saturating_mul(4);
    let mut pending = vec![(tree.root, 0)];
    while let Some((id, depth)) = pending.pop() {
        left = left.checked_sub(1).filter(|_| depth <= MAX_DEPTH).ok_or(Unclear::TooManyAliases)?;
        let id = tree.resolve(id);
        match tree.node(id).kind {
            Kind::Scalar(..) => {
                if let Some(count) = uses.get_mut(&id) {
                    *count += 1;
                }
            }
            Kind::Map => {
                for (key, value) in tree.entries(id)? {
                    pending.push((key, depth + 1));
                    pending.push((value, depth + 1));
                }
            }
            Kind::List | Kind::Alias => pending.extend(tree.children(id).map(|child| (child, depth + 1))),
        }
    }
    Ok(uses)
}

/// The changes and notes with positions, checked: the changed document must have the same nodes but for its images.
///
/// # Errors
/// Where the check fails, as an offset in the text.
fn changes(
    tree: &Tree<'_>,
    plan: &Plan,
    mut position: impl FnMut(usize) -> (usize, usize),
    mark: usize,
) -> Result<Rewritten, usize> {
    let mut rewritten = Rewritten::default();
    let mut edits: Vec<(Id, &str)> = Vec::new();
    for (&node, decided) in &plan.changes {
        let start = tree.node(node).start as usize;
        let Some(after) = decided.value.as_deref() else { continue };
        let (range, text) = tree.edit(node, after).ok_or(start)?;
        let (rule, source) = decided.rule.clone().unwrap_or_default();
        let (line, column) = position(start);
        let before = tree.text(node).to_owned();
        edits.push((node, after));
        let range = range.start + mark..range.end + mark;
        rewritten.changes.push(Change { range, text, line, column, before, after: after.to_owned(), rule, source });
    }
    if !edits.is_empty() {
        let first = tree.node(edits[0].0).start as usize;
        // The ranges are in the text with its byte order mark, so the check is of that text.
        let marked = format!("{}{}", if mark > 0 { "\u{feff}" } else { "" }, tree.text);
        let new = rewritten.apply(marked.as_bytes());
        let new = str::from_utf8(&new[mark..]).map_err(|_| first)?;
        let same = parse(new).is_ok_and(|after| tree.equals_except(&after, &edits));
        if tree.root == NONE || !same {
            return Err(first);
        }
    }
    for (node, severity, message) in &plan.notes {
        let (line, column) = position(tree.node(*node).start as usize);
        rewritten.notes.push(Note { line, column, severity: *severity, message: message.clone() });
    }
    Ok(rewritten)
}
