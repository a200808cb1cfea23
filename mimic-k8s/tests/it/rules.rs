//! Which pods and images are decided, and what an answer says: a rule a line.

use std::collections::BTreeSet;
use std::fs;

use mimic_core::{Globs, Outcome};
use mimic_k8s::{ORIGINAL_IMAGES, Place, Review, Settings, Skip};
use serde_json::{Value, json};

use crate::common::{Answer, create, data, pod, rewriter, rewriter_of, update};

/// A review of a pod with the image `nginx`, changed by `change`.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut review = create(&pod(&["nginx"]));
    change(&mut review["request"]);
    review
}

#[test]
fn whole_pods_are_skipped_for_these_reasons() {
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
    ] {
        let answer = Answer::to_value(&review);
        assert_eq!(answer.skipped, skipped, "{review}");
        assert_eq!(answer.decided, usize::from(skipped.is_none()), "{review}");
        assert_eq!(answer.patch().is_empty(), skipped.is_some(), "{review}");
        let is_worth_a_warning = matches!(skipped, Some("not_a_pod" | "unreadable"));
        assert_eq!(answer.warnings().len(), usize::from(is_worth_a_warning), "{review}");
        assert_eq!(answer.audit("problems"), answer.warnings().first().copied(), "{review}");
    }
}

/// The reasons in the first column of the table below a heading of the page.
fn documented(page: &str, heading: &str) -> BTreeSet<String> {
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).expect("there is such a heading");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(ToOwned::to_owned).collect()
}

#[test]
fn the_page_on_decisions_has_every_reason_in_its_tables_and_in_its_picture() {
    let page = include_str!("../../../docs/how-it-decides.md");
    let skips = Skip::ALL.map(Skip::as_str);
    assert_eq!(documented(page, "2. "), skips.map(ToOwned::to_owned).into());
    assert_eq!(documented(page, "3. "), Outcome::REASONS.map(ToOwned::to_owned).into());
    let picture = page.split("```").nth(1).expect("there is a picture");
    let drawn: BTreeSet<&str> = picture.split_whitespace().collect();
    for reason in skips.into_iter().chain(Outcome::REASONS) {
        assert!(drawn.contains(reason), "`{reason}` is not in the picture");
    }
}

#[test]
fn an_excluded_namespace_is_silent_even_about_an_object_that_cannot_be_read() {
    let review = with(|r| {
        r["namespace"] = json!("kube-system");
        r["object"] = json!(7);
    });
    let answer = Answer::to_value(&review);
    assert_eq!((answer.skipped, answer.warnings().len()), (Some("namespace"), 0));
}

#[test]
fn excluded_namespaces_are_globs() {
    let settings =
        Settings { excluded_namespaces: Globs::new(["team-*-infra", "ops"]).unwrap(), ..Settings::default() };
    for (namespace, skipped) in [("team-a-infra", true), ("ops", true), ("ops-2", false), ("kube-system", false)] {
        let review = with(|r| r["namespace"] = json!(namespace)).to_string();
        let answer = Answer::to(review.as_bytes(), &rewriter(), &settings);
        assert_eq!(answer.skipped, skipped.then_some("namespace"), "{namespace}");
    }
}

#[test]
fn a_body_that_is_no_review_is_refused_with_a_sentence() {
    let review = |version: Value, kind: Value, request: Value| {
        json!({"apiVersion": version, "kind": kind, "request": request}).to_string()
    };
    let (v1, kind) = (json!("admission.k8s.io/v1"), json!("AdmissionReview"));
    let request = json!({"uid": "u"});
    for (body, sentence) in [
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
        assert_eq!(Review::parse(body.as_bytes()).unwrap_err().to_string(), sentence, "{body}");
    }
}

#[test]
fn what_is_quoted_in_an_error_is_short_and_harmless() {
    let body = json!({"kind": "x\n\u{1b}".repeat(1000), "apiVersion": "v1"}).to_string();
    let error = Review::parse(body.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("kind is `x\u{fffd}\u{fffd}x"), "{error}");
    assert!(error.chars().count() < 250, "{error}");
}

