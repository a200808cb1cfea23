//! Mirror rules: as written ([`RuleSpec`]) and as checked ([`Rule`]).

use std::borrow::Cow;
use std::fmt;

use crate::glob::{GlobError, Globs};
use crate::hint::Hint;
use crate::location::Location;
use crate::reference::{ImageRef, LIBRARY};
use crate::rewriter::Context;
use crate::selector::PodSelector;
use crate::upstream::Upstream;

/// A rule as somebody writes it; [`RuleSpec::check`] makes a [`Rule`] of it.
#[derive(Clone, Debug, Default)]
pub struct RuleSpec {
    /// What the rule is called in logs and explanations; the upstream when empty.
    pub name: String,
    /// Registry, prefix, `*.domain` or `*`; either this or `pattern`.
    pub upstream: String,
    /// Regular expression over the whole normalised `registry/repository`.
    pub pattern: String,
    /// Locations in order of preference.
    pub mirrors: Vec<MirrorSpec>,
    /// Which references the rule speaks of.
    pub references: References,
    /// What becomes of Docker Hub's `library/`.
    pub library: Library,
    /// Globs over the normalised `registry/repository` that the rule leaves as they are.
    pub exclude: Vec<String>,
    /// Globs of namespaces the rule is for; `None` means all, an empty list none.
    pub include_namespaces: Option<Vec<String>>,
    /// Globs of namespaces the rule is not for.
    pub exclude_namespaces: Vec<String>,
    /// Labels that a pod must have; `None` means any.
    pub pod_selector: Option<PodSelector>,
    /// Name of a Secret to add to the pod's `imagePullSecrets`.
    pub pull_secret: Option<String>,
    /// Never rewrite what matches; such a rule has no mirrors.
    pub keep: bool,
}

/// One mirror of a rule, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorSpec {
    /// `host[:port][/path]`, or a template.
    pub location: String,
    /// Which references the mirror serves.
    pub references: References,
}

/// Kinds of reference. One with both tag and digest is pulled by its digest and counts as that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum References {
    /// All of them.
    #[default]
    Any,
    /// Without a digest.
    Tag,
    /// With a digest.
    Digest,
}

/// What becomes of the `library/` of Docker Hub's official images at the mirror.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Library {
    /// `nginx` is `library/nginx` there, as Harbor and most caches have it.
    #[default]
    Keep,
    /// `nginx` is `nginx` there.
    Strip,
}

impl References {
    /// The word in `mirrors.yaml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Tag => "tag",
            Self::Digest => "digest",
        }
    }

    pub(crate) fn fits(self, image: &ImageRef<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Tag => image.digest().is_none(),
            Self::Digest => image.digest().is_some(),
        }
    }
}

/// A rule whose every part has been checked.
#[derive(Clone, Debug)]
pub struct Rule {
    name: Box<str>,
    upstream: Upstream,
    mirrors: Box<[Mirror]>,
    library: Library,
    keep: bool,
    references: References,
    pull_secret: Option<Box<str>>,
    /// Most rules have none, and tables can be long.
    conditions: Option<Box<Conditions>>,
}

/// One mirror of a rule.
#[derive(Clone, Debug)]
pub struct Mirror {
    location: Location,
    references: References,
}

#[derive(Clone, Debug, Default)]
struct Conditions {
    exclude: Globs,
    include_namespaces: Option<Globs>,
    exclude_namespaces: Globs,
    pod_selector: Option<PodSelector>,
}

