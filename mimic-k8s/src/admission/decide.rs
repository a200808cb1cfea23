//! The verdict on a pod: which images are evaluated, and the pull secrets and the annotation to add.

use std::cell::OnceCell;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mimic_core::{Batch, Context, Outcome, Reason, Rewriter, TooCostly};

use super::answer::annotation::{original_images, recorded_before, within_size_limit};
use super::answer::warning::Warnings;
use super::container_kind::ContainerKind;
use super::decision::Decision;
use super::label_index::LabelIndex;
use super::pod::{Annotations, NamedImage, Pod, Spec};
use super::review::{Request, Review};
use super::settings::{MAX_STEPS, ReviewSettings};
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
        steps: 0,
    };
    let mut problems = Warnings::default();
    let mut notices = Warnings::default();
    match Scope::of(request, settings) {
        Err(skip) => {
            verdict.skipped = Some(skip);
            problems.add_skip(skip, request);
        }
        Ok(scope) => {
            let labels = LabelIndex::new(scope.pod().metadata.as_ref().map(|metadata| &metadata.labels));
            let batch = Batch::new(rewriter, context(request, &labels), scope.pod().spec.size(), MAX_STEPS);
            match evaluate(&scope, &batch, settings) {
                Err(TooCostly) => {
                    verdict.skipped = Some(Skip::TooCostly);
                    problems.add_skip(Skip::TooCostly, request);
                }
                Ok((images, earlier)) => {
                    verdict.images = images;
                    problems.add_unchanged_images(&verdict.images);
                    if settings.dry_run {
                        notices.add_dry_run(&verdict.images);
                    } else if is_rewritten(&verdict.images) {
                        let originals = original_images(&verdict.images, &BTreeMap::new());
                        let changes = plan(&scope, &verdict.images, &originals, &earlier, settings, &mut problems);
                        verdict.changes = Some(changes);
                        verdict.original_images = Some(originals);
                    }
                }
            }
            verdict.steps = batch.spent();
        }
    }
    verdict.problems = problems.joined();
    problems.append(notices);
    verdict.warnings = problems.into_warnings();
    verdict
}

/// What the conditions of rules are checked against.
fn context<'c>(request: &'c Request<'_>, labels: &'c LabelIndex<'_>) -> Context<'c> {
    let context = Context::default().with_labels(labels);
    request.namespace.given().map_or(context, |namespace| context.with_namespace(namespace))
}

/// The images of the pod, and the original images that an earlier review recorded.
type Evaluated<'r> = (Vec<Decision<'r>>, BTreeMap<String, String>);

fn evaluate<'r>(
    scope: &Scope<'r>,
    batch: &Batch<'r, '_>,
    settings: &ReviewSettings,
) -> Result<Evaluated<'r>, TooCostly> {
    let images = decide_images(scope, batch)?;
    let earlier = match scope {
        Scope::All(pod) if settings.annotate && !settings.dry_run && is_rewritten(&images) => {
            recorded_before(pod, batch)?
        }
        _ => BTreeMap::new(),
    };
    Ok((images, earlier))
}

fn is_rewritten(images: &[Decision<'_>]) -> bool {
    images.iter().any(|decision| decision.outcome.rewritten().is_some())
}

fn decide_images<'r>(scope: &Scope<'r>, batch: &Batch<'r, '_>) -> Result<Vec<Decision<'r>>, TooCostly> {
    let secrets = PullSecrets::of(scope);
    let mut known = Known::of(scope);
    let mut decisions: Vec<Decision<'r>> = Vec::new();
    for &kind in ContainerKind::ALL {
        for NamedImage { index, name, reference, never_pulled } in scope.images(kind) {
            let outcome = if never_pulled {
                Outcome::Unchanged(Reason::NeverPulled)
            } else {
                match known.before(reference, decisions.len()).map(|before| &decisions[before].outcome) {
                    // An invalid result can be long, so building it again must be paid for again.
                    None | Some(Outcome::Unchanged(Reason::InvalidResult { .. })) => {
                        secrets.check(batch.rewrite(reference)?)
                    }
                    Some(outcome) => {
                        batch.spend(Known::STEPS + reference.len() as u64)?;
                        outcome.clone()
                    }
                }
            };
            decisions.push(Decision { kind, index, name, image: reference, outcome });
        }
    }
    Ok(decisions)
}

/// The images that were decided already, each with the index of its decision. Pods with few images have none.
struct Known<'r>(Option<HashMap<&'r str, usize>>);

impl<'r> Known<'r> {
    /// Images up to which looking them up costs more than it saves.
    const FEW: usize = 32;
    /// Steps to look an image up and to copy its outcome, apart from its length.
    const STEPS: u64 = 200;

    fn of(scope: &Scope<'r>) -> Self {
        Self((scope.pod().spec.size() > Self::FEW).then(HashMap::new))
    }

    /// The decision on the same image. If there is none, the next one, with this index, is kept.
    fn before(&mut self, image: &'r str, next: usize) -> Option<usize> {
        match self.0.as_mut()?.entry(image) {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(place) => {
                place.insert(next);
                None
            }
        }
    }
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
