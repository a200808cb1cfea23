//! Decides about images with the webhook's code: each unit becomes the review of a pod that is being created.

use std::collections::HashMap;

use mimic_core::internal::Printable;
use mimic_core::{Outcome, Reason, Rewriter};
use mimic_k8s::admission::{ContainerKind, OPT_OUT, Review, ReviewSettings, Skip};
use serde_json::{Value, json};

use crate::found::{Image, Unit};
use crate::note::Severity;
use crate::tree::{Id, Tree, Unclear};

/// The annotation of a static pod's copy, which the webhook skips.
const MIRROR_POD: &str = "kubernetes.io/config.mirror";

/// What becomes of an image.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) node: Id,
    /// The new value of the scalar; `None` if it stays.
    pub(crate) value: Option<String>,
    /// The rule that rewrote it, and its source.
    pub(crate) rule: Option<(String, String)>,
}

/// A note and the node that it is about.
pub(crate) type NodeNote = (Id, Severity, String);

/// Decides about all images of a unit.
pub(crate) fn decide(
    tree: &Tree<'_>,
    unit: &Unit,
    rewriter: &Rewriter,
    settings: &ReviewSettings,
    namespace: Option<&str>,
    notes: &mut Vec<NodeNote>,
) -> Result<Vec<Decided>, Unclear> {
    let namespace = unit.namespace.as_deref().or(namespace);
    let (labels, annotations) = metadata(tree, unit.metadata)?;
    let names = unit.names.iter().map(|&node| (node, ContainerKind::Container, tree.text(node), "", None));
    let images = unit.images.iter().map(|image| {
        (image.node, image.kind, image.reference.as_str(), image.name.as_str(), image.pull_policy.as_deref())
    });
    let mut lists: HashMap<ContainerKind, Vec<Value>> = HashMap::new();
    // The place of each image in the pod.
    let mut places: Vec<(ContainerKind, usize)> = Vec::new();
    for (_, kind, reference, name, policy) in images.chain(names) {
        let list = lists.entry(kind).or_default();
        places.push((kind, list.len()));
        list.push(match kind {
            ContainerKind::Volume => json!({"name": name, "image": {"reference": reference, "pullPolicy": policy}}),
            _ => json!({"name": name, "image": reference, "imagePullPolicy": policy}),
        });
    }
    let mut list = |kind| lists.remove(&kind).unwrap_or_default();
    let body = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "manifest",
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": namespace,
            "object": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {
                    "initContainers": list(ContainerKind::InitContainer),
                    "containers": list(ContainerKind::Container),
                    "ephemeralContainers": list(ContainerKind::EphemeralContainer),
                    "volumes": list(ContainerKind::Volume),
                },
            },
        },
    })
    .to_string();
    let first = unit.images.first().map(|image| image.node).or(unit.names.first().copied());
    let unreadable = |notes: &mut Vec<NodeNote>, reason: &str| {
        notes.extend(first.map(|node| (node, Severity::Error, format!("images not evaluated: {reason}"))));
        Ok(Vec::new())
    };
    let settings = ReviewSettings { annotate: false, dry_run: false, ..settings.clone() };
    let review = match Review::parse(body.as_bytes()) {
        Ok(review) => review,
        Err(error) => return unreadable(notes, &error.to_string()),
    };
    let verdict = review.decide(rewriter, &settings);
    match verdict.skipped() {
        None => {}
        Some(Skip::TooCostly) => return unreadable(notes, "they cost more than a review of the webhook may"),
        Some(Skip::Unreadable) => return unreadable(notes, review.unreadable().unwrap_or("unreadable")),
        Some(_) => return Ok(Vec::new()),
    }
    let outcomes: HashMap<(ContainerKind, usize), &Outcome<'_>> =
        verdict.images().iter().map(|decision| ((decision.kind, decision.index), &decision.outcome)).collect();
    let mut decided = Vec::new();
    let mut secrets: Vec<&str> = Vec::new();
    for (image, place) in unit.images.iter().zip(&places) {
        let Some(&outcome) = outcomes.get(place) else { continue };
        if let Outcome::Rewritten { rule, .. } = outcome
            && let Some(secret) = rule.rule.pull_secret()
            && !unit.pull_secrets.iter().any(|named| named == secret)
            && !secrets.contains(&secret)
        {
            secrets.push(secret);
            notes.push((
                image.node,
                Severity::Warning,
                format!("{rule} needs the pull secret `{secret}`, which is not in `imagePullSecrets`"),
            ));
        }
        decided.push(of_image(image, outcome, notes));
    }
    for (&node, place) in unit.names.iter().zip(&places[unit.images.len()..]) {
        if let Some(Outcome::Rewritten { image, .. }) = outcomes.get(place) {
            let message = format!(
                "`name: {}` will not match manifests whose images are rewritten, to `{image}`",
                Printable(tree.text(node))
            );
            notes.push((node, Severity::Warning, message));
        }
    }
    Ok(decided)
}

fn of_image(image: &Image, outcome: &Outcome<'_>, notes: &mut Vec<NodeNote>) -> Decided {
    let mut decided = Decided { node: image.node, value: None, rule: None };
    match outcome {
        Outcome::Rewritten { image: new, rule } => {
            // Tag and digest are the same, so they are at the end of the new image as well.
            let name = new.strip_suffix(image.after.as_str()).unwrap_or(new);
            decided.value = Some(format!("{}{name}", image.before));
            decided.rule = Some((rule.rule.name().to_owned(), rule.source.to_owned()));
        }
        Outcome::Invalid(error) => notes.push((image.node, Severity::Error, error.to_string())),
        Outcome::Unchanged(Reason::InvalidResult { .. }) => {
            let message = format!("`{}` {outcome}", Printable(&image.reference));
            notes.push((image.node, Severity::Error, message));
        }
        _ => {}
    }
    decided
}

/// The labels, and the annotations that decide whether a pod is skipped.
fn metadata(tree: &Tree<'_>, metadata: Option<Id>) -> Result<(Value, Value), Unclear> {
    let mut labels = serde_json::Map::new();
    let mut annotations = serde_json::Map::new();
    if let Some(metadata) = metadata {
        if let Some(map) = tree.get(metadata, "labels")? {
            let strings = tree.entries(map)?.into_iter();
            let strings = strings.filter_map(|(key, value)| Some((tree.text(key), tree.string(value)?)));
            labels.extend(strings.map(|(key, value)| (key.to_owned(), value.into())));
        }
        if let Some(map) = tree.get(metadata, "annotations")? {
            for name in [OPT_OUT, MIRROR_POD] {
                if let Some(value) = tree.get(map, name)?.and_then(|id| tree.string(id)) {
                    annotations.insert(name.to_owned(), value.into());
                }
            }
        }
    }
    Ok((labels.into(), annotations.into()))
}