impl RuleSpec {
    /// Checks every part.
    ///
    /// # Errors
    /// The first part that is wrong, with a hint where there is one.
    pub fn check(self) -> Result<Rule, RuleError> {
        let upstream = match (self.upstream.is_empty(), self.pattern.is_empty()) {
            (false, true) => Upstream::parse(&self.upstream)?,
            (true, false) => Upstream::pattern(&self.pattern)?,
            (true, true) => {
                return Err(RuleError::whole("has neither `upstream` nor `pattern`", "a rule needs one of them"));
            }
            (false, false) => {
                return Err(RuleError::whole("has both `upstream` and `pattern`", "leave one of them out"));
            }
        };
        if self.keep && !self.mirrors.is_empty() {
            return Err(RuleError::whole("has `keep: true` and mirrors", "leave one of them out"));
        }
        if !self.keep && self.mirrors.is_empty() {
            return Err(RuleError::whole(
                "has no mirrors",
                "write `mirrors: [host/path]`, or `keep: true` to leave images alone",
            ));
        }
        let groups: Vec<&str> = match &upstream {
            Upstream::Pattern(pattern) => pattern.group_names().collect(),
            _ => Vec::new(),
        };
        let mirrors = self
            .mirrors
            .iter()
            .map(|mirror| {
                let location = Location::parse(&mirror.location, &groups)?;
                Ok(Mirror { location, references: mirror.references })
            })
            .collect::<Result<_, RuleError>>()?;
        let name = if self.name.is_empty() { upstream.to_string() } else { self.name };
        for glob in &self.exclude {
            check_exclude(glob)?;
        }
        let globs = |field, globs: &[String]| Globs::new(globs).map_err(|error| RuleError::glob(field, &error));
        let conditions = Conditions {
            exclude: globs("exclude", &self.exclude)?,
            include_namespaces: self.include_namespaces.map(|include| globs("namespaces", &include)).transpose()?,
            exclude_namespaces: globs("namespaces", &self.exclude_namespaces)?,
            pod_selector: self.pod_selector,
        };
        if self.pull_secret.as_deref().is_some_and(|name| !is_dns_subdomain(name)) {
            let name = self.pull_secret.unwrap_or_default();
            return Err(RuleError::new("pullSecret", format!("`{name}` is not the name of a Secret"), None));
        }
        Ok(Rule {
            name: name.into(),
            upstream,
            mirrors,
            library: self.library,
            keep: self.keep,
            references: self.references,
            pull_secret: self.pull_secret.map(Into::into),
            conditions: (!conditions.is_empty()).then(|| Box::new(conditions)),
        })
    }
}

impl Conditions {
    fn is_empty(&self) -> bool {
        self.exclude.is_empty()
            && self.include_namespaces.is_none()
            && self.exclude_namespaces.is_empty()
            && self.pod_selector.is_none()
    }
}

impl Rule {
    /// The short form: everything of `upstream` is at `location`.
    ///
    /// # Errors
    /// As [`RuleSpec::check`].
    pub fn mirror(upstream: &str, location: &str) -> Result<Self, RuleError> {
        // Said here because an empty upstream means "see the pattern" in a spec.
        Upstream::parse(upstream)?;
        let mirrors = vec![MirrorSpec { location: location.to_owned(), references: References::Any }];
        RuleSpec { upstream: upstream.to_owned(), mirrors, ..RuleSpec::default() }.check()
    }

    /// What the rule is called; its upstream if nobody named it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the rule speaks of.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The mirrors in order of preference; none for a rule that keeps.
    pub fn mirrors(&self) -> &[Mirror] {
        &self.mirrors
    }

    /// What becomes of Docker Hub's `library/`.
    pub fn library(&self) -> Library {
        self.library
    }

    /// Whether what matches is never rewritten.
    pub fn keep(&self) -> bool {
        self.keep
    }

    /// Name of the Secret that pulls from the mirror need.
    pub fn pull_secret(&self) -> Option<&str> {
        self.pull_secret.as_deref()
    }

    /// Whether the rule speaks of only some references, namespaces or pods.
    pub fn is_conditional(&self) -> bool {
        self.references != References::Any
            || self.conditions.as_ref().is_some_and(|conditions| {
                conditions.include_namespaces.is_some()
                    || !conditions.exclude_namespaces.is_empty()
                    || conditions.pod_selector.is_some()
            })
    }

