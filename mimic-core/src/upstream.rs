//! Which images a rule matches: a registry, a prefix, a wildcard host, all, or a regular expression.

use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};

use crate::grammar::{REPOSITORY_MAX, check_registry, looks_like_registry, scan_repository};
use crate::host::{docker_hub_alias, names_https_port};
#[cfg(feature = "lint")]
use crate::pattern_shape;
use crate::reference::{DOCKER_HUB, LIBRARY};
use crate::rule_error::RuleError;

/// How a wildcard ends that matches hosts with any port, and without.
pub(crate) const ANY_PORT: &str = ":*";
const WILDCARD_HINT: &str = "a wildcard is `*.` and a domain, or `*`; `:*` at its end stands for any port";
/// Largest compiled regular expression, in bytes. Limits the memory of one rule.
const PATTERN_SIZE_LIMIT: usize = 1 << 20;

/// Which images a rule matches.
///
/// ```
/// use mimic_core::Upstream;
///
/// assert!(matches!("ghcr.io/acme".parse()?, Upstream::Prefix { .. }));
/// assert_eq!("Index.Docker.io".parse::<Upstream>()?.to_string(), "docker.io");
/// # Ok::<(), mimic_core::RuleError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Upstream {
    /// A registry, or a prefix of repositories in it.
    Prefix {
        /// `host[:port]`, in lower case.
        registry: Box<str>,
        /// The first components of a repository; empty for the whole registry.
        path: Box<str>,
    },
    /// All registries below a domain, as in `*.gcr.io`, `*.gcr.io:5000` or `*.gcr.io:*`: the text after the star, with
    /// its dot.
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
    /// Over bytes, because references are ASCII; this saves the Unicode tables.
    regex: Regex,
}

impl Upstream {
    /// Parses an upstream: `docker.io`, `localhost:5000`, `ghcr.io/acme`, `*.gcr.io`, `*`.
    ///
    /// # Errors
    /// [`RuleError`] with what is wrong; its [`hint`](crate::Hint::hint) shows the correct form.
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
        if let Some(prefix) = text.strip_suffix("/*").or(text.strip_suffix("/**")).or(text.strip_suffix("**")) {
            let prefix = if prefix.is_empty() { "*" } else { prefix };
            return Err(error("ends with a wildcard", format!("write `{prefix}`, which matches everything below it")));
        }
        if text == "*" {
            return Ok(Self::All);
        }
        let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
        if let Some(domain) = host.strip_prefix('*') {
            if path.is_some() {
                return Err(error("has a path after a wildcard", "use `pattern` instead".into()));
            }
            let domain = domain.to_ascii_lowercase();
            let name = domain.strip_prefix('.').unwrap_or_default();
            let name = name.strip_suffix(ANY_PORT).map_or(name, |host| if host.contains(':') { "" } else { host });
            return match check_registry(name, name.len()) {
                Ok(()) => Ok(Self::Wildcard(domain.into())),
                Err(_) => Err(error("is not a valid wildcard", WILDCARD_HINT.into())),
            };
        }
        if text.contains('*') {
            return Err(error("has `*` in the middle", WILDCARD_HINT.into()));
        }
        if !looks_like_registry(host) {
            return Err(error("does not start with a registry", format!("for Docker Hub write `docker.io/{text}`")));
        }
        if check_registry(host, host.len()).is_err() {
            return Err(error("is not a valid registry", "write `host`, `host:port` or `host/path`".into()));
        }
        let registry = host.to_ascii_lowercase();
        let registry = docker_hub_alias(&registry).map_or_else(|| registry.as_str().into(), Into::into);
        let path = path.unwrap_or_default();
        if path.len() > REPOSITORY_MAX {
            return Err(error("is longer than a repository can be", format!("at most {REPOSITORY_MAX} bytes")));
        }
        if !path.is_empty() {
            match scan_repository(path, 0) {
                Ok(end) if end == path.len() => {}
                Ok(end) => {
                    return Err(error("has a tag or digest", format!("write `{host}/{}`", &path[..end])));
                }
                Err(_) => {
                    return Err(error("is not a valid repository prefix", "path components are lower case".into()));
                }
            }
        }
        Ok(Self::Prefix { registry, path: path.into() })
    }

    /// Whether the upstream names port 443, which it has anyway.
    pub(crate) fn names_https_port(&self) -> bool {
        match self {
            Self::Prefix { registry, .. } => names_https_port(registry),
            Self::Wildcard(domain) => names_https_port(domain),
            Self::All | Self::Pattern(_) => false,
        }
    }

    /// Whether the upstream is one component on Docker Hub, which is a namespace and the official image of that name.
    pub(crate) fn is_official(&self) -> bool {
        match self {
            Self::Prefix { registry, path } => {
                &**registry == DOCKER_HUB && !path.is_empty() && !path.contains('/') && !LIBRARY.starts_with(&**path)
            }
            _ => false,
        }
    }

    /// Compiles a regular expression that must match the whole `registry/repository`.
    ///
    /// # Errors
    /// [`RuleError`] with the message of the `regex` crate; with the feature `lint` also for an expression that cannot
    /// match any image.
    pub fn pattern(text: &str) -> Result<Self, RuleError> {
        let compiled = RegexBuilder::new(&anchored(text)).unicode(false).size_limit(PATTERN_SIZE_LIMIT).build();
        match compiled {
            Ok(regex) => {
                #[cfg(feature = "lint")]
                if let Some((reason, hint)) = pattern_shape::never_matches(text) {
                    return Err(RuleError::new("pattern", format!("pattern `{text}` {reason}"), Some(hint)));
                }
                Ok(Self::Pattern(Box::new(Pattern { text: text.to_owned(), regex })))
            }
            Err(error) => {
                // The crate prints the pattern and a marker on separate lines; the last line is the reason.
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim();
                Err(RuleError::pattern(text, reason.strip_prefix("error: ").unwrap_or(reason)))
            }
        }
    }
}

impl FromStr for Upstream {
    type Err = RuleError;

    /// As [`Upstream::parse`].
    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
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

    /// The group of that name or number.
    pub(crate) fn group(&self, name: &str) -> Option<usize> {
        let named = self.regex.capture_names().position(|group| group == Some(name));
        named.or_else(|| name.parse().ok().filter(|number| (1..self.regex.captures_len()).contains(number)))
    }

    /// Names of the groups, which a location may use as placeholders; the number of a group without a name.
    pub(crate) fn group_names(&self) -> impl Iterator<Item = String> {
        let groups = self.regex.capture_names().enumerate().skip(1);
        groups.map(|(number, name)| name.map_or_else(|| number.to_string(), str::to_owned))
    }
}

/// The expression, anchored at both ends.
pub(crate) fn anchored(text: &str) -> String {
    format!("^(?:{text})$")
}
