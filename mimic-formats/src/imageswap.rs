//! The map file of imageswap-webhook, alone or in its ConfigMap.
//! See <https://github.com/phenixblue/imageswap-webhook/blob/master/docs/configuration.md>.

use mimic_core::internal::yaml::Value;
use mimic_core::{Library, MirrorSpec, Problem, RuleSpec};

use crate::documents::documents;
use crate::endpoint::canonical;
use crate::report::Report;
use crate::source_file::SourceFile;

const DEFAULT: &str = "default";
const NO_SWAP: &str = "noswap_wildcards";
const EXACT: &str = "[EXACT]";
const REPLACE: &str = "[REPLACE]";

/// A line of the map.
struct Entry {
    key: String,
    value: String,
    line: usize,
}

pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    for file in files {
        match maps(file) {
            Ok(maps) => {
                for (text, first_line) in maps {
                    let entries = entries(file.name, &text, first_line, report);
                    add(file.name, &entries, report);
                }
            }
            Err(problem) => report.problem(problem),
        }
    }
}

/// The texts of the maps, each with the line before its first one.
fn maps(file: &SourceFile<'_>) -> Result<Vec<(String, usize)>, Problem> {
    let mut lines = file.text.lines().map(str::trim_start);
    if !lines.any(|line| line.starts_with("kind:") || line.starts_with("\"kind\"")) {
        return Ok(vec![(file.text.to_owned(), 0)]);
    }
    let mut maps = Vec::new();
    for object in documents(file.name, file.text)? {
        let Some(Value::Map(data)) = object.get("data").map(|data| &data.value) else { continue };
        for (_, value) in data {
            if let Value::Text(text) = &value.value {
                // The text begins on its own line.
                maps.push((text.clone(), value.line.saturating_sub(1)));
            }
        }
    }
    if maps.is_empty() {
        return Err(
            Problem::new(file.name, "the manifest has no `data`").with_hint("pass the ConfigMap with the map file")
        );
    }
    Ok(maps)
}

/// Reads the lines as imageswap does, which skips those that it cannot read.
fn entries(file: &str, text: &str, before: usize, report: &mut Report) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (number, written) in (before + 1..).zip(text.lines()) {
        let line = written.split('#').next().unwrap_or_default();
        let line: String = line.chars().filter(|c| *c != ' ').collect();
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let split = if line.contains("::") { split_once_only(line, "::") } else { split_once_only(line, ":") };
        let Some((key, value)) = split else {
            let warning = Problem::new(file, format!("imageswap skips the line `{line}`")).at_line(number);
            report.warn(warning.with_hint("a line is `KEY::VALUE`"));
            continue;
        };
        if let Some(other) = entries.iter_mut().find(|other| other.key == key) {
            let message = format!("`{key}` is also in line {}; the last one is used", other.line);
            report.warn(Problem::new(file, message).at_line(number));
            (other.value, other.line) = (value.to_owned(), number);
            continue;
        }
        entries.push(Entry { key: key.to_owned(), value: value.to_owned(), line: number });
    }
    entries
}

fn split_once_only<'t>(text: &'t str, separator: &str) -> Option<(&'t str, &'t str)> {
    text.split_once(separator).filter(|(_, rest)| !rest.contains(separator))
}

