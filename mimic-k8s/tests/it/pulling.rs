//! Images that the node could not get under another name.

use mimic_k8s::admission::ReviewSettings;
use serde_json::{Value, json};

use crate::common::{Answer, create, images, pod, rewriter, rewriter_of, update};

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The reasons of all images of a review, with the shared rules.
fn reasons(review: &Value) -> Vec<&'static str> {
    let (body, rewriter, settings) = (review.to_string(), rewriter(), ReviewSettings::default());
    let review = mimic_k8s::admission::Review::parse(body.as_bytes()).unwrap();
    let verdict = review.decide(&rewriter, &settings);
    verdict.images().iter().map(|decision| decision.outcome.reason().as_str()).collect()
}

#[test]
fn an_image_that_is_never_pulled_stays_in_every_list() {
    for (policy, reason) in [
        (json!("Never"), "never_pulled"),
        (json!("IfNotPresent"), "rewritten"),
        (json!("Always"), "rewritten"),
        (json!("never"), "rewritten"),
        (json!(""), "rewritten"),
        (json!(null), "rewritten"),
    ] {
        let container = json!([{"name": "x", "image": "nginx:1.27", "imagePullPolicy": policy}]);
        let volume = json!([{"name": "x", "image": {"pullPolicy": policy, "reference": "quay.io/acme/model:v3"}}]);
        let spec = json!({"initContainers": container, "containers": container, "ephemeralContainers": container,
            "volumes": volume});
        let review = create(&json!({"metadata": {}, "spec": spec}));
        assert_eq!(reasons(&review), [reason; 4], "{policy}");
        let answer = Answer::to_value(&review);
        assert_eq!(answer.patch().is_empty(), reason == "never_pulled", "{policy}");
        assert_eq!((answer.warnings().len(), answer.audit("problems")), (0, None), "{policy}");
    }
}

