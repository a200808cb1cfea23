//! The pod's author cannot forge the record of the original images.

use mimic_k8s::admission::{ORIGINAL_IMAGES, ReviewSettings};
use serde_json::{Value, json};

use crate::common::{Answer, create, pod, rewriter, rewriter_of, update};

/// A review of a pod whose author wrote `annotation`, with these containers as `name: image`.
fn written(containers: &[(&str, &str)], annotation: &str) -> Value {
    let containers: Value = containers.iter().map(|(name, image)| json!({"name": name, "image": image})).collect();
    create(&json!({
        "metadata": {"annotations": {ORIGINAL_IMAGES: annotation}},
        "spec": {"containers": containers},
    }))
}

/// The annotation of the pod after the patch.
fn recorded(answer: &Answer, review: &Value) -> String {
    answer.patched(review)["metadata"]["annotations"][ORIGINAL_IMAGES].as_str().unwrap().to_owned()
}

#[test]
fn a_forged_entry_reaches_neither_the_annotation_nor_the_audit_log() {
    let review =
        written(&[("web", "nginx"), ("miner", "evil.example/miner")], r#"{"miner":"docker.io/library/nginx"}"#);
    let answer = Answer::to_value(&review);
    assert_eq!(recorded(&answer, &review), r#"{"web":"nginx"}"#);
    assert_eq!(answer.audit("original-images"), Some(r#"{"web":"nginx"}"#));
}

#[test]
fn an_entry_is_kept_only_if_rewriting_it_gives_the_image_of_its_container() {
    let mirrored = "harbor.example.com/dockerhub/library/redis:7";
    for (image, entry, kept) in [
        (mirrored, "redis:7", true),
        (mirrored, "docker.io/library/redis:7", true),
        (mirrored, "index.docker.io/library/redis:7", true),
        (mirrored, "redis:8", false),
        (mirrored, "redis", false),
        (mirrored, "quay.io/library/redis:7", false),
        // What is on a mirror already is not rewritten.
        (mirrored, mirrored, false),
        ("harbor.example.com/dockerhub/library/redis", "redis:7", false),
        ("ghcr.io/acme/app:1", "ghcr.io/acme/app:1", false),
        ("ghcr.io/acme/app:1", "redis:7", false),
        ("auto", "auto", false),
        ("", "", false),
    ] {
        let review = written(&[("web", "nginx"), ("cache", image)], &json!({"cache": entry}).to_string());
        let answer = Answer::to_value(&review);
        let merged = if kept { json!({"cache": entry, "web": "nginx"}) } else { json!({"web": "nginx"}) };
        assert_eq!(recorded(&answer, &review), merged.to_string(), "{image} from {entry}");
        assert_eq!(answer.audit("original-images"), Some(r#"{"web":"nginx"}"#), "{image} from {entry}");
    }
}

#[test]
fn an_entry_is_checked_with_the_rules_for_its_pod() {
    let rewriter = rewriter_of(
        "rules: [{upstream: docker.io, mirrors: [a.example.com/hub], namespaces: {include: [shop]}}]\n\
         mirrors: {docker.io: b.example.com/hub}",
    );
    for (namespace, kept) in [("shop", true), ("other", false)] {
        let mut review =
            written(&[("web", "nginx"), ("cache", "a.example.com/hub/library/redis")], r#"{"cache":"redis"}"#);
        review["request"]["namespace"] = json!(namespace);
        let answer = Answer::to(review.to_string().as_bytes(), &rewriter, &ReviewSettings::default());
        let expected = if kept { r#"{"cache":"redis","web":"nginx"}"# } else { r#"{"web":"nginx"}"# };
        assert_eq!(recorded(&answer, &review), expected, "{namespace}");
    }
}

#[test]
fn entries_of_image_volumes_and_of_init_containers_are_checked_too() {
    let mut pod = pod(&["nginx"]);
    pod["spec"]["initContainers"] = json!([{"name": "setup", "image": "evil.example/setup"}]);
    pod["spec"]["volumes"] = json!([
        {"name": "model", "image": {"reference": "harbor.example.com/quay/acme/model:v3"}},
        {"name": "data", "image": {"reference": "evil.example/data"}},
    ]);
    let entries = json!({"setup": "busybox", "volumes/model": "quay.io/acme/model:v3", "volumes/data": "quay.io/acme/data",
        // The name of a volume without its prefix.
        "model": "quay.io/acme/model:v3", "gone": "nginx"});
    pod["metadata"]["annotations"] = json!({ORIGINAL_IMAGES: entries.to_string()});
    let review = create(&pod);
    let answer = Answer::to_value(&review);
    let expected = json!({"c0": "nginx", "volumes/model": "quay.io/acme/model:v3"});
    assert_eq!(recorded(&answer, &review), expected.to_string());
    assert_eq!(answer.audit("original-images"), Some(r#"{"c0":"nginx"}"#));
}

#[test]
fn an_entry_of_a_container_that_is_rewritten_now_is_replaced() {
    let review = written(&[("web", "nginx:1.27")], r#"{"web":"quay.io/acme/harmless:1"}"#);
    let answer = Answer::to_value(&review);
    assert_eq!(recorded(&answer, &review), r#"{"web":"nginx:1.27"}"#);
    assert_eq!(answer.audit("original-images"), Some(r#"{"web":"nginx:1.27"}"#));
}

#[test]
fn where_nothing_is_rewritten_the_annotation_is_untouched_and_nothing_is_audited() {
    for annotation in [r#"{"miner":"docker.io/library/nginx"}"#, "not JSON", "", r#"{"miner":1}"#] {
        for image in ["evil.example/miner", "harbor.example.com/dockerhub/library/nginx", "auto", "A"] {
            let review = written(&[("miner", image)], annotation);
            let answer = Answer::to_value(&review);
            assert_eq!(answer.patch(), &[] as &[Value], "{image} {annotation}");
            assert_eq!(answer.audit("original-images"), None, "{image} {annotation}");
        }
    }
    let mut never = written(&[("miner", "nginx")], r#"{"miner":"docker.io/library/nginx"}"#);
    never["request"]["object"]["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
    let answer = Answer::to_value(&never);
    assert_eq!((answer.patch().len(), answer.audit("original-images")), (0, None));
}

#[test]
fn an_update_audits_only_the_image_that_it_changes() {
    let forged = json!({ORIGINAL_IMAGES: r#"{"c1":"docker.io/library/nginx"}"#});
    let (mut old, mut new) = (pod(&["nginx:1", "evil.example/miner"]), pod(&["nginx:2", "evil.example/miner"]));
    old["metadata"]["annotations"] = forged.clone();
    new["metadata"]["annotations"] = forged;
    let answer = Answer::to_value(&update(&old, &new));
    assert_eq!(answer.paths(), ["/spec/containers/0/image"]);
    assert_eq!(answer.audit("original-images"), Some(r#"{"c0":"nginx:2"}"#));
}

#[test]
fn without_the_annotation_setting_the_authors_annotation_is_untouched() {
    let settings = ReviewSettings { annotate: false, ..ReviewSettings::default() };
    let forged = r#"{"miner":"docker.io/library/nginx"}"#;
    let review = written(&[("web", "nginx"), ("miner", "evil.example/miner")], forged);
    let answer = Answer::to(review.to_string().as_bytes(), &rewriter(), &settings);
    assert_eq!(recorded(&answer, &review), forged);
    assert_eq!(answer.audit("original-images"), Some(r#"{"web":"nginx"}"#));
}