fn add(file: &str, entries: &[Entry], report: &mut Report) {
    let has_default = entries.iter().any(|entry| entry.key == DEFAULT);
    let no_swap = entries.iter().find(|entry| entry.key == NO_SWAP).map_or("", |entry| entry.value.as_str());
    let no_swap: Vec<String> = no_swap.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect();
    let has_hub = entries.iter().any(|entry| entry.key == "docker.io");
    let mut warned_library = false;
    for entry in entries {
        let Entry { key, value, line } = entry;
        let warning = |message: String| Problem::new(file, message).at_line(*line);
        if key == NO_SWAP {
            continue;
        }
        if let Some(image) = key.strip_prefix(EXACT) {
            exact(file, image, value, *line, report);
            continue;
        }
        if let Some(pattern) = key.strip_prefix(REPLACE) {
            replace(file, pattern, value, *line, report);
            continue;
        }
        if !has_default {
            report.warn(warning(format!("`{key}` has no effect without a line `{DEFAULT}::`; not imported")));
            continue;
        }
        let is_default = key == DEFAULT;
        let is_hub = key == "docker.io" || (is_default && !has_hub);
        if is_hub && !value.is_empty() && !warned_library {
            warned_library = true;
            report.warn(warning(
                "`docker.io/library/nginx` becomes the same image as `nginx`, without `library/`; imageswap keeps what is written"
                    .to_owned(),
            ));
        }
        if let Some(start) = value.strip_suffix('-').filter(|_| is_default) {
            // imageswap writes the registry twice, except for short names.
            let spec = |upstream: &str, location: String| RuleSpec {
                upstream: Some(upstream.to_owned()),
                mirrors: vec![mirror(location)],
                library: Library::Strip,
                ..RuleSpec::default()
            };
            let all = RuleSpec {
                exclude: excluded(&no_swap),
                ..spec("*", format!("{start}-{{host}}/{{registry}}/{{repository}}"))
            };
            report.add(file, *line, all);
            if !has_hub {
                report.add(file, *line, spec("docker.io", format!("{start}-docker.io/{{repository}}")));
            }
            continue;
        }
        let upstream = if is_default { "*" } else { key.as_str() };
        let location = match value.strip_suffix('-') {
            Some(start) => format!("{start}-{{host}}/{{repository}}"),
            None => value.clone(),
        };
        let has_mirror = !value.is_empty();
        if is_default && !has_mirror {
            // Images without a rule are unchanged.
            continue;
        }
        report.add(
            file,
            *line,
            RuleSpec {
                upstream: Some(upstream.to_owned()),
                mirrors: if has_mirror { vec![mirror(location)] } else { Vec::new() },
                keep: !has_mirror,
                library: if is_hub && has_mirror { Library::Strip } else { Library::Keep },
                exclude: if is_default { excluded(&no_swap) } else { Vec::new() },
                ..RuleSpec::default()
            },
        );
    }
}

fn mirror(location: String) -> MirrorSpec {
    MirrorSpec { location, ..MirrorSpec::default() }
}

/// Globs for names that contain one of these texts.
fn excluded(texts: &[String]) -> Vec<String> {
    texts.iter().flat_map(|text| [format!("**/*{text}*/**"), format!("**/*{text}*")]).collect()
}

/// One image. Its tag must stay the same.
fn exact(file: &str, image: &str, target: &str, line: usize, report: &mut Report) {
    let (name, suffix) = split_tag(image);
    let (location, target_suffix) = split_tag(target);
    if suffix != target_suffix {
        let message = format!("`{image}` becomes `{target}`, with another tag or digest; not imported");
        report.warn(Problem::new(file, message).at_line(line));
        return;
    }
    let name = normalised(name);
    let mut spec =
        RuleSpec { upstream: Some(name.clone()), mirrors: vec![mirror(location.to_owned())], ..RuleSpec::default() };
    spec.include = Some(vec![if suffix.is_empty() { format!("{name}:latest") } else { format!("{name}{suffix}") }]);
    spec.priority = 2;
    report.add(file, line, spec);
}

/// Images that begin with a text: their last component, at another place.
fn replace(file: &str, pattern: &str, target: &str, line: usize, report: &mut Report) {
    let start = pattern.strip_suffix('*').filter(|start| !start.contains(['*', '?', '[']) && !has_tag(start));
    let Some(start) = start else {
        let warning = Problem::new(file, format!("pattern `{pattern}` is not imported")).at_line(line);
        report.warn(warning.with_hint("only patterns that end with their only `*`, as in `ghcr.io/acme*`, are"));
        return;
    };
    let start = normalised(start);
    let target = target.trim_end_matches('/');
    let escaped = regex_syntax::escape;
    let mut patterns = Vec::new();
    if let Some((directory, last)) = start.rsplit_once('/') {
        patterns.push(format!("{}/({}[^/]*)", escaped(directory), escaped(last)));
    }
    patterns.push(format!("{}.*/([^/]+)", escaped(&start)));
    for pattern in patterns {
        let mirrors = vec![mirror(format!("{target}/{{1}}"))];
        report.add(file, line, RuleSpec { pattern: Some(pattern), mirrors, priority: 1, ..RuleSpec::default() });
    }
}

/// A name, and its tag or digest with the character before it.
fn split_tag(image: &str) -> (&str, &str) {
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    let at = image.find('@').or_else(|| image[last..].find(':').map(|colon| last + colon));
    image.split_at(at.unwrap_or(image.len()))
}

fn has_tag(image: &str) -> bool {
    image.contains('/') && !split_tag(image).1.is_empty()
}

/// The start of a name with its registry.
fn normalised(name: &str) -> String {
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => canonical(name),
        Some(_) => format!("docker.io/{name}"),
        None if name.contains('.') => name.to_owned(),
        None => format!("docker.io/library/{name}"),
    }
}
