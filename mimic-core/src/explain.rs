//! The steps that led to an outcome, with the texts that `mimic explain` prints.

use std::fmt;

use crate::context::Context;
use crate::outcome::{Outcome, ReasonCode, RuleRef};
use crate::printable::Printable;
use crate::reference::ImageRef;
use crate::rewriter::{Refusal, Rewriter, image_at};
use crate::unmet::Unmet;
use crate::upstream::Upstream;
use crate::work::Work;

/// Every step that led to an outcome. `Display` prints one line for each.
///
/// ```
/// use mimic_core::{Context, Rewriter, Rule};
///
/// let rules = vec![Rule::mirror("quay.io", "harbor.example.com/quay")?];
/// let rewriter = Rewriter::new([("mine", rules.into())]);
/// let explanation = rewriter.explain("quay.io/acme/app:1", &Context::default());
/// assert_eq!(explanation.steps.iter().map(|step| step.kind()).collect::<Vec<_>>(), ["parsed", "candidate", "selected"]);
/// assert_eq!(explanation.steps[1].to_string(), "rule `quay.io` of mine: upstream `quay.io` matches");
/// # Ok::<(), mimic_core::RuleError>(())
/// ```
#[derive(Debug)]
pub struct Explanation<'a> {
    /// The image as written.
    pub image: &'a str,
    /// The steps in order.
    pub steps: Vec<Step<'a>>,
    /// The result.
    pub outcome: Outcome<'a>,
}

/// One step of an [`Explanation`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// The image is a valid reference.
    Parsed(ImageRef<'a>),
    /// The registry is an alias: the image is decided as one of another registry.
    Alias {
        /// The alias.
        host: String,
        /// The other registry.
        registry: String,
    },
    /// The upstream of a rule matches the image.
    Candidate {
        /// The rule.
        rule: RuleRef<'a>,
        /// Why the rule does not apply; `None` if it does.
        unmet: Option<Unmet>,
        /// The rule that applies instead, because it has precedence; `None` for that rule and for rules that do not apply.
        behind: Option<RuleRef<'a>>,
    },
    /// The rule was selected: of those that apply, with the highest priority, the most specific.
    Selected(RuleRef<'a>),
    /// A glob of the selected rule excludes the image.
    Excluded {
        /// The glob.
        glob: &'a str,
    },
    /// A mirror does not accept this type of reference.
    MirrorSkipped {
        /// The mirror's location.
        location: &'a str,
    },
    /// The location of a mirror would have the registry's port in its path, where no port can be.
    MirrorPort {
        /// The mirror's location.
        location: &'a str,
    },
    /// The rewritten image would not be valid.
    MirrorInvalid {
        /// The result of the rewrite.
        image: String,
        /// Why it is not valid.
        error: String,
    },
}

impl Rewriter {
    /// Decides on one image as [`rewrite`](Self::rewrite) does, and returns every step. Requires the feature `explain`.
    pub fn explain<'a>(&'a self, image: &'a str, context: &Context<'_>) -> Explanation<'a> {
        let outcome = self.rewrite(image, context);
        let steps = match (outcome.reason(), ImageRef::parse(image)) {
            (ReasonCode::Placeholder | ReasonCode::ImageId, _) | (_, Err(_)) => Vec::new(),
            (_, Ok(parsed)) => self.steps(parsed, outcome.rule(), context),
        };
        Explanation { image, steps, outcome }
    }

    fn steps<'a>(
        &'a self,
        parsed: ImageRef<'a>,
        selected: Option<RuleRef<'a>>,
        context: &Context<'_>,
    ) -> Vec<Step<'a>> {
        let (subject, work) = (self.index.subject(parsed), &Work::unlimited());
        let unmet = |rule: RuleRef<'_>| rule.rule.unmet(rule.number, &subject, context, work);
        let mut steps = vec![Step::Parsed(parsed)];
        if let Some(host) = subject.alias() {
            steps.push(Step::Alias { host: host.to_owned(), registry: subject.registry().to_owned() });
        }
        let first = self.index.find(&subject, work, |rule| unmet(rule).is_none());
        self.index.find(&subject, work, |rule| {
            let unmet = unmet(rule);
            let behind = first.filter(|first| unmet.is_none() && !std::ptr::eq(first.rule, rule.rule));
            steps.push(Step::Candidate { rule, unmet, behind });
            false
        });
        let Some(selected) = selected else { return steps };
        steps.push(Step::Selected(selected));
        if selected.rule.keep() {
            return steps;
        }
        if let Some(glob) = selected.rule.excluded_by(&subject, work) {
            steps.push(Step::Excluded { glob });
            return steps;
        }
        for mirror in selected.rule.mirrors() {
            let location = mirror.location().as_str();
            steps.push(match image_at(selected.rule, mirror, &subject, context) {
                Ok(_) => break,
                Err(Refusal::References) => Step::MirrorSkipped { location },
                Err(Refusal::Port) => Step::MirrorPort { location },
                Err(Refusal::Invalid { image, error }) => Step::MirrorInvalid { image, error },
            });
        }
        steps
    }
}

impl Step<'_> {
    /// A stable name: `parsed`, `alias`, `candidate`, `selected`, `excluded`, `mirror_skipped`, `mirror_port` or
    /// `mirror_invalid`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Parsed(_) => "parsed",
            Self::Alias { .. } => "alias",
            Self::Candidate { .. } => "candidate",
            Self::Selected(_) => "selected",
            Self::Excluded { .. } => "excluded",
            Self::MirrorSkipped { .. } => "mirror_skipped",
            Self::MirrorPort { .. } => "mirror_port",
            Self::MirrorInvalid { .. } => "mirror_invalid",
        }
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parsed(image) => {
                write!(f, "parsed as registry `{}`, repository `{}`, ", image.registry(), image.repository())?;
                match image.tag() {
                    Some(tag) => write!(f, "tag `{tag}`, ")?,
                    None => f.write_str("no tag, ")?,
                }
                match image.digest() {
                    Some(digest) => write!(f, "digest `{digest}`"),
                    None => f.write_str("no digest"),
                }
            }
            Self::Alias { host, registry } => write!(f, "`{host}` is an alias of `{registry}`"),
            Self::Candidate { rule, unmet, behind } => {
                let kind = if matches!(rule.rule.upstream(), Upstream::Pattern(_)) { "pattern" } else { "upstream" };
                write!(f, "{rule}: {kind} `{}` matches", rule.rule.upstream())?;
                match (unmet, behind) {
                    (Some(unmet), _) => write!(f, ", but {unmet}"),
                    (None, Some(first)) => write!(f, ", but {first} has precedence"),
                    (None, None) => Ok(()),
                }
            }
            Self::Selected(rule) if rule.rule.priority() != 0 => {
                write!(f, "selected {rule}: priority {}", rule.rule.priority())
            }
            Self::Selected(rule) => write!(f, "selected {rule}: the most specific matching rule"),
            Self::Excluded { glob } => write!(f, "excluded by glob `{glob}`"),
            Self::MirrorSkipped { location } => write!(f, "mirror `{location}` skipped: wrong reference type"),
            Self::MirrorPort { location } => {
                write!(f, "mirror `{location}` skipped: `{{registry}}` would put a port into its path")
            }
            Self::MirrorInvalid { image, error } => write!(f, "mirror skipped: `{image}` is not valid: {error}"),
        }
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An invalid image can contain anything, and this is printed to terminals.
        writeln!(f, "{}", Printable(self.image))?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        write!(f, "  {}", self.outcome)
    }
}
