//! The limit of work on one review. The tests compare steps, not time.

use mimic_core::Rewriter;
use mimic_k8s::admission::{MAX_STEPS, ORIGINAL_IMAGES, Review, ReviewSettings};
use serde_json::{Value, json};

use crate::common::{Answer, create, pod, rewriter, rewriter_of, update};

/// Steps of a review.
fn steps(request: &Value, rewriter: &Rewriter) -> u64 {
    let body = request.to_string();
    Review::parse(body.as_bytes()).unwrap().decide(rewriter, &ReviewSettings::default()).steps()
}

/// A pod with this number of different images.
fn different(count: usize) -> Value {
    let images: Vec<String> = (0..count).map(|n| format!("registry-{}.example.org/team/app:{n}", n % 1_000)).collect();
    pod(&images.iter().map(String::as_str).collect::<Vec<_>>())
}

fn patterns() -> Rewriter {
    let rules: Vec<String> = (0..64)
        .map(|n| {
            format!("  - {{name: r{n}, pattern: '.*[ab].{{30}}/{n}', mirrors: ['h.example.com/{{repository}}']}}\n")
        })
        .chain(["  - {upstream: '*', mirrors: [h.example.com/all]}\n".to_owned()])
        .collect();
    rewriter_of(&format!("rules:\n{}", rules.concat()))
}

#[test]
fn a_pod_that_is_too_costly_is_unchanged_as_a_whole() {
    let rewriter = patterns();
    let answer = |request: &Value| Answer::to(request.to_string().as_bytes(), &rewriter, &ReviewSettings::default());
    let few = answer(&create(&different(3)));
    assert_eq!((few.skipped, few.patch().len()), (None, 4), "three images and the annotation");

    for request in [create(&different(2_000)), update(&pod(&vec!["a"; 2_000]), &different(2_000))] {
        let many = answer(&request);
        assert_eq!((many.skipped, many.evaluated), (Some("too_costly"), 0));
        let warning = "mimic: pod too costly to evaluate; images not rewritten";
        let expected =
            json!({"uid": "u-1", "allowed": true, "auditAnnotations": {"problems": warning}, "warnings": [warning]});
        assert_eq!(many.review["response"], expected);
        assert_eq!(steps(&request, &rewriter), MAX_STEPS);
    }
}

#[test]
fn the_same_review_costs_the_same_each_time() {
    let (request, rewriter) = (create(&different(10)), patterns());
    let first = steps(&request, &rewriter);
    assert!((1_000_000..MAX_STEPS).contains(&first), "{first}");
    // The automata have cached states from the first time.
    assert_eq!(steps(&request, &rewriter), first);
}

#[test]
fn steps_grow_with_the_number_of_images_and_no_faster() {
    let rewriter = rewriter();
    let at = |count| steps(&create(&different(count)), &rewriter);
    let (few, many) = (at(1_000), at(10_000));
    assert!((9 * few..11 * few).contains(&many), "{few} {many}");
    assert!(many < MAX_STEPS / 5, "{many}");
}

#[test]
fn a_selector_is_evaluated_once_for_all_images() {
    let values: Vec<String> = (0..10_000).map(|n| format!("v{n}")).collect();
    let of = |values: &[String]| {
        let selector = format!("{{matchExpressions: [{{key: a, operator: In, values: [{}]}}]}}", values.join(", "));
        rewriter_of(&format!("rules: [{{upstream: '*', mirrors: [h.example.com/all], podSelector: {selector}}}]"))
    };
    let (short, long) = (of(&values[..1]), of(&values));
    let mut pod = different(1_000);
    pod["metadata"]["labels"] = json!({"a": "v0"});
    let request = create(&pod);
    let more = steps(&request, &long) - steps(&request, &short);
    assert!((10_000..1_000_000).contains(&more), "{more}");
}

#[test]
fn equal_images_are_decided_once() {
    let rewriter = patterns();
    let one = steps(&create(&pod(&["registry.example.org/team/app:1"])), &rewriter);
    let many = steps(&create(&pod(&vec!["registry.example.org/team/app:1"; 10_000])), &rewriter);
    assert!(many < one + 10_000 * 300, "{one} {many}");
    let answer = Answer::to(
        create(&pod(&vec!["registry.example.org/team/app:1"; 10_000])).to_string().as_bytes(),
        &rewriter,
        &ReviewSettings::default(),
    );
    assert_eq!((answer.skipped, answer.patch().len()), (None, 10_000), "the annotation would be too large");
}

