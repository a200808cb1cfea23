//! Kyverno policies that replace the registry of images. See <https://kyverno.io/policies/>.

use std::collections::BTreeSet;

use mimic_core::internal::yaml::{Node, Value};
use mimic_core::{MirrorSpec, Problem, RuleSpec};

use crate::documents::read_each;
use crate::globs::{Found, globs};
use crate::report::{Note, Report};
use crate::source_file::SourceFile;
use crate::tree::Reader;

pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    read_each(files, report, read);
}

fn read(reader: Reader<'_>, root: &Node, report: &mut Report) -> Result<(), Problem> {
    reader.map(root, "a policy")?;
    let kind = reader.text_at(root, "kind")?.map_or("", |(kind, _)| kind);
    if !matches!(kind, "ClusterPolicy" | "Policy") {
        return Err(reader
            .problem(root.line, format!("`{kind}` is not a policy of Kyverno that is known"))
            .with_hint("pass a `ClusterPolicy` or `Policy`"));
    }
    let Some(spec) = root.get("spec") else { return Ok(()) };
    report.note(Note::Other);
    let mut seen = BTreeSet::new();
    for rule in reader.list_at(spec, "rules")? {
        let Some(mutate) = rule.get("mutate") else { continue };
        let name = reader.text_at(rule, "name")?.map_or("", |(name, _)| name);
        let mut images = Vec::new();
        collect_images(mutate, &mut images);
        if images.is_empty() {
            report.warn(reader.problem(rule.line, format!("rule `{name}` sets no `image`; not imported")));
            continue;
        }
        let (mut base, mut registries) = (RuleSpec::default(), None);
        conditions(reader, rule, mutate, (&mut base, &mut registries), report)?;
        for (image, line) in images {
            let image: String = image.split_whitespace().collect::<Vec<_>>().join(" ");
            let Some((found, location)) = meaning(&image) else {
                report.warn(reader.problem(line, format!("image `{image}` of rule `{name}` is not imported")));
                continue;
            };
            if image.contains("'^[^/]") {
                let message = format!(
                    "in `{image}`, Kyverno replaces the first part of names without a registry, too; Mimic adds the registry"
                );
                report.warn(reader.problem(line, message));
            }
            let upstreams = match (&registries, found) {
                (Some(registries), found) if found == [Found { registry: None, globs: None }] => {
                    registries.iter().map(|registry| Found { registry: Some(registry.clone()), globs: None }).collect()
                }
                (_, found) => found,
            };
            for Found { registry, globs } in upstreams {
                let upstream = registry.unwrap_or_else(|| "*".to_owned());
                // The same for containers, init containers and ephemeral containers.
                if !seen.insert((upstream.clone(), globs.clone(), location.clone(), base.include_namespaces.clone())) {
                    continue;
                }
                let mirrors = vec![MirrorSpec { location: location.clone(), ..MirrorSpec::default() }];
                let spec = RuleSpec { upstream: Some(upstream), include: globs, mirrors, ..base.clone() };
                report.add(reader.file, line, spec);
            }
        }
    }
    Ok(())
}

/// All values of `image`, in any depth, with their lines.
fn collect_images<'n>(node: &'n Node, images: &mut Vec<(&'n str, usize)>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect_images(item, images)),
        Value::Map(entries) => {
            for (key, value) in entries {
                match (&key.value, &value.value) {
                    (Value::Text(key), Value::Text(image))
                        if key.trim_start_matches(['+', '(']).trim_end_matches(')') == "image" =>
                    {
                        // The condition `(image)` of an anchor sets nothing.
                        if !key.starts_with('(') {
                            images.push((image, value.line));
                        }
                    }
                    _ => collect_images(value, images),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Text(_) => {}
    }
}

/// Which images an expression changes, and the location. `None` if a rule cannot express it.
fn meaning(image: &str) -> Option<(Vec<Found>, String)> {
    let all = || vec![Found { registry: None, globs: None }];
    if let Some(call) = image.strip_prefix("{{").and_then(|rest| rest.trim().strip_prefix("regex_replace_all")) {
        let arguments = call.strip_prefix("_literal").unwrap_or(call).trim().strip_prefix('(')?;
        let arguments = arguments.strip_suffix("}}")?.trim().strip_suffix(')')?;
        let parts = quoted(arguments);
        let [pattern, subject, replacement] = parts.as_slice() else { return None };
        if !subject.contains("image") || replacement.contains('$') {
            return None;
        }
        if matches!(pattern.as_str(), "^[^/]+" | "^[^/]*") {
            return Some((all(), replacement.trim_end_matches('/').to_owned()));
        }
        let found = globs(pattern)?;
        // The replacement is for the registry.
        let is_registry = found.iter().all(|found| found.registry.is_some() && found.globs.is_none());
        let is_whole = pattern.ends_with('/') == replacement.ends_with('/') && !pattern.contains('*');
        return (is_registry && is_whole).then(|| (found, replacement.trim_end_matches('/').to_owned()));
    }
    // `host/{{ images.containers."{{element.name}}".path }}:{{ … .tag }}`
    let (location, rest) = image.split_once("/{{")?;
    let (path, rest) = rest.split_once("path")?;
    let keeps_tag = rest.trim_start().trim_start_matches('}').trim_start().starts_with(":{{") && rest.contains("tag");
    (path.contains("images") && keeps_tag && !location.contains('{')).then(|| (all(), location.to_owned()))
}

/// The strings in quotes.
fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['\'', '"', '`']) {
        let quote = &rest[start..=start];
        let Some(length) = rest[start + 1..].find(quote) else { break };
        found.push(rest[start + 1..start + 1 + length].to_owned());
        rest = &rest[start + 2 + length..];
    }
    found
}

