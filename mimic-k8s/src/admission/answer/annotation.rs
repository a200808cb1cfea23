//! The annotation that records the original images of a pod.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use mimic_core::{Context, Outcome, Rewriter};

use crate::admission::container_kind::ContainerKind;
use crate::admission::decision::Decision;
use crate::admission::json::writer;
use crate::admission::pod::{Annotations, ORIGINAL_IMAGES, Pod};

/// Kubernetes rejects an object whose annotations are larger than this, in bytes of keys and values together:
/// [`TotalAnnotationSizeLimitB`](https://pkg.go.dev/k8s.io/apimachinery/pkg/api/validation#pkg-constants).
const MAX_ANNOTATIONS: usize = 256 << 10;

/// The original images of this review's rewritten containers and volumes and those in `kept`, as a JSON object sorted by
/// name. If a name is in both, this review's image is used.
pub(in crate::admission) fn original_images(images: &[Decision<'_>], kept: &BTreeMap<String, String>) -> String {
    let kept = kept.iter().map(|(key, image)| (Cow::Borrowed(key.as_str()), image.as_str()));
    let new = images.iter().filter(|decision| matches!(decision.outcome, Outcome::Rewritten { .. }));
    let mut entries: Vec<_> =
        kept.chain(new.map(|decision| (key(decision.kind, decision.name), decision.image))).collect();
    // The sort is stable, so the newest of several entries for one name is the last. Only that one is written.
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));

    let room = entries.iter().map(|(key, image)| key.len() + image.len() + 6).sum::<usize>();
    let mut out = String::with_capacity(room + 2);
    out.push('{');
    for (at, (key, image)) in entries.iter().enumerate() {
        if entries.get(at + 1).is_none_or(|(next, _)| next != key) {
            writer::member(&mut out, key, image);
        }
    }
    out.push('}');
    out
}

/// The original images that an earlier review of the same request recorded, for containers and volumes that still exist.
/// The API server calls Mimic again when another webhook changed the pod after Mimic.
///
/// The pod's author can write the annotation, too. So an entry counts only if rewriting it gives the image that the
/// container has now. A value in another format is ignored.
pub(in crate::admission) fn recorded_before(
    pod: &Pod<'_>,
    rewriter: &Rewriter,
    context: &Context<'_>,
) -> BTreeMap<String, String> {
    let annotations = pod.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
    let Some(mut recorded) = annotations
        .and_then(|annotations| annotations.original_images.as_ref())
        .and_then(|text| serde_json::from_str::<BTreeMap<String, String>>(text).ok())
    else {
        return BTreeMap::new();
    };
    let kinds = ContainerKind::ALL.iter();
    let images =
        kinds.flat_map(|&kind| pod.spec.images(kind).map(move |image| (key(kind, image.name), image.reference)));
    let images: HashMap<_, _> = images.collect();
    recorded.retain(|name, original| {
        images.get(name.as_str()).is_some_and(|&image| rewriter.rewrite(original, context).rewritten() == Some(image))
    });
    recorded
}

/// Whether the pod's annotations stay within Kubernetes' size limit with `value` as the recorded original images.
pub(in crate::admission) fn within_size_limit(annotations: &Annotations<'_>, value: &str) -> bool {
    let replaced = annotations.original_images.as_ref().map_or(0, |old| ORIGINAL_IMAGES.len() + old.len());
    annotations.size - replaced + ORIGINAL_IMAGES.len() + value.len() <= MAX_ANNOTATIONS
}

/// The key of an entry. Containers of all kinds share one namespace of names; volumes have their own.
fn key(kind: ContainerKind, name: &str) -> Cow<'_, str> {
    match kind {
        ContainerKind::Volume => Cow::Owned(format!("volumes/{name}")),
        _ => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_a_replaced_value_once() {
        let mut annotations = Annotations { size: MAX_ANNOTATIONS, ..Annotations::default() };
        assert!(!within_size_limit(&annotations, ""));
        annotations.size -= ORIGINAL_IMAGES.len() + 5;
        assert!(within_size_limit(&annotations, "12345"));
        assert!(!within_size_limit(&annotations, "123456"));

        let json = format!(
            r#"{{"{ORIGINAL_IMAGES}":"12345","x":"{}"}}"#,
            "x".repeat(MAX_ANNOTATIONS - ORIGINAL_IMAGES.len() - 6)
        );
        let annotations: Annotations<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(annotations.size, MAX_ANNOTATIONS);
        assert!(within_size_limit(&annotations, "abcde"));
        assert!(!within_size_limit(&annotations, "abcdef"));
    }
}
