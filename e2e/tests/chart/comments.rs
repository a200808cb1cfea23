//! The comments of `values.yaml`.

/// A key with the comment above it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Commented {
    /// The keys that lead to it.
    pub(crate) path: Vec<String>,
    /// Lines without their `# `; empty for a key without a comment.
    pub(crate) comment: Vec<String>,
}

/// The keys of a file with values, in their order.
///
/// Supports the YAML that such a file uses: nested maps, and lists, whose items it skips.
pub(crate) fn read(text: &str) -> Vec<Commented> {
    let mut keys = Vec::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut comment = Vec::new();
    let mut item = None;
    for line in text.lines() {
        let rest = line.trim_start();
        let indent = line.len() - rest.len();
        if let Some(text) = rest.strip_prefix('#') {
            comment.push(text.strip_prefix(' ').unwrap_or(text).to_owned());
            continue;
        }
        let comment = std::mem::take(&mut comment);
        if rest.starts_with('-') {
            item = Some(indent);
        }
        if item.is_some_and(|item| item <= indent) {
            continue;
        }
        item = None;
        let Some((key, _)) = rest.split_once(':') else { continue };
        above.retain(|(outer, _)| *outer < indent);
        above.push((indent, key.to_owned()));
        keys.push(Commented { path: above.iter().map(|(_, key)| key.clone()).collect(), comment });
    }
    keys
}

#[test]
fn a_key_has_the_comment_above_it() {
    let text = "# The first,\n# in two lines.\na:\n  # Within.\n  b: 1\n  c: [x]\n\n# A list.\nd:\n  - e: 1\n    g: 2\n# Lost.\n\nf: 2\n";
    let key = |path: &[&str], comment: &[&str]| Commented {
        path: path.iter().map(ToString::to_string).collect(),
        comment: comment.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(
        read(text),
        [
            key(&["a"], &["The first,", "in two lines."]),
            key(&["a", "b"], &["Within."]),
            key(&["a", "c"], &[]),
            key(&["d"], &["A list."]),
            key(&["f"], &[]),
        ]
    );
}
