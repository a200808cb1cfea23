//! Rewrites images by compiled rules.

use std::sync::Arc;

use crate::context::Context;
use crate::explain::{Explanation, Step};
#[cfg(feature = "lint")]
use crate::lint;
use crate::location::{Location, Values};
use crate::outcome::{Outcome, Reason, RuleRef};
use crate::parse_error::ParseError;
use crate::reference::{ImageRef, LIBRARY, is_image_id};
use crate::rule::Rule;
use crate::rule_index::RuleIndex;
use crate::subject::Subject;
use crate::upstream::Upstream;
#[cfg(feature = "lint")]
use crate::warning::Warning;

/// The placeholder that sidecar injectors use for an image that they set later.
const PLACEHOLDER: &str = "auto";

/// Compiled rules. Immutable, so that threads can share it without locks; other rules need a new rewriter.
///
/// ```
/// use mimic_core::{Context, Rewriter, Rule};
///
/// let rules = vec![Rule::mirror("docker.io", "harbor.example.com/dockerhub")?];
/// let rewriter = Rewriter::new([("mine", rules.into())]);
/// let outcome = rewriter.rewrite("nginx:1.27", &Context::default());
/// assert_eq!(outcome.rewritten(), Some("harbor.example.com/dockerhub/library/nginx:1.27"));
/// # Ok::<(), mimic_core::RuleError>(())
/// ```
#[derive(Debug)]
pub struct Rewriter {
    index: RuleIndex,
    #[cfg(feature = "lint")]
    warnings: Vec<Warning>,
}

impl Rewriter {
    /// Compiles lists of rules, each with the name of its source, in order of precedence.
    ///
    /// Time and memory are proportional to the number of rules: do not compile while a request waits.
    pub fn new<'s>(lists: impl IntoIterator<Item = (&'s str, Arc<[Rule]>)>) -> Self {
        let index = RuleIndex::new(lists.into_iter().map(|(source, rules)| (source.into(), rules)).collect());
        Self {
            #[cfg(feature = "lint")]
            warnings: lint::warnings(&index),
            index,
        }
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is suspicious about the rules: some never apply, map to the upstream of others, or give different images
    /// the same name. A few dozen at most. Requires the feature `lint`.
    #[cfg(feature = "lint")]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// All rules with their sources, in order of precedence.
    pub fn rules(&self) -> impl Iterator<Item = RuleRef<'_>> {
        self.index.rules()
    }

    /// Rewrites one image, or returns why it is unchanged.
    ///
    /// Allocates only what it returns and, if rules with `pattern` or `exclude` are tried, one string to match.
    pub fn rewrite<'a>(&'a self, image: &'a str, context: &Context<'_>) -> Outcome<'a> {
        self.decide(image, context, &mut Silent)
    }

    /// Decides on one image as [`rewrite`](Self::rewrite) does, and returns every step.
    pub fn explain<'a>(&'a self, image: &'a str, context: &Context<'_>) -> Explanation<'a> {
        let mut steps = Vec::new();
        let outcome = self.decide(image, context, &mut steps);
        Explanation { image, steps, outcome }
    }

    /// Decides on one image. `trace` receives each step, which is built only if it is needed.
    fn decide<'a, T: Trace<'a>>(&'a self, image: &'a str, context: &Context<'_>, trace: &mut T) -> Outcome<'a> {
        if image.is_empty() || image == PLACEHOLDER {
            return Outcome::Unchanged(Reason::Placeholder);
        }
        if is_image_id(image) {
            return Outcome::Unchanged(Reason::ImageId);
        }
        let parsed = match ImageRef::parse(image) {
            Ok(parsed) => parsed,
            Err(error) => return Outcome::Invalid(error),
        };
        trace.step(|| Step::Parsed(parsed));
        let subject = self.index.subject(parsed);
        if let Some(host) = subject.alias() {
            trace.step(|| Step::Alias { host: host.to_owned(), registry: subject.registry().to_owned() });
        }
        let applies = |rule: RuleRef<'a>| rule.rule.unmet(&subject, context).is_none();
        if T::WANTS_ALL {
            let first = self.index.find(&subject, applies);
            self.index.find(&subject, |rule| {
                let unmet = rule.rule.unmet(&subject, context);
                let behind = first.filter(|first| unmet.is_none() && !std::ptr::eq(first.rule, rule.rule));
                trace.step(|| Step::Candidate { rule, unmet, behind });
                false
            });
        }
        if let Some(location) = self.index.location_of(&subject) {
            return Outcome::Unchanged(Reason::OnMirror { location });
        }
        let Some(rule) = self.index.find(&subject, applies) else {
            return Outcome::Unchanged(Reason::NoRule);
        };
        trace.step(|| Step::Selected(rule));
        if rule.rule.keep() {
            return Outcome::Unchanged(Reason::Kept(rule));
        }
        if let Some(glob) = rule.rule.excluded_by(&subject) {
            trace.step(|| Step::Excluded { glob });
            return Outcome::Unchanged(Reason::Excluded(rule));
        }
        let mut refused = None;
        for mirror in rule.rule.mirrors() {
            if !mirror.references().accepts(&parsed) {
                trace.step(|| Step::MirrorSkipped { location: mirror.location().as_str() });
                continue;
            }
            if mirror.location().puts_port_in_path(subject.registry()) {
                trace.step(|| Step::MirrorPort { location: mirror.location().as_str() });
                continue;
            }
            match build(rule.rule, mirror.location(), &subject, context.namespace().unwrap_or_default()) {
                Ok(image) => return Outcome::Rewritten { image, rule },
                Err((image, error)) => {
                    let error = error.map_or_else(|| "refers to another image".to_owned(), |e| e.to_string());
                    trace.step(|| Step::MirrorInvalid { image: image.clone(), error: error.clone() });
                    refused.get_or_insert(Reason::InvalidResult { rule, image, error });
                }
            }
        }
        Outcome::Unchanged(refused.unwrap_or(Reason::NoMirror(rule)))
    }
}

