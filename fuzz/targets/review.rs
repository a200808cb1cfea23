//! Each valid review gets a response that is JSON, has the uid of the review and allows the pod.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mimic_core::{Rewriter, parse_rules_file};
use mimic_k8s::admission::{Review, ReviewSettings};
use serde_json::Value;

const MIRRORS: &str = include_str!("../../mimic-k8s/tests/data/mirrors.yaml");

static REWRITER: LazyLock<Rewriter> = LazyLock::new(|| {
    let list = parse_rules_file("mirrors.yaml", MIRRORS).expect("the rules are valid");
    Rewriter::new([("file", list.rules.into())])
});
static SETTINGS: LazyLock<ReviewSettings> = LazyLock::new(ReviewSettings::default);

fuzz_target!(|body: &[u8]| {
    let Ok(review) = Review::parse(body) else { return };
    let answer = review.decide(&REWRITER, &SETTINGS).to_response();
    let answer: Value = serde_json::from_slice(&answer).expect("the answer is JSON");
    assert_eq!(answer["response"]["uid"], review.uid());
    assert_eq!(answer["response"]["allowed"], true);
});
