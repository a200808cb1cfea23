//! Which pods are skipped, which images are evaluated, and what a response contains.

use std::collections::BTreeSet;
use std::fs;

use mimic_core::ReasonCode;
use mimic_core::internal::Globs;
use mimic_k8s::admission::{ContainerKind, ORIGINAL_IMAGES, Review, ReviewSettings, Skip};
use serde_json::{Value, json};

use crate::common::{Answer, create, data, pod, rewriter, rewriter_of, update};

/// A review of a pod with the image `nginx`, changed by `change`.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut review = create(&pod(&["nginx"]));
    change(&mut review["request"]);
    review
}

#[test]
fn pods_are_skipped_for_these_reasons() {
    let label = |value| json!({"mimic.cryptkcoding.com/rewrite": value});
    for (skipped, review) in [
        (None, with(|_| {})),
        (Some("not_a_pod"), with(|r| r["resource"]["resource"] = json!("podtemplates"))),
        (Some("not_a_pod"), with(|r| r["resource"]["group"] = json!("metrics.k8s.io"))),
        (Some("not_a_pod"), with(|r| r["resource"] = json!(null))),
        (Some("operation"), with(|r| r["operation"] = json!("DELETE"))),
        (Some("operation"), with(|r| r["operation"] = json!("CONNECT"))),
        (Some("operation"), with(|r| r["operation"] = json!(null))),
        (Some("subresource"), with(|r| r["subResource"] = json!("status"))),
        (Some("subresource"), with(|r| r["subResource"] = json!("ephemeralcontainers"))),
        (Some("namespace"), with(|r| r["namespace"] = json!("kube-system"))),
        (Some("namespace"), with(|r| r["namespace"] = json!("kube-node-lease"))),
        (Some("namespace"), with(|r| r["namespace"] = json!("kube-public"))),
        (None, with(|r| r["namespace"] = json!("kube-systems"))),
        (None, with(|r| r["namespace"] = json!(null))),
        (Some("unreadable"), with(|r| r["object"] = json!(null))),
        (Some("unreadable"), with(|r| r["object"] = json!([]))),
        (Some("unreadable"), with(|r| r["operation"] = json!("UPDATE"))),
        (Some("unreadable"), with(|r| r["object"]["metadata"]["labels"] = json!({"a": 1}))),
        (Some("unreadable"), with(|r| r["object"]["spec"]["containers"][0]["image"] = json!(["nginx"]))),
        (Some("unreadable"), with(|r| r["object"]["spec"]["containers"] = json!([["c0", "nginx"]]))),
        (Some("unreadable"), with(|r| r["dryRun"] = json!("true"))),
        (
            Some("mirror_pod"),
            with(|r| r["object"]["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": ""})),
        ),
        (None, with(|r| r["object"]["metadata"]["annotations"] = json!({"kubernetes.io/config.hash": "x"}))),
        (Some("deleting"), with(|r| r["object"]["metadata"]["deletionTimestamp"] = json!("2026-11-22T16:22:13Z"))),
        (None, with(|r| r["object"]["metadata"]["deletionTimestamp"] = json!(null))),
        (Some("opted_out"), with(|r| r["object"]["metadata"]["labels"] = label("false"))),
        (None, with(|r| r["object"]["metadata"]["labels"] = label("true"))),
        (None, with(|r| r["object"]["metadata"]["labels"] = label("False"))),
        (Some("opted_out"), with(|r| r["object"]["metadata"]["annotations"] = label("false"))),
        (None, with(|r| r["object"]["metadata"]["annotations"] = label("true"))),
        (None, with(|r| r["object"]["metadata"]["annotations"] = label("False"))),
        (
            Some("opted_out"),
            with(|r| r["object"]["metadata"] = json!({"labels": label("true"), "annotations": label("false")})),
        ),
    ] {
        let answer = Answer::to_value(&review);
        assert_eq!(answer.skipped, skipped, "{review}");
        assert_eq!(answer.evaluated, usize::from(skipped.is_none()), "{review}");
        assert_eq!(answer.patch().is_empty(), skipped.is_some(), "{review}");
        let has_warning = matches!(skipped, Some("not_a_pod" | "unreadable"));
        assert_eq!(answer.warnings().len(), usize::from(has_warning), "{review}");
        assert_eq!(answer.audit("problems"), answer.warnings().first().copied(), "{review}");
    }
}

/// The reasons in the first column of the table below a heading of a page.
fn documented(page: &str, heading: &str) -> BTreeSet<String> {
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).expect("there is such a heading");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(ToOwned::to_owned).collect()
}

