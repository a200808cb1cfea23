//! Globs over images, as `include` and `exclude` of a rule have them.

use std::fmt;

use globset::GlobMatcher;

use crate::advice;
use crate::glob::{GlobError, Globs, is_literal};
#[cfg(feature = "lint")]
use crate::glob_check;
use crate::grammar::is_registry;
use crate::host::{ANY_PORT, docker_hub_alias, without_https_port};
use crate::reference::{DOCKER_HUB, ImageRef, LIBRARY, is_official_name};
use crate::rule_error::RuleError;
use crate::upstream::Upstream;
use crate::work::{LOOKUP, STATE};

/// Globs over `registry/repository[:tag][@digest]`. The default set matches nothing.
#[derive(Clone, Default)]
pub(crate) struct ImageGlobs {
    /// Over the names alone; one entry can need several.
    names: Globs,
    /// The entry of each name.
    entry_of: Vec<usize>,
    entries: Vec<ImageGlob>,
    /// Number of globs over tags and digests, and the states of their expressions.
    parts: (u64, u64),
}

#[derive(Clone)]
struct ImageGlob {
    text: String,
    tag: Option<PartGlob>,
    digest: Option<PartGlob>,
}

/// A glob over a tag or a digest.
#[derive(Clone)]
enum PartGlob {
    /// A compiled glob takes some 10 KiB, and most tags are not globs.
    Literal(Box<str>),
    Glob(GlobMatcher),
}

impl PartGlob {
    fn new(glob: &str) -> Result<Self, GlobError> {
        let matcher = Globs::matcher(glob)?;
        Ok(if is_literal(glob) { Self::Literal(glob.into()) } else { Self::Glob(matcher) })
    }

    #[cfg(feature = "table")]
    fn expression(&self) -> Option<String> {
        match self {
            Self::Literal(literal) => Some(Globs::matcher(literal).ok()?.glob().regex().to_owned()),
            Self::Glob(glob) => Some(glob.glob().regex().to_owned()),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Glob(glob) => glob.is_match(text),
        }
    }
}

impl ImageGlobs {
    /// Compiles the globs of the key `field` of a rule with this upstream.
    ///
    /// # Errors
    /// [`RuleError`] for the first glob that is not valid or, with the feature `lint`, never matches.
    pub(crate) fn new(
        field: &'static str,
        globs: &[String],
        #[cfg_attr(not(feature = "lint"), expect(unused_variables, reason = "only checks need it"))]
        upstream: &Upstream,
    ) -> Result<Self, RuleError> {
        let (mut names, mut entry_of, mut entries, mut part_states) = (Vec::new(), Vec::new(), Vec::new(), (0, 0));
        let invalid = |error: GlobError| RuleError::glob(field, &error);
        for text in globs {
            let parts = Parts::split(text);
            let matcher = |part: Option<&str>| part.map(PartGlob::new).transpose().map_err(invalid);
            let (tag, digest) = (matcher(parts.tag)?, matcher(parts.digest)?);
            for part in [parts.tag, parts.digest].into_iter().flatten() {
                part_states = (part_states.0 + 1, part_states.1 + 2 * part.len() as u64);
            }
            // A glob that cannot be compiled is reported as written, not as completed.
            Globs::matcher(parts.name).map_err(invalid)?;
            let never = |advice| RuleError::never(field, text, &advice);
            let completed = parts.names().ok_or_else(|| never(advice::glob(text, parts.name)))?;
            #[cfg(feature = "lint")]
            glob_check::check(text, (parts.tag, parts.digest), &completed, upstream).map_err(never)?;
            entry_of.extend(completed.iter().map(|_| entries.len()));
            names.extend(completed);
            entries.push(ImageGlob { text: text.clone(), tag, digest });
        }
        let names = Globs::new(names).map_err(invalid)?;
        Ok(Self { names, entry_of, entries, parts: part_states })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The globs as written, each with the registry of the names that it matches, which can be a glob.
    #[cfg(feature = "lint")]
    pub(crate) fn registries(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.names.patterns().iter().zip(&self.entry_of);
        names.filter_map(|(name, &entry)| Some((&*self.entries[entry].text, name.split_once('/')?.0)))
    }

    /// The expression of each name, with the index of its entry.
    #[cfg(feature = "table")]
    pub(crate) fn name_expressions(&self) -> Vec<(usize, String)> {
        let matchers = self.names.patterns().iter().map(|name| Globs::matcher(name).ok());
        let names = matchers.zip(&self.entry_of);
        names.filter_map(|(matcher, &entry)| Some((entry, matcher?.glob().regex().to_owned()))).collect()
    }

    /// The expressions over tag and digest of each entry.
    #[cfg(feature = "table")]
    pub(crate) fn part_expressions(&self) -> impl Iterator<Item = (Option<String>, Option<String>)> {
        let text = |part: &Option<PartGlob>| part.as_ref().and_then(PartGlob::expression);
        self.entries.iter().map(move |entry| (text(&entry.tag), text(&entry.digest)))
    }

    /// Steps of [`find`](Self::find).
    pub(crate) fn steps(&self, name: &str, image: &ImageRef<'_>) -> u64 {
        let (globs, states) = self.parts;
        let length = image.tag().map_or(0, str::len).max(image.digest().map_or(0, str::len)).max("latest".len());
        self.names.steps(name) + globs * 5 * LOOKUP + states * STATE * length as u64
    }

    /// The first glob that matches, as written. `name` is the image's normalised `registry/repository`.
    pub(crate) fn find(&self, name: &str, image: &ImageRef<'_>) -> Option<&str> {
        let tag = image.tag().or(if image.digest().is_none() { Some("latest") } else { None });
        let matches = |glob: &Option<PartGlob>, part: Option<&str>| {
            glob.as_ref().is_none_or(|glob| part.is_some_and(|part| glob.is_match(part)))
        };
        let mut entries = self.names.matches(name).map(|index| &self.entries[self.entry_of[index]]);
        let entry = entries.find(|entry| matches(&entry.tag, tag) && matches(&entry.digest, image.digest()))?;
        Some(&entry.text)
    }
}

impl fmt::Debug for ImageGlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|entry| &entry.text)).finish()
    }
}

