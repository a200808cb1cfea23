//! Deciding: which images of a pod are looked at, and what becomes of each.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use mimic_core::{Context, Globs, Outcome, Reason, Rewriter};

use crate::annotation::{fits, noted_before, original_images};
use crate::json;
use crate::patch::{Annotate, Patch};
use crate::pod::{Annotations, NamedImage, Place, Pod, Spec};
use crate::response;
use crate::review::{Request, Review};
use crate::warning::{Notes, brief};

/// What a cluster's administrator can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Note the original images in an annotation of the pod.
    pub annotate: bool,
    /// Decide and warn, but patch nothing.
    pub dry_run: bool,
    /// Namespaces whose pods are left alone.
    pub excluded_namespaces: Globs,
}

impl Default for Settings {
    /// With the annotation, patching, and without Kubernetes' own namespaces.
    fn default() -> Self {
        let own = ["kube-system", "kube-node-lease", "kube-public"];
        Self {
            annotate: true,
            dry_run: false,
            excluded_namespaces: Globs::new(own).expect("names without special characters are valid globs"),
        }
    }
}

/// Why a request is answered without looking at its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Skip {
    /// It is not about pods.
    NotAPod,
    /// It is neither CREATE nor UPDATE.
    Operation,
    /// It is about a part of a pod that names no new images, such as `pods/status`.
    Subresource,
    /// The namespace is excluded.
    Namespace,
    /// The object is missing or cannot be read as a pod.
    Unreadable,
    /// The pod is the API server's copy of a static pod.
    MirrorPod,
    /// The pod is being deleted.
    Deleting,
    /// The pod opted out by its label.
    OptedOut,
}

impl Skip {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::NotAPod,
        Self::Operation,
        Self::Subresource,
        Self::Namespace,
        Self::Unreadable,
        Self::MirrorPod,
        Self::Deleting,
        Self::OptedOut,
    ];

    /// A stable name for logs, metrics and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAPod => "not_a_pod",
            Self::Operation => "operation",
            Self::Subresource => "subresource",
            Self::Namespace => "namespace",
            Self::Unreadable => "unreadable",
            Self::MirrorPod => "mirror_pod",
            Self::Deleting => "deleting",
            Self::OptedOut => "opted_out",
        }
    }
}

/// What became of one image.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The list it is in.
    pub place: Place,
    /// Its position in that list.
    pub index: usize,
    /// The name of its container or volume.
    pub name: &'a str,
    /// The image as written.
    pub image: &'a str,
    /// The outcome, and why.
    pub outcome: Outcome<'a>,
}

/// What became of a request: one decision per image, and the answer.
#[derive(Debug)]
pub struct Verdict<'r> {
    review: &'r Review<'r>,
    skipped: Option<Skip>,
    images: Vec<Decision<'r>>,
    patch: Option<Patch<'r>>,
    original_images: Option<String>,
    problems: Option<String>,
    warnings: Vec<String>,
}

impl<'r> Verdict<'r> {
    /// Why the request was answered without looking at its images, if so.
    pub fn skipped(&self) -> Option<Skip> {
        self.skipped
    }

    /// The images that were decided. On an UPDATE, those that did not change are not among them.
    pub fn images(&self) -> &[Decision<'r>] {
        &self.images
    }

    /// The warnings for whoever sent the request, in the order of their importance.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The original images of this answer's audit annotation: a JSON object, name → image.
    pub fn original_images(&self) -> Option<&str> {
        self.original_images.as_deref()
    }

    /// The JSON Patch (RFC 6902), or `None` if nothing changes.
    pub fn patch(&self) -> Option<Vec<u8>> {
        self.patch_text(self.original_images_as_json().as_deref()).map(String::into_bytes)
    }

    /// The AdmissionReview that answers the request. It always allows it.
    pub fn to_response(&self) -> Vec<u8> {
        response::write(self)
    }

    /// The patch; `originals` is [`Verdict::original_images_as_json`], which others need too.
    pub(crate) fn patch_text(&self, originals: Option<&str>) -> Option<String> {
        self.patch.as_ref().map(|patch| patch.write(&self.images, originals))
    }