#[test]
fn the_pull_policy_of_one_container_does_not_affect_the_others() {
    let mut web = pod(&["nginx:1.27", "nginx:1.27"]);
    web["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
    let review = create(&web);
    assert_eq!(reasons(&review), ["never_pulled", "rewritten"]);
    let answer = Answer::to_value(&review);
    let rewritten = "harbor.example.com/dockerhub/library/nginx:1.27";
    assert_eq!(images(&answer.patched(&review)), json!({"containers/c0": "nginx:1.27", "containers/c1": rewritten}));
    assert_eq!(answer.audit("original-images"), Some(r#"{"c1":"nginx:1.27"}"#));
}

#[test]
fn an_image_that_is_never_pulled_stays_on_updates_and_when_it_is_debugged() {
    let mut new = pod(&["nginx:2"]);
    new["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
    assert_eq!(reasons(&update(&pod(&["nginx:1"]), &new)), ["never_pulled"]);

    let mut debugged = pod(&["nginx:1"]);
    debugged["spec"]["ephemeralContainers"] =
        json!([{"name": "debugger", "image": "busybox:1.36", "imagePullPolicy": "Never"}]);
    let mut review = update(&pod(&["nginx:1"]), &debugged);
    review["request"]["subResource"] = json!("ephemeralcontainers");
    assert_eq!(reasons(&review), ["never_pulled"]);
    assert_eq!(Answer::to_value(&review).patch(), &[] as &[Value]);
}

#[test]
fn a_pull_policy_that_is_not_a_string_makes_the_pod_unreadable() {
    let mut pod = pod(&["nginx"]);
    pod["spec"]["containers"][0]["imagePullPolicy"] = json!(1);
    assert_eq!(Answer::to_value(&create(&pod)).skipped, Some("unreadable"));
}

#[test]
fn an_image_id_stays() {
    let id = format!("sha256:{HEX}");
    let review = create(&pod(&[&id, HEX, "nginx:1.27"]));
    assert_eq!(reasons(&review), ["image_id", "image_id", "rewritten"]);
    let answer = Answer::to_value(&review);
    let rewritten = "harbor.example.com/dockerhub/library/nginx:1.27";
    assert_eq!(
        images(&answer.patched(&review)),
        json!({"containers/c0": id, "containers/c1": HEX, "containers/c2": rewritten})
    );
    assert_eq!(answer.warnings(), [] as [&str; 0]);
}

/// A review of an update of a container, and one of a new ephemeral container, of a pod with these pull secrets.
fn later_reviews(image: &str, secrets: &Value) -> [Value; 2] {
    let mut old = pod(&["private.example.org/a:1"]);
    old["spec"]["imagePullSecrets"] = secrets.clone();
    let mut new = old.clone();
    new["spec"]["containers"][0]["image"] = json!(image);
    let mut debugged = old.clone();
    debugged["spec"]["ephemeralContainers"] = json!([{"name": "debugger", "image": image}]);
    let mut ephemeral = update(&old, &debugged);
    ephemeral["request"]["subResource"] = json!("ephemeralcontainers");
    [update(&old, &new), ephemeral]
}

#[test]
fn an_image_stays_if_its_pull_secret_cannot_be_added_and_the_pod_does_not_list_it() {
    for secrets in [json!(null), json!([]), json!([{"name": "other"}, {}])] {
        for (review, container) in later_reviews("private.example.org/a:2", &secrets)
            .iter()
            .zip(["container `c0`", "ephemeral container `debugger`"])
        {
            assert_eq!(reasons(review), ["pull_secret_missing"], "{review}");
            let answer = Answer::to_value(review);
            assert_eq!(answer.patch(), &[] as &[Value], "{review}");
            let warning = format!(
                "mimic: image of {container} not rewritten: the pod does not list the pull secret `harbor-pull`"
            );
            assert_eq!(answer.warnings(), [&warning], "{review}");
            assert_eq!(answer.audit("problems"), Some(warning.as_str()));
            assert_eq!(answer.audit("original-images"), None);
        }
    }
}

#[test]
fn an_image_is_rewritten_if_the_pod_lists_the_pull_secret_already_or_the_rule_has_none() {
    let listed = json!([{"name": "other"}, {"name": "harbor-pull"}]);
    for (image, secrets) in [("private.example.org/a:2", listed), ("nginx:2", json!(null))] {
        for review in later_reviews(image, &secrets) {
            assert_eq!(reasons(&review), ["rewritten"], "{review}");
            let answer = Answer::to_value(&review);
            assert_eq!((answer.patch().len(), answer.warnings().len()), (1, 0), "{review}");
        }
    }
}

#[test]
fn a_new_pod_gets_the_pull_secret_so_its_image_is_rewritten() {
    let review = create(&pod(&["private.example.org/a:1"]));
    assert_eq!(reasons(&review), ["rewritten"]);
    let added = Answer::to_value(&review).patched(&review)["spec"]["imagePullSecrets"].clone();
    assert_eq!(added, json!([{"name": "harbor-pull"}]));
}

#[test]
fn dry_run_mode_shows_no_change_for_an_image_whose_pull_secret_is_missing() {
    let settings = ReviewSettings { dry_run: true, ..ReviewSettings::default() };
    for review in later_reviews("private.example.org/a:2", &json!(null)) {
        let answer = Answer::to(review.to_string().as_bytes(), &rewriter(), &settings);
        let [warning] = answer.warnings()[..] else { panic!("{:?}", answer.warnings()) };
        assert!(warning.ends_with("the pod does not list the pull secret `harbor-pull`"), "{warning}");
    }
}

#[test]
fn a_long_pull_secret_is_cut_off_in_the_warning() {
    let name = "s".repeat(253);
    let rewriter =
        rewriter_of(&format!("rules: [{{upstream: quay.io, mirrors: [m.example.com/quay], pullSecret: {name}}}]"));
    let review = update(&pod(&["quay.io/a:1"]), &pod(&["quay.io/a:2"]));
    let answer = Answer::to(review.to_string().as_bytes(), &rewriter, &ReviewSettings::default());
    let [warning] = answer.warnings()[..] else { panic!("{:?}", answer.warnings()) };
    assert!(warning.ends_with("s…"), "{warning}");
}
