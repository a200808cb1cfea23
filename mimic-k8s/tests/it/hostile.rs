//! Malicious objects. Users who can create pods must not be able to stop Mimic.

use std::time::{Duration, Instant};

use mimic_k8s::admission::{Review, ReviewError, ReviewSettings, Skip};
use serde_json::{Value, json};

use crate::common::{Answer, create, pod, rewriter, update};

/// Answers a body that can contain any text. Returns why the pod is skipped.
fn answer(body: &str) -> Result<Option<&'static str>, ReviewError> {
    let review = Review::parse(body.as_bytes())?;
    let (rewriter, settings) = (rewriter(), ReviewSettings::default());
    let verdict = review.decide(&rewriter, &settings);
    let answer: Value = serde_json::from_slice(&verdict.to_response()).unwrap();
    assert_eq!(answer["response"]["allowed"], true);
    Ok(verdict.skipped().map(Skip::as_str))
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(500_000), close.repeat(500_000));
    let (lists, objects) = (deep("[", "]"), deep(r#"{"a":"#, "}"));
    for nested in [&lists, &objects] {
        let replace = |value: &str| create(&pod(&["nginx"])).to_string().replace(value, nested);
        // In a skipped field it does no harm. In a field that is read, the object is not a valid Pod.
        assert_eq!(answer(&replace(r#""v1""#)).unwrap(), None);
        assert_eq!(answer(&replace(r#""nginx""#)).unwrap(), Some("unreadable"));
        assert_eq!(answer(&replace(r#"{"name":"p"}"#)).unwrap(), Some("unreadable").filter(|_| nested == &lists));
        assert!(matches!(answer(&replace(r#""u-1""#)), Err(ReviewError::NoUid)));
        assert!(answer(nested).is_err());
        assert!(matches!(answer(&nested[..500_000]), Err(ReviewError::NotJson(_))));
    }
}

#[test]
fn a_small_body_does_not_become_a_large_list_or_map() {
    let body = create(&json!({"spec": {"containers": "HERE"}})).to_string();
    for thing in ["{}", "null", r#"{"name":"a"}"#] {
        let many = format!("[{thing}{}]", format!(",{thing}").repeat(65_536));
        assert_eq!(answer(&body.replace(r#""HERE""#, &many)).unwrap(), Some("unreadable"));
    }
    let labels: Vec<String> = (0..=65_536).map(|n| format!(r#""{n}":"""#)).collect();
    let body = create(&json!({"metadata": {"labels": "HERE"}})).to_string();
    let body = body.replace(r#""HERE""#, &format!("{{{}}}", labels.join(",")));
    assert_eq!(answer(&body).unwrap(), Some("unreadable"));
}

#[test]
fn evaluation_time_is_not_quadratic_in_the_number_of_containers() {
    let images: Vec<String> = (0..10_000).map(|n| format!("private.example.org/team/app:{n}")).collect();
    let mut new = pod(&images.iter().map(String::as_str).collect::<Vec<_>>());
    let mut secrets: Vec<Value> = (0..10_000).map(|n| json!({"name": format!("s{n}")})).collect();
    new["spec"]["imagePullSecrets"] = json!(secrets);
    let originals: serde_json::Map<String, Value> = (0..10_000).map(|n| (format!("c{}", n / 2), json!("x"))).collect();
    let key = mimic_k8s::admission::ORIGINAL_IMAGES;
    new["metadata"]["annotations"] = json!({key: Value::Object(originals).to_string()});
    let old = pod(&vec!["nginx"; 10_000]);

    let start = Instant::now();
    let review = create(&new);
    let answer = Answer::to_value(&review);
    assert_eq!(answer.patch().len(), 10_001, "each image and one pull secret; the annotation would be too large");
    assert_eq!(answer.warnings().len(), 1);
    answer.patched(&review);
    secrets.push(json!({"name": "harbor-pull"}));
    new["spec"]["imagePullSecrets"] = json!(secrets);
    let answer = Answer::to_value(&update(&old, &new));
    assert_eq!(answer.patch().len(), 10_000);
    // Far more than needed. A step that compares each container with every other one would take longer.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn huge_strings_do_not_end_up_in_warnings() {
    let huge = "A/".repeat(1 << 20);
    let mut review = create(&pod(&[&huge]));
    let answer = Answer::to_value(&review);
    assert!(answer.review.to_string().len() < 1000);
    assert_eq!(answer.warnings().len(), 1);

    review["request"]["object"]["spec"]["containers"][0]["name"] = json!(huge);
    let answer = Answer::to_value(&review);
    assert!(answer.warnings()[0].contains(" not rewritten: "), "the cause is not cut off: {:?}", answer.warnings());

    review["request"]["resource"]["resource"] = json!(huge);
    assert!(Answer::to_value(&review).warnings()[0].ends_with("check the webhook rules"));
}

#[test]
fn names_with_special_characters_do_not_break_the_answer() {
    for name in ["\u{0}", "\"", "\\", "a/b", "~0~1", "\u{7f}\u{9f}", "☃", "\u{202e}gpj", "</script>", "\r\nX: y", "{}"]
    {
        let mut pod = pod(&["nginx", "A"]);
        pod["spec"]["containers"][0]["name"] = json!(name);
        pod["spec"]["containers"][1]["name"] = json!(name);
        let review = create(&pod);
        let answer = Answer::to_value(&review);
        let originals: Value = serde_json::from_str(answer.audit("original-images").unwrap()).unwrap();
        assert_eq!(originals, json!({name: "nginx"}));
        let patched = answer.patched(&review);
        let recorded = patched["metadata"]["annotations"][mimic_k8s::admission::ORIGINAL_IMAGES].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(recorded).unwrap(), originals);
    }
}

#[test]
fn each_container_with_the_same_name_is_rewritten() {
    let mut new = pod(&["nginx:1", "redis:1", "A"]);
    for container in new["spec"]["containers"].as_array_mut().unwrap() {
        container["name"] = json!("same");
    }
    let answer = Answer::to_value(&create(&new));
    assert_eq!(answer.paths()[..2], ["/spec/containers/0/image", "/spec/containers/1/image"]);
    assert_eq!(answer.audit("original-images"), Some(r#"{"same":"redis:1"}"#), "one key, once");
}

#[test]
fn the_last_of_duplicate_members_counts() {
    let body = create(&pod(&["nginx"])).to_string();
    let twice = body.replace(r#""image":"nginx""#, r#""image":"A","image":"redis","x":1,"x":2"#);
    let review = Review::parse(twice.as_bytes()).unwrap();
    let (rewriter, settings) = (rewriter(), ReviewSettings::default());
    assert_eq!(review.decide(&rewriter, &settings).images()[0].image, "redis");

    let label =
        r#""labels":{"mimic.cryptkcoding.com/rewrite":"true","mimic.cryptkcoding.com/rewrite":"false"},"name":"p""#;
    assert_eq!(answer(&body.replace(r#""name":"p""#, label)).unwrap(), Some("opted_out"));
}

#[test]
fn invalid_unicode_gets_an_answer_or_an_error() {
    let body = create(&pod(&["nginx"])).to_string();
    assert_eq!(answer(&body.replace("nginx", r"\ud800")).unwrap(), Some("unreadable"), "half of a surrogate pair");
    let at = body.find("nginx").unwrap();
    let mut bytes = body.into_bytes();
    bytes[at] = 0xff;
    assert!(matches!(Review::parse(&bytes), Err(ReviewError::NotJson(_))));
}