#[test]
fn how_it_decides_has_every_reason_in_its_tables() {
    let page = include_str!("../../../docs/how-it-decides.md");
    let skips: Vec<&str> = Skip::ALL.iter().map(|skip| skip.as_str()).collect();
    assert_eq!(documented(page, "2. "), skips.iter().map(|&reason| reason.to_owned()).collect());
    let reasons: Vec<&str> = ReasonCode::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(documented(page, "3. "), reasons.iter().map(|&reason| reason.to_owned()).collect());
}

#[test]
fn an_invalid_object_in_an_excluded_namespace_gets_no_warning() {
    let review = with(|r| {
        r["namespace"] = json!("kube-system");
        r["object"] = json!(7);
    });
    let answer = Answer::to_value(&review);
    assert_eq!((answer.skipped, answer.warnings().len()), (Some("namespace"), 0));
}

#[test]
fn excluded_namespaces_are_globs() {
    let settings = ReviewSettings {
        excluded_namespaces: Globs::new(["team-*-infra", "ops"]).unwrap(),
        ..ReviewSettings::default()
    };
    for (namespace, skipped) in [("team-a-infra", true), ("ops", true), ("ops-2", false), ("kube-system", false)] {
        let review = with(|r| r["namespace"] = json!(namespace)).to_string();
        let answer = Answer::to(review.as_bytes(), &rewriter(), &settings);
        assert_eq!(answer.skipped, skipped.then_some("namespace"), "{namespace}");
    }
}

#[test]
fn a_body_that_is_not_a_review_is_rejected_with_a_message() {
    let review = |version: Value, kind: Value, request: Value| {
        json!({"apiVersion": version, "kind": kind, "request": request}).to_string()
    };
    let (v1, kind) = (json!("admission.k8s.io/v1"), json!("AdmissionReview"));
    let request = json!({"uid": "u"});
    for (body, message) in [
        (String::new(), "not an AdmissionReview in JSON: EOF while parsing a value at line 1 column 0"),
        ("{".into(), "not an AdmissionReview in JSON: EOF while parsing an object at line 1 column 1"),
        ("hello".into(), "not an AdmissionReview in JSON: expected value at line 1 column 1"),
        ("[1]".into(), "not an AdmissionReview in JSON: invalid type: sequence, expected an object at line 1 column 0"),
        ("{} {}".into(), "not an AdmissionReview in JSON: trailing characters at line 1 column 4"),
        ("null".into(), "kind is ``, expected `AdmissionReview`"),
        ("{}".into(), "kind is ``, expected `AdmissionReview`"),
        (review(json!("v1"), json!("Pod"), json!(null)), "kind is `Pod`, expected `AdmissionReview`"),
        (review(v1.clone(), json!(7), json!(null)), "kind is ``, expected `AdmissionReview`"),
        (
            review(json!("admission.k8s.io/v1beta1"), kind.clone(), request.clone()),
            "apiVersion `admission.k8s.io/v1beta1` is not supported, expected `admission.k8s.io/v1`",
        ),
        (review(json!(null), kind.clone(), request), "apiVersion `` is not supported, expected `admission.k8s.io/v1`"),
        (review(v1.clone(), kind.clone(), json!(null)), "the AdmissionReview has no request"),
        (review(v1.clone(), kind.clone(), json!("r")), "the AdmissionReview has no request"),
        (review(v1.clone(), kind.clone(), json!({})), "the AdmissionReview's request has no uid"),
        (review(v1.clone(), kind.clone(), json!({"uid": 1})), "the AdmissionReview's request has no uid"),
        (review(v1, kind, json!({"uid": ""})), "the AdmissionReview's request has no uid"),
    ] {
        assert_eq!(Review::parse(body.as_bytes()).unwrap_err().to_string(), message, "{body}");
    }
}

#[test]
fn quoted_text_in_an_error_is_short_and_safe() {
    let body = json!({"kind": "x\n\u{1b}".repeat(1000), "apiVersion": "v1"}).to_string();
    let error = Review::parse(body.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("kind is `x\u{fffd}\u{fffd}x"), "{error}");
    assert!(error.chars().count() < 250, "{error}");
}

#[test]
fn a_partly_invalid_review_is_answered_from_its_valid_parts() {
    let body = with(|r| {
        r["object"]["spec"]["containers"] = json!(3);
        r["dryRun"] = json!([]);
    })
    .to_string();
    let review = Review::parse(body.as_bytes()).unwrap();
    assert_eq!((review.uid(), review.operation(), review.namespace()), ("u-1", "CREATE", Some("shop")));
    assert_eq!((review.pod_name(), review.is_dry_run()), (Some("p"), false));
    let reason = review.unreadable().unwrap();
    assert!(reason.starts_with("invalid type: sequence, expected a boolean at line 1 column"), "{reason}");
}