#[test]
fn an_equal_image_that_is_never_pulled_has_its_own_outcome() {
    let mut pod = pod(&["nginx"; 40]);
    for n in [0, 7] {
        pod["spec"]["containers"][n]["imagePullPolicy"] = json!("Never");
    }
    let answer = Answer::to_value(&create(&pod));
    let paths = answer.paths();
    assert_eq!(paths.len(), 39, "38 images and the annotation");
    assert!(!paths.contains(&"/spec/containers/0/image") && !paths.contains(&"/spec/containers/7/image"));
}

#[test]
fn an_invalid_result_is_paid_for_each_time() {
    let rewriter = rewriter_of("rules: [{upstream: '*', mirrors: ['h.example.com/{namespace}/{repository}']}]");
    let mut request = create(&pod(&vec!["nginx"; 1_000]));
    request["request"]["namespace"] = json!("a".repeat(100_000));
    let answer = Answer::to(request.to_string().as_bytes(), &rewriter, &ReviewSettings::default());
    assert_eq!(answer.skipped, Some("too_costly"), "its memory is bounded, too");
}

#[test]
fn the_record_of_an_earlier_review_is_part_of_the_work() {
    let originals: serde_json::Map<String, Value> =
        (0..2_000).map(|n| (format!("c{n}"), json!(format!("registry-{n}.example.org/team/app")))).collect();
    let mut pod = pod(&vec!["registry.example.org/team/app:1"; 2_000]);
    let without = steps(&create(&pod), &patterns());
    pod["metadata"]["annotations"] = json!({ORIGINAL_IMAGES: Value::Object(originals).to_string()});
    let request = create(&pod);
    assert!(without < MAX_STEPS);
    assert_eq!(steps(&request, &patterns()), MAX_STEPS);
    let answer = Answer::to(request.to_string().as_bytes(), &patterns(), &ReviewSettings::default());
    assert_eq!((answer.skipped, answer.patch().len()), (Some("too_costly"), 0));
}

#[test]
fn a_long_namespace_is_too_costly_for_globs() {
    let mut request = create(&pod(&["nginx"]));
    request["request"]["namespace"] = json!("a".repeat(1 << 20));
    let settings = ReviewSettings {
        excluded_namespaces: mimic_core::internal::Globs::new(["*-*-*-*-*", "build-*"]).unwrap(),
        ..ReviewSettings::default()
    };
    let answer = Answer::to(request.to_string().as_bytes(), &rewriter(), &settings);
    assert_eq!(answer.skipped, Some("too_costly"));
}

#[test]
fn the_audit_annotation_is_cut_at_10_kib_and_says_how_many_images_are_missing() {
    let answer = Answer::to_value(&create(&pod(&vec!["nginx"; 1_000])));
    let audit = answer.audit("original-images").unwrap();
    assert!((9 << 10..=10 << 10).contains(&audit.len()), "{}", audit.len());
    let originals: serde_json::Map<String, Value> = serde_json::from_str(audit).unwrap();
    let missing = 1_000 - (originals.len() - 1);
    assert_eq!(originals["…"], json!(format!("and {missing} more")));
    assert_eq!(originals["c0"], json!("nginx"));
    // The annotation of the pod has all of them.
    let patch = answer.patch().last().unwrap()["value"].to_string();
    assert_eq!(patch.matches("nginx").count(), 1_000);

    let few = Answer::to_value(&create(&pod(&["nginx"; 100])));
    assert!(!few.audit("original-images").unwrap().contains('…'));
    let long = format!("nginx:{}", "x".repeat(127));
    let mut huge = pod(&[long.as_str(); 2]);
    huge["spec"]["containers"][0]["name"] = json!("a".repeat(20_000));
    let answer = Answer::to_value(&create(&huge));
    assert_eq!(answer.audit("original-images"), Some(r#"{"…":"and 2 more"}"#));
}