    /// Why the rule does not speak of this image of this pod; `None` when it does.
    pub(crate) fn unmet(&self, image: &ImageRef<'_>, context: &Context<'_>) -> Option<Unmet> {
        if !self.references.fits(image) {
            return Some(Unmet::References);
        }
        let conditions = self.conditions.as_deref()?;
        if let Some(include) = &conditions.include_namespaces
            && !context.namespace().is_some_and(|namespace| include.is_match(namespace))
        {
            return Some(Unmet::Namespace);
        }
        if context.namespace().is_some_and(|namespace| conditions.exclude_namespaces.is_match(namespace)) {
            return Some(Unmet::Namespace);
        }
        let selector = conditions.pod_selector.as_ref()?;
        (!selector.matches(context.labels())).then_some(Unmet::Pod)
    }

    /// The `exclude` glob that matches; `subject` gives the `registry/repository`.
    pub(crate) fn excluded_by<'s>(&self, subject: impl FnOnce() -> &'s str) -> Option<&str> {
        let conditions = self.conditions.as_deref()?;
        if conditions.exclude.is_empty() { None } else { conditions.exclude.find(subject()) }
    }

    /// A repository, in two pieces, as this rule's mirrors have it.
    pub(crate) fn at_mirror<'a>(&self, registry: &str, repository: (&'a str, &'a str)) -> (&'a str, &'a str) {
        if self.library == Library::Keep || registry != crate::DOCKER_HUB {
            return repository;
        }
        match repository {
            (LIBRARY, name) => ("", name),
            (_, path) => match path.strip_prefix(LIBRARY) {
                Some(name) if !name.contains('/') => ("", name),
                _ => repository,
            },
        }
    }
}

impl Mirror {
    /// Where the copies lie.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Which references the mirror serves.
    pub fn references(&self) -> References {
        self.references
    }
}

/// Why a rule that matches an image does not speak of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmet {
    References,
    Namespace,
    Pod,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::References => "it is for another kind of reference (`references`)",
            Self::Namespace => "it is for other namespaces (`namespaces`)",
            Self::Pod => "it is for other pods (`podSelector`)",
        })
    }
}

/// An exclusion that can never match is a mistake, and people do forget the registry.
fn check_exclude(glob: &str) -> Result<(), RuleError> {
    let first = glob.split('/').next().unwrap_or_default();
    let could_be_registry = first.contains(['.', ':', '*', '?', '[', '{']) || first == "localhost";
    if could_be_registry {
        return Ok(());
    }
    let message = format!("glob `{glob}` begins with no registry, so it matches nothing");
    let hint = format!("globs match `registry/repository`: write `docker.io/{glob}` or `**/{glob}`");
    Err(RuleError::new("exclude", message, Some(hint)))
}

/// [RFC 1123 subdomain](https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names),
/// what Kubernetes wants of a Secret's name.
fn is_dns_subdomain(name: &str) -> bool {
    let label = |label: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = label.as_bytes();
        edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    field: &'static str,
    message: String,
    hint: Option<String>,
}

impl RuleError {
    fn new(field: &'static str, message: String, hint: Option<String>) -> Self {
        Self { field, message, hint }
    }

    fn whole(message: &str, hint: &str) -> Self {
        Self::new("", format!("rule {message}"), Some(hint.to_owned()))
    }

    pub(crate) fn upstream(text: &str, reason: &str, hint: String) -> Self {
        Self::new("upstream", format!("upstream `{text}` {reason}"), Some(hint))
    }

    pub(crate) fn location(text: &str, reason: &str, hint: String) -> Self {
        Self::new("mirrors", format!("location `{text}` {reason}"), Some(hint))
    }

    pub(crate) fn pattern(text: &str, reason: &str) -> Self {
        Self::new("pattern", format!("pattern `{text}` is not a regular expression: {reason}"), None)
    }

    fn glob(field: &'static str, error: &GlobError) -> Self {
        Self::new(field, error.to_string(), None)
    }

    /// The key of `mirrors.yaml` at fault; empty when it is the rule as a whole.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl Hint for RuleError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Into::into)
    }
}
