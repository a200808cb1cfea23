//! What is wrong with a part of a rule that is not valid, and how to write it.

use crate::grammar::{REPOSITORY_MAX, is_registry, looks_like_registry, scan_repository};
use crate::host::as_read;
use crate::pattern_shape;
use crate::reference::{DOCKER_HUB, LIBRARY, canonical_registry};
use crate::rule_error::Advice;

const WILDCARD_HINT: &str = "a wildcard is `*.` and a domain, or `*`; `:*` at its end stands for any port";

/// For an upstream that is not valid.
pub(crate) fn upstream(text: &str) -> Advice {
    if text.is_empty() {
        return Advice::new("is empty", "write a registry such as `docker.io`");
    }
    if let Some(advice) = scheme_or_slash(text) {
        return advice;
    }
    if let Some(prefix) = text.strip_suffix("/*").or(text.strip_suffix("/**")).or(text.strip_suffix("**")) {
        let prefix = if prefix.is_empty() { "*" } else { prefix };
        return Advice::new("ends with a wildcard", format!("write `{prefix}`, which matches everything below it"));
    }
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    if host.starts_with('*') {
        return if path.is_empty() {
            Advice::new("is not a valid wildcard", WILDCARD_HINT)
        } else {
            Advice::new("has a path after a wildcard", "use `pattern` instead")
        };
    }
    if text.contains('*') {
        return Advice::new("has `*` in the middle", WILDCARD_HINT);
    }
    if !looks_like_registry(host) {
        return Advice::new("does not start with a registry", format!("for Docker Hub write `{DOCKER_HUB}/{text}`"));
    }
    host_and_path(host, path, "is not a valid repository prefix")
}

/// For a location that is not valid, in a rule with a pattern that has these groups.
pub(crate) fn location(written: &str, groups: Option<Vec<String>>) -> Advice {
    if written.is_empty() {
        return Advice::new("is empty", "write `host/path`, as in `harbor.example.com/dockerhub`");
    }
    if let Some(advice) = scheme_or_slash(written) {
        return advice;
    }
    if let Some((_, rest)) = written.split_once(['$', '\\']) {
        let rest = rest.trim_start_matches('{');
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        return Advice::new("refers to a group with `$` or `\\`", format!("write `{{{}}}`", &rest[..end]));
    }
    if written.contains(['{', '}']) {
        return template(written, groups);
    }
    if groups.is_some() && is_registry(written) {
        let hint = format!("with `pattern` a location is the whole name: write `{written}/{{repository}}`");
        return Advice::new("has no path", hint);
    }
    mirror(written)
}

fn template(written: &str, groups: Option<Vec<String>>) -> Advice {
    let has_groups = groups.is_some();
    let known = ["registry", "host", "repository", "namespace"].map(str::to_owned);
    let known: Vec<String> = known.into_iter().chain(groups.unwrap_or_default()).collect();
    let (mut sample, mut rest, mut names) = (String::new(), written, Vec::new());
    while let Some(open) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(open);
        let Some((name, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) else {
            return Advice::new("has an unmatched brace", "a placeholder is `{name}`");
        };
        sample = sample + before + "a";
        names.push(name);
        rest = after;
    }
    sample.push_str(rest);
    if names.iter().any(|name| !known.iter().any(|known| known == name)) {
        let known: Vec<_> = known.iter().map(|name| format!("`{{{name}}}`")).collect();
        return Advice::new("has an unknown placeholder", format!("valid placeholders: {}", known.join(", ")));
    }
    if !has_groups && !names.contains(&"repository") {
        return Advice::new("maps every image to the same name", format!("write `{written}/{{repository}}`"));
    }
    let (host, path) = written.split_once('/').unwrap_or((written, ""));
    if let Some(end) = host.rfind('}') {
        if !host[end + 1..].strip_prefix('.').is_some_and(is_registry) {
            return Advice::new(
                "has no fixed host",
                "start with the mirror's host, or end the host with its domain: `{name}.mirror.example.com/…`",
            );
        }
        if path.is_empty() {
            return Advice::new("has no path", format!("write `{written}/{{repository}}`"));
        }
    } else if looks_like_registry(host) && is_registry(host) {
        let lower = host.to_ascii_lowercase();
        let registry = as_read(canonical_registry(&lower));
        if registry != host {
            return Advice::new("uses an alias of the registry", format!("write `{registry}`"));
        }
    }
    let advice = mirror(&sample);
    advice.with_hint("path components are lower case; the tag and the digest are kept as they are")
}

/// For a location without placeholders.
fn mirror(written: &str) -> Advice {
    let (host, path) = written.split_once('/').unwrap_or((written, ""));
    if !looks_like_registry(host) {
        let hint = "start with the mirror's host, as in `harbor.example.com/dockerhub`";
        return Advice::new("does not start with a registry", hint);
    }
    host_and_path(host, path, "has an invalid path")
}

/// For an `include` or `exclude` glob of which `name` is the part without tag and digest, and that names nothing.
pub(crate) fn glob(text: &str, name: &str) -> Advice {
    let rest = &text[name.len()..];
    if name.is_empty() {
        return Advice::new("has no name", "write `**` for all images");
    }
    if let Some(advice) = scheme_or_slash(name) {
        return advice;
    }
    if name.starts_with('*') {
        let hint = if name.trim_start_matches('*').is_empty() {
            format!("write `**{rest}`")
        } else {
            format!("write `**/{name}{rest}` or `{DOCKER_HUB}/{LIBRARY}{name}{rest}`")
        };
        return Advice::new("cannot match a `/`, which every name has,", hint);
    }
    Advice::new("names only a registry", format!("write `{name}/**{rest}`"))
}

/// For a pattern that can match no image.
pub(crate) fn never_matches(pattern: &str) -> Option<Advice> {
    pattern_shape::never_matches(pattern).map(|(reason, hint)| Advice::new(reason, hint))
}

fn scheme_or_slash(text: &str) -> Option<Advice> {
    if let Some((_, rest)) = text.split_once("://") {
        return Some(Advice::new("has a scheme", format!("write `{}`", rest.trim_end_matches('/'))));
    }
    let without = text.trim_end_matches('/');
    (without != text).then(|| Advice::new("ends with a slash", format!("write `{without}`")))
}

fn host_and_path(host: &str, path: &str, path_reason: &'static str) -> Advice {
    if !is_registry(host) {
        return Advice::new("is not a valid registry", "write `host`, `host:port` or `host/path`");
    }
    if path.len() > REPOSITORY_MAX {
        return Advice::new("is longer than a repository can be", format!("at most {REPOSITORY_MAX} bytes"));
    }
    match scan_repository(path, 0) {
        Ok(end) => Advice::new("has a tag or digest", format!("write `{host}/{}`", &path[..end])),
        Err(_) => Advice::new(path_reason, "path components are lower case"),
    }
}
