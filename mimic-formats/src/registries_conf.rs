//! `registries.conf`, version 2, of CRI-O, Podman and Skopeo.
//! See <https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md>.

use std::collections::HashMap;

use mimic_core::internal::yaml::{Node, Value};
use mimic_core::{DOCKER_HUB, ImageRef, Problem, References};

use crate::candidates::{Candidate, Place, choose, left_out};
use crate::endpoint::is_same;
use crate::report::{Note, Report};
use crate::scope::Scope;
use crate::source_file::SourceFile;
use crate::toml_tree;
use crate::tree::Reader;

/// A `[[registry]]`.
struct Table {
    file: String,
    line: usize,
    scope: Scope,
    candidates: Vec<Candidate>,
    blocked: Option<usize>,
}

/// `files` are in the order in which the tools read them: a later table replaces one with the same prefix.
pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    let (mut tables, mut by_prefix) = (Vec::<Option<Table>>::new(), HashMap::<String, usize>::new());
    for file in files {
        if let Err(problem) = read(file, &mut tables, &mut by_prefix, report) {
            report.problem(problem);
        }
    }
    let mut tables: Vec<Table> = tables.into_iter().flatten().collect();
    let shadows: Vec<Option<String>> = tables
        .iter()
        .map(|table| {
            let shadow = tables.iter().find(|other| table.scope.is_shadowed_by(&other.scope))?;
            Some(shadow.scope.upstream.clone())
        })
        .collect();
    let mut shadows = shadows.into_iter();
    tables.retain(|table| {
        let Some(shadow) = shadows.next().flatten() else { return true };
        let message =
            format!("`{}` is never used: `{shadow}` matches its images, too; not imported", table.scope.upstream);
        report.warn(Problem::new(&table.file, message).at_line(table.line));
        false
    });
    let is_nested: Vec<bool> =
        tables.iter().map(|table| tables.iter().any(|other| other.scope.covers(&table.scope))).collect();
    for (table, is_nested) in tables.into_iter().zip(is_nested) {
        add(table, is_nested, report);
    }
}

fn read(
    file: &SourceFile<'_>,
    tables: &mut Vec<Option<Table>>,
    by_prefix: &mut HashMap<String, usize>,
    report: &mut Report,
) -> Result<(), Problem> {
    let reader = Reader { file: file.name };
    let root = toml_tree::parse(file.name, file.text)?;
    for (key, value) in reader.map(&root, "the file")? {
        match reader.text(key, "a key")? {
            "registry" => {}
            "registries" => {
                return Err(reader
                    .problem(key.line, "a `registries.conf` of version 1, which is not supported")
                    .with_hint("write its registries as `[[registry]]`"));
            }
            "unqualified-search-registries" => search_registries(reader, value, report)?,
            "aliases" => aliases(reader, value, report)?,
            "credential-helpers" => report.note(Note::Credentials),
            _ => report.note(Note::Other),
        }
    }
    let mut here: HashMap<String, usize> = HashMap::new();
    for node in reader.list_at(&root, "registry")? {
        let Some((prefix, table)) = table(reader, node, report)? else { continue };
        if let Some(line) = here.get(&prefix) {
            let message = format!("prefix `{prefix}` is already in line {line}, which is used");
            report.warn(reader.problem(node.line, message));
            continue;
        }
        here.insert(prefix.clone(), node.line);
        if let Some(before) = by_prefix.insert(prefix, tables.len()) {
            tables[before] = None;
        }
        tables.push(Some(table));
    }
    Ok(())
}

