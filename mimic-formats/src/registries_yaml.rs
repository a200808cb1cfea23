//! `registries.yaml` of k3s and RKE2. See <https://docs.k3s.io/installation/private-registry>.

use mimic_core::{Problem, References};

use crate::candidates::{Candidate, Place};
use crate::documents::documents;
use crate::endpoint::Endpoint;
use crate::host_table::{Host, finish};
use crate::report::{Note, Report};
use crate::rewrite::Rewrite;
use crate::source_file::SourceFile;
use crate::tree::Reader;

const KEYS: [&str; 3] = ["mirrors", "configs", "auths"];
const MIRROR_KEYS: [&str; 2] = ["endpoint", "rewrite"];

pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    let mut hosts = Vec::new();
    for file in files {
        if let Err(problem) = read(file, &mut hosts, report) {
            report.problem(problem);
        }
    }
    finish(hosts, report);
}

fn read(file: &SourceFile<'_>, hosts: &mut Vec<Host>, report: &mut Report) -> Result<(), Problem> {
    let reader = Reader { file: file.name };
    for root in documents(file.name, file.text)? {
        report.warn_all(reader.unknown_keys(reader.map(&root, "the file")?, &KEYS, "k3s"));
        if root.get("configs").is_some() || root.get("auths").is_some() {
            report.note(Note::Credentials);
            report.note(Note::Tls);
        }
        for (key, value) in reader.map_at(&root, "mirrors")? {
            let name = reader.text(key, "a registry")?;
            if let Some(other) = hosts.iter().find(|host| host.registry.as_deref().unwrap_or("*") == name) {
                let message = format!("`{name}` is already in `{}`; not imported", other.file);
                report.warn(reader.problem(key.line, message));
                continue;
            }
            if name.contains('/') {
                let message = format!("`{name}` has a path, which k3s never matches; not imported");
                report.warn(reader.problem(key.line, message));
                continue;
            }
            report.warn_all(reader.unknown_keys(reader.map(value, "a mirror")?, &MIRROR_KEYS, "k3s"));
            let registry = (name != "*").then(|| name.to_owned());
            let mut candidates = Vec::new();
            for endpoint in reader.list_at(value, "endpoint")? {
                let url = reader.text(endpoint, "an endpoint")?;
                candidates.extend(candidate(reader, (url, endpoint.line), registry.as_deref(), report)?);
            }
            let mut rewrites = Vec::new();
            for (pattern, replacement) in reader.map_at(value, "rewrite")? {
                rewrites.push(Rewrite {
                    pattern: reader.text(pattern, "a rewrite")?.to_owned(),
                    replacement: reader.text(replacement, "the value of a rewrite")?.to_owned(),
                    line: pattern.line,
                });
            }
            if let Some(rewrite) = rewrites.first()
                && candidates.is_empty()
            {
                let message = format!("a rewrite applies to endpoints only, and `{name}` has none; not imported");
                report.warn(reader.problem(rewrite.line, message));
            }
            report.note(Note::Upstream);
            hosts.push(Host { registry, file: file.name.to_owned(), line: key.line, candidates, rewrites });
        }
    }
    Ok(())
}

fn candidate(
    reader: Reader<'_>,
    (url, line): (&str, usize),
    registry: Option<&str>,
    report: &mut Report,
) -> Result<Option<Candidate>, Problem> {
    let endpoint = Endpoint::parse(url).map_err(|reason| {
        reader.problem(line, format!("endpoint `{url}` {reason}")).with_hint("write `https://host[:port]`")
    })?;
    if endpoint.is_plain_http {
        report.note(Note::Tls);
    }
    // k3s takes any other path as it is.
    let is_plain = endpoint.prefix(false).is_ok();
    let place = match registry {
        Some(registry) if endpoint.is_registry(registry) => Place::Upstream,
        _ => match endpoint.prefix(!is_plain) {
            Ok(prefix) => Place::Mirror(prefix),
            Err(error) => {
                let message =
                    format!("endpoint `{url}` {}, so no reference names its images; not imported", error.reason);
                report.warn(reader.problem(line, message).with_hint(error.hint));
                return Ok(None);
            }
        },
    };
    Ok(Some(Candidate { written: url.to_owned(), line, references: References::Any, place }))
}
