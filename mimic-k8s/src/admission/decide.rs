//! The verdict on a pod: which images are evaluated, and the pull secrets and the annotation to add.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mimic_core::{Context, Outcome, Reason, Rewriter};

use super::answer::annotation::{original_images, recorded_before, within_size_limit};
use super::answer::warning::Warnings;
use super::container_kind::ContainerKind;
use super::decision::Decision;
use super::pod::{Annotations, NamedImage, Pod, Spec};
use super::review::{Request, Review};
use super::settings::ReviewSettings;
use super::skip::{Skip, pod_to_evaluate};
use super::verdict::{Annotate, Changes, Verdict};

impl Review<'_> {
    /// Evaluates the images of the review's pod.
    pub fn decide<'r>(&'r self, rewriter: &'r Rewriter, settings: &'r ReviewSettings) -> Verdict<'r> {
        decide(&self.request, rewriter, settings)
    }
}

/// Which images of a pod are evaluated.
enum Scope<'r> {
    /// All: the pod is being created.
    All(&'r Pod<'r>),
    /// Images that changed: the pod exists, and its other images stay as they are.
    Changed(&'r Pod<'r>, &'r Spec<'r>),
    /// New ephemeral containers: this subresource allows no other change.
    NewEphemeral(&'r Pod<'r>, &'r Spec<'r>),
}

impl<'r> Scope<'r> {
    fn of(request: &'r Request<'r>, settings: &ReviewSettings) -> Result<Self, Skip> {
        let pod = pod_to_evaluate(request, settings)?;
        if &*request.operation == "CREATE" {
            return Ok(Self::All(pod));
        }
        let old = &request.old_object.as_ref().ok_or(Skip::Unreadable)?.spec;
        Ok(if request.sub_resource.is_empty() { Self::Changed(pod, old) } else { Self::NewEphemeral(pod, old) })
    }

    fn pod(&self) -> &'r Pod<'r> {
        match self {
            Self::All(pod) | Self::Changed(pod, _) | Self::NewEphemeral(pod, _) => pod,
        }
    }

    /// The images of one list to evaluate.
    fn images(&self, kind: ContainerKind) -> impl Iterator<Item = NamedImage<'r>> {
        let before: HashMap<&str, &str> = match self {
            Self::All(_) => HashMap::new(),
            Self::Changed(_, old) | Self::NewEphemeral(_, old) => {
                old.images(kind).map(|image| (image.name, image.reference)).collect()
            }
        };
        self.pod().spec.images(kind).filter(move |image| match self {
            Self::All(_) => true,
            Self::Changed(..) => before.get(image.name).is_some_and(|old| *old != image.reference),
            Self::NewEphemeral(..) => kind == ContainerKind::EphemeralContainer && !before.contains_key(image.name),
        })
    }
}

fn decide<'r>(request: &'r Request<'r>, rewriter: &'r Rewriter, settings: &'r ReviewSettings) -> Verdict<'r> {
    let mut verdict = Verdict {
        uid: &request.uid,
        skipped: None,
        images: Vec::new(),
        changes: None,
        original_images: None,
        problems: None,
        warnings: Vec::new(),
    };
    let mut problems = Warnings::default();
    let mut notices = Warnings::default();
    match Scope::of(request, settings) {
        Err(skip) => {
            verdict.skipped = Some(skip);
            problems.add_skip(skip, request);
        }
        Ok(scope) => {
            let context = context(&scope, request);
            verdict.images = decide_images(&scope, rewriter, &context);
            problems.add_unchanged_images(&verdict.images);
            if settings.dry_run {
                notices.add_dry_run(&verdict.images);
            } else if verdict.images.iter().any(|decision| decision.outcome.rewritten().is_some()) {
                let originals = original_images(&verdict.images, &BTreeMap::new());
                let earlier = match scope {
                    Scope::All(pod) if settings.annotate => recorded_before(pod, rewriter, &context),
                    _ => BTreeMap::new(),
                };
                verdict.changes = Some(plan(&scope, &verdict.images, &originals, &earlier, settings, &mut problems));
                verdict.original_images = Some(originals);
            }
        }
    }
    verdict.problems = problems.joined();
    problems.append(notices);
    verdict.warnings = problems.into_warnings();
    verdict
}

