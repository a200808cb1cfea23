//! The annotation that records the original images of a pod.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use mimic_core::{Batch, Outcome, TooCostly};

use crate::admission::container_kind::ContainerKind;
use crate::admission::decision::Decision;
use crate::admission::json::writer;
use crate::admission::pod::{Annotations, ORIGINAL_IMAGES, Pod};

/// Kubernetes rejects an object whose annotations are larger than this, in bytes of keys and values together:
/// [`TotalAnnotationSizeLimitB`](https://pkg.go.dev/k8s.io/apimachinery/pkg/api/validation#pkg-constants).
const MAX_ANNOTATIONS: usize = 256 << 10;

/// The most bytes of an audit annotation. The API server cuts those of its own policies at this length. With truncation
/// enabled, it discards audit events of more than 100 KiB (`--audit-log-truncate-max-event-size`).
pub(in crate::admission) const MAX_AUDIT: usize = 10 << 10;

/// Room in an audit annotation for the number of images that are left out.
const MORE: usize = 32;

/// The original images of this review's rewritten containers and volumes and those in `kept`, as a JSON object sorted by
/// name. If a name is in both, this review's image is used.
pub(in crate::admission) fn original_images(images: &[Decision<'_>], kept: &BTreeMap<String, String>) -> String {
    let entries = entries(images, kept);
    let room = entries.iter().map(|(key, image)| key.len() + image.len() + 6).sum::<usize>();
    let mut out = String::with_capacity(room + 2);
    out.push('{');
    for (key, image) in &entries {
        writer::member(&mut out, key, image);
    }
    out.push('}');
    out
}

/// The original images of this review as [`original_images`] has them, as far as they have room in an audit annotation. If
/// some have not, the last member is their number.
pub(in crate::admission) fn original_images_for_audit(images: &[Decision<'_>]) -> String {
    let kept = BTreeMap::new();
    let entries = entries(images, &kept);
    let mut out = String::from("{");
    for (at, (key, image)) in entries.iter().enumerate() {
        let end = out.len();
        // An escape sequence has at most six bytes, so most texts that are too long need not be written.
        if key.len() + image.len() <= MAX_AUDIT {
            writer::member(&mut out, key, image);
        }
        if out.len() == end || out.len() > MAX_AUDIT - MORE {
            out.truncate(end);
            writer::member(&mut out, "…", &format!("and {} more", entries.len() - at));
            break;
        }
    }
    out.push('}');
    out
}

/// The entries of the JSON object, sorted by name.
fn entries<'e>(images: &'e [Decision<'_>], kept: &'e BTreeMap<String, String>) -> Vec<(Cow<'e, str>, &'e str)> {
    let kept = kept.iter().map(|(key, image)| (Cow::Borrowed(key.as_str()), image.as_str()));
    let new = images.iter().filter(|decision| matches!(decision.outcome, Outcome::Rewritten { .. }));
    let mut entries: Vec<_> =
        kept.chain(new.map(|decision| (key(decision.kind, decision.name), decision.image))).collect();
    // The sort is stable, so the newest of several entries for one name is the last. Only that one stays.
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.dedup_by(|next, entry| {
        let is_same = next.0 == entry.0;
        if is_same {
            entry.1 = next.1;
        }
        is_same
    });
    entries
}

/// The original images that an earlier review of the same request recorded, for containers and volumes that still exist.
/// The API server calls Mimic again when another webhook changed the pod after Mimic.
///
/// The pod's author can write the annotation, too. So an entry counts only if rewriting it gives the image that the
/// container has now. A value in another format is ignored.
pub(in crate::admission) fn recorded_before(
    pod: &Pod<'_>,
    batch: &Batch<'_, '_>,
) -> Result<BTreeMap<String, String>, TooCostly> {
    let annotations = pod.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
    let Some(mut recorded) = annotations
        .and_then(|annotations| annotations.original_images.as_ref())
        .and_then(|text| serde_json::from_str::<BTreeMap<String, String>>(text).ok())
    else {
        return Ok(BTreeMap::new());
    };
    let kinds = ContainerKind::ALL.iter();
    let images =
        kinds.flat_map(|&kind| pod.spec.images(kind).map(move |image| (key(kind, image.name), image.reference)));
    let images: HashMap<_, _> = images.collect();
    let mut is_costly = Ok(());
    recorded.retain(|name, original| {
        images.get(name.as_str()).is_some_and(|&image| match batch.rewrite(original) {
            Ok(outcome) => outcome.rewritten() == Some(image),
            Err(error) => {
                is_costly = Err(error);
                false
            }
        })
    });
    is_costly.map(|()| recorded)
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
