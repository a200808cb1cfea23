//! The handler responds to every input: it allows reviews, and returns an error message for all else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::App;
use actix_web::http::StatusCode;
use actix_web::rt::System;
use actix_web::test as web;
use mimic_core::{Catalog, parse_rules_file};
use mimic_server::internal::{Health, Metrics, State, configure};
use serde_json::Value;

const ROUNDS: u32 = 10_000;

/// Steele and Vigna's `SplitMix64`: a few lines, and the same numbers every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn pick<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }
}

/// Reviews as an API server sends them.
fn samples() -> Vec<Vec<u8>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mimic-k8s/tests/data");
    let mut samples = vec![crate::common::REVIEW.as_bytes().to_vec()];
    let mut folders = vec![data];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read(&path).expect("it can be read");
                if serde_json::from_slice::<Value>(&text).is_ok_and(|review| review.get("request").is_some()) {
                    samples.push(text);
                }
            }
        }
    }
    samples.sort();
    samples
}

/// Damages the text without regard for what it means.
fn damage(body: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(body.len());
    let end = (at + random.below(40)).min(body.len());
    match random.below(6) {
        0 => body.truncate(at),
        1 => drop(body.drain(at..end)),
        2 => body[at] = u8::try_from(random.below(256)).unwrap(),
        3 => {
            let copy = body[at..end].to_vec();
            let to = random.below(body.len());
            body.splice(to..to, copy);
        }
        4 => {
            let words = ["null", "[]", "{}", "\"", "\\", "\\u0000", "\u{feff}", "1e999", "\\ud800", "[[[[[[[["];
            body.splice(at..at, random.pick(&words).bytes());
        }
        _ => body[at..end].reverse(),
    }
}

/// Replaces, removes or doubles something that keeps the text JSON.
fn distort(value: &mut Value, random: &mut Random) {
    const NAMES: [&str; 8] =
        ["containers", "image", "metadata", "annotations", "uid", "operation", "labels", "oldObject"];
    match value {
        Value::Object(map) if !map.is_empty() && random.below(30) > 0 => {
            let names: Vec<String> = map.keys().cloned().collect();
            let name = random.pick(&names).clone();
            match random.below(40) {
                0 => drop(map.remove(&name)),
                1 => drop(map.insert((*random.pick(&NAMES)).to_owned(), map[&name].clone())),
                _ => distort(map.get_mut(&name).expect("it is there"), random),
            }
        }
        Value::Array(items) if !items.is_empty() && random.below(30) > 0 => {
            let index = random.below(items.len());
            match random.below(40) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => distort(&mut items[index], random),
            }
        }
        _ => {
            *value = match random.below(12) {
                0 => Value::Null,
                1 => Value::Bool(true),
                2 => (-1).into(),
                3 => u64::MAX.into(),
                4 => "".into(),
                5 => "nginx".into(),
                6 => "docker.io/library/nginx:1.27@sha256:".into(),
                7 => "x".repeat(300).into(),
                8 => "Ünïcode/ß\u{0}\u{1b}[31m:\"".into(),
                9 => Value::Array(vec![Value::Null, "a".into()]),
                10 => serde_json::json!({"image": 1, "name": null}),
                _ => serde_json::json!({"containers": [{"image": "quay.io/a/b"}]}),
            };
        }
    }
}

#[test]
fn ten_thousand_mutated_reviews_never_give_a_server_error_or_a_refused_pod() {
    let samples = samples();
    assert!(samples.len() > 10, "the samples are where they were");
    let rules =
        parse_rules_file("mirrors.yaml", include_str!("../../../examples/mirrors.yaml")).expect("they are good");
    let catalog = Arc::new(Catalog::new(["example"]));
    catalog.publish("example", rules.rules);
    let health = Arc::new(Health::new(Arc::clone(&catalog), Duration::ZERO));
    let limits = crate::common::settings(&[]).limits;
    let metrics = Arc::new(Metrics::new(&catalog, &health).expect("the metrics have different names"));
    let state = Arc::new(State::new(catalog, health, metrics, mimic_k8s::admission::ReviewSettings::default(), limits));
    let mut random = Random(2026);
    let (mut allowed, mut refused, mut patched) = (0, 0, 0);

    System::new().block_on(async {
        let app = web::init_service(App::new().configure(|app| configure(app, &state))).await;
        for round in 0..ROUNDS {
            let mut body = random.pick(&samples).clone();
            if random.below(4) == 0 {
                damage(&mut body, &mut random);
            } else {
                let mut review: Value = serde_json::from_slice(&body).expect("the sample is JSON");
                for _ in 0..=random.below(4) {
                    // The members around the request are few and quickly damaged; those of the request are evaluated.
                    let whole = random.below(20) == 0 || review.get("request").is_none();
                    distort(if whole { &mut review } else { &mut review["request"] }, &mut random);
                }
                body = review.to_string().into_bytes();
            }
            let sent = body.clone();
            let shown = || String::from_utf8_lossy(&sent);
            let request = web::TestRequest::post()
                .uri("/mutate?timeout=10s")
                .insert_header(("Content-Type", "application/json"))
                .set_payload(body);
            let response = web::call_service(&app, request.to_request()).await;
            let status = response.status();
            let answer = web::read_body(response).await;
            if status == StatusCode::BAD_REQUEST {
                let message = String::from_utf8_lossy(&answer);
                assert_eq!(message.find(char::is_control), Some(message.len() - 1), "round {round}: {}", shown());
                assert!(message.len() > 10, "round {round}: no message for {}", shown());
                refused += 1;
                continue;
            }
            assert_eq!(status, StatusCode::OK, "round {round}: {}", shown());
            let answer: Value = serde_json::from_slice(&answer).expect("the answer is JSON");
            assert_eq!(answer["response"]["allowed"], true, "round {round}: {}", shown());
            assert!(
                answer["response"]["uid"].as_str().is_some_and(|uid| !uid.is_empty()),
                "round {round}: {}",
                shown()
            );
            let (patch, kind) = (answer["response"].get("patch"), answer["response"].get("patchType"));
            assert_eq!(patch.is_some(), kind.is_some(), "round {round}: {}", shown());
            allowed += 1;
            patched += u32::from(patch.is_some());
        }
    });
    eprintln!("allowed {allowed}, of them patched {patched}; not a review {refused}");
    assert!(allowed > ROUNDS / 10 && refused > ROUNDS / 10 && patched > ROUNDS / 20, "each happens often");
}