#[test]
fn a_pod_is_identified_by_its_name_or_generate_name() {
    for (name, metadata, expected) in [
        (json!("a"), json!({"name": "b", "generateName": "c-"}), Some("a")),
        (json!(""), json!({"name": "b", "generateName": "c-"}), Some("b")),
        (json!(null), json!({"generateName": "c-"}), Some("c-")),
        (json!(null), json!(null), None),
    ] {
        let body = with(|r| {
            r["name"] = name;
            r["object"]["metadata"] = metadata;
        })
        .to_string();
        assert_eq!(Review::parse(body.as_bytes()).unwrap().pod_name(), expected, "{body}");
    }
}

#[test]
fn the_owner_of_a_pod_is_its_controller_or_else_its_first_owner() {
    let owner =
        |kind: &str, controller: Value| json!({"kind": kind, "name": "n", "uid": "u", "controller": controller});
    for (owners, expected) in [
        (json!([owner("Foo", json!(null)), owner("ReplicaSet", json!(true))]), Some("ReplicaSet/n")),
        (json!([owner("Foo", json!(false)), owner("Bar", json!(null))]), Some("Foo/n")),
        (json!([]), None),
        (json!(null), None),
    ] {
        let body = with(|r| r["object"]["metadata"]["ownerReferences"] = owners).to_string();
        let review = Review::parse(body.as_bytes()).unwrap();
        assert_eq!(review.owner().map(|owner| owner.to_string()).as_deref(), expected, "{body}");
    }
    assert_eq!(Review::parse(with(|r| r["object"] = json!(null)).to_string().as_bytes()).unwrap().owner(), None);
}

#[test]
fn a_decision_has_the_position_of_the_image_and_the_reason() {
    let body = fs::read(data().join("captured/07-create-pods-full.json")).unwrap();
    let (review, rewriter, settings) = (Review::parse(&body).unwrap(), rewriter(), ReviewSettings::default());
    let verdict = review.decide(&rewriter, &settings);
    let decisions: Vec<_> = verdict
        .images()
        .iter()
        .map(|decision| (decision.kind, decision.index, decision.name, decision.outcome.reason().as_str()))
        .collect();
    assert_eq!(
        decisions,
        [
            (ContainerKind::InitContainer, 0, "migrate", "no_rule"),
            (ContainerKind::InitContainer, 1, "proxy", "rewritten"),
            (ContainerKind::Container, 0, "app", "rewritten"),
            (ContainerKind::Container, 1, "tagdigest", "rewritten"),
            (ContainerKind::Container, 2, "bad", "invalid_reference"),
            (ContainerKind::Volume, 0, "model", "rewritten"),
        ]
    );
}

#[test]
fn the_request_of_a_dry_run_gets_the_same_response() {
    let answer = |dry_run: bool| Answer::to_value(&with(|r| r["dryRun"] = json!(dry_run))).review;
    assert_eq!(answer(true), answer(false));
    let body = with(|r| r["dryRun"] = json!(true)).to_string();
    assert!(Review::parse(body.as_bytes()).unwrap().is_dry_run());
}

#[test]
fn in_dry_run_mode_nothing_is_patched_and_warnings_show_the_changes() {
    let settings = ReviewSettings { dry_run: true, ..ReviewSettings::default() };
    let review = create(&pod(&["nginx:1", "ghcr.io/a/b", "A"])).to_string();
    let answer = Answer::to(review.as_bytes(), &rewriter(), &settings);
    assert_eq!(answer.evaluated, 3);
    assert_eq!(answer.patch(), &[] as &[Value]);
    assert_eq!(answer.audit("original-images"), None);
    let problem = "mimic: image of container `c2` not rewritten: upper-case letter in the repository of `A` at byte 0";
    assert_eq!(
        answer.warnings(),
        [problem, "mimic dry run: image of container `c0` would be `harbor.example.com/dockerhub/library/nginx:1`"]
    );
    assert_eq!(answer.audit("problems"), Some(problem), "an intended change is not a problem");
}

