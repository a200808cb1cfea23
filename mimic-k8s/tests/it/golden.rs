//! Reviews with their expected responses. To add a case, add its files to a folder of `tests/data`: `NAME.json` is the
//! request, `NAME.response.json` the response with its patch decoded, and `NAME.images.json` has every image of the pod
//! after the patch.

use std::fs;
use std::path::Path;

use crate::common::{Answer, images, is_allowed, requests, rewriter};
use k8s_openapi::api::core::v1::Pod;
use kube::core::admission::AdmissionReview;
use mimic_k8s::admission::ReviewSettings;
use serde_json::{Value, json};

fn expected(request: &Path, kind: &str) -> Value {
    let path = request.with_extension(format!("{kind}.json"));
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_review_gets_its_expected_response() {
    let (rewriter, settings) = (rewriter(), ReviewSettings::default());
    let requests = requests();
    assert!(requests.len() > 13, "the captured reviews and more");
    for (path, body) in requests {
        let answer = Answer::to(&body, &rewriter, &settings);
        assert_eq!(answer.review, expected(&path, "response"), "{}", path.display());

        let mut request: Value = serde_json::from_slice(&body).unwrap();
        let patched = answer.patched(&request);
        assert_eq!(images(&patched), expected(&path, "images"), "{}", path.display());
        let on_create = request["request"]["operation"] == "CREATE";
        for operation in answer.patch() {
            assert!(is_allowed(operation, on_create), "{}: {operation}", path.display());
        }

        request["request"]["object"] = patched;
        let again = Answer::to(request.to_string().as_bytes(), &rewriter, &settings);
        assert_eq!(again.patch(), &[] as &[Value], "{}: a second review changes nothing", path.display());
    }
}

#[test]
fn kube_can_read_reviews_and_responses() {
    let (rewriter, settings) = (rewriter(), ReviewSettings::default());
    for (path, body) in requests() {
        let folder = path.parent().unwrap().file_name().unwrap();
        if folder == "cases" {
            continue; // These are not complete pods.
        }
        let review: AdmissionReview<Pod> = serde_json::from_slice(&body).unwrap();
        let uid = review.request.unwrap().uid;

        let mut answer = Answer::to(&body, &rewriter, &settings);
        let pod: Pod = serde_json::from_value(answer.patched(&serde_json::from_slice(&body).unwrap())).unwrap();
        assert!(pod.spec.unwrap().containers.iter().all(|container| container.image.is_some()));

        // kube requires a status, which is optional in the API, and reads the patch from an array of numbers, where the API
        // has a base64 string. All other fields must match.
        answer.review["response"]["status"] = json!({});
        let patch = serde_json::to_vec(answer.patch()).unwrap();
        let is_patched = !answer.patch().is_empty();
        if is_patched {
            answer.review["response"]["patch"] = json!(patch);
        }
        let answer: AdmissionReview<Pod> = serde_json::from_value(answer.review).unwrap();
        let response = answer.response.unwrap();
        assert_eq!((response.uid, response.allowed), (uid, true));
        let patch = response.patch.map(|patch| serde_json::from_slice::<json_patch::Patch>(&patch).unwrap());
        assert_eq!(patch.is_some(), is_patched);
    }
}
