//! Each readable review gets a response that allows the pod, has its uid, and changes nothing but images, pull secrets and
//! the annotation. The patch applies to the object of the review, and the patched object needs no further patch.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use mimic_core::{ImageRef, Rewriter, parse_rules_file};
use mimic_k8s::admission::{ORIGINAL_IMAGES, Review, ReviewSettings};
use serde_json::{Value, json};

const MIRRORS: &str = include_str!("../../mimic-k8s/tests/data/mirrors.yaml");

static REWRITER: LazyLock<Rewriter> = LazyLock::new(|| {
    let list = parse_rules_file("mirrors.yaml", MIRRORS).expect("the rules are valid");
    Rewriter::new([("file", list.rules.into())])
});
/// The defaults, without the annotation, and with `dryrun`.
static SETTINGS: LazyLock<[ReviewSettings; 3]> = LazyLock::new(|| {
    let defaults = ReviewSettings::default;
    [defaults(), ReviewSettings { annotate: false, ..defaults() }, ReviewSettings { dry_run: true, ..defaults() }]
});

const LISTS: [(&str, &str); 4] = [
    ("containers", "/image"),
    ("initContainers", "/image"),
    ("ephemeralContainers", "/image"),
    ("volumes", "/image/reference"),
];

fuzz_target!(|body: &[u8]| {
    let Ok(review) = Review::parse(body) else { return };
    for settings in &*SETTINGS {
        let Some(patch) = patch(&review, settings) else { continue };
        assert!(!settings.dry_run, "{patch:?}");
        // Text that the reader skips can be invalid, such as half of a surrogate pair.
        let Ok(mut request) = serde_json::from_slice::<Value>(body) else { continue };
        let before = request["request"]["object"].clone();
        let mut after = before.clone();
        json_patch::patch(&mut after, &patch).unwrap_or_else(|error| panic!("{error}: {patch:?}"));
        assert_only_expected_changes(&before, &after, review.operation() == "CREATE", settings.annotate);

        request["request"]["object"] = after;
        let patched = request.to_string();
        let again = Review::parse(patched.as_bytes()).expect("it could be parsed before");
        let repeated = self::patch(&again, settings);
        assert!(repeated.is_none(), "{patch:?}, then {repeated:?}");
    }
});

/// The patch of the response, which is checked otherwise.
fn patch(review: &Review<'_>, settings: &ReviewSettings) -> Option<json_patch::Patch> {
    let verdict = review.decide(&REWRITER, settings);
    let answer: Value = serde_json::from_slice(&verdict.to_response()).expect("the response is JSON");
    let response = &answer["response"];
    assert_eq!(response["uid"], review.uid());
    assert_eq!(response["allowed"], true);
    for warning in response["warnings"].as_array().into_iter().flatten() {
        let warning = warning.as_str().expect("warnings are strings");
        assert!(warning.chars().count() <= 120 && !warning.chars().any(char::is_control), "{warning:?}");
    }
    assert_eq!(response.get("patchType").is_some(), response.get("patch").is_some());
    let patch = response.get("patch")?.as_str().expect("the patch is a string");
    let patch = STANDARD.decode(patch).expect("the patch is base64");
    Some(serde_json::from_slice(&patch).expect("the patch is a JSON Patch"))
}

/// Checks that only images were replaced and, `on_create`, pull secrets and the annotation were added.
fn assert_only_expected_changes(before: &Value, after: &Value, on_create: bool, annotate: bool) {
    let mut expected = before.clone();
    for (list, image) in LISTS {
        let entries = expected["spec"].get_mut(list).and_then(Value::as_array_mut);
        for (index, entry) in entries.into_iter().flatten().enumerate() {
            let Some(old) = entry.pointer_mut(image) else { continue };
            let new = after["spec"][list][index].pointer(image).expect("the image is still there");
            if old == new {
                continue;
            }
            let parse = |image: &Value| {
                let image = ImageRef::parse(image.as_str().expect("an image is a string")).expect("it is valid");
                (image.tag().map(str::to_owned), image.digest().map(str::to_owned))
            };
            assert_eq!(parse(old), parse(new), "tag and digest of {old}");
            *old = new.clone();
        }
    }
    if on_create {
        if before["spec"]["imagePullSecrets"] != after["spec"]["imagePullSecrets"] {
            let (old, new) = (&before["spec"]["imagePullSecrets"], &after["spec"]["imagePullSecrets"]);
            let old = old.as_array().map_or(&[][..], Vec::as_slice);
            let (kept, added) = new.as_array().expect("a list").split_at(old.len());
            assert_eq!(kept, old);
            assert!(
                added
                    .iter()
                    .all(|secret| [json!({"name": "harbor-pull"}), json!({"name": "vault-pull"})].contains(secret))
            );
            expected["spec"]["imagePullSecrets"] = new.clone();
        }
        if annotate && let Some(value) = after["metadata"]["annotations"].get(ORIGINAL_IMAGES) {
            if expected["metadata"]["annotations"].is_null() {
                expected["metadata"]["annotations"] = json!({});
            }
            expected["metadata"]["annotations"][ORIGINAL_IMAGES] = value.clone();
        }
    }
    assert_eq!(&expected, after);
}