#[test]
fn without_the_annotation_the_audit_annotation_is_still_there() {
    let settings = ReviewSettings { annotate: false, ..ReviewSettings::default() };
    let mut pod = pod(&["nginx", "quay.io/a/b"]);
    pod["metadata"]["annotations"] = json!({ORIGINAL_IMAGES: r#"{"c1":"old"}"#});
    pod["spec"]["containers"][1]["image"] = json!("harbor.example.com/quay/a/b");
    let answer = Answer::to(create(&pod).to_string().as_bytes(), &rewriter(), &settings);
    assert_eq!(answer.paths(), ["/spec/containers/0/image"]);
    assert_eq!(answer.audit("original-images"), Some(r#"{"c0":"nginx"}"#));
}

#[test]
fn an_annotation_that_exceeds_the_size_limit_is_omitted_with_a_warning() {
    let originals = r#"{"c0":"nginx"}"#;
    let room = (256 << 10) - ORIGINAL_IMAGES.len() - originals.len();
    for (size, fits) in [(room, true), (room + 1, false), (256 << 10, false)] {
        let mut pod = pod(&["nginx"]);
        pod["metadata"]["annotations"] = json!({"k": "v".repeat(size - 1)});
        let answer = Answer::to_value(&create(&pod));
        assert_eq!(answer.paths().len(), if fits { 2 } else { 1 }, "{size}");
        assert_eq!(answer.audit("original-images"), Some(originals), "{size}");
        let warnings = ["mimic: original images not recorded: annotations would exceed 256 KiB"];
        assert_eq!(answer.warnings(), &warnings[usize::from(fits)..], "{size}");
    }
}

#[test]
fn a_pod_without_metadata_gets_no_annotation() {
    for metadata in [None, Some(json!(null))] {
        let mut pod = json!({"spec": {"containers": [{"name": "c0", "image": "nginx"}]}});
        if let Some(metadata) = metadata {
            pod["metadata"] = metadata;
        }
        let review = create(&pod);
        let answer = Answer::to_value(&review);
        assert_eq!(answer.paths(), ["/spec/containers/0/image"]);
        answer.patched(&review);
    }
}

#[test]
fn a_rule_that_would_make_an_image_invalid_does_not_apply_and_gives_a_warning() {
    let rewriter = rewriter_of("rules: [{name: broken, upstream: quay.io/a/b, mirrors: [m.example.com]}]");
    let answer =
        Answer::to(create(&pod(&["quay.io/a/b"])).to_string().as_bytes(), &rewriter, &ReviewSettings::default());
    assert_eq!(answer.patch(), &[] as &[Value]);
    let [warning] = answer.warnings()[..] else { panic!("{:?}", answer.warnings()) };
    assert!(
        warning
            .starts_with("mimic: image of container `c0` not rewritten: rule `broken` would produce an invalid name: "),
        "{warning}"
    );
}

#[test]
fn warnings_name_the_kind_of_container() {
    let bad = json!([{"name": "x", "image": "A"}]);
    let spec = json!({"initContainers": bad, "containers": bad, "ephemeralContainers": bad,
        "volumes": [{"name": "x", "image": {"reference": "A"}}]});
    let answer = Answer::to_value(&create(&json!({"metadata": {}, "spec": spec})));
    let kinds: Vec<_> = answer
        .warnings()
        .iter()
        .map(|warning| warning.strip_prefix("mimic: image of ").unwrap().split('`').next().unwrap())
        .collect();
    assert_eq!(kinds, ["init container ", "container ", "ephemeral container ", "volume "]);
}

#[test]
fn an_update_evaluates_only_images_that_changed() {
    for (old, new, decided, paths) in [
        (vec!["nginx:1"], vec!["nginx:1"], 0, vec![]),
        (vec!["nginx:1"], vec!["nginx:2"], 1, vec!["/spec/containers/0/image"]),
        (vec!["nginx:1", "redis:1"], vec!["nginx:1", "redis:2"], 1, vec!["/spec/containers/1/image"]),
        (vec!["nginx:1"], vec!["harbor.example.com/dockerhub/library/nginx:1"], 1, vec![]),
        (vec!["harbor.example.com/dockerhub/library/nginx:1"], vec!["nginx:1"], 1, vec!["/spec/containers/0/image"]),
        (vec!["nginx:1"], vec![""], 1, vec![]),
        (vec![], vec!["nginx:1"], 0, vec![]),
    ] {
        let answer = Answer::to_value(&update(&pod(&old), &pod(&new)));
        assert_eq!((answer.evaluated, answer.paths()), (decided, paths), "{old:?} → {new:?}");
    }
}

#[test]
fn the_same_name_in_another_list_is_another_container() {
    let old = json!({"metadata": {}, "spec": {"initContainers": [{"name": "a", "image": "nginx:1"}]}});
    let new = json!({"metadata": {}, "spec": {"containers": [{"name": "a", "image": "nginx:2"}]}});
    assert_eq!(Answer::to_value(&update(&old, &new)).evaluated, 0);
}

#[test]
fn an_update_changes_neither_annotations_nor_pull_secrets() {
    let mut new = pod(&["private.example.org/a:2"]);
    new["metadata"]["annotations"] = json!({ORIGINAL_IMAGES: r#"{"c0":"private.example.org/a:1"}"#});
    new["spec"]["imagePullSecrets"] = json!([{"name": "harbor-pull"}]);
    let answer = Answer::to_value(&update(&pod(&["harbor.example.com/private/a:1"]), &new));
    assert_eq!(answer.paths(), ["/spec/containers/0/image"]);
    assert_eq!(answer.audit("original-images"), Some(r#"{"c0":"private.example.org/a:2"}"#));
}
