//! Checked rules: their conditions, and the name of an image on their mirrors.

use crate::context::Context;
use crate::glob::Globs;
use crate::host::without_https_port;
use crate::image_globs::ImageGlobs;
use crate::location::Location;
use crate::reference::{DOCKER_HUB, ImageRef, LIBRARY};
use crate::rule_error::RuleError;
use crate::rule_memory;
use crate::rule_spec::{Library, MirrorSpec, References, RuleSpec};
use crate::selector::PodSelector;
use crate::subject::Subject;
use crate::unmet::Unmet;
use crate::upstream::Upstream;
use crate::work::Work;

#[cfg(feature = "lint")]
mod lint;
#[cfg(feature = "table")]
mod table;
#[cfg(feature = "file")]
pub(crate) use lint::NamesAlias;

/// A checked rule: which images it matches, and the mirrors that have copies of them.
#[derive(Clone, Debug)]
pub struct Rule {
    name: Box<str>,
    upstream: Upstream,
    mirrors: Box<[Mirror]>,
    library: Library,
    keep: bool,
    references: References,
    priority: i32,
    memory: u32,
    pull_secret: Option<Box<str>>,
    /// Boxed because most rules have none and there can be many rules.
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
    /// The registry that the upstream is an alias of.
    alias_of: Option<Box<str>>,
    /// A location contains the pod's namespace.
    needs_namespace: bool,
    include: Option<ImageGlobs>,
    exclude: ImageGlobs,
    include_namespaces: Option<Globs>,
    exclude_namespaces: Globs,
    pod_selector: Option<PodSelector>,
    /// Steps to evaluate the selector.
    selector_steps: u64,
}

impl RuleSpec {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not valid.
    pub fn check(self) -> Result<Rule, RuleError> {
        let memory = rule_memory::of_spec(&self)?;
        let whole = |message, hint| Err(RuleError::whole(message, hint));
        let upstream = match (&self.upstream, &self.pattern) {
            (Some(upstream), None) => Upstream::parse(upstream)?,
            (None, Some(pattern)) => Upstream::pattern(pattern)?,
            (None, None) => return whole("has neither `upstream` nor `pattern`", "set one of them"),
            (Some(_), Some(_)) => return whole("has both `upstream` and `pattern`", "remove one of them"),
        };
        match (self.keep, self.mirrors.is_empty()) {
            (true, false) => return whole("has `keep: true` and mirrors", "remove one of them"),
            (false, true) => {
                let hint = "set `mirrors: [host/path]`, or `keep: true` to leave images unchanged";
                return whole("has no mirrors", hint);
            }
            _ => {}
        }
        let pattern = if let Upstream::Pattern(pattern) = &upstream { Some(&**pattern) } else { None };
        let mirror = |mirror: &MirrorSpec| {
            Ok(Mirror { location: Location::parse(&mirror.location, pattern)?, references: mirror.references })
        };
        let memory = match pattern {
            Some(pattern) => rule_memory::with_pattern(memory, pattern.size())?,
            None => memory,
        };
        let mirrors = self.mirrors.iter().map(mirror).collect::<Result<Vec<_>, RuleError>>()?;
        let name = self.name.filter(|name| !name.is_empty()).unwrap_or_else(|| upstream.to_string());
        if self.include.as_ref().is_some_and(Vec::is_empty) {
            let hint = "write globs, or remove the key to include all images";
            return Err(RuleError::new("include", "an empty `include` never matches".to_owned(), hint));
        }
        let globs = |field, globs: &[String]| Globs::new(globs).map_err(|error| RuleError::glob(field, &error));
        let conditions = Conditions {
            alias_of: None,
            needs_namespace: mirrors.iter().any(|mirror| mirror.location.needs_namespace()),
            include: self.include.map(|include| ImageGlobs::new("include", &include, &upstream)).transpose()?,
            exclude: ImageGlobs::new("exclude", &self.exclude, &upstream)?,
            include_namespaces: self.include_namespaces.map(|include| globs("namespaces", &include)).transpose()?,
            exclude_namespaces: globs("namespaces", &self.exclude_namespaces)?,
            selector_steps: self.pod_selector.as_ref().map_or(0, PodSelector::steps),
            pod_selector: self.pod_selector,
        };
        if let Some(name) = self.pull_secret.as_deref().filter(|name| !is_dns_subdomain(name)) {
            return Err(RuleError::new("pullSecret", format!("`{name}` is not a valid name of a Secret"), ""));
        }
        Ok(Rule {
            name: name.into(),
            upstream,
            mirrors: mirrors.into(),
            library: self.library,
            keep: self.keep,
            references: self.references,
            priority: self.priority,
            memory,
            pull_secret: self.pull_secret.map(Into::into),
            conditions: (!conditions.is_empty()).then(|| Box::new(conditions)),
        })
    }
}

impl References {
    pub(crate) fn accepts(self, image: &ImageRef<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Tag => image.digest().is_none(),
            Self::Digest => image.digest().is_some(),
        }
    }
}

impl Conditions {
    fn is_empty(&self) -> bool {
        self.alias_of.is_none()
            && !self.needs_namespace
            && self.include.is_none()
            && self.exclude.is_empty()
            && self.include_namespaces.is_none()
            && self.exclude_namespaces.is_empty()
            && self.pod_selector.is_none()
    }

    /// Steps to find out whether the pod meets them.
    fn pod_steps(&self, context: &Context<'_>) -> u64 {
        let namespace = context.namespace().unwrap_or_default();
        let globs = self.include_namespaces.iter().chain([&self.exclude_namespaces]);
        globs.map(|globs| globs.steps(namespace)).sum::<u64>() + self.selector_steps
    }

