//! Writes `mirrors.yaml`.

use std::collections::HashMap;
use std::fmt::Write as _;

use mimic_core::{Library, MirrorSpec, References, RuleSpec};

use crate::endpoint::canonical;
use crate::entry::Entry;

/// The content of a `mirrors.yaml` with these rules, each with a comment that says where it comes from.
pub(crate) fn mirrors(entries: &[Entry], names_files: bool) -> String {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for upstream in entries.iter().filter_map(|entry| entry.spec.upstream.as_deref()) {
        *uses.entry(canonical(upstream)).or_default() += 1;
    }
    // Between rules with one upstream, the order written counts.
    let is_alone = |upstream: &str| uses.get(&canonical(upstream)) == Some(&1);
    let comment = |entry: &Entry| {
        if names_files { format!("{}:{}", one_line(&entry.file), entry.line) } else { format!("line {}", entry.line) }
    };
    let (mut short, mut long) = (String::new(), String::new());
    for entry in entries {
        match entry.short().filter(|(upstream, _)| is_alone(upstream)) {
            Some((upstream, mirror)) => {
                let _ = writeln!(short, "  {}: {}  # {}", scalar(upstream), scalar(mirror), comment(entry));
            }
            None => rule(&entry.spec, &comment(entry), &mut long),
        }
    }
    let parts = [("mirrors:\n", short), ("rules:\n", long)];
    let parts: Vec<String> =
        parts.into_iter().filter(|(_, part)| !part.is_empty()).map(|(key, part)| format!("{key}{part}")).collect();
    if parts.is_empty() { "mirrors: {}\n".to_owned() } else { parts.join("\n") }
}

fn rule(spec: &RuleSpec, comment: &str, out: &mut String) {
    let mut lines = Vec::new();
    let text = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key}: {}", scalar(value)));
    lines.extend(text("name", &spec.name));
    lines.extend(text("upstream", &spec.upstream));
    lines.extend(text("pattern", &spec.pattern));
    if spec.references != References::Any {
        lines.push(format!("references: {}", spec.references.as_str()));
    }
    if spec.library == Library::Strip {
        lines.push("library: strip".to_owned());
    }
    if spec.priority != 0 {
        lines.push(format!("priority: {}", spec.priority));
    }
    if let Some(include) = &spec.include {
        lines.push(format!("include: {}", list(include)));
    }
    if !spec.exclude.is_empty() {
        lines.push(format!("exclude: {}", list(&spec.exclude)));
    }
    let namespaces = [
        spec.include_namespaces.as_ref().map(|include| format!("include: {}", list(include))),
        (!spec.exclude_namespaces.is_empty()).then(|| format!("exclude: {}", list(&spec.exclude_namespaces))),
    ];
    let namespaces: Vec<String> = namespaces.into_iter().flatten().collect();
    if !namespaces.is_empty() {
        lines.push(format!("namespaces: {{{}}}", namespaces.join(", ")));
    }
    lines.extend(text("pullSecret", &spec.pull_secret));
    if spec.keep {
        lines.push("keep: true".to_owned());
    }
    match spec.mirrors.as_slice() {
        [] => {}
        [mirror] => lines.push(format!("mirrors: [{}]", location(mirror))),
        mirrors => {
            lines.push("mirrors:".to_owned());
            lines.extend(mirrors.iter().map(|mirror| format!("  - {}", location(mirror))));
        }
    }
    for (number, line) in lines.iter().enumerate() {
        let start = if number == 0 { "  - " } else { "    " };
        let end = if number == 0 { format!("  # {comment}") } else { String::new() };
        let _ = writeln!(out, "{start}{line}{end}");
    }
}

fn location(mirror: &MirrorSpec) -> String {
    match mirror.references {
        References::Any => scalar(&mirror.location),
        references => format!("{{location: {}, references: {}}}", scalar(&mirror.location), references.as_str()),
    }
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| scalar(item)).collect::<Vec<_>>().join(", "))
}

/// A string as YAML, also within `[]` and `{}`.
pub(crate) fn scalar(text: &str) -> String {
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b':'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.contains(['.', '/', '-'])
        && !text.ends_with(':')
        && text.contains(|c: char| c.is_ascii_alphabetic())
        || (!text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphabetic())
            && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
                .contains(&text.to_ascii_lowercase().as_str()));
    if is_plain {
        return text.to_owned();
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}')) {
        let escaped = text.chars().fold(String::new(), |mut out, c| {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if c.is_control() || !c.is_ascii() => {
                    let _ = write!(out, "\\U{:08X}", u32::from(c));
                }
                c => out.push(c),
            }
            out
        });
        return format!("\"{escaped}\"");
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// A name for a comment.
fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
