//! The mapping file of SAP's image-mapper. See <https://github.com/SAP/image-mapper>.

use mimic_core::internal::yaml::{Node, Value};
use mimic_core::{Library, MirrorSpec, Problem, RuleSpec};
use regex_syntax::ast::parse::Parser;

use crate::documents::read_each;
use crate::globs::globs;
use crate::report::Report;
use crate::rewrite::{groups, template};
use crate::source_file::SourceFile;
use crate::tree::Reader;

/// How a pattern ends that takes any tag in a group.
const TAG_GROUPS: [&str; 2] = [":(.*)", ":(.+)"];

pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    read_each(files, report, read);
}

fn read(reader: Reader<'_>, root: &Node, report: &mut Report) -> Result<(), Problem> {
    let items = match &root.value {
        Value::List(items) => items,
        // In the chart's values.
        _ => match root.get("mappings").map(|mappings| &mappings.value) {
            Some(Value::List(items)) => items,
            _ => return Err(reader.problem(root.line, "the file must be a list of mappings")),
        },
    };
    let mut names_hub = None;
    for (number, item) in items.iter().enumerate() {
        reader.map(item, "a mapping")?;
        let text = |key: &str| {
            let found = reader.text_at(item, key)?.map(|(text, _)| text).filter(|text| !text.is_empty());
            found.ok_or_else(|| reader.problem(item.line, format!("a mapping has no `{key}`")))
        };
        let (pattern, replacement) = (text("pattern")?, text("replacement")?);
        let line = item.get("pattern").map_or(item.line, |node| node.line);
        // The first one that matches is used.
        let priority = i32::try_from(items.len() - number - 1).unwrap_or_default();
        let specs = if pattern.contains('(') { grouped(pattern, replacement) } else { plain(pattern, replacement) };
        match specs {
            Ok(specs) => {
                for spec in specs {
                    let is_hub = spec.upstream.as_deref().is_none_or(|upstream| matches!(upstream, "*" | "docker.io"));
                    if report.add(reader.file, line, RuleSpec { priority, ..spec }) && is_hub {
                        names_hub.get_or_insert(line);
                    }
                }
            }
            Err(reason) => {
                report.warn(reader.problem(line, format!("mapping `{pattern}` is not imported: {reason}")));
            }
        }
    }
    if let Some(line) = names_hub {
        let message =
            "image-mapper calls `nginx` `docker.io/nginx`; to Mimic, it is `docker.io/library/nginx`: check the names";
        report.warn(reader.problem(line, message));
    }
    Ok(())
}

/// Without groups, the replacement has `${registry}`, `${repository}` and `${tag}`.
fn plain(pattern: &str, replacement: &str) -> Result<Vec<RuleSpec>, String> {
    let location = replacement.strip_suffix(":${tag}").ok_or("its replacement does not keep the tag")?;
    let location = location.replace("${registry}", "{registry}").replace("${repository}", "{repository}");
    if location.contains('$') {
        return Err("its replacement has another variable".to_owned());
    }
    let anchored = format!("^{}$", pattern.trim_start_matches('^').trim_end_matches('$'));
    let all = globs(&anchored).ok_or("its pattern is not the beginning of names")?;
    let rule = |found: crate::globs::Found| RuleSpec {
        upstream: Some(found.registry.unwrap_or_else(|| "*".to_owned())),
        include: found.globs,
        mirrors: vec![MirrorSpec { location: location.clone(), ..MirrorSpec::default() }],
        library: Library::Strip,
        ..RuleSpec::default()
    };
    Ok(all.into_iter().map(rule).collect())
}

fn grouped(pattern: &str, replacement: &str) -> Result<Vec<RuleSpec>, String> {
    let inner = pattern.trim_start_matches('^').trim_end_matches('$');
    let name =
        TAG_GROUPS.iter().find_map(|end| inner.strip_suffix(*end)).ok_or("its pattern does not end with `:(.*)`")?;
    let ast = Parser::new().parse(name).map_err(|error| format!("its pattern is not valid: {}", error.kind()))?;
    let groups = groups(&ast);
    let tag = groups.len() + 1;
    let path =
        [format!(":${tag}"), format!(":${{{tag}}}")].iter().find_map(|end| replacement.strip_suffix(end.as_str()));
    let path = path.ok_or("its replacement does not keep the tag")?;
    let location = template(path, &groups, 0).map_err(|reason| format!("it {reason}"))?;
    let mirrors = vec![MirrorSpec { location, ..MirrorSpec::default() }];
    Ok(vec![RuleSpec { pattern: Some(name.to_owned()), mirrors, ..RuleSpec::default() }])
}