    /// The condition that the pod does not meet, whatever the image is.
    fn unmet_by_pod(&self, context: &Context<'_>) -> Option<Unmet> {
        if self.needs_namespace && context.namespace().is_none() {
            return Some(Unmet::NamespaceUnknown);
        }
        let is_listed = |globs: &Globs| context.namespace().is_some_and(|namespace| globs.is_match(namespace));
        if self.include_namespaces.as_ref().is_some_and(|include| !is_listed(include))
            || is_listed(&self.exclude_namespaces)
        {
            return Some(Unmet::Namespace);
        }
        let selector = self.pod_selector.as_ref()?;
        (!selector.matches(context.labels())).then_some(Unmet::Pod)
    }
}

impl Rule {
    /// The rule that maps all images of `upstream` to `location`.
    ///
    /// # Errors
    /// As [`RuleSpec::check`].
    pub fn mirror(upstream: &str, location: &str) -> Result<Self, RuleError> {
        let mirrors = vec![MirrorSpec { location: location.to_owned(), references: References::Any }];
        RuleSpec { upstream: Some(upstream.to_owned()), mirrors, ..RuleSpec::default() }.check()
    }

    /// The entry of `aliases` that has images of the registry `alias` decided as images of the registry `of`. It has no
    /// mirrors.
    ///
    /// # Errors
    /// One of the two is not a registry, or both are the same.
    pub fn alias(alias: &str, of: &str) -> Result<Self, RuleError> {
        let memory = rule_memory::of_alias(alias, of)?;
        let registry = |text: &str| match Upstream::parse(text)? {
            Upstream::Prefix { registry, path } if path.is_empty() => Ok(registry),
            _ => Err(RuleError::alias(alias, &format!("names `{text}`, which is not a registry"))),
        };
        let (from, of) = (registry(alias)?, registry(of)?);
        let of: Box<str> = without_https_port(&of).into();
        let is_hub_name = &*from == DOCKER_HUB && !alias.eq_ignore_ascii_case(DOCKER_HUB);
        if without_https_port(&from) == &*of || is_hub_name {
            return Err(RuleError::alias(alias, &format!("is the same registry as `{from}` already")));
        }
        Ok(Self {
            name: without_https_port(&from).into(),
            upstream: Upstream::Prefix { registry: from, path: "".into() },
            mirrors: Box::default(),
            library: Library::Keep,
            keep: false,
            references: References::Any,
            priority: 0,
            memory,
            pull_secret: None,
            conditions: Some(Box::new(Conditions { alias_of: Some(of), ..Conditions::default() })),
        })
    }

    /// For an entry of `aliases`: the registry whose rules apply to images of the [upstream](Self::upstream).
    pub fn alias_of(&self) -> Option<&str> {
        self.conditions.as_deref()?.alias_of.as_deref()
    }

    /// The rule's name; its upstream if it was given none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which images the rule matches.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The mirrors in order of preference; none for a rule with `keep` or an alias.
    pub fn mirrors(&self) -> &[Mirror] {
        &self.mirrors
    }

    /// How the mirrors store Docker Hub's `library/` images.
    pub fn library(&self) -> Library {
        self.library
    }

    /// Whether images that match are never rewritten.
    pub fn keep(&self) -> bool {
        self.keep
    }

    /// The rules with the highest priority are considered first, whatever their upstream is.
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// About how many bytes of memory the rule takes, with its part of an index.
    pub fn memory(&self) -> usize {
        self.memory as usize
    }

    /// Name of the Secret with the credentials for the mirror.
    pub fn pull_secret(&self) -> Option<&str> {
        self.pull_secret.as_deref()
    }

    /// Why the rule with this number does not apply to this image of this pod, although its upstream matches; `None` when
    /// it applies.
    pub(crate) fn unmet(
        &self,
        number: usize,
        subject: &Subject<'_>,
        context: &Context<'_>,
        work: &Work,
    ) -> Option<Unmet> {
        if !self.references.accepts(subject.image()) {
            return Some(Unmet::References);
        }
        let conditions = self.conditions.as_deref()?;
        if let Some(unmet) = work.of_pod(number, conditions.pod_steps(context), || conditions.unmet_by_pod(context)) {
            return Some(unmet);
        }
        let include = conditions.include.as_ref()?;
        work.spend(include.steps(subject.text(), subject.image()));
        if work.is_spent() {
            return Some(Unmet::Image);
        }
        include.find(subject.text(), subject.image()).is_none().then_some(Unmet::Image)
    }

    /// The `exclude` glob that matches.
    pub(crate) fn excluded_by(&self, subject: &Subject<'_>, work: &Work) -> Option<&str> {
        let exclude = &self.conditions.as_deref()?.exclude;
        if exclude.is_empty() {
            return None;
        }
        work.spend(exclude.steps(subject.text(), subject.image()));
        if work.is_spent() { None } else { exclude.find(subject.text(), subject.image()) }
    }

    /// The repository, in two parts, as this rule's mirrors name it.
    pub(crate) fn at_mirror<'a>(&self, registry: Option<&str>, repository: (&'a str, &'a str)) -> (&'a str, &'a str) {
        if self.library == Library::Keep || registry != Some(DOCKER_HUB) {
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
    /// Where the copies are.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Which references the mirror accepts.
    pub fn references(&self) -> References {
        self.references
    }
}

/// [RFC 1123 subdomain](https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names),
/// which Kubernetes requires for the name of a Secret.
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
