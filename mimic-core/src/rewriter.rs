//! Compiled rules, and what they make of an image.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::explain::{Explanation, Step};
use crate::location::Values;
use crate::outcome::{Outcome, Reason, RuleRef};
use crate::reference::{DOCKER_HUB, ImageRef};
use crate::rule::Rule;
use crate::selector::Labels;
use crate::table::Table;
use crate::upstream::Upstream;
use crate::uses::Uses;

/// The placeholder that sidecar injectors put where they will write an image themselves.
const PLACEHOLDER: &str = "auto";

/// What a rule's conditions are asked of: the pod that an image belongs to.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    namespace: Option<&'a str>,
    labels: &'a dyn Labels,
}

impl Default for Context<'_> {
    /// No namespace and no labels: rules that name namespaces to include do not apply.
    fn default() -> Self {
        const NONE: &[(&str, &str)] = &[];
        Self { namespace: None, labels: &NONE }
    }
}

impl<'a> Context<'a> {
    /// The pod's namespace.
    #[must_use]
    pub fn with_namespace(self, namespace: &'a str) -> Self {
        Self { namespace: Some(namespace), ..self }
    }

    /// The pod's labels.
    #[must_use]
    pub fn with_labels(self, labels: &'a dyn Labels) -> Self {
        Self { labels, ..self }
    }

    pub(crate) fn namespace(&self) -> Option<&'a str> {
        self.namespace
    }

    pub(crate) fn labels(&self) -> &'a dyn Labels {
        self.labels
    }
}

/// An immutable table of rules. Cheap to share, never locked; a new list of rules makes a new one.
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
    table: Table,
    warnings: Vec<String>,
    uses: Uses,
}

impl Rewriter {
    /// Compiles lists of rules, each with the name of its source, in order of precedence.
    ///
    /// Costs time and memory in proportion to the number of rules; not for a request thread.
    pub fn new<'s>(lists: impl IntoIterator<Item = (&'s str, Arc<[Rule]>)>) -> Self {
        let table = Table::new(lists.into_iter().map(|(source, rules)| (source.into(), rules)).collect());
        let warnings = crate::lint::warnings(&table);
        let uses = Uses::new(table.len());
        Self { table, warnings, uses }
    }

    /// A table without rules, which changes nothing.
    pub fn empty() -> Self {
        Self::new([])
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is odd about the table as a whole: rules that can never apply, that feed each other, or that make one name
    /// of two different images. At most a few dozen sentences.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// All rules with their sources, in order of precedence.
    pub fn rules(&self) -> impl Iterator<Item = RuleRef<'_>> {
        self.table.rules()
    }

    /// Counts that a rule of this table was used, for [`Rewriter::uses`]. Deciding itself counts nothing.
    pub fn note_use(&self, rule: RuleRef<'_>) {
        self.uses.note(rule.position);
    }

    /// How often each rule was used, without those that never were.
    pub fn uses(&self) -> impl Iterator<Item = (RuleRef<'_>, u64)> {
        self.rules().map(|rule| (rule, self.uses.of(rule.position))).filter(|(_, uses)| *uses > 0)
    }

    /// Goes on counting where an earlier table stopped: for rules of the same source and name.
    pub(crate) fn carry_over_uses(&self, earlier: &Self) {
        let mut known: HashMap<_, u64> = HashMap::new();
        for (rule, uses) in earlier.uses() {
            *known.entry((rule.source, rule.rule.name())).or_default() += uses;
        }
        if known.is_empty() {
            return;
        }
        for rule in self.rules() {
            // Of several rules of one name the first goes on for all.
            if let Some(uses) = known.remove(&(rule.source, rule.rule.name())) {
                self.uses.set(rule.position, uses);
            }
        }
    }

    /// Decides one image. Allocates only what it returns, and, for rules with `pattern` or `exclude`, one string to
    /// match them on.
    pub fn rewrite<'a>(&'a self, image: &'a str, context: &Context<'_>) -> Outcome<'a> {
        self.decide(image, context, &mut Silent)
    }

    /// Decides one image and tells every step.
    pub fn explain<'a>(&'a self, image: &'a str, context: &Context<'_>) -> Explanation<'a> {
        let mut steps = Vec::new();
        let outcome = self.decide(image, context, &mut steps);
        Explanation { image, steps, outcome }
    }

    /// The one decision; `trace` is given every step, built only when somebody looks.
    fn decide<'a, T: Trace<'a>>(&'a self, image: &'a str, context: &Context<'_>, trace: &mut T) -> Outcome<'a> {
        if image.is_empty() || image == PLACEHOLDER {
            return Outcome::Unchanged(Reason::Placeholder);
        }
        let parsed = match ImageRef::parse(image) {
            Ok(parsed) => parsed,
            Err(error) => return Outcome::Invalid(error),
        };
        trace.step(|| Step::Parsed(parsed));
        let subject = Subject::new(parsed);
        if let Some(location) = self.table.location_of(&subject) {
            return Outcome::Unchanged(Reason::OnMirror { location });
        }
        if T::WANTS_ALL {
            self.table.find(&subject, |rule| {
                trace.step(|| Step::Candidate { rule, unmet: rule.rule.unmet(&parsed, context) });
                false
            });
        }
        let Some(rule) = self.table.find(&subject, |rule| rule.rule.unmet(&parsed, context).is_none()) else {
            return Outcome::Unchanged(Reason::NoRule);
        };
        trace.step(|| Step::Winner(rule));
        if rule.rule.keep() {
            return Outcome::Unchanged(Reason::Kept(rule));
        }
        if let Some(glob) = rule.rule.excluded_by(|| subject.text()) {
            trace.step(|| Step::Excluded { glob });
            return Outcome::Unchanged(Reason::Excluded(rule));
        }
        let mut refused = None;
        for mirror in rule.rule.mirrors() {
            if !mirror.references().fits(&parsed) {
                trace.step(|| Step::MirrorUnfit { location: mirror.location().as_str() });
                continue;
            }
            match build(rule.rule, mirror.location(), &subject) {
                Ok(image) => return Outcome::Rewritten { image, rule },
                Err((image, error)) => {
                    let error = error.map_or_else(|| "it would mean another image".to_owned(), |e| e.to_string());
                    trace.step(|| Step::MirrorRefused { image: &image, error: &error });
                    refused.get_or_insert(Reason::InvalidResult { rule, image, error });
                }
            }
        }
        Outcome::Unchanged(refused.unwrap_or(Reason::NoMirror(rule)))
    }
}

