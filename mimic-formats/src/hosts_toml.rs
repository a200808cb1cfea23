//! containerd's `hosts.toml`, in a directory for each registry.
//! See <https://github.com/containerd/containerd/blob/main/docs/hosts.md>.

use std::collections::HashSet;

use mimic_core::internal::yaml::Node;
use mimic_core::{Problem, References};

use crate::candidates::{Candidate, Place};
use crate::endpoint::Endpoint;
use crate::host_table::{Host, finish};
use crate::report::{Note, Report};
use crate::source_file::SourceFile;
use crate::toml_tree;
use crate::tree::Reader;

/// The directory for all registries without one.
const DEFAULT: &str = "_default";
const HOST_KEYS: [&str; 7] = ["capabilities", "ca", "client", "skip_verify", "header", "override_path", "dial_timeout"];

pub(crate) fn import(files: &[SourceFile<'_>], report: &mut Report) {
    let mut directories = Vec::new();
    for file in files {
        match directory(file.name) {
            Some(directory) => directories.push((registry_of(directory), directory.ends_with('_'), file)),
            None => report.problem(
                Problem::new(file.name, "not in a directory that is named after a registry")
                    .with_hint("name the directory or the file as `certs.d/docker.io/hosts.toml`"),
            ),
        }
    }
    // `host_port_` precedes `host:port`.
    directories.sort_by_key(|(_, is_encoded, _)| !is_encoded);
    directories.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let (mut seen, mut hosts) = (HashSet::new(), Vec::new());
    for (registry, _, file) in directories {
        if !seen.insert(registry.clone()) {
            let message = "containerd reads another directory for this registry; not imported";
            report.warn(Problem::new(file.name, message));
            continue;
        }
        if let Some(host) = registry.as_deref().and_then(|registry| registry.strip_suffix(":443")) {
            let message = format!("applies to images of `{host}` in Mimic, too: port 443 equals no port");
            report.warn(Problem::new(file.name, message));
        }
        match host(registry, file, report) {
            Ok(host) => hosts.push(host),
            Err(problem) => report.problem(problem),
        }
    }
    finish(hosts, report);
}

/// The name of the directory that a file is in.
fn directory(path: &str) -> Option<&str> {
    path.rsplit(['/', '\\']).nth(1).filter(|name| !matches!(*name, "" | "." | ".."))
}

/// The registry of a directory; `None` for the default of all registries.
fn registry_of(directory: &str) -> Option<String> {
    let encoded = directory.strip_suffix('_').and_then(|rest| rest.rsplit_once('_'));
    match encoded.filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())) {
        _ if directory == DEFAULT => None,
        Some((host, port)) => Some(format!("{host}:{port}")),
        None => Some(directory.to_owned()),
    }
}

fn host(registry: Option<String>, file: &SourceFile<'_>, report: &mut Report) -> Result<Host, Problem> {
    let reader = Reader { file: file.name };
    let root = toml_tree::parse(file.name, file.text)?;
    let keys = [&HOST_KEYS[..], &["server", "host"]].concat();
    report.warn_all(reader.unknown_keys(reader.map(&root, "the file")?, &keys, "containerd"));
    let mut candidates = Vec::new();
    for (url, table) in reader.map_at(&root, "host")? {
        let entries = reader.map(table, "a host")?;
        report.warn_all(reader.unknown_keys(entries, &HOST_KEYS, "containerd"));
        let url = (reader.text(url, "a host")?, url.line);
        candidates.extend(candidate(reader, url, table, registry.as_deref(), report)?);
    }
    // Without `server`, the registry itself comes last.
    let server = reader.text_at(&root, "server")?.filter(|(server, _)| !server.is_empty());
    match server {
        Some(server) => candidates.extend(candidate(reader, server, &root, registry.as_deref(), report)?),
        None => report.note(Note::Upstream),
    }
    if candidates.iter().any(|candidate| matches!(candidate.place, Place::Upstream)) {
        report.note(Note::Upstream);
    }
    Ok(Host { registry, file: file.name.to_owned(), line: 1, candidates, rewrites: Vec::new() })
}

/// One host with its settings. `None` if it is never pulled from, or no reference names what it serves.
fn candidate(
    reader: Reader<'_>,
    (url, line): (&str, usize),
    table: &Node,
    registry: Option<&str>,
    report: &mut Report,
) -> Result<Option<Candidate>, Problem> {
    let endpoint = Endpoint::parse(url)
        .map_err(|reason| reader.problem(line, format!("`{url}` {reason}")).with_hint("write `https://host[:port]`"))?;
    let has_tls = ["ca", "client", "skip_verify", "header"].iter().any(|key| table.get(key).is_some());
    if has_tls || endpoint.is_plain_http {
        report.note(Note::Tls);
    }
    let is_whole = reader.flag_at(table, "override_path")?;
    let (mut pull, mut resolve) = (false, false);
    let capabilities = reader.list_at(table, "capabilities")?;
    for capability in capabilities {
        match reader.text(capability, "a capability")? {
            "pull" => pull = true,
            "resolve" => resolve = true,
            "push" => {}
            other => {
                return Err(reader
                    .problem(capability.line, format!("unknown capability `{other}`"))
                    .with_hint("valid values: `pull`, `resolve`, `push`"));
            }
        }
    }
    if capabilities.is_empty() {
        (pull, resolve) = (true, true);
    }
    let place = match registry {
        Some(registry) if endpoint.is_registry(registry) => Place::Upstream,
        _ => match endpoint.prefix(is_whole) {
            Ok(prefix) => Place::Mirror(prefix),
            Err(error) if pull => {
                let message = format!("`{url}` {}, so no reference names its images; not imported", error.reason);
                report.warn(reader.problem(line, message).with_hint(error.hint));
                return Ok(None);
            }
            Err(_) => return Ok(None),
        },
    };
    let is_mirror = matches!(place, Place::Mirror(_));
    let message = match (pull, resolve) {
        (true, true) | (false, false) => None,
        (true, false) => Some("cannot resolve tags: tags are left at the upstream, and so are their layers"),
        (false, true) => Some("only resolves tags; not imported"),
    };
    if let Some(message) = message.filter(|_| is_mirror) {
        report.warn(reader.problem(line, format!("`{url}` {message}")));
    }
    let references = if resolve { References::Any } else { References::Digest };
    Ok(pull.then(|| Candidate { written: url.to_owned(), line, references, place }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_registries() {
        for (path, registry) in [
            ("certs.d/docker.io/hosts.toml", Some(Some("docker.io"))),
            ("/etc/certs.d/reg.example_5000_/hosts.toml", Some(Some("reg.example:5000"))),
            ("a/reg.example:5000/hosts.toml", Some(Some("reg.example:5000"))),
            ("a/[::1]_5000_/hosts.toml", Some(Some("[::1]:5000"))),
            ("a/b_c_/hosts.toml", Some(Some("b_c_"))),
            ("_default/hosts.toml", Some(None)),
            ("hosts.toml", None),
            ("./hosts.toml", None),
        ] {
            assert_eq!(
                directory(path).map(registry_of),
                registry.map(|registry| registry.map(str::to_owned)),
                "{path}"
            );
        }
    }
}
