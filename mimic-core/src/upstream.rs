//! Which images a rule matches: a registry, a prefix, a wildcard host, all, or a regular expression.

use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};

use crate::advice;
use crate::grammar::{is_registry, is_repository, looks_like_registry};
use crate::host::{ANY_PORT, as_read, docker_hub_alias, names_https_port};
use crate::reference::{DOCKER_HUB, is_official_name};
use crate::rule_error::RuleError;
use crate::work::STATE;

/// Largest compiled regular expression, in bytes. Limits the memory of one rule.
const PATTERN_SIZE_LIMIT: usize = 1 << 20;
/// Size from which the size of an expression is searched.
const PATTERN_SIZE_START: usize = 1 << 10;
/// Bytes of a state of an expression, of the smallest kind.
const STATE_BYTES: usize = 24;
/// Most memory that matching one expression can cache, in bytes.
const PATTERN_CACHE: usize = 256 << 10;

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
    /// States of the expression, about.
    states: u64,
    /// What every match starts with.
    start: Box<str>,
}

impl Upstream {
    /// Parses an upstream: `docker.io`, `localhost:5000`, `ghcr.io/acme`, `*.gcr.io`, `*`.
    ///
    /// # Errors
    /// [`RuleError`] with what is wrong; its [`hint`](crate::Hint::hint) shows the correct form.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        Self::read(text).ok_or_else(|| RuleError::advised("upstream", "upstream", text, &advice::upstream(text)))
    }

    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
        if path.is_none()
            && let Some(domain) = host.strip_prefix('*')
        {
            let domain = domain.to_ascii_lowercase();
            let name = domain.strip_prefix('.')?;
            let name = name.strip_suffix(ANY_PORT).map_or(name, |host| if host.contains(':') { "" } else { host });
            return is_registry(name).then(|| Self::Wildcard(domain.into()));
        }
        if !looks_like_registry(host) || !is_registry(host) || path.is_some_and(|path| !is_repository(path)) {
            return None;
        }
        let registry = host.to_ascii_lowercase();
        let registry = docker_hub_alias(&registry).map_or_else(|| registry.as_str().into(), Into::into);
        Some(Self::Prefix { registry, path: path.unwrap_or_default().into() })
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
        matches!(self, Self::Prefix { registry, path } if &**registry == DOCKER_HUB && is_official_name(path))
    }

    /// Compiles a regular expression that must match the whole `registry/repository`.
    ///
    /// # Errors
    /// [`RuleError`] with the message of the `regex` crate; with the feature `lint` also for an expression that cannot
    /// match any image.
    pub fn pattern(text: &str) -> Result<Self, RuleError> {
        match compile(&anchored(text)) {
            Ok((regex, size)) => {
                if let Some(advice) = advice::never_matches(text) {
                    return Err(RuleError::advised("pattern", "pattern", text, &advice));
                }
                let (states, start) = ((size / STATE_BYTES) as u64, literal_start(text).into());
                Ok(Self::Pattern(Box::new(Pattern { text: text.to_owned(), regex, states, start })))
            }
            Err(error) => {
                // The crate prints the pattern and a marker on separate lines; the last line is the reason.
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                let message = format!("pattern `{text}` is not a regular expression: {reason}");
                Err(RuleError::new("pattern", message, ""))
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
            Self::Prefix { registry, path } if path.is_empty() => f.write_str(&as_read(registry)),
            Self::Prefix { registry, path } => write!(f, "{}/{path}", as_read(registry)),
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

    #[cfg(feature = "table")]
    pub(crate) fn start(&self) -> &str {
        &self.start
    }

    /// About how many bytes the compiled expression has, at least.
    pub(crate) fn size(&self) -> u64 {
        self.states * STATE_BYTES as u64
    }

    pub(crate) fn regex(&self) -> &Regex {
        &self.regex
    }

    /// Whether a text starts as every match does. Other texts never match.
    pub(crate) fn can_match(&self, text: &str) -> bool {
        text.starts_with(&*self.start)
    }

    /// Steps to match `text` if it [can match](Self::can_match). At worst, each byte leads from all states to all states.
    pub(crate) fn steps(&self, text: &str) -> u64 {
        STATE * self.states * text.len() as u64
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

/// Compiles an expression, and returns about how many bytes it has. The crate does not tell, but has a limit.
fn compile(expression: &str) -> Result<(Regex, usize), regex::Error> {
    let mut limit = PATTERN_SIZE_START;
    loop {
        let mut builder = RegexBuilder::new(expression);
        match builder.unicode(false).size_limit(limit).dfa_size_limit(PATTERN_CACHE).build() {
            Err(regex::Error::CompiledTooBig(_)) if limit < PATTERN_SIZE_LIMIT => {
                limit = (limit + limit / 2).min(PATTERN_SIZE_LIMIT);
            }
            compiled => return compiled.map(|regex| (regex, limit)),
        }
    }
}

/// The text that every match of an expression begins with; empty if there is none, or if it cannot be told without parsing.
fn literal_start(expression: &str) -> String {
    let mut start = String::new();
    if has_alternatives(expression) {
        return start;
    }
    let mut rest = expression.trim_start_matches('^').chars().peekable();
    while let Some(c) = rest.next() {
        let literal = match c {
            '\\' => rest.next().filter(|c| matches!(c, '.' | '-' | '/' | '_' | ':')),
            c => (c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '_' | ':')).then_some(c),
        };
        let is_repeated = matches!(rest.peek(), Some('*' | '+' | '?' | '{'));
        match literal.filter(|_| !is_repeated) {
            Some(c) => start.push(c),
            None => break,
        }
    }
    start
}

/// Whether an expression can have alternatives outside of groups. Errs on the side of `true`.
fn has_alternatives(expression: &str) -> bool {
    // Classes that contain brackets, and flags, which can turn blanks into comments.
    let is_unusual = expression.contains("[]") || expression.contains("[^]");
    let has_flags = expression.match_indices("(?").any(|(at, _)| !expression[at + 2..].starts_with(['P', '<', ':']));
    let (mut groups, mut classes) = (0, 0);
    let mut chars = expression.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '[' => classes += 1,
            ']' if classes > 0 => classes -= 1,
            '(' if classes == 0 => groups += 1,
            ')' if classes == 0 => groups -= 1,
            '|' if classes == 0 && groups == 0 => return true,
            _ => {}
        }
    }
    is_unusual || has_flags
}

/// The expression, anchored at both ends.
pub(crate) fn anchored(text: &str) -> String {
    format!("^(?:{text})$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_match_begins_with_the_literal_start() {
        for (expression, start) in [
            (r"registry\.example\.com/(dev|test)/.*", "registry.example.com/"),
            (r"^ghcr\.io/acme-[0-9]+/x", "ghcr.io/acme-"),
            (r"quay\.io/a?b", "quay.io/"),
            (r"quay\.io/ab{2}", "quay.io/a"),
            (r"quay\.io/[|(]x", "quay.io/"),
            (r"quay.io/a", "quay"),
            (r"a/b|c/d", ""),
            (r"a/(b|c)|d/e", ""),
            (r"a/[](]|d/e", ""),
            (r"a/[^](]|d/e", ""),
            (r"(?i)quay\.io/a", ""),
            (
                r"a/(?x: # (
                b)|d/e",
                "",
            ),
            (r"\w+/a", ""),
            (r".*/a", ""),
        ] {
            assert_eq!(literal_start(expression), start, "{expression}");
        }
    }

    #[test]
    fn steps_grow_with_the_expression_and_the_text() {
        let steps = |expression: &str, text: &str| match Upstream::pattern(expression) {
            Ok(Upstream::Pattern(pattern)) => pattern.steps(text),
            other => panic!("{other:?}"),
        };
        let (small, large) = (r".*/[a-z]{10}", r".*/[a-z]{1000}");
        assert_eq!(steps(small, &"a".repeat(200)), 2 * steps(small, &"a".repeat(100)));
        assert!(steps(large, "a") > 20 * steps(small, "a"), "{} {}", steps(large, "a"), steps(small, "a"));
    }
}
