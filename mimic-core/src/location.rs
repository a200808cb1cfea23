//! Where a mirror keeps its copies: a registry and path, or a template for both.

use crate::advice;
use crate::grammar::{is_registry, is_repository, looks_like_registry};
use crate::host::{as_read, without_port};
use crate::reference::canonical_registry;
use crate::rule_error::RuleError;
use crate::upstream::Pattern;

#[cfg(feature = "lint")]
mod lint;

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
        let read =
            if written.contains(['{', '}']) { Self::template(written, pattern) } else { Self::plain(written, pattern) };
        read.ok_or_else(|| {
            let groups = pattern.map(|pattern| pattern.group_names().collect());
            RuleError::advised("mirrors", "location", written, &advice::location(written, groups))
        })
    }

    fn plain(written: &str, pattern: Option<&Pattern>) -> Option<Self> {
        // In a rule with a pattern, it is the whole name.
        let is_whole = pattern.is_none() || written.contains('/');
        Some(Self { text: normalised(written).filter(|_| is_whole)?.into(), template: None })
    }

    fn template(written: &str, pattern: Option<&Pattern>) -> Option<Self> {
        let (mut pieces, mut sample, mut registry_in_path, mut rest) = (Vec::new(), String::new(), false, written);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
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
                _ => Piece::Group(pattern?.group(name)?),
            });
            sample.push('a');
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        sample.push_str(rest);
        let is_unique = pattern.is_some() || pieces.iter().any(|piece| matches!(piece, Piece::Repository));
        if !is_unique || normalised(&sample).is_none() {
            return None;
        }
        // The fixed part decides which images are already on the mirror, so it is required.
        let (host, _) = written.split_once('/')?;
        let mut is_stem = false;
        let fixed = if let Some(end) = host.rfind('}') {
            let domain = host[end + 1..].to_ascii_lowercase();
            domain.strip_prefix('.').is_some_and(is_registry).then_some(domain)?
        } else {
            // Whole components before the first placeholder, as they are in a rewritten image.
            let (fixed, stem) = written.split('{').next()?.rsplit_once('/')?;
            let fixed = normalised(fixed).filter(|normalised| normalised == fixed)?;
            is_stem = !stem.is_empty();
            if is_stem { format!("{fixed}/{stem}") } else { fixed }
        };
        let template = Template { pieces, fixed: fixed.into(), is_stem, registry_in_path };
        Some(Self { text: written.into(), template: Some(Box::new(template)) })
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

    /// Whether the name at the mirror would have the port of this registry in its path, where no port can be.
    pub(crate) fn puts_port_in_path(&self, registry: &str) -> bool {
        self.template.as_ref().is_some_and(|template| template.registry_in_path)
            && without_port(registry).len() < registry.len()
    }

    /// The part before the first placeholder, or the end of the host.
    pub(crate) fn fixed_text(&self) -> &str {
        self.template.as_ref().map_or(&*self.text, |template| &*template.fixed)
    }

    pub(crate) fn claim(&self) -> Claim<'_> {
        let fixed = self.fixed_text();
        if fixed.starts_with('.') {
            return Claim::Domain(fixed);
        }
        let (registry, path) = fixed.split_once('/').unwrap_or((fixed, ""));
        match &self.template {
            Some(template) if template.is_stem => Claim::Stem { registry, stem: path },
            _ => Claim::Prefix { registry, path },
        }
    }

    /// An upper bound for the bytes that [`render`](Self::render) appends. `rest` is as there; the other lengths are those
    /// of the placeholders, where a group is at most as long as `name`.
    pub(crate) fn longest(&self, rest: usize, registry: usize, namespace: usize, name: usize) -> usize {
        let Some(template) = &self.template else { return self.text.len() + 1 + rest };
        let length = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Registry | Piece::Host => registry,
            Piece::Namespace => namespace,
            Piece::Repository | Piece::Group(_) => name,
        };
        template.pieces.iter().map(length).sum()
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

/// A registry and path without placeholders, as parsing returns them for rewritten references, which are compared with
/// it. `None` if they are not valid.
fn normalised(text: &str) -> Option<String> {
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    if !looks_like_registry(host) || !is_registry(host) || path.is_some_and(|path| !is_repository(path)) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    let registry = as_read(canonical_registry(&host));
    Some(path.map_or_else(|| registry.to_string(), |path| format!("{registry}/{path}")))
}
