//! Where a mirror keeps its copies: a registry and path, or a template for both.

use std::fmt::Write as _;

use crate::grammar::{check_registry, looks_like_registry, scan_repository};
use crate::reference::ImageRef;
use crate::rule_error::RuleError;

/// A mirror's location: `harbor.example.com/dockerhub`, or a template such as `mirror.example.com/{registry}/{repository}`.
#[derive(Clone, Debug)]
pub struct Location {
    /// The template as written, or the normalised registry and path.
    text: Box<str>,
    /// Boxed because most locations are plain and there can be many.
    template: Option<Box<Template>>,
}

#[derive(Clone, Debug)]
struct Template {
    pieces: Vec<Piece>,
    /// The fixed part: whole components, or the end of the host, starting with a dot.
    fixed: Box<str>,
}

/// A piece of a template.
#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Registry,
    Repository,
    Group(Box<str>),
}

/// Covers every reference that the location can produce. An image that the claim covers is already on the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claim<'a> {
    /// A registry, or a path in it (empty for the whole registry).
    Prefix { registry: &'a str, path: &'a str },
    /// All hosts whose name ends with this text, which begins with a dot.
    Domain(&'a str),
}

/// The values of a template's placeholders.
pub(crate) struct Values<'a> {
    pub(crate) registry: &'a str,
    pub(crate) repository: (&'a str, &'a str),
    pub(crate) groups: Option<regex::bytes::Captures<'a>>,
}

impl Location {
    /// Parses a location. `groups` are the placeholders that a template may use in addition to `registry` and
    /// `repository`.
    pub(crate) fn parse(written: &str, groups: &[&str]) -> Result<Self, RuleError> {
        let error = |reason: &'static str, hint: String| RuleError::location(written, reason, hint);
        if written.is_empty() {
            return Err(error("is empty", "write `host/path`, as in `harbor.example.com/dockerhub`".into()));
        }
        if let Some((_, rest)) = written.split_once("://") {
            return Err(error("has a scheme", format!("write `{}`", rest.trim_end_matches('/'))));
        }
        if written.ends_with('/') {
            return Err(error("ends with a slash", format!("write `{}`", written.trim_end_matches('/'))));
        }
        if written.contains(['{', '}']) {
            return Self::parse_template(written, groups);
        }
        let (host, path) = written.split_once('/').unwrap_or((written, ""));
        Ok(Self { text: normalise(written, host, path)?.into(), template: None })
    }

    fn parse_template(written: &str, groups: &[&str]) -> Result<Self, RuleError> {
        let error = |reason: &'static str, hint: String| RuleError::location(written, reason, hint);
        let mut pieces = Vec::new();
        let mut rest = written;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(open);
            let Some((name, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) else {
                return Err(error("has an unmatched brace", "a placeholder is `{name}`".into()));
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(match name {
                "registry" => Piece::Registry,
                "repository" => Piece::Repository,
                _ if groups.contains(&name) => Piece::Group(name.into()),
                _ => {
                    let mut known = String::from("`{registry}`, `{repository}`");
                    for group in groups {
                        let _ = write!(known, ", `{{{group}}}`");
                    }
                    return Err(error("has an unknown placeholder", format!("valid placeholders: {known}")));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        if !pieces.iter().any(|piece| matches!(piece, Piece::Repository | Piece::Group(_))) {
            let hint = format!("write `{}/{{repository}}`", written.trim_end_matches('/'));
            return Err(error("maps every image to the same name", hint));
        }
        // The fixed part decides which images are already on the mirror, so it is required.
        let host = written.split_once('/').map_or(written, |(host, _)| host);
        let fixed = if let Some(end) = host.rfind('}') {
            let domain = host[end + 1..].to_ascii_lowercase();
            let name = domain.strip_prefix('.').unwrap_or_default();
            if check_registry(name, name.len()).is_err() {
                return Err(error(
                    "has no fixed host",
                    "start with the mirror's host, or end the host with its domain: `{name}.mirror.example.com/…`"
                        .into(),
                ));
            }
            domain
        } else {
            // Whole components before the first placeholder.
            let fixed = written.split('{').next().unwrap_or_default();
            let fixed = fixed.rsplit_once('/').map_or("", |(fixed, _)| fixed);
            let (host, path) = fixed.split_once('/').unwrap_or((fixed, ""));
            let normalised = normalise(written, host, path)?;
            let registry = normalised.split('/').next().unwrap_or_default();
            if registry != host {
                return Err(error("uses an alias of the registry", format!("write `{registry}`")));
            }
            normalised
        };
        Ok(Self { text: written.into(), template: Some(Box::new(Template { pieces, fixed: fixed.into() })) })
    }

    /// The location as in `mirrors.yaml`, normalised.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether images of different registries get different names.
    #[cfg(feature = "lint")]
    pub(crate) fn separates_registries(&self) -> bool {
        let mut pieces = self.template.iter().flat_map(|template| &template.pieces);
        pieces.any(|piece| !matches!(piece, Piece::Text(_) | Piece::Repository))
    }

    pub(crate) fn claim(&self) -> Claim<'_> {
        let fixed = self.template.as_ref().map_or(&*self.text, |template| &*template.fixed);
        if fixed.starts_with('.') {
            return Claim::Domain(fixed);
        }
        let (registry, path) = fixed.split_once('/').unwrap_or((fixed, ""));
        Claim::Prefix { registry, path }
    }

    /// Appends the registry and repository at the mirror. `rest` is what follows the matched prefix, for a plain
    /// location.
    pub(crate) fn render<'v>(&self, rest: (&str, &str), values: impl FnOnce() -> Values<'v>, out: &mut String) {
        let Some(template) = &self.template else {
            out.push_str(&self.text);
            if !rest.1.is_empty() {
                out.push('/');
                out.push_str(rest.0);
                out.push_str(rest.1);
            }
            return;
        };
        let values = values();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Registry => out.push_str(values.registry),
                Piece::Repository => {
                    out.push_str(values.repository.0);
                    out.push_str(values.repository.1);
                }
                Piece::Group(name) => {
                    let group = values.groups.as_ref().and_then(|groups| groups.name(name));
                    // The subject is a valid reference, hence ASCII. A group that did not take part is empty.
                    out.push_str(
                        group.and_then(|group| std::str::from_utf8(group.as_bytes()).ok()).unwrap_or_default(),
                    );
                }
            }
        }
    }
}

/// Checks a registry and path without placeholders and returns them normalised.
fn normalise(written: &str, host: &str, path: &str) -> Result<String, RuleError> {
    let error = |reason: &'static str, hint: String| RuleError::location(written, reason, hint);
    if !looks_like_registry(host) {
        return Err(error(
            "does not start with a registry",
            "start with the mirror's host, as in `harbor.example.com/dockerhub`".into(),
        ));
    }
    if check_registry(host, host.len()).is_err() {
        return Err(error("is not a valid registry", "write `host`, `host:port` or `host/path`".into()));
    }
    if !path.is_empty() {
        match scan_repository(path, 0) {
            Ok(end) if end == path.len() => {}
            Ok(end) => return Err(error("has a tag or digest", format!("write `{host}/{}`", &path[..end]))),
            Err(_) => return Err(error("has an invalid path", "path components are lower case".into())),
        }
    }
    // Rewritten references are compared with this name, so it must be the one that parsing returns for them.
    let host = host.to_ascii_lowercase();
    let probe = format!("{host}/a/a");
    let registry = ImageRef::parse(&probe).map_or(&*host, |image| image.registry());
    Ok(if path.is_empty() { registry.to_owned() } else { format!("{registry}/{path}") })
}