#[test]
fn a_review_with_a_part_that_cannot_be_read_is_answered_with_what_can() {
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
fn a_pod_is_called_by_its_name_or_by_what_its_name_will_begin_with() {
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
fn a_pod_belongs_to_what_manages_it_or_else_to_its_first_owner() {
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
fn decisions_say_where_the_image_is_and_what_became_of_it() {
    let body = fs::read(data().join("captured/07-create-pods-full.json")).unwrap();
    let (review, rewriter, settings) = (Review::parse(&body).unwrap(), rewriter(), Settings::default());
    let verdict = review.decide(&rewriter, &settings);
    let decisions: Vec<_> = verdict
        .images()
        .iter()
        .map(|decision| (decision.place, decision.index, decision.name, decision.outcome.reason()))
        .collect();
    assert_eq!(
        decisions,
        [
            (Place::InitContainer, 0, "migrate", "no_rule"),
            (Place::InitContainer, 1, "proxy", "rewritten"),
            (Place::Container, 0, "app", "rewritten"),
            (Place::Container, 1, "tagdigest", "rewritten"),
            (Place::Container, 2, "bad", "invalid_reference"),
            (Place::Volume, 0, "model", "rewritten"),
        ]
    );
}

#[test]
fn the_pod_of_a_dry_run_is_answered_the_same() {
    let answer = |dry_run: bool| Answer::to_value(&with(|r| r["dryRun"] = json!(dry_run))).review;
    assert_eq!(answer(true), answer(false));
    let body = with(|r| r["dryRun"] = json!(true)).to_string();
    assert!(Review::parse(body.as_bytes()).unwrap().is_dry_run());
}

#[test]
fn in_dry_run_mode_nothing_is_patched_and_the_warnings_say_what_would_be() {
    let settings = Settings { dry_run: true, ..Settings::default() };
    let review = create(&pod(&["nginx:1", "ghcr.io/a/b", "A"])).to_string();
    let answer = Answer::to(review.as_bytes(), &rewriter(), &settings);
    assert_eq!(answer.decided, 3);
    assert_eq!(answer.patch(), &[] as &[Value]);
    assert_eq!(answer.audit("original-images"), None);
    let problem = "mimic: container `c2` keeps its image: upper-case letter in the repository of `A` at byte 0";
    assert_eq!(
        answer.warnings(),
        [problem, "mimic dry run: container `c0` would be `harbor.example.com/dockerhub/library/nginx:1`"]
    );
    assert_eq!(answer.audit("problems"), Some(problem), "what would be done is no problem");
}

#[test]
fn without_the_annotation_the_audit_annotation_is_still_there() {
    let settings = Settings { annotate: false, ..Settings::default() };
    let mut pod = pod(&["nginx", "quay.io/a/b"]);
    pod["metadata"]["annotations"] = json!({ORIGINAL_IMAGES: r#"{"c1":"old"}"#});
    pod["spec"]["containers"][1]["image"] = json!("harbor.example.com/quay/a/b");
    let answer = Answer::to(create(&pod).to_string().as_bytes(), &rewriter(), &settings);
    assert_eq!(answer.paths(), ["/spec/containers/0/image"]);
    assert_eq!(answer.audit("original-images"), Some(r#"{"c0":"nginx"}"#));
}

#[test]
fn an_annotation_that_would_be_one_too_many_is_left_out_with_a_warning() {
    let originals = r#"{"c0":"nginx"}"#;
    let room = (256 << 10) - ORIGINAL_IMAGES.len() - originals.len();
    for (size, fits) in [(room, true), (room + 1, false), (256 << 10, false)] {
        let mut pod = pod(&["nginx"]);
        pod["metadata"]["annotations"] = json!({"k": "v".repeat(size - 1)});
        let answer = Answer::to_value(&create(&pod));
        assert_eq!(answer.paths().len(), if fits { 2 } else { 1 }, "{size}");
        assert_eq!(answer.audit("original-images"), Some(originals), "{size}");
        let warnings = ["mimic: the original images are not noted: the pod's annotations are too large"];
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
fn a_rule_that_would_break_an_image_leaves_it_with_a_warning() {
    let rewriter = rewriter_of(
        "rules: [{name: broken, upstream: quay.io, mirrors: ['m.example.com/{registry}/UP/{repository}']}]",
    );
    let answer = Answer::to(create(&pod(&["quay.io/a/b"])).to_string().as_bytes(), &rewriter, &Settings::default());
    assert_eq!(answer.patch(), &[] as &[Value]);
    let [warning] = answer.warnings()[..] else { panic!("{:?}", answer.warnings()) };
    assert!(
        warning.starts_with("mimic: container `c0` keeps its image: rule `broken` makes it invalid: "),
        "{warning}"
    );
}

#[test]
fn warnings_name_the_kind_of_container() {
    let bad = json!([{"name": "x", "image": "A"}]);
    let spec = json!({"initContainers": bad, "containers": bad, "ephemeralContainers": bad,
        "volumes": [{"name": "x", "image": {"reference": "A"}}]});
    let answer = Answer::to_value(&create(&json!({"metadata": {}, "spec": spec})));
    let kinds: Vec<_> = answer.warnings().iter().map(|warning| warning.split('`').next().unwrap()).collect();
    assert_eq!(kinds, ["mimic: init container ", "mimic: container ", "mimic: ephemeral container ", "mimic: volume "]);
}

#[test]
fn an_update_looks_only_at_images_that_changed() {
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
        assert_eq!((answer.decided, answer.paths()), (decided, paths), "{old:?} → {new:?}");
    }
}

#[test]
fn the_same_name_in_another_list_is_another_container() {
    let old = json!({"metadata": {}, "spec": {"initContainers": [{"name": "a", "image": "nginx:1"}]}});
    let new = json!({"metadata": {}, "spec": {"containers": [{"name": "a", "image": "nginx:2"}]}});
    assert_eq!(Answer::to_value(&update(&old, &new)).decided, 0);
}

#[test]
fn an_update_leaves_annotations_and_pull_secrets_alone() {
    let mut new = pod(&["private.example.org/a:2"]);
    new["metadata"]["annotations"] = json!({ORIGINAL_IMAGES: r#"{"c0":"private.example.org/a:1"}"#});
    let answer = Answer::to_value(&update(&pod(&["harbor.example.com/private/a:1"]), &new));
    assert_eq!(answer.paths(), ["/spec/containers/0/image"]);
    assert_eq!(answer.audit("original-images"), Some(r#"{"c0":"private.example.org/a:2"}"#));
}