/// Who listens to the steps of a decision.
trait Trace<'a> {
    /// Whether to look for every rule that matches, where the decision itself needs only the first.
    const WANTS_ALL: bool;

    fn step<'s>(&mut self, step: impl FnOnce() -> Step<'a, 's>);
}

/// Nobody: the steps are not even made.
struct Silent;

impl<'a> Trace<'a> for Silent {
    const WANTS_ALL: bool = false;

    fn step<'s>(&mut self, _: impl FnOnce() -> Step<'a, 's>) {}
}

impl<'a> Trace<'a> for Vec<String> {
    const WANTS_ALL: bool = true;

    fn step<'s>(&mut self, step: impl FnOnce() -> Step<'a, 's>) {
        self.push(step().to_string());
    }
}

/// Builds the reference at a mirror and makes sure that it says what was meant.
fn build(
    rule: &Rule,
    location: &crate::Location,
    subject: &Subject<'_>,
) -> Result<String, (String, Option<crate::ParseError>)> {
    let image = &subject.image;
    let repository = rule.at_mirror(&subject.registry, image.repository_parts());
    let rest = match rule.upstream() {
        Upstream::Prefix { path, .. } if !path.is_empty() => {
            // The prefix matched whole components; what follows it is a slash and the rest, or nothing. The first
            // bytes may be those of an implied `library/`.
            let (library, written) = image.repository_parts();
            let skip = path.len() + 1;
            ("", if skip <= library.len() { written } else { written.get(skip - library.len()..).unwrap_or_default() })
        }
        _ => repository,
    };
    let (tag, digest) = (image.tag().unwrap_or_default(), image.digest().unwrap_or_default());
    let length = location.as_str().len() + rest.0.len() + rest.1.len() + tag.len() + digest.len() + 3;
    let mut out = String::with_capacity(length);
    location.render(
        rest,
        || Values {
            registry: &subject.registry,
            repository,
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
    // Read back as the kubelet will: the same place, tag and digest that were meant, or nothing is rewritten.
    match ImageRef::parse(&out) {
        Ok(read) => {
            let as_meant = out.starts_with(read.registry())
                && read.repository_parts().0.is_empty()
                && read.tag() == image.tag()
                && read.digest() == image.digest();
            if as_meant { Ok(out) } else { Err((out, None)) }
        }
        Err(error) => Err((out, Some(error))),
    }
}

/// An image as rules are matched on it.
pub(crate) struct Subject<'a> {
    image: ImageRef<'a>,
    /// The registry in lower case: host names have no case.
    registry: Cow<'a, str>,
    text: OnceCell<String>,
}

impl<'a> Subject<'a> {
    fn new(image: ImageRef<'a>) -> Self {
        let mut registry = Cow::Borrowed(image.registry());
        if registry.bytes().any(|b| b.is_ascii_uppercase()) {
            let lower = registry.to_ascii_lowercase();
            // The kubelet knows Docker Hub by that very spelling; any other is a host of its own.
            if lower != DOCKER_HUB {
                registry = Cow::Owned(lower);
            }
        }
        Self { image, registry, text: OnceCell::new() }
    }

    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    pub(crate) fn repository_parts(&self) -> (&'static str, &'a str) {
        self.image.repository_parts()
    }

    /// `registry/repository`, made when first asked for.
    pub(crate) fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let (library, path) = self.repository_parts();
            format!("{}/{library}{path}", self.registry)
        })
    }
}