/// Receives each step of a decision.
trait Trace<'a> {
    /// Whether to report every rule that matches. The decision itself needs only the first.
    const WANTS_ALL: bool;

    fn step(&mut self, step: impl FnOnce() -> Step<'a>);
}

/// Discards the steps without building them.
struct Silent;

impl<'a> Trace<'a> for Silent {
    const WANTS_ALL: bool = false;

    fn step(&mut self, _: impl FnOnce() -> Step<'a>) {}
}

impl<'a> Trace<'a> for Vec<Step<'a>> {
    const WANTS_ALL: bool = true;

    fn step(&mut self, step: impl FnOnce() -> Step<'a>) {
        self.push(step());
    }
}

/// Builds the reference at a mirror. If it is not valid, returns it with the reason, or `None` for a reference to
/// another image.
fn build(
    rule: &Rule,
    location: &Location,
    subject: &Subject<'_>,
    namespace: &str,
) -> Result<String, (String, Option<ParseError>)> {
    let image = subject.image();
    let repository = rule.at_mirror(subject.known_registry(), image.repository_parts());
    let rest = match rule.upstream() {
        Upstream::Prefix { path, .. } if !path.is_empty() => {
            // The prefix matched whole components, so a slash and the rest follow it, or nothing. The prefix may
            // include an implied `library/`.
            let (library, written) = image.repository_parts();
            let is_library = !library.is_empty() || written.starts_with(LIBRARY);
            let implied = if is_library && rule.upstream().is_official() { LIBRARY.len() } else { 0 };
            let skip = implied + path.len() + 1;
            ("", if skip <= library.len() { written } else { written.get(skip - library.len()..).unwrap_or_default() })
        }
        // A location of a pattern is the whole name.
        Upstream::Pattern(_) => ("", ""),
        _ => repository,
    };
    let (tag, digest) = (image.tag().unwrap_or_default(), image.digest().unwrap_or_default());
    let length = location.as_str().len() + rest.0.len() + rest.1.len() + tag.len() + digest.len() + 3;
    let mut out = String::with_capacity(length);
    location.render(
        rest,
        || Values {
            registry: subject.registry(),
            repository,
            namespace,
            groups: match rule.upstream() {
                Upstream::Pattern(pattern) => pattern.regex().captures(subject.text().as_bytes()),
                _ => None,
            },
        },
        &mut out,
    );
    if !tag.is_empty() {
        out.push(':');
        out.push_str(tag);
    }
    if !digest.is_empty() {
        out.push('@');
        out.push_str(digest);
    }
    // Parse the result as the kubelet will. Registry, repository, tag and digest must be the intended ones.
    match ImageRef::parse(&out) {
        Ok(read) => {
            let is_intended = out.starts_with(read.registry())
                && read.repository_parts().0.is_empty()
                && read.tag() == image.tag()
                && read.digest() == image.digest();
            if is_intended { Ok(out) } else { Err((out, None)) }
        }
        Err(error) => Err((out, Some(error))),
    }
}