    /// The JSON object that is the annotation's value, as a JSON string.
    pub(crate) fn original_images_as_json(&self) -> Option<String> {
        let originals = self.original_images()?;
        let mut out = String::with_capacity(originals.len() * 5 / 4);
        json::string(&mut out, originals);
        Some(out)
    }

    pub(crate) fn uid(&self) -> &str {
        self.review.uid()
    }

    pub(crate) fn problems(&self) -> Option<&str> {
        self.problems.as_deref()
    }
}

/// Which images of a pod are decided.
enum Scope<'r> {
    /// All: the pod is new.
    All(&'r Pod<'r>),
    /// Those that are not what they were: the pod runs, and what runs stays.
    Changed(&'r Pod<'r>, &'r Spec<'r>),
    /// Ephemeral containers that were not there: nothing else may be patched.
    NewEphemeral(&'r Pod<'r>, &'r Spec<'r>),
}

impl<'r> Scope<'r> {
    fn of(request: &'r Request<'r>, settings: &Settings) -> Result<Self, Skip> {
        if !request.resource.group.is_empty() || *request.resource.resource != *"pods" {
            return Err(Skip::NotAPod);
        }
        if !matches!(&*request.operation, "CREATE" | "UPDATE") {
            return Err(Skip::Operation);
        }
        if !matches!((&*request.operation, &*request.sub_resource), (_, "") | ("UPDATE", "ephemeralcontainers")) {
            return Err(Skip::Subresource);
        }
        if settings.excluded_namespaces.is_match(&request.namespace) {
            return Err(Skip::Namespace);
        }
        let pod = request.object.as_ref().ok_or(Skip::Unreadable)?;
        if let Some(metadata) = &pod.metadata {
            if metadata.annotations.as_ref().is_some_and(|annotations| annotations.mirror_pod) {
                return Err(Skip::MirrorPod);
            }
            if metadata.deletion_timestamp.given().is_some() {
                return Err(Skip::Deleting);
            }
            if metadata.labels.opted_out() {
                return Err(Skip::OptedOut);
            }
        }
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

    /// The images of one list that are to be decided.
    fn images(&self, place: Place) -> impl Iterator<Item = NamedImage<'r>> {
        let before: HashMap<&str, &str> = match self {
            Self::All(_) => HashMap::new(),
            Self::Changed(_, old) | Self::NewEphemeral(_, old) => {
                old.images(place).map(|image| (image.name, image.reference)).collect()
            }
        };
        self.pod().spec.images(place).filter(move |image| match self {
            Self::All(_) => true,
            Self::Changed(..) => before.get(image.name).is_some_and(|old| *old != image.reference),
            Self::NewEphemeral(..) => place == Place::EphemeralContainer && !before.contains_key(image.name),
        })
    }
}

/// Decides what becomes of every image of the review's pod.
pub(crate) fn decide<'r>(review: &'r Review<'r>, rewriter: &'r Rewriter, settings: &'r Settings) -> Verdict<'r> {
    let mut verdict = Verdict {
        review,
        skipped: None,
        images: Vec::new(),
        patch: None,
        original_images: None,
        problems: None,
        warnings: Vec::new(),
    };
    let mut problems = Notes::default();
    let mut notices = Notes::default();
    match Scope::of(&review.request, settings) {
        Err(skip) => {
            verdict.skipped = Some(skip);
            note_skip(skip, &review.request, &mut problems);
        }
        Ok(scope) => {
            verdict.images = decide_images(&scope, &review.request, rewriter);
            note_problems(&verdict.images, &mut problems);
            if settings.dry_run {
                note_intentions(&verdict.images, &mut notices);
            } else if verdict.images.iter().any(|decision| decision.outcome.rewritten().is_some()) {
                let (patch, originals) = plan(&scope, &verdict.images, settings, &mut problems);
                verdict.patch = Some(patch);
                verdict.original_images = Some(originals);
            }
        }
    }
    verdict.problems = problems.joined();
    problems.append(notices);
    verdict.warnings = problems.into_warnings();
    verdict
}