/// Adds what limits a rule: namespaces, and registries in preconditions. Warns about everything else.
fn conditions(
    reader: Reader<'_>,
    rule: &Node,
    mutate: &Node,
    (spec, registries): (&mut RuleSpec, &mut Option<Vec<String>>),
    report: &mut Report,
) -> Result<(), Problem> {
    for key in ["match", "exclude"] {
        let Some(node) = rule.get(key) else { continue };
        for resources in resources(node) {
            for (name, value) in reader.map(resources, "`resources`")? {
                match reader.text(name, "a key")? {
                    "kinds" | "operations" => {}
                    "namespaces" => {
                        let namespaces = reader.list(value, "`namespaces`")?.iter();
                        let namespaces = namespaces.map(|node| Ok(reader.text(node, "a namespace")?.to_owned()));
                        let namespaces = namespaces.collect::<Result<Vec<_>, Problem>>()?;
                        if key == "match" {
                            spec.include_namespaces.get_or_insert_default().extend(namespaces);
                        } else {
                            spec.exclude_namespaces.extend(namespaces);
                        }
                    }
                    other => {
                        let message = format!("`{other}` of `{key}` is not imported: the rule applies to more pods");
                        report.warn(reader.problem(name.line, message));
                    }
                }
            }
        }
    }
    let mut preconditions = Vec::new();
    collect_preconditions(rule, &mut preconditions);
    collect_preconditions(mutate, &mut preconditions);
    for condition in preconditions {
        let text = |key: &str| reader.text_at(condition, key).ok().flatten().map_or("", |(text, _)| text);
        let (key, operator) = (text("key"), text("operator"));
        let values: Vec<String> = match condition.get("value").map(|value| &value.value) {
            Some(Value::Text(value)) => vec![value.clone()],
            Some(Value::List(items)) => {
                items.iter().filter_map(|item| reader.text(item, "").ok().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        if key.contains(".registry") && matches!(operator, "Equals" | "Equal" | "In" | "AnyIn") && !values.is_empty() {
            registries.get_or_insert_default().extend(values);
        } else if !key.contains("request.operation") {
            report.warn(reader.problem(
                condition.line,
                format!("precondition `{key}` is not imported: the rule applies to more images"),
            ));
        }
    }
    Ok(())
}

/// The `resources` of a `match` or `exclude`.
fn resources(node: &Node) -> Vec<&Node> {
    let mut found: Vec<&Node> = node.get("resources").into_iter().collect();
    for key in ["any", "all"] {
        if let Some(Value::List(items)) = node.get(key).map(|list| &list.value) {
            found.extend(items.iter().filter_map(|item| item.get("resources")));
        }
    }
    found
}

/// The conditions of `preconditions`, in any depth.
fn collect_preconditions<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    if let Some(preconditions) = node.get("preconditions") {
        let lists = [Some(preconditions), preconditions.get("all"), preconditions.get("any")];
        for list in lists.into_iter().flatten() {
            if let Value::List(items) = &list.value {
                found.extend(items);
            }
        }
    }
    if let Some(Value::List(items)) = node.get("foreach").map(|list| &list.value) {
        for item in items {
            collect_preconditions(item, found);
        }
    }
}
