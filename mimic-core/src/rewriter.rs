//! Rewrites images by compiled rules.

use std::sync::Arc;

use crate::context::Context;
#[cfg(feature = "lint")]
use crate::lint;
use crate::location::Values;
use crate::outcome::{Outcome, Reason, RuleRef};
use crate::reference::{ImageRef, LIBRARY, is_image_id};
use crate::rule::{Mirror, Rule};
use crate::rule_index::RuleIndex;
use crate::subject::Subject;
use crate::upstream::Upstream;
#[cfg(feature = "lint")]
use crate::warning::Warning;
use crate::work::{IMAGE, OUTPUT_BYTE, RULE, Work};

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
    pub(crate) index: RuleIndex,
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
        self.rewrite_with(image, context, &Work::unlimited())
    }

    /// As [`rewrite`](Self::rewrite). The outcome is wrong if the steps are spent before there is one.
    pub(crate) fn rewrite_with<'a>(&'a self, image: &'a str, context: &Context<'_>, work: &Work) -> Outcome<'a> {
        work.spend(IMAGE + image.len() as u64);
        if image.is_empty() || image == PLACEHOLDER {
            return Outcome::Unchanged(Reason::Placeholder);
        }
        if is_image_id(image) {
            return Outcome::Unchanged(Reason::ImageId);
        }
        let subject = match ImageRef::parse(image) {
            Ok(parsed) => self.index.subject(parsed),
            Err(error) => return Outcome::Invalid(error),
        };
        if let Some(location) = self.index.location_of(&subject, work) {
            return Outcome::Unchanged(Reason::OnMirror { location });
        }
        let mut first_unmet = None;
        let selected = self.index.find(&subject, work, |rule| {
            let unmet = rule.rule.unmet(rule.number, &subject, context, work);
            if let Some(unmet) = unmet {
                first_unmet.get_or_insert((rule, unmet));
            }
            unmet.is_none()
        });
        let Some(rule) = selected.filter(|_| !work.is_spent()) else {
            return Outcome::Unchanged(Reason::NoRule { unmet: first_unmet });
        };
        if rule.rule.keep() {
            return Outcome::Unchanged(Reason::Kept(rule));
        }
        if rule.rule.excluded_by(&subject, work).is_some() {
            return Outcome::Unchanged(Reason::Excluded(rule));
        }
        let mut refused = None;
        for mirror in rule.rule.mirrors() {
            work.spend(steps_at(rule.rule, mirror, &subject, context));
            if work.is_spent() {
                break;
            }
            match image_at(rule.rule, mirror, &subject, context) {
                Ok(image) => return Outcome::Rewritten { image, rule },
                Err(Refusal::Invalid { image, error }) => {
                    refused.get_or_insert(Reason::InvalidResult { rule, image, error });
                }
                Err(Refusal::References | Refusal::Port) => {}
            }
        }
        Outcome::Unchanged(refused.unwrap_or(Reason::NoMirror(rule)))
    }
}

/// Why a mirror is not used for an image.
pub(crate) enum Refusal {
    /// It does not accept this type of reference.
    References,
    /// Its location would have the registry's port in its path.
    Port,
    /// The name at the mirror would not be valid, or would refer to another image.
    Invalid { image: String, error: String },
}

/// Steps of [`image_at`], at most.
fn steps_at(rule: &Rule, mirror: &Mirror, subject: &Subject<'_>, context: &Context<'_>) -> u64 {
    let (library, written) = subject.image().repository_parts();
    let repository = library.len() + written.len();
    let captures = match rule.upstream() {
        // Captures cost more than a match.
        Upstream::Pattern(pattern) => 2 * pattern.steps(subject.text()),
        _ => 0,
    };
    let (registry, namespace) = (subject.registry().len(), context.namespace().map_or(0, str::len));
    let name = if captures > 0 { registry + 1 + repository } else { repository };
    RULE + captures + OUTPUT_BYTE * mirror.location().longest(repository, registry, namespace, name) as u64
}

/// The image at a mirror of a rule that matches.
pub(crate) fn image_at(
    rule: &Rule,
    mirror: &Mirror,
    subject: &Subject<'_>,
    context: &Context<'_>,
) -> Result<String, Refusal> {
    let location = mirror.location();
    if !mirror.references().accepts(subject.image()) {
        return Err(Refusal::References);
    }
    if location.puts_port_in_path(subject.registry()) {
        return Err(Refusal::Port);
    }
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
            namespace: context.namespace().unwrap_or_default(),
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
    let error = match ImageRef::parse(&out) {
        Ok(read)
            if out.starts_with(read.registry())
                && read.repository_parts().0.is_empty()
                && read.tag() == image.tag()
                && read.digest() == image.digest() =>
        {
            return Ok(out);
        }
        Ok(_) => "refers to another image".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Refusal::Invalid { image: out, error })
}