/// A table and its prefix. `None` if it matches no image that a rule can match.
fn table(reader: Reader<'_>, node: &Node, report: &mut Report) -> Result<Option<(String, Table)>, Problem> {
    reader.map(node, "`[[registry]]`")?;
    let location = reader.text_at(node, "location")?.filter(|(location, _)| !location.is_empty());
    let prefix = reader.text_at(node, "prefix")?.filter(|(prefix, _)| !prefix.is_empty()).or(location);
    let Some((prefix, line)) = prefix else {
        return Err(reader
            .problem(node.line, "`[[registry]]` has neither `prefix` nor `location`")
            .with_hint("write `prefix = \"docker.io\"`"));
    };
    let prefix = checked(reader, prefix, line)?;
    let is_wildcard = prefix.starts_with("*.");
    if location.is_none() && !is_wildcard {
        let message = format!("`{prefix}` has no `location`");
        return Err(reader.problem(line, message).with_hint(format!("write `location = \"{prefix}\"`")));
    }
    let blocked = reader.flag_at(node, "blocked")?.then(|| node.get("blocked").map_or(node.line, |node| node.line));
    if reader.flag_at(node, "insecure")? {
        report.note(Note::Tls);
    }
    let digest_only = reader.flag_at(node, "mirror-by-digest-only")?;
    let mut written = Vec::new();
    for mirror in reader.list_at(node, "mirror")? {
        reader.map(mirror, "`[[registry.mirror]]`")?;
        let Some((location, line)) = reader.text_at(mirror, "location")? else {
            return Err(reader.problem(mirror.line, "`[[registry.mirror]]` has no `location`"));
        };
        if reader.flag_at(mirror, "insecure")? {
            report.note(Note::Tls);
        }
        let kind = reader.text_at(mirror, "pull-from-mirror")?.filter(|(kind, _)| !kind.is_empty());
        let references = match kind {
            None if digest_only => References::Digest,
            None | Some(("all", _)) => References::Any,
            Some(("digest-only", _)) => References::Digest,
            Some(("tag-only", _)) => References::Tag,
            Some((other, line)) => {
                return Err(reader
                    .problem(line, format!("invalid value `{other}` for `pull-from-mirror`"))
                    .with_hint("valid values: `all`, `digest-only`, `tag-only`"));
            }
        };
        if let Some((_, line)) = kind.filter(|_| digest_only) {
            let message = "`pull-from-mirror` cannot be combined with `mirror-by-digest-only`";
            return Err(reader.problem(line, message).with_hint("remove one of them"));
        }
        written.push((checked(reader, location, line)?, line, references));
    }
    if let Some((location, line)) = location {
        written.push((checked(reader, location, line)?, line, References::Any));
    }
    let scope = match Scope::parse(prefix) {
        Ok(scope) => scope,
        Err(reason) => {
            report.warn(reader.problem(line, format!("not imported: {reason}")));
            return Ok(None);
        }
    };
    let mut candidates = Vec::new();
    for (location, line, references) in written {
        let place = if is_same(location, prefix) { Place::Upstream } else { Place::Mirror(location.to_owned()) };
        candidates.push(Candidate { written: location.to_owned(), line, references, place });
    }
    let file = reader.file.to_owned();
    Ok(Some((prefix.to_owned(), Table { file, line, scope, candidates, blocked })))
}

/// A prefix or a location without the slash at its end, as the tools read it.
fn checked<'t>(reader: Reader<'_>, text: &'t str, line: usize) -> Result<&'t str, Problem> {
    let without = text.trim_end_matches('/');
    match without.split_once("://") {
        Some((_, rest)) => Err(reader
            .problem(line, format!("`{text}` has a scheme, which the tools refuse"))
            .with_hint(format!("write `{rest}`"))),
        None => Ok(without),
    }
}

fn add(table: Table, is_nested: bool, report: &mut Report) {
    let Table { file, line, scope, candidates, blocked } = table;
    if blocked.is_none() && candidates.iter().any(|candidate| matches!(candidate.place, Place::Upstream)) {
        report.note(Note::Upstream);
    }
    let mirrors = choose(&file, candidates, report);
    if let (Some(line), Some(left)) = (blocked, left_out(&mirrors)) {
        let what = match left {
            References::Any => "images",
            References::Tag => "tags",
            References::Digest => "digests",
        };
        let message = format!("`{}` is blocked; Mimic blocks nothing: its {what} are left unchanged", scope.upstream);
        report.warn(Problem::new(&file, message).at_line(line));
    }
    // Only the most specific table applies, also if it has no mirrors.
    let keep = mirrors.is_empty();
    if keep && !is_nested {
        return;
    }
    let mut spec = scope.rule();
    (spec.mirrors, spec.keep) = (mirrors, keep);
    report.add(&file, line, spec);
}

/// Registries other than Docker Hub change what a short name means. Mimic reads short names as the kubelet does.
fn search_registries(reader: Reader<'_>, node: &Node, report: &mut Report) -> Result<(), Problem> {
    for registry in reader.list(node, "`unqualified-search-registries`")? {
        let name = reader.text(registry, "a registry")?;
        if !is_same(name, DOCKER_HUB) {
            let message =
                format!("short names are not searched at `{name}`: to Mimic, `nginx` is `docker.io/library/nginx`");
            report.warn(reader.problem(registry.line, message));
        }
    }
    Ok(())
}

fn aliases(reader: Reader<'_>, node: &Node, report: &mut Report) -> Result<(), Problem> {
    for (name, value) in reader.map(node, "`aliases`")? {
        let Value::Text(target) = &value.value else { continue };
        let short = reader.text(name, "an alias")?;
        let is_hub = match (ImageRef::parse(short), ImageRef::parse(target)) {
            (Ok(short), Ok(target)) => short == target,
            _ => false,
        };
        if !is_hub && !target.is_empty() {
            let message = format!("alias `{short}` is not imported: to Mimic, it is an image of Docker Hub");
            report.warn(reader.problem(name.line, message));
        }
    }
    Ok(())
}