fn decide_images<'r>(scope: &Scope<'r>, request: &'r Request<'r>, rewriter: &'r Rewriter) -> Vec<Decision<'r>> {
    let mut context = Context::default();
    if let Some(namespace) = request.namespace.given() {
        context = context.with_namespace(namespace);
    }
    if let Some(metadata) = &scope.pod().metadata {
        context = context.with_labels(&metadata.labels);
    }
    let mut decisions = Vec::new();
    for place in Place::ALL {
        decisions.extend(scope.images(place).map(|NamedImage { index, name, reference }| Decision {
            place,
            index,
            name,
            image: reference,
            outcome: rewriter.rewrite(reference, &context),
        }));
    }
    decisions
}

/// What the patch changes, and the originals to note.
fn plan<'r>(
    scope: &Scope<'r>,
    images: &[Decision<'r>],
    settings: &Settings,
    problems: &mut Notes,
) -> (Patch<'r>, String) {
    let mut patch = Patch { pull_secrets: Vec::new(), has_pull_secrets: false, annotation: None };
    // On an UPDATE, Kubernetes refuses or drops a change of anything but images.
    let Scope::All(pod) = scope else {
        return (patch, original_images(images, &BTreeMap::new()));
    };
    patch.has_pull_secrets = pod.spec.image_pull_secrets.is_some();
    patch.pull_secrets = missing_pull_secrets(images, &pod.spec);

    // Without metadata there is nowhere to put an annotation. The API server always sends it.
    let Some(metadata) = pod.metadata.as_ref().filter(|_| settings.annotate) else {
        return (patch, original_images(images, &BTreeMap::new()));
    };
    let none = Annotations::default();
    let annotations = metadata.annotations.as_ref().unwrap_or(&none);
    let originals = original_images(images, &noted_before(annotations, &pod.spec));
    if annotations.original_images.as_deref() == Some(originals.as_str()) {
        // The pod says so already.
    } else if fits(annotations, &originals) {
        patch.annotation = Some(if metadata.annotations.is_some() { Annotate::Entry } else { Annotate::Map });
    } else {
        problems.add(format_args!("mimic: the original images are not noted: the pod's annotations are too large"));
    }
    (patch, originals)
}

/// The pull secrets of the rules that rewrote something, without those that the pod names already.
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

fn note_skip(skip: Skip, request: &Request<'_>, problems: &mut Notes) {
    match skip {
        Skip::NotAPod => {
            let group =
                request.resource.group.given().map_or(Cow::Borrowed(""), |group| Cow::Owned(format!(".{group}")));
            problems.add(format_args!(
                "mimic: asked about `{}`, but handles pods only: check the webhook's rules",
                brief(format_args!("{}{group}", &*request.resource.resource), 45)
            ));
        }
        Skip::Unreadable => {
            problems.add(format_args!("mimic: the pod could not be read; its images stay as they are"));
        }
        _ => {}
    }
}

fn note_problems(images: &[Decision<'_>], problems: &mut Notes) {
    for Decision { place, name, outcome, .. } in images {
        let (place, name) = (place.words(), || brief(format_args!("{name}"), 40));
        match outcome {
            Outcome::Invalid(error) => {
                problems.add(format_args!("mimic: {place} `{}` keeps its image: {error}", name()));
            }
            Outcome::Unchanged(Reason::InvalidResult { rule, error, .. }) => problems.add(format_args!(
                "mimic: {place} `{}` keeps its image: rule `{}` makes it invalid: {error}",
                name(),
                brief(format_args!("{}", rule.rule.name()), 40)
            )),
            _ => {}
        }
    }
}

fn note_intentions(images: &[Decision<'_>], notices: &mut Notes) {
    for Decision { place, name, outcome, .. } in images {
        if let Some(image) = outcome.rewritten() {
            let name = brief(format_args!("{name}"), 40);
            notices.add(format_args!("mimic dry run: {} `{name}` would be `{image}`", place.words()));
        }
    }
}
