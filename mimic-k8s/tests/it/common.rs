//! Shared by the tests: reviews, rules and parsed responses.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mimic_core::{Rewriter, parse_rules_file};
use mimic_k8s::admission::{Review, ReviewSettings, Skip};
use serde_json::{Value, json};

/// The folder of the test data.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The requests of all folders, each with its path.
pub(crate) fn requests() -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = ["captured", "cases", "sizes"]
        .iter()
        .flat_map(|folder| fs::read_dir(data().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().matches('.').count() == 1)
        .collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// The rules of `mirrors.yaml`.
pub(crate) fn rewriter() -> Rewriter {
    rewriter_of(&fs::read_to_string(data().join("mirrors.yaml")).unwrap())
}

/// Rules in the format of `mirrors.yaml`.
pub(crate) fn rewriter_of(yaml: &str) -> Rewriter {
    let list = parse_rules_file("mirrors.yaml", yaml).unwrap();
    assert!(list.problems.is_empty(), "{:?}", list.problems);
    Rewriter::new([("mirrors.yaml", list.rules.into())])
}

/// A response with its patch decoded.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The whole response. `patch` is a list of operations.
    pub(crate) review: Value,
    /// Why the pod was skipped.
    pub(crate) skipped: Option<&'static str>,
    /// Number of evaluated images.
    pub(crate) evaluated: usize,
}

impl Answer {
    /// Answers a request.
    pub(crate) fn to(body: &[u8], rewriter: &Rewriter, settings: &ReviewSettings) -> Self {
        let review = Review::parse(body).unwrap();
        let verdict = review.decide(rewriter, settings);
        let mut answer: Value = serde_json::from_slice(&verdict.to_response()).unwrap();
        let response = &mut answer["response"];
        assert_eq!(response["allowed"], true, "no pod is ever rejected");
        assert_eq!(response["uid"], review.uid());
        assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some(), "both or neither");
        let decoded = response.get("patch").map(|patch| STANDARD.decode(patch.as_str().unwrap()).unwrap());
        assert_eq!(decoded, verdict.patch());
        if let Some(patch) = decoded {
            response["patch"] = serde_json::from_slice(&patch).unwrap();
            assert!(!response["patch"].as_array().unwrap().is_empty());
        }
        let warnings = response.get("warnings").cloned().unwrap_or(json!([]));
        assert_eq!(warnings, json!(verdict.warnings()));
        assert!(verdict.warnings().len() <= 10, "{warnings}");
        for warning in verdict.warnings() {
            assert!(warning.chars().count() <= 120, "{warning}");
            assert!(!warning.chars().any(char::is_control), "{warning:?}");
        }
        Self { skipped: verdict.skipped().map(Skip::as_str), evaluated: verdict.images().len(), review: answer }
    }

    /// Answers a request given as a value, with the shared rules and the default settings.
    pub(crate) fn to_value(request: &Value) -> Self {
        Self::to(request.to_string().as_bytes(), &rewriter(), &ReviewSettings::default())
    }

    /// The operations of the patch.
    pub(crate) fn patch(&self) -> &[Value] {
        self.review["response"]["patch"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The paths of the patch in order.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.patch().iter().map(|operation| operation["path"].as_str().unwrap()).collect()
    }

    /// The warnings.
    pub(crate) fn warnings(&self) -> Vec<&str> {
        let warnings = self.review["response"]["warnings"].as_array();
        warnings.into_iter().flatten().map(|warning| warning.as_str().unwrap()).collect()
    }

    /// An audit annotation.
    pub(crate) fn audit(&self, key: &str) -> Option<&str> {
        self.review["response"]["auditAnnotations"].get(key).map(|value| value.as_str().unwrap())
    }

    /// The request's object after the patch.
    pub(crate) fn patched(&self, request: &Value) -> Value {
        let mut object = request["request"]["object"].clone();
        let patch: json_patch::Patch = serde_json::from_value(json!(self.patch())).unwrap();
        json_patch::patch(&mut object, &patch).unwrap_or_else(|error| panic!("{error}: {patch:?}"));
        object
    }
}

/// A review of a CREATE in the namespace `shop`.
pub(crate) fn create(pod: &Value) -> Value {
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "u-1",
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "p",
            "namespace": "shop",
            "operation": "CREATE",
            "object": pod,
            "oldObject": null,
        }
    })
}

/// A review of an UPDATE.
pub(crate) fn update(old: &Value, new: &Value) -> Value {
    let mut review = create(new);
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["oldObject"] = old.clone();
    review
}

/// A pod with containers `c0`, `c1`, ….
pub(crate) fn pod(images: &[&str]) -> Value {
    let containers: Vec<Value> =
        images.iter().enumerate().map(|(at, image)| json!({"name": format!("c{at}"), "image": image})).collect();
    json!({"metadata": {"name": "p"}, "spec": {"containers": containers}})
}

/// Every image of a pod: `containers/NAME` → image.
pub(crate) fn images(pod: &Value) -> Value {
    let mut images = serde_json::Map::new();
    for (list, pointer) in [
        ("initContainers", "/image"),
        ("containers", "/image"),
        ("ephemeralContainers", "/image"),
        ("volumes", "/image/reference"),
    ] {
        for entry in pod["spec"][list].as_array().into_iter().flatten() {
            let image = entry.pointer(pointer).cloned();
            if list != "volumes" || image.is_some() {
                let name = entry["name"].as_str().unwrap_or_default();
                images.insert(format!("{list}/{name}"), image.unwrap_or_default());
            }
        }
    }
    images.into()
}

/// Whether an operation is allowed: images always, on CREATE also pull secrets and the annotation.
pub(crate) fn is_allowed(operation: &Value, on_create: bool) -> bool {
    let path: Vec<&str> = operation["path"].as_str().unwrap().split('/').collect();
    let is_index = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_image = match &path[..] {
        ["", "spec", "containers" | "initContainers" | "ephemeralContainers", index, "image"]
        | ["", "spec", "volumes", index, "image", "reference"] => is_index(index),
        _ => false,
    };
    let is_addition = matches!(
        &path[..],
        ["", "spec", "imagePullSecrets"]
            | ["", "spec", "imagePullSecrets", "-"]
            | ["", "metadata", "annotations"]
            | ["", "metadata", "annotations", "mimic.cryptkcoding.com~1original-images"]
    );
    match operation["op"].as_str().unwrap() {
        "replace" => is_image,
        "add" => is_addition && on_create,
        _ => false,
    }
}