/// What the conditions of rules are checked against.
fn context<'r>(scope: &Scope<'r>, request: &'r Request<'r>) -> Context<'r> {
    let mut context = Context::default();
    if let Some(namespace) = request.namespace.given() {
        context = context.with_namespace(namespace);
    }
    if let Some(metadata) = &scope.pod().metadata {
        context = context.with_labels(&metadata.labels);
    }
    context
}

fn decide_images<'r>(scope: &Scope<'r>, rewriter: &'r Rewriter, context: &Context<'_>) -> Vec<Decision<'r>> {
    let secrets = PullSecrets::of(scope);
    let mut decisions = Vec::new();
    for &kind in ContainerKind::ALL {
        decisions.extend(scope.images(kind).map(|NamedImage { index, name, reference, never_pulled }| {
            let outcome = if never_pulled {
                Outcome::Unchanged(Reason::NeverPulled)
            } else {
                secrets.check(rewriter.rewrite(reference, context))
            };
            Decision { kind, index, name, image: reference, outcome }
        }));
    }
    decisions
}

/// The pull secrets that a rule may need.
enum PullSecrets<'r> {
    /// The pod is being created: Mimic adds those that are missing.
    Any,
    /// The pod exists: only those that it names. The set is built if a rule needs one.
    Named(&'r Spec<'r>, OnceCell<HashSet<&'r str>>),
}

impl<'r> PullSecrets<'r> {
    fn of(scope: &Scope<'r>) -> Self {
        match scope {
            Scope::All(_) => Self::Any,
            Scope::Changed(pod, _) | Scope::NewEphemeral(pod, _) => Self::Named(&pod.spec, OnceCell::new()),
        }
    }

    /// Leaves an image unchanged that its mirror would not let the pod pull.
    fn check(&self, outcome: Outcome<'r>) -> Outcome<'r> {
        if let Self::Named(spec, named) = self
            && let Outcome::Rewritten { rule, .. } = &outcome
            && let Some(secret) = rule.rule.pull_secret()
        {
            let secrets = || spec.image_pull_secrets.iter().flat_map(|list| list.iter());
            if !named.get_or_init(|| secrets().map(|secret| &*secret.name).collect()).contains(secret) {
                return Outcome::Unchanged(Reason::PullSecretMissing(*rule));
            }
        }
        outcome
    }
}

/// What the patch changes in addition to images. `originals` are this review's original images, `earlier` those that an
/// earlier review recorded.
fn plan<'r>(
    scope: &Scope<'r>,
    images: &[Decision<'r>],
    originals: &str,
    earlier: &BTreeMap<String, String>,
    settings: &ReviewSettings,
    problems: &mut Warnings,
) -> Changes<'r> {
    let mut changes = Changes { pull_secrets: Vec::new(), has_pull_secrets: false, annotation: None };
    // On an UPDATE, Kubernetes rejects or drops changes of anything but images.
    let Scope::All(pod) = scope else { return changes };
    changes.has_pull_secrets = pod.spec.image_pull_secrets.is_some();
    changes.pull_secrets = missing_pull_secrets(images, &pod.spec);

    // An annotation needs metadata. The API server always sends it.
    let Some(metadata) = pod.metadata.as_ref().filter(|_| settings.annotate) else { return changes };
    let none = Annotations::default();
    let annotations = metadata.annotations.as_ref().unwrap_or(&none);
    let merged = (!earlier.is_empty()).then(|| original_images(images, earlier));
    let recorded = merged.as_deref().unwrap_or(originals);
    if annotations.original_images.as_deref() == Some(recorded) {
        // The annotation already has this value.
    } else if within_size_limit(annotations, recorded) {
        changes.annotation = Some(match (&metadata.annotations, merged) {
            (None, _) => Annotate::Map,
            (Some(_), merged) => Annotate::Entry { merged },
        });
    } else {
        problems.add(format_args!("mimic: original images not recorded: annotations would exceed 256 KiB"));
    }
    changes
}

/// The pull secrets of the rules that rewrote an image, without those that the pod already lists.
fn missing_pull_secrets<'r>(images: &[Decision<'r>], spec: &Spec<'_>) -> Vec<&'r str> {
    let mut names: BTreeSet<&'r str> = BTreeSet::new();
    for decision in images {
        if let Outcome::Rewritten { rule, .. } = &decision.outcome {
            names.extend(rule.rule.pull_secret());
        }
    }
    for secret in spec.image_pull_secrets.iter().flat_map(|secrets| secrets.iter()) {
        names.remove(&*secret.name);
    }
    names.into_iter().collect()
}
