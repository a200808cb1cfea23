//! Where a mirror keeps its copies: a registry and path, or a template for both.

use crate::grammar::{check_registry, looks_like_registry, scan_repository};
use crate::host::without_port;
#[cfg(feature = "lint")]
use crate::pattern_shape::Contained;
use crate::reference::ImageRef;
use crate::rule_error::RuleError;
use crate::upstream::Pattern;

/// A mirror's location: `harbor.example.com/dockerhub`, or a template such as `mirror.example.com/{registry}/{repository}`.
/// In a rule with a pattern, a location without placeholders is the whole name.
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
    /// The fixed part: the first components, or the end of the host, starting with a dot.
    fixed: Box<str>,
    /// Whether the last component of the fixed part goes on with a placeholder.
    is_stem: bool,
    registry_in_path: bool,
}

/// A piece of a template.
#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Registry,
    Host,
    Repository,
    Namespace,
    /// A group of the rule's pattern.
    Group(usize),
}

/// Covers every reference that the location can produce. An image that the claim covers is already on the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Claim<'a> {
    /// A registry, or a path in it (empty for the whole registry).
    Prefix { registry: &'a str, path: &'a str },
    /// All repositories of a registry that begin with a text, which ends inside a component.
    Stem { registry: &'a str, stem: &'a str },
    /// All hosts whose name ends with this text, which begins with a dot.
    Domain(&'a str),
}

/// The values of a template's placeholders.
pub(crate) struct Values<'a> {
    pub(crate) registry: &'a str,
    pub(crate) repository: (&'a str, &'a str),
    pub(crate) namespace: &'a str,
    pub(crate) groups: Option<regex::bytes::Captures<'a>>,
}

impl Location {
    /// Parses a location of a rule with this pattern, whose groups a template may use.
    pub(crate) fn parse(written: &str, pattern: Option<&Pattern>) -> Result<Self, RuleError> {
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
        if let Some((_, rest)) = written.split_once(['$', '\\']) {
            let rest = rest.trim_start_matches('{');
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            return Err(error("refers to a group with `$` or `\\`", format!("write `{{{}}}`", &rest[..end])));
        }
        if written.contains(['{', '}']) {
            return Self::parse_template(written, pattern);
        }
        let (host, path) = written.split_once('/').unwrap_or((written, ""));
        let text = normalise(written, host, path)?;
        if pattern.is_some() && path.is_empty() {
            let hint = format!("with `pattern` a location is the whole name: write `{written}/{{repository}}`");
            return Err(error("has no path", hint));
        }
        Ok(Self { text: text.into(), template: None })
    }

    fn parse_template(written: &str, pattern: Option<&Pattern>) -> Result<Self, RuleError> {
        let error = |reason: &'static str, hint: String| RuleError::location(written, reason, hint);
        let (mut pieces, mut sample, mut registry_in_path) = (Vec::new(), String::new(), false);
        let mut rest = written;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(open);
            let Some((name, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) else {
                return Err(error("has an unmatched brace", "a placeholder is `{name}`".into()));
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            sample.push_str(before);
            registry_in_path |= name == "registry" && sample.contains('/');
            pieces.push(match name {
                "registry" => Piece::Registry,
                "host" => Piece::Host,
                "repository" => Piece::Repository,
                "namespace" => Piece::Namespace,
                _ => Piece::Group(pattern.and_then(|pattern| pattern.group(name)).ok_or_else(|| {
                    let groups = pattern.into_iter().flat_map(Pattern::group_names);
                    let known = ["registry", "host", "repository", "namespace"].map(str::to_owned);
                    let known: Vec<_> = known.into_iter().chain(groups).map(|n| format!("`{{{n}}}`")).collect();
                    error("has an unknown placeholder", format!("valid placeholders: {}", known.join(", ")))
                })?),
            });
            sample.push('a');
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        sample.push_str(rest);
        if pattern.is_none() && !pieces.iter().any(|piece| matches!(piece, Piece::Repository)) {
            let hint = format!("write `{}/{{repository}}`", written.trim_end_matches('/'));
            return Err(error("maps every image to the same name", hint));
        }
        // The fixed part decides which images are already on the mirror, so it is required.
        let host = written.split_once('/').map_or(written, |(host, _)| host);
        let mut is_stem = false;
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
            let (fixed, stem) = fixed.rsplit_once('/').unwrap_or_default();
            let (host, path) = fixed.split_once('/').unwrap_or((fixed, ""));
            let normalised = normalise(written, host, path)?;
            let registry = normalised.split('/').next().unwrap_or_default();
            if registry != host {
                return Err(error("uses an alias of the registry", format!("write `{registry}`")));
            }
            is_stem = !stem.is_empty();
            if is_stem { format!("{normalised}/{stem}") } else { normalised }
        };
        let (host, path) = sample.split_once('/').unwrap_or((&sample, ""));
        normalise(written, host, path).map_err(|error| {
            error.with_hint("path components are lower case; the tag and the digest are kept as they are")
        })?;
        let template = Template { pieces, fixed: fixed.into(), is_stem, registry_in_path };
        Ok(Self { text: written.into(), template: Some(Box::new(template)) })
    }

    /// The location as in `mirrors.yaml`, normalised.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn pieces(&self) -> &[Piece] {
        self.template.as_ref().map_or(&[], |template| &template.pieces)
    }

    /// Whether the location is different in every namespace.
    pub(crate) fn needs_namespace(&self) -> bool {
        self.pieces().iter().any(|piece| matches!(piece, Piece::Namespace))
    }

    /// Whether images of different registries get different names.
    #[cfg(feature = "lint")]
    pub(crate) fn separates_registries(&self) -> bool {
        self.pieces().iter().any(|piece| matches!(piece, Piece::Registry | Piece::Host | Piece::Group(_)))
    }

    /// The parts of an image's name that the location contains.
    #[cfg(feature = "lint")]
    pub(crate) fn contains(&self) -> Contained {
        let mut contained = Contained::default();
        for piece in self.pieces() {
            match piece {
                Piece::Registry | Piece::Host => contained.registry = true,
                Piece::Repository => contained.repository = true,
                Piece::Group(group) => contained.groups.push(*group),
                Piece::Text(_) | Piece::Namespace => {}
            }
        }
        contained
    }

    /// Whether the name at the mirror would have the port of this registry in its path, where no port can be.
    pub(crate) fn puts_port_in_path(&self, registry: &str) -> bool {
        self.template.as_ref().is_some_and(|template| template.registry_in_path)
            && without_port(registry).len() < registry.len()
    }

    pub(crate) fn claim(&self) -> Claim<'_> {
        let fixed = self.template.as_ref().map_or(&*self.text, |template| &*template.fixed);
        if fixed.starts_with('.') {
            return Claim::Domain(fixed);
        }
        let (registry, path) = fixed.split_once('/').unwrap_or((fixed, ""));
        match &self.template {
            Some(template) if template.is_stem => Claim::Stem { registry, stem: path },
            _ => Claim::Prefix { registry, path },
        }
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
                Piece::Host => out.push_str(without_port(values.registry)),
                Piece::Repository => {
                    out.push_str(values.repository.0);
                    out.push_str(values.repository.1);
                }
                Piece::Namespace => out.push_str(values.namespace),
                Piece::Group(group) => {
                    let group = values.groups.as_ref().and_then(|groups| groups.get(*group));
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
