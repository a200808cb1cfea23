//! What a rule speaks of: a registry, a prefix, a wildcard host, everything, or a regular expression.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use crate::reference::{DOCKER_HUB, check_registry, looks_like_registry, scan_repository};
use crate::rule::RuleError;

/// Names that people and registries use for Docker Hub; as an upstream they mean `docker.io`.
const DOCKER_HUB_ALIASES: [&str; 4] =
    ["index.docker.io", "registry-1.docker.io", "hub.docker.com", "registry.hub.docker.com"];
/// Largest compiled regular expression, in bytes: bounds what one rule may cost.
const PATTERN_SIZE_LIMIT: usize = 1 << 20;

/// What a rule speaks of.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// A registry, or a prefix of repositories in it.
    Prefix {
        /// `host[:port]`, in lower case.
        registry: Box<str>,
        /// Whole components of a repository; empty for the whole registry.
        path: Box<str>,
    },
    /// All registries below a domain, `*.gcr.io`: the text after the star, with its dot.
    Wildcard(Box<str>),
    /// Every registry, `*`.
    All,
    /// A regular expression over the whole normalised `registry/repository`.
    Pattern(Box<Pattern>),
}

/// A regular expression that matches a whole `registry/repository`.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    /// References are ASCII, so bytes do, and no Unicode tables are needed.
    regex: Regex,
}

impl Upstream {
    /// Parses an upstream as configuration writes it: `docker.io`, `localhost:5000`, `ghcr.io/acme`, `*.gcr.io`, `*`.
    ///
    /// # Errors
    /// [`RuleError`] says what is wrong; its [`hint`](crate::Hint::hint) how to write it.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let error = |reason: &'static str, hint: String| RuleError::upstream(text, reason, hint);
        if text.is_empty() {
            return Err(error("is empty", "write a registry such as `docker.io`".into()));
        }
        if let Some((_, rest)) = text.split_once("://") {
            return Err(error("has a scheme", format!("write `{}`", rest.trim_end_matches('/'))));
        }
        if text.ends_with('/') {
            return Err(error("ends with a slash", format!("write `{}`", text.trim_end_matches('/'))));
        }
        if text == "*" {
            return Ok(Self::All);
        }
        let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
        if let Some(domain) = host.strip_prefix('*') {
            if path.is_some() {
                return Err(error("has a path after a wildcard", "use `pattern` for that".into()));
            }
            let domain = domain.to_ascii_lowercase();
            let name = domain.strip_prefix('.').unwrap_or_default();
            return match check_registry(name, name.len()) {
                Ok(()) => Ok(Self::Wildcard(domain.into())),
                Err(_) => Err(error("is not a wildcard", "a wildcard is `*.` and a domain, or `*`".into())),
            };
        }
        if text.contains('*') {
            return Err(error("has a star in the middle", "a wildcard is `*.` and a domain, or `*`".into()));
        }
        if !looks_like_registry(host) {
            return Err(error("does not begin with a registry", format!("for Docker Hub write `docker.io/{text}`")));
        }
        if check_registry(host, host.len()).is_err() {
            return Err(error("is not a valid registry", "write `host`, `host:port` or `host/path`".into()));
        }
        let registry = host.to_ascii_lowercase();
        let registry = if DOCKER_HUB_ALIASES.contains(&&*registry) { DOCKER_HUB.into() } else { registry.into() };
        let path = path.unwrap_or_default();
        if !path.is_empty() {
            match scan_repository(path, 0) {
                Ok(end) if end == path.len() => {}
                Ok(end) => {
                    return Err(error("has a tag or digest", format!("write `{host}/{}`", &path[..end])));
                }
                Err(_) => {
                    return Err(error("is not a valid repository prefix", "components are lower-case".into()));
                }
            }
        }
        Ok(Self::Prefix { registry, path: path.into() })
    }

    /// Compiles a regular expression that has to match the whole `registry/repository`.
    ///
    /// # Errors
    /// [`RuleError`] repeats what the `regex` crate says.
    pub fn pattern(text: &str) -> Result<Self, RuleError> {
        let compiled = RegexBuilder::new(&anchored(text)).unicode(false).size_limit(PATTERN_SIZE_LIMIT).build();
        match compiled {
            Ok(regex) => Ok(Self::Pattern(Box::new(Pattern { text: text.to_owned(), regex }))),
            Err(error) => {
                // The crate prints the pattern with a marker on lines of its own; the last line is the reason.
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim();
                Err(RuleError::pattern(text, reason.strip_prefix("error: ").unwrap_or(reason)))
            }
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix { registry, path } if path.is_empty() => f.write_str(registry),
            Self::Prefix { registry, path } => write!(f, "{registry}/{path}"),
            Self::Wildcard(domain) => write!(f, "*{domain}"),
            Self::All => f.write_str("*"),
            Self::Pattern(pattern) => f.write_str(&pattern.text),
        }
    }
}

impl Pattern {
    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn regex(&self) -> &Regex {
        &self.regex
    }

    /// Names of the groups that a location may use.
    pub(crate) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }
}

/// The expression, made to match the whole text.
pub(crate) fn anchored(text: &str) -> String {
    format!("^(?:{text})$")
}
