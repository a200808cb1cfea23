//! The annotation that keeps what the pod's author wrote.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use mimic_core::Outcome;

use crate::decide::Decision;
use crate::json;
use crate::pod::{Annotations, Place, Spec};

/// The annotation that holds the original images of a rewritten pod: a JSON object, name of the container → image as it
/// was written. An image volume is found under `volumes/NAME`.
pub const ORIGINAL_IMAGES: &str = "mimic.cryptkcoding.com/original-images";

/// [`ORIGINAL_IMAGES`] as a part of a JSON Pointer (RFC 6901): `/` is written `~1`.
pub(crate) const ORIGINAL_IMAGES_POINTER: &str = "mimic.cryptkcoding.com~1original-images";

/// Kubernetes refuses an object whose annotations are larger than this, keys and values counted together:
/// [`TotalAnnotationSizeLimitB`](https://pkg.go.dev/k8s.io/apimachinery/pkg/api/validation#pkg-constants).
const MAX_ANNOTATIONS: usize = 256 << 10;

/// The originals of the images that are rewritten now, with those of `kept`, as a JSON object sorted by name.
pub(crate) fn original_images(images: &[Decision<'_>], kept: &BTreeMap<String, String>) -> String {
    let kept = kept.iter().map(|(key, image)| (Cow::Borrowed(key.as_str()), image.as_str()));
    let new = images.iter().filter(|decision| matches!(decision.outcome, Outcome::Rewritten { .. }));
    let mut entries: Vec<_> =
        kept.chain(new.map(|decision| (key(decision.place, decision.name), decision.image))).collect();
    // Stable, so that of several entries for one name the newest is the last, and that one is written.
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));

    let room = entries.iter().map(|(key, image)| key.len() + image.len() + 6).sum::<usize>();
    let mut out = String::with_capacity(room + 2);
    out.push('{');
    for (at, (key, image)) in entries.iter().enumerate() {
        if entries.get(at + 1).is_none_or(|(next, _)| next != key) {
            json::member(&mut out, key, image);
        }
    }
    out.push('}');
    out
}

/// What an earlier review noted about containers and volumes that are still there. That is the case when another webhook
/// changed the pod after Mimic saw it and the API server asks again. A value that is not ours is as good as none.
pub(crate) fn noted_before(annotations: &Annotations<'_>, spec: &Spec<'_>) -> BTreeMap<String, String> {
    let Some(mut noted) = annotations
        .original_images
        .as_ref()
        .and_then(|text| serde_json::from_str::<BTreeMap<String, String>>(text).ok())
    else {
        return BTreeMap::new();
    };
    let names = Place::ALL.into_iter().flat_map(|place| spec.images(place).map(move |image| key(place, image.name)));
    let names: HashSet<_> = names.collect();
    noted.retain(|name, _| names.contains(name.as_str()));
    noted
}

/// Whether Kubernetes would still accept the annotations with `value` as one of them.
pub(crate) fn fits(annotations: &Annotations<'_>, value: &str) -> bool {
    let replaced = annotations.original_images.as_ref().map_or(0, |old| ORIGINAL_IMAGES.len() + old.len());
    annotations.size - replaced + ORIGINAL_IMAGES.len() + value.len() <= MAX_ANNOTATIONS
}

/// Containers of all kinds share one space of names; volumes have their own.
fn key(place: Place, name: &str) -> Cow<'_, str> {
    match place {
        Place::Volume => Cow::Owned(format!("volumes/{name}")),
        _ => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_is_the_escaped_name() {
        assert_eq!(ORIGINAL_IMAGES_POINTER, ORIGINAL_IMAGES.replace('~', "~0").replace('/', "~1"));
    }

    #[test]
    fn the_limit_counts_a_replaced_value_once() {
        let mut annotations = Annotations { size: MAX_ANNOTATIONS, ..Annotations::default() };
        assert!(!fits(&annotations, ""));
        annotations.size -= ORIGINAL_IMAGES.len() + 5;
        assert!(fits(&annotations, "12345"));
        assert!(!fits(&annotations, "123456"));

        let json = format!(
            r#"{{"{ORIGINAL_IMAGES}":"12345","x":"{}"}}"#,
            "x".repeat(MAX_ANNOTATIONS - ORIGINAL_IMAGES.len() - 6)
        );
        let annotations: Annotations<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(annotations.size, MAX_ANNOTATIONS);
        assert!(fits(&annotations, "abcde"));
        assert!(!fits(&annotations, "abcdef"));
    }
}
