//! The configuration of harbor-container-webhook. See <https://github.com/IndeedEng-alpha/harbor-container-webhook>.

use std::collections::BTreeMap;

use mimic_core::internal::yaml::Node;
use mimic_core::{MirrorSpec, Problem, RuleSpec};

use crate::documents::documents;
use crate::globs::globs;
use crate::report::{Note, Report};
use crate::source_file::SourceFile;
use crate::tree::Reader;

const RULE_KEYS: [&str; 10] = [
    "name",
    "matches",
    "excludes",
    "replace",
    "checkUpstream",
    "platforms",
    "authSecretName",
    "namespace",
    "serviceAccount",
    "replaceRepository",
];

/// A rule for one registry.
struct Rule {
    name: String,
    line: usize,
    /// `None` for all registries.
    registry: Option<String>,
    include: Option<Vec<String>>,
    exclude: Vec<String>,
    location: String,
}

pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    for file in files {
        let reader = Reader { file: file.name };
        let mut rules = Vec::new();
        let read = documents(file.name, file.text)
            .and_then(|documents| documents.iter().try_for_each(|root| read(reader, root, &mut rules, report)));
        match read {
            Ok(()) => add(reader, rules, report),
            Err(problem) => report.problem(problem),
        }
    }
}

fn read(reader: Reader<'_>, root: &Node, rules: &mut Vec<Rule>, report: &mut Report) -> Result<(), Problem> {
    reader.map(root, "the file")?;
    report.note(Note::Other);
    if root.get("rules").is_none() {
        return Err(reader.problem(root.line, "the file has no `rules`"));
    }
    for (number, node) in reader.list_at(root, "rules")?.iter().enumerate() {
        report.warn_all(reader.unknown_keys(reader.map(node, "a rule")?, &RULE_KEYS, "the webhook"));
        let name =
            reader.text_at(node, "name")?.map_or_else(|| format!("rule {}", number + 1), |(name, _)| name.to_owned());
        let Some((location, _)) = reader.text_at(node, "replace")? else {
            return Err(reader.problem(node.line, format!("rule `{name}` has no `replace`")));
        };
        if node.get("authSecretName").is_some() {
            report.note(Note::Credentials);
        }
        if reader.flag_at(node, "checkUpstream")? {
            let line = node.get("checkUpstream").map_or(node.line, |node| node.line);
            report.warn(
                reader.problem(line, format!("rule `{name}` rewrites without a check that the mirror has the image")),
            );
        }
        if reader.flag_at(node, "replaceRepository")? {
            report.warn(reader.problem(node.line, format!("rule `{name}` has `replaceRepository`; not imported")));
            continue;
        }
        let mut by_registry: BTreeMap<Option<String>, Option<Vec<String>>> = BTreeMap::new();
        for (expression, line) in expressions(reader, node, "matches")? {
            let Some(all) = globs(expression) else {
                let message = format!("expression `{expression}` of rule `{name}` is not imported");
                report.warn(reader.problem(line, message).with_hint("write the rule with `pattern` or `include`"));
                continue;
            };
            for found in all {
                let include = by_registry.entry(found.registry).or_insert_with(|| Some(Vec::new()));
                match found.globs {
                    None => *include = None,
                    Some(globs) => {
                        if let Some(include) = include {
                            include.extend(globs);
                        }
                    }
                }
            }
        }
        let mut exclude = Vec::new();
        for (expression, line) in expressions(reader, node, "excludes")? {
            match globs(expression) {
                Some(all) if all.iter().all(|found| found.registry.is_some()) => {
                    exclude.extend(all.into_iter().flat_map(|found| {
                        let all = found.registry.into_iter().map(|registry| format!("{registry}/**")).collect();
                        found.globs.unwrap_or(all)
                    }));
                }
                _ => {
                    let message = format!(
                        "exclusion `{expression}` of rule `{name}` is not imported: these images are rewritten, too"
                    );
                    report.warn(reader.problem(line, message).with_hint("write it as a glob under `exclude`"));
                }
            }
        }
        for (registry, include) in by_registry {
            let of_registry =
                |glob: &&String| registry.as_ref().is_none_or(|registry| glob.starts_with(&format!("{registry}/")));
            let exclude = exclude.iter().filter(of_registry).cloned().collect();
            let location = location.trim_end_matches('/').to_owned();
            rules.push(Rule { name: name.clone(), line: node.line, registry, include, exclude, location });
        }
    }
    Ok(())
}

fn expressions<'n>(reader: Reader<'_>, node: &'n Node, key: &str) -> Result<Vec<(&'n str, usize)>, Problem> {
    let expressions = reader.list_at(node, key)?.iter();
    expressions.map(|node| Ok((reader.text(node, "an expression")?, node.line))).collect()
}

/// The webhook uses the first rule that matches and does not exclude the image. In Mimic, a rule that excludes an image is the
/// last one that is tried, so what a later rule does with excluded images goes first.
fn add(reader: Reader<'_>, mut rules: Vec<Rule>, report: &mut Report) {
    let mut at = 0;
    while at < rules.len() {
        let first = (0..at).find(|&earlier| {
            let (earlier, rule) = (&rules[earlier], &rules[at]);
            let is_excluded = |glob: &String| earlier.exclude.contains(glob);
            earlier.registry == rule.registry
                && rule.include.as_ref().is_some_and(|include| include.iter().all(is_excluded))
        });
        if let Some(first) = first {
            let rule = rules.remove(at);
            rules.insert(first, rule);
        } else if let Some(earlier) =
            rules[..at].iter().find(|earlier| earlier.registry == rules[at].registry && !earlier.exclude.is_empty())
        {
            let message =
                format!("rule `{}` is not tried for images that rule `{}` excludes", rules[at].name, earlier.name);
            report.warn(reader.problem(rules[at].line, message));
        }
        at += 1;
    }
    for Rule { name, line, registry, include, exclude, location } in rules {
        let spec = RuleSpec {
            name: Some(name),
            upstream: Some(registry.unwrap_or_else(|| "*".to_owned())),
            mirrors: vec![MirrorSpec { location, ..MirrorSpec::default() }],
            include,
            exclude,
            ..RuleSpec::default()
        };
        report.add(reader.file, line, spec);
    }
}
