//! OpenShift's `ImageDigestMirrorSet`, `ImageTagMirrorSet` and `ImageContentSourcePolicy`.
//! See <https://docs.redhat.com/en/documentation/openshift_container_platform/4.18/html/images/image-configuration>.

use std::collections::HashMap;

use mimic_core::internal::yaml::{Node, Value};
use mimic_core::{Problem, References};

use crate::candidates::{Candidate, Place, choose};
use crate::documents::documents;
use crate::endpoint::is_same;
use crate::report::{Note, Report};
use crate::scope::Scope;
use crate::source_file::SourceFile;
use crate::tree::Reader;

/// All mirrors of a source for one type of reference.
struct Source {
    name: String,
    scope: Scope,
    references: References,
    file: String,
    line: usize,
    /// The lists of all objects, as text and line.
    lists: Vec<Vec<(String, usize)>>,
    /// The line of `NeverContactSource`.
    never: Option<usize>,
}

pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    let mut sources = Vec::new();
    let mut index = HashMap::new();
    for file in files {
        let read = documents(file.name, file.text).and_then(|documents| {
            let mut objects = documents.iter();
            objects.try_for_each(|object| read(Reader { file: file.name }, object, &mut sources, &mut index, report))
        });
        if let Err(problem) = read {
            report.problem(problem);
        }
    }
    warn_about_never(&sources, report);
    let domains: Vec<usize> = (0..sources.len()).filter(|at| sources[*at].name.starts_with('*')).collect();
    let shadow = |source: &Source| {
        let shadow = domains.iter().find(|at| source.scope.is_shadowed_by(&sources[**at].scope))?;
        Some(sources[*shadow].name.clone())
    };
    let shadows: Vec<Option<String>> = sources.iter().map(shadow).collect();
    for (source, shadow) in sources.into_iter().zip(shadows) {
        match shadow {
            Some(shadow) => {
                let message =
                    format!("`{}` is never used: `{shadow}` matches its images, too; not imported", source.name);
                report.warn(Problem::new(&source.file, message).at_line(source.line));
            }
            None => add(source, report),
        }
    }
}

fn read(
    reader: Reader<'_>,
    object: &Node,
    sources: &mut Vec<Source>,
    index: &mut HashMap<(String, References), usize>,
    report: &mut Report,
) -> Result<(), Problem> {
    reader.map(object, "an object")?;
    let kind = object
        .get("kind")
        .and_then(|kind| if let Value::Text(kind) = &kind.value { Some(kind.as_str()) } else { None });
    let (list, references) = match kind {
        Some("ImageDigestMirrorSet") => ("imageDigestMirrors", References::Digest),
        Some("ImageTagMirrorSet") => ("imageTagMirrors", References::Tag),
        Some("ImageContentSourcePolicy") => ("repositoryDigestMirrors", References::Digest),
        other => {
            let found = other.map_or_else(|| "an object without a `kind`".to_owned(), |kind| format!("a `{kind}`"));
            return Err(reader
                .problem(object.line, format!("{found} has no mirrors of OpenShift"))
                .with_hint("pass an `ImageDigestMirrorSet`, `ImageTagMirrorSet` or `ImageContentSourcePolicy`"));
        }
    };
    let Some(spec) = object.get("spec") else { return Ok(()) };
    reader.map(spec, "`spec`")?;
    for item in reader.list_at(spec, list)? {
        reader.map(item, "an entry")?;
        let Some((source, line)) = reader.text_at(item, "source")? else {
            return Err(reader.problem(item.line, format!("an entry of `{list}` has no `source`")));
        };
        let mut mirrors = Vec::new();
        for mirror in reader.list_at(item, "mirrors")? {
            mirrors.push((reader.text(mirror, "a mirror")?.to_owned(), mirror.line));
        }
        let never = match reader.text_at(item, "mirrorSourcePolicy")? {
            Some(("NeverContactSource", line)) => Some(line),
            None | Some(("AllowContactingSource" | "", _)) => None,
            Some((other, line)) => {
                return Err(reader
                    .problem(line, format!("invalid value `{other}` for `mirrorSourcePolicy`"))
                    .with_hint("valid values: `AllowContactingSource`, `NeverContactSource`"));
            }
        };
        if never.is_none() {
            report.note(Note::Upstream);
        }
        let scope = match Scope::parse(source) {
            Ok(scope) => scope,
            Err(reason) => {
                report.warn(reader.problem(line, format!("not imported: {reason}")));
                continue;
            }
        };
        let at = *index.entry((source.to_owned(), references)).or_insert_with(|| {
            let (name, file) = (source.to_owned(), reader.file.to_owned());
            sources.push(Source { name, scope, references, file, line, lists: Vec::new(), never: None });
            sources.len() - 1
        });
        sources[at].never = sources[at].never.or(never);
        sources[at].lists.push(mirrors);
    }
    Ok(())
}