/// The parts of a glob, as written.
struct Parts<'a> {
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

/// Whether a name without a slash is a registry, not an image of Docker Hub.
fn is_host(name: &str) -> bool {
    let host = name.split(':').next().unwrap_or_default();
    host.contains('.') || host == "localhost" || host.starts_with('[')
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Self {
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        // The colon of a registry that stands alone is before its port.
        let is_port = |port: &str| port == "*" || port.bytes().all(|b| b.is_ascii_digit());
        let tag = rest[last..].split_once(':').filter(|(_, tag)| last > 0 || !is_host(rest) || !is_port(tag));
        let (name, tag) = match tag {
            Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], Some(tag)),
            None => (rest, None),
        };
        Self { name, tag, digest }
    }

    /// The globs over `registry/repository` that stand for this one; `None` if it can stand for none.
    fn names(&self) -> Option<Vec<String>> {
        let name = self.name;
        let is_whole = self.tag.is_none() && self.digest.is_none();
        if name.is_empty() || name.contains("://") || name.ends_with('/') {
            return None;
        }
        if name == "**" || name.starts_with("**/") {
            return Some(vec![name.to_owned()]);
        }
        let Some((first, path)) = name.split_once('/') else {
            if let Ok(upstream @ Upstream::Wildcard(_)) = Upstream::parse(name) {
                let written = upstream.to_string();
                let hosts = written.strip_suffix(ANY_PORT);
                let all = |registry: &str| format!("{registry}/**");
                return Some(
                    hosts.map_or_else(
                        || vec![all(without_https_port(&written))],
                        |hosts| vec![all(hosts), all(&written)],
                    ),
                );
            }
            return match (name.starts_with('*'), is_host(name)) {
                (false, true) => is_whole.then(|| vec![format!("{}/**", registry_glob(name))]),
                (false, false) => Some(with_prefix(format!("{DOCKER_HUB}/{LIBRARY}{name}"), is_whole)),
                (true, _) => None,
            };
        };
        let is_registry = is_host(first)
            || !is_literal(first)
            || first.contains(':')
            || first.bytes().any(|b| b.is_ascii_uppercase());
        let (registry, path) = if is_registry { (registry_glob(first), path) } else { (DOCKER_HUB.to_owned(), name) };
        let mut names = with_prefix(format!("{registry}/{path}"), is_whole);
        if registry == DOCKER_HUB && is_official_name(path) && path != "**" {
            names.extend(with_prefix(format!("{registry}/{LIBRARY}{path}"), is_whole));
        }
        Some(names)
    }
}

/// The registry of a glob, as normalised images have it.
fn registry_glob(registry: &str) -> String {
    let lower = registry.to_ascii_lowercase();
    if !is_registry(&lower) {
        return lower;
    }
    let host = without_https_port(&lower);
    // The brackets of an IPv6 address would be a class.
    docker_hub_alias(host).unwrap_or(host).chars().fold(String::new(), |mut glob, c| {
        match c {
            '[' => glob.push_str("[[]"),
            ']' => glob.push_str("[]]"),
            _ => glob.push(c),
        }
        glob
    })
}

/// A name, and everything below it if it is a prefix.
fn with_prefix(name: String, is_whole: bool) -> Vec<String> {
    let is_prefix = is_whole && name.split_once('/').is_some_and(|(_, path)| is_literal(path));
    let below = is_prefix.then(|| format!("{name}/**"));
    [name].into_iter().chain(below).collect()
}
