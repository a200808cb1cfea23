//! Writes rows as files.

use std::fmt::Write as _;

use mimic_core::References;

use crate::export::format::{ExportFormat, ExportedFile};
use crate::export::rows::{Row, Target};
use crate::export::scope::Scope;
use crate::render::scalar;

const HEAD: &str = "# Written by `mimic export`.\n";

/// A directory for each registry.
pub(crate) fn hosts_toml(rows: &[Row]) -> Vec<ExportedFile> {
    let file = |row: &Row| {
        let mut text = HEAD.to_owned();
        if row.targets.is_empty() {
            text.push_str("# No mirrors: this registry does not get those of `_default`.\n");
        }
        for target in &row.targets {
            let (url, is_whole) = url(target);
            let capabilities =
                if target.references == References::Digest { "\"pull\"" } else { "\"pull\", \"resolve\"" };
            let _ = write!(text, "\n[host.\"{url}\"]\ncapabilities = [{capabilities}]\n");
            if is_whole {
                text.push_str("override_path = true\n");
            }
        }
        let directory = match &row.scope {
            Scope::All => "_default".to_owned(),
            scope => encoded(&scope.text()),
        };
        ExportedFile { path: format!("{directory}/hosts.toml"), text }
    };
    let mut files: Vec<ExportedFile> = rows.iter().map(file).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The name of a registry's directory, without a colon before the port.
fn encoded(registry: &str) -> String {
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => format!("{host}_{port}_"),
        _ => registry.to_owned(),
    }
}

/// The URL of a mirror, and whether its path is complete.
fn url(target: &Target) -> (String, bool) {
    match target.location.split_once('/') {
        Some((host, path)) => (format!("https://{host}/v2/{path}"), true),
        None => (format!("https://{}", target.location), false),
    }
}

pub(crate) fn registries_yaml(rows: &[Row]) -> Vec<ExportedFile> {
    let mut text = HEAD.to_owned();
    text.push_str(if rows.is_empty() { "mirrors: {}\n" } else { "mirrors:\n" });
    for row in rows {
        let name = scalar(&row.scope.text());
        if row.targets.is_empty() {
            let _ = writeln!(text, "  {name}: {{}}");
            continue;
        }
        let _ = writeln!(text, "  {name}:\n    endpoint:");
        for target in &row.targets {
            let _ = writeln!(text, "      - {}", url(target).0);
        }
    }
    vec![ExportedFile { path: "registries.yaml".to_owned(), text }]
}

pub(crate) fn registries_conf(rows: &[Row]) -> Vec<ExportedFile> {
    let mut text = HEAD.to_owned();
    for row in rows {
        let prefix = row.scope.text();
        let _ = write!(text, "\n[[registry]]\nprefix = \"{prefix}\"\n");
        if !prefix.starts_with('*') {
            let _ = writeln!(text, "location = \"{prefix}\"");
        }
        for Target { location, references } in &row.targets {
            let _ = write!(text, "\n[[registry.mirror]]\nlocation = \"{location}\"\n");
            if *references != References::Any {
                let _ = writeln!(text, "pull-from-mirror = \"{}-only\"", references.as_str());
            }
        }
    }
    vec![ExportedFile { path: "registries.conf".to_owned(), text }]
}

/// One object for the digests or the tags.
pub(crate) fn mirror_set(format: ExportFormat, rows: &[Row]) -> Vec<ExportedFile> {
    let (kind, list) = match format {
        ExportFormat::Itms => ("ImageTagMirrorSet", "imageTagMirrors"),
        _ => ("ImageDigestMirrorSet", "imageDigestMirrors"),
    };
    let mut text =
        format!("{HEAD}apiVersion: config.openshift.io/v1\nkind: {kind}\nmetadata:\n  name: mimic\nspec:\n  {list}:");
    text.push_str(if rows.is_empty() { " []\n" } else { "\n" });
    for row in rows {
        let source = row.scope.text();
        let _ = writeln!(text, "    - source: {}\n      mirrors:", scalar(&source));
        // A source without mirrors would have those of its parent.
        let itself = [source.as_str()];
        let targets = row.targets.iter().map(|target| target.location.as_str());
        for mirror in targets.chain(itself.into_iter().filter(|_| row.targets.is_empty())) {
            let _ = writeln!(text, "        - {}", scalar(mirror));
        }
    }
    vec![ExportedFile { path: format!("{}.yaml", format.as_str()), text }]
}