/// A source that is never contacted is blocked for all references, whichever type its mirrors are for.
fn warn_about_never(sources: &[Source], report: &mut Report) {
    for source in sources {
        let Some(line) = source.never else { continue };
        let others = if source.references == References::Digest { References::Tag } else { References::Digest };
        let is_mirrored = |references: References| {
            let mut others = sources.iter().filter(|other| other.references == references);
            others.any(|other| {
                let has_mirrors = other.lists.iter().any(|list| !list.is_empty());
                has_mirrors && (other.name == source.name || other.scope.covers(&source.scope))
            })
        };
        let left = match (is_mirrored(source.references), is_mirrored(others), others) {
            (true, true, _) => continue,
            (false, false, _) => "images",
            (false, true, References::Tag) | (true, false, References::Digest) => "digests",
            _ => "tags",
        };
        let message = format!("`{}` is blocked; Mimic blocks nothing: its {left} are left unchanged", source.name);
        report.warn(Problem::new(&source.file, message).at_line(line));
    }
}

fn add(source: Source, report: &mut Report) {
    let Source { name, scope, references, file, line, lists, .. } = source;
    let candidates = merged(lists).into_iter().map(|(mirror, line)| Candidate {
        place: if is_same(&mirror, &name) { Place::Upstream } else { Place::Mirror(mirror.clone()) },
        written: mirror,
        line,
        // The rule has the type of reference, so that other references get the mirrors of a parent.
        references: References::Any,
    });
    let candidates: Vec<_> = candidates.collect();
    if candidates.is_empty() {
        // It has the mirrors of its parent, as images below any source have.
        return;
    }
    let mirrors = choose(&file, candidates, report);
    let keep = mirrors.is_empty();
    let mut spec = scope.rule();
    (spec.mirrors, spec.keep, spec.references) = (mirrors, keep, references);
    report.add(&file, line, spec);
}

/// One list that keeps the order of each of these lists. If they disagree, the first in the order written comes first.
fn merged(lists: Vec<Vec<(String, usize)>>) -> Vec<(String, usize)> {
    let mut all: Vec<(String, usize)> = Vec::new();
    let mut number = HashMap::new();
    let mut before: Vec<Vec<usize>> = Vec::new();
    for list in lists {
        let mut last = None;
        for (mirror, line) in list {
            let at = *number.entry(mirror.clone()).or_insert_with(|| {
                all.push((mirror, line));
                before.push(Vec::new());
                all.len() - 1
            });
            if let Some(last) = last.filter(|last| *last != at) {
                before[at].push(last);
            }
            last = Some(at);
        }
    }
    let (mut taken, mut order) = (vec![false; all.len()], Vec::new());
    while order.len() < all.len() {
        let open = || (0..all.len()).filter(|at| !taken[*at]);
        let next = open().find(|at| before[*at].iter().all(|other| taken[*other])).or_else(|| open().next());
        let Some(next) = next else { break };
        taken[next] = true;
        order.push(next);
    }
    order.into_iter().map(|at| all[at].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_merge_in_an_order_that_fits_all() {
        for (lists, expected) in [
            (&["abc", "cde"][..], "abcde"),
            (&["cde", "abc"], "abcde"),
            (&["ab", "ba"], "ab"),
            (&["ac", "bc"], "abc"),
            (&["a", "a"], "a"),
            (&["xab", "bx"], "xab"),
            (&[], ""),
        ] {
            let list = |text: &&str| text.chars().map(|c| (c.to_string(), 1)).collect();
            let merged = merged(lists.iter().map(list).collect());
            assert_eq!(merged.into_iter().map(|(text, _)| text).collect::<String>(), expected, "{lists:?}");
        }
    }
}
