//! Properties of any input.

use std::ops::Range;

use mimic_core::{ImageRef, Rewriter};
use mimic_k8s::admission::{Review, ReviewSettings};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::common::{Answer, create, is_allowed, requests, rewriter, update};

/// A change of a review, either of its bytes or of its JSON value.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Delete(Index, usize),
    Repeat(Index, usize, Index),
    Truncate(Index),
    Swap(Index, Index),
    Replace(Index, Value),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let value = select(vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("nginx"),
        json!("auto"),
        json!("A\u{0}\u{202e}☃"),
        json!("UPDATE"),
        json!("x".repeat(300)),
        json!([]),
        json!([null]),
        json!({}),
        json!({"name": "a", "image": "nginx"}),
        json!([{"name": "a", "image": "nginx"}]),
    ]);
    prop_oneof![
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Flip(at, byte)),
        1 => (any::<Index>(), 1..40usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        1 => (any::<Index>(), 1..200usize, any::<Index>()).prop_map(|(from, length, to)| Mutation::Repeat(from, length, to)),
        1 => any::<Index>().prop_map(Mutation::Truncate),
        4 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        4 => (any::<Index>(), value).prop_map(|(at, value)| Mutation::Replace(at, value)),
    ]
}

impl Mutation {
    fn apply(&self, body: &mut Vec<u8>) {
        if body.is_empty() {
            return;
        }
        let range = |at: &Index, length: usize| -> Range<usize> {
            let start = at.index(body.len());
            start..(start + length).min(body.len())
        };
        match self {
            Self::Flip(at, byte) => {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            Self::Delete(at, length) => drop(body.drain(range(at, *length))),
            Self::Repeat(from, length, to) => {
                let piece = body[range(from, *length)].to_vec();
                let to = to.index(body.len());
                body.splice(to..to, piece);
            }
            Self::Truncate(at) => body.truncate(at.index(body.len())),
            Self::Swap(..) | Self::Replace(..) => {
                if let Ok(mut value) = serde_json::from_slice::<Value>(body) {
                    self.apply_to_value(&mut value);
                    *body = value.to_string().into_bytes();
                }
            }
        }
    }

    fn apply_to_value(&self, value: &mut Value) {
        let mut pointers = Vec::new();
        collect_pointers(value, String::new(), &mut pointers);
        let mut set = |at: &Index, new: Value| {
            let old = value.pointer_mut(at.get::<String>(&pointers))?;
            Some(std::mem::replace(old, new))
        };
        match self {
            Self::Replace(at, new) => drop(set(at, new.clone())),
            Self::Swap(a, b) => {
                // One may be inside the other, and then no longer exists.
                let first = set(a, json!(null)).unwrap_or_default();
                let second = set(b, first).unwrap_or_default();
                set(a, second);
            }
            _ => {}
        }
    }
}

fn collect_pointers(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                collect_pointers(item, format!("{pointer}/{at}"), pointers);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect_pointers(member, format!("{pointer}/{key}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(pointer);
}

/// A runner whose cases are the same in each run.
fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Checks that the body gets an error, or an answer that allows the pod and whose patch applies and is allowed.
fn check(body: &[u8], rewriter: &Rewriter, settings: &ReviewSettings) -> Result<bool, TestCaseError> {
    let review = match Review::parse(body) {
        Ok(review) => review,
        Err(error) => {
            prop_assert!(error.to_string().chars().count() < 300);
            return Ok(false);
        }
    };
    let answer = Answer::to(body, rewriter, settings);
    for operation in answer.patch() {
        prop_assert!(is_allowed(operation, review.operation() == "CREATE"), "{operation}");
    }
    // A skipped field can be invalid JSON, such as half of a surrogate pair.
    if let Ok(request) = serde_json::from_slice::<Value>(body) {
        answer.patched(&request);
    }
    Ok(true)
}

#[test]
fn mutations_of_the_sample_reviews_never_panic_and_never_reject_a_pod() {
    let (samples, rewriter, settings) = (requests(), rewriter(), ReviewSettings::default());
    let answered = std::cell::Cell::new(0);
    runner(10_000)
        .run(&(any::<Index>(), vec(mutation(), 1..6)), |(sample, mutations)| {
            let mut body = sample.get(&samples).1.clone();
            for mutation in &mutations {
                mutation.apply(&mut body);
            }
            answered.set(answered.get() + u32::from(check(&body, &rewriter, &settings)?));
            Ok(())
        })
        .unwrap();
    assert!(
        (2_000..9_000).contains(&answered.get()),
        "both valid and invalid bodies are tried: {} answered",
        answered.get()
    );
}

fn image() -> impl Strategy<Value = String> {
    let registry = select(vec!["", "docker.io/", "quay.io/", "ghcr.io/", "localhost:5000/", "private.example.org/"]);
    let tag = option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}");
    let digest = option::of("[0-9a-f]{64}");
    let valid = (registry, "[a-z0-9]{1,8}(/[a-z0-9]{1,8}([._-][a-z0-9]{1,4})?){0,2}", tag, digest).prop_map(
        |(registry, path, tag, digest)| {
            let tag = tag.map_or(String::new(), |tag| format!(":{tag}"));
            let digest = digest.map_or(String::new(), |hex| format!("@sha256:{hex}"));
            format!("{registry}{path}{tag}{digest}")
        },
    );
    prop_oneof![9 => valid, 1 => any::<String>(), 1 => select(vec!["auto".to_owned(), String::new()])]
}

fn containers() -> impl Strategy<Value = Value> {
    let policy = select(vec![json!(null), json!(null), json!("Always"), json!("Never")]);
    vec((select(vec!["a", "b", "c/d", "ü\"", "volumes/a"]), image(), policy), 0..4).prop_map(|list| {
        list.into_iter()
            .map(|(name, image, policy)| json!({"name": name, "image": image, "imagePullPolicy": policy}))
            .collect()
    })
}

fn any_pod() -> impl Strategy<Value = Value> {
    let volumes = vec((select(vec!["a", "b"]), option::of(image())), 0..3).prop_map(|list| -> Value {
        list.into_iter()
            .map(|(name, image)| match image {
                Some(image) => json!({"name": name, "image": {"reference": image}}),
                None => json!({"name": name, "emptyDir": {}}),
            })
            .collect()
    });
    let annotation = option::of(select(vec!["", "{}", r#"{"a":"old"}"#, r#"{"gone":"x","volumes/a":"y"}"#, "[1]"]));
    let secrets = option::of(select(vec![json!(null), json!([]), json!([{"name": "harbor-pull"}]), json!([{}])]));
    (containers(), containers(), containers(), volumes, annotation, secrets).prop_map(
        |(containers, init, ephemeral, volumes, annotation, secrets)| {
            let mut pod = json!({
                "metadata": {"name": "p"},
                "spec": {"containers": containers, "initContainers": init, "ephemeralContainers": ephemeral, "volumes": volumes},
            });
            if let Some(value) = annotation {
                pod["metadata"]["annotations"] = json!({mimic_k8s::admission::ORIGINAL_IMAGES: value});
            }
            if let Some(secrets) = secrets {
                pod["spec"]["imagePullSecrets"] = secrets;
            }
            pod
        },
    )
}

#[test]
fn a_patched_pod_is_not_patched_again_and_keeps_its_tags_and_digests() {
    let (rewriter, settings) = (rewriter(), ReviewSettings::default());
    runner(1_000)
        .run(&(any_pod(), option::of(any_pod())), |(pod, old)| {
            let mut request = match &old {
                Some(old) => update(old, &pod),
                None => create(&pod),
            };
            let answer = Answer::to(request.to_string().as_bytes(), &rewriter, &settings);
            let patched = answer.patched(&request);
            for operation in answer.patch().iter().filter(|operation| operation["op"] == "replace") {
                let before = pod.pointer(operation["path"].as_str().unwrap()).unwrap().as_str().unwrap();
                let after = ImageRef::parse(operation["value"].as_str().unwrap()).unwrap();
                let before = ImageRef::parse(before).unwrap();
                prop_assert_eq!((before.tag(), before.digest()), (after.tag(), after.digest()));
            }
            request["request"]["object"] = patched;
            let again = Answer::to(request.to_string().as_bytes(), &rewriter, &settings);
            prop_assert_eq!(again.patch(), &[] as &[Value]);
            prop_assert_eq!(again.audit("original-images"), None);
            Ok(())
        })
        .unwrap();
}
