//! The configuration of k8s-image-swapper. See <https://estahn.github.io/k8s-image-swapper/configuration.html>.

use mimic_core::internal::yaml::Node;
use mimic_core::{MirrorSpec, Problem, RuleSpec};

use crate::documents::read_each;
use crate::report::{Note, Report};
use crate::source_file::SourceFile;
use crate::tree::Reader;

pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    read_each(files, report, read);
}

fn read(reader: Reader<'_>, root: &Node, report: &mut Report) -> Result<(), Problem> {
    reader.map(root, "the file")?;
    // In the chart's values, everything is under `config`.
    let root = root.get("config").unwrap_or(root);
    let Some(target) = root.get("target") else {
        return Err(reader
            .problem(root.line, "the file has no `target`")
            .with_hint("it names the registry of the copies"));
    };
    let (prefix, line) = prefix(reader, target)?;
    let mut spec = RuleSpec {
        upstream: Some("*".to_owned()),
        mirrors: vec![MirrorSpec {
            location: format!("{prefix}/{{registry}}/{{repository}}"),
            ..MirrorSpec::default()
        }],
        ..RuleSpec::default()
    };
    if let Some(source) = root.get("source") {
        for filter in reader.list_at(source, "filters")? {
            let Some((expression, line)) = reader.text_at(filter, "jmespath")? else { continue };
            if !apply(expression, &mut spec) {
                let message = format!(
                    "filter `{expression}` is not imported: the pods and images that it skips are rewritten, too"
                );
                report.warn(reader.problem(line, message));
            }
        }
        if source.get("registries").is_some() {
            report.note(Note::Credentials);
        }
    }
    if matches!(reader.text_at(root, "imageSwapPolicy")?, None | Some(("exists", _))) {
        let line = root.get("imageSwapPolicy").map_or(root.line, |node| node.line);
        report.warn(reader.problem(line, "images are rewritten without a check that the copy exists"));
    }
    if !matches!(reader.text_at(root, "imageCopyPolicy")?, Some(("none", _))) {
        let line = root.get("imageCopyPolicy").map_or(root.line, |node| node.line);
        report.warn(reader.problem(line, "Mimic copies no images: the registry must have them, or pull them through"));
    }
    report.note(Note::Other);
    report.add(reader.file, line, spec);
    Ok(())
}

/// The registry of the copies, and the line that names it.
fn prefix(reader: Reader<'_>, target: &Node) -> Result<(String, usize), Problem> {
    reader.map(target, "`target`")?;
    let text = |node: &Node, key: &str| -> Result<String, Problem> {
        let found = reader.text_at(node, key)?.map(|(text, _)| text.to_owned()).filter(|text| !text.is_empty());
        found.ok_or_else(|| reader.problem(node.line, format!("the target has no `{key}`")))
    };
    let kind = reader.text_at(target, "type")?.map_or("aws", |(kind, _)| kind);
    match (kind, target.get("aws"), target.get("gcp")) {
        ("aws", Some(aws), _) => {
            let domain = format!("{}.dkr.ecr.{}.amazonaws.com", text(aws, "accountId")?, text(aws, "region")?);
            Ok((domain, aws.line))
        }
        ("gcp", _, Some(gcp)) => {
            let (location, project) = (text(gcp, "location")?, text(gcp, "projectId")?);
            Ok((format!("{location}-docker.pkg.dev/{project}/{}", text(gcp, "repositoryId")?), gcp.line))
        }
        _ => Err(reader
            .problem(target.line, format!("the target `{kind}` is not known or has no settings"))
            .with_hint("targets are `aws` and `gcp`")),
    }
}

/// Adds a filter, which says what is skipped. Returns whether a rule can express it.
fn apply(expression: &str, spec: &mut RuleSpec) -> bool {
    let quoted = |text: &str| {
        let text = text.trim();
        let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        inner.filter(|inner| !inner.is_empty() && !inner.contains(['\'', '*', '?', '[', '{', '\\'])).map(str::to_owned)
    };
    if let Some(rest) = expression.trim().strip_prefix("obj.metadata.namespace") {
        let rest = rest.trim_start();
        if let Some(namespace) = rest.strip_prefix("==").and_then(quoted) {
            spec.exclude_namespaces.push(namespace);
            return true;
        }
        // What is not in this namespace is skipped. Two of them skip everything.
        if let Some(namespace) = rest.strip_prefix("!=").and_then(quoted).filter(|_| spec.include_namespaces.is_none())
        {
            spec.include_namespaces = Some(vec![namespace]);
            return true;
        }
        return false;
    }
    let image = expression.trim().strip_prefix("contains(container.image,").and_then(|rest| rest.strip_suffix(')'));
    let Some(text) = image.and_then(quoted).filter(|text| !text.contains([':', '@'])) else { return false };
    spec.exclude.extend([format!("**/*{text}*/**"), format!("**/*{text}*")]);
    true
}
