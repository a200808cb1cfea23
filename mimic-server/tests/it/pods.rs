//! What the server answers for pods that a rewritten name would break, and for a forged record.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::common::TestServer;
use crate::common::client::{Connection, plain_get};
use crate::common::process::{Process, free_port};

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const RECORD: &str = "mimic.cryptkcoding.com/original-images";

/// A review of an operation on a pod. `old` is the stored pod.
fn review(operation: &str, sub_resource: &str, pod: &Value, old: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "subResource": sub_resource,
            "namespace": "shop",
            "operation": operation,
            "object": pod,
            "oldObject": old,
        }
    })
}

fn create(metadata: &Value, containers: &Value) -> Value {
    review("CREATE", "", &json!({"metadata": metadata, "spec": {"containers": containers}}), &json!(null))
}

/// The response, with the patch as a list of operations.
fn answer(server: &TestServer, review: &Value) -> Value {
    let mut connection = Connection::open(server.address).expect("the server listens");
    let response = connection.review(&review.to_string()).expect("the server answers");
    assert_eq!(response.status, 200);
    let mut response = response.json()["response"].take();
    assert_eq!(response["allowed"], true);
    if let Some(patch) = response.get("patch") {
        let patch = openssl::base64::decode_block(patch.as_str().unwrap()).unwrap();
        response["patch"] = serde_json::from_slice(&patch).unwrap();
    }
    response
}

fn hub() -> TestServer {
    TestServer::start(&[("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub")])
}

/// The counter of images with this reason.
fn counted(server: &TestServer, reason: &str) -> Option<String> {
    let (_, page) = plain_get(server.admin, "/metrics");
    let sample = format!(r#"mimic_images_total{{reason="{reason}"}} "#);
    page.lines().find_map(|line| line.strip_prefix(&sample).map(str::to_owned))
}

#[test]
fn an_image_that_is_never_pulled_and_an_image_id_stay() {
    let server = hub();
    let pod = json!([
        {"name": "local", "image": "nginx:1.27", "imagePullPolicy": "Never"},
        {"name": "id", "image": format!("sha256:{HEX}")},
        {"name": "bare", "image": HEX},
    ]);
    let response = answer(&server, &create(&json!({}), &pod));
    assert_eq!(response, json!({"uid": "u-1", "allowed": true}));
    assert_eq!(counted(&server, "never_pulled").as_deref(), Some("1"));
    assert_eq!(counted(&server, "image_id").as_deref(), Some("2"));
}

#[test]
fn an_image_stays_with_a_warning_if_its_pull_secret_cannot_be_added() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"rules: [{upstream: docker.io, mirrors: [harbor.example.com/hub], pullSecret: harbor-pull}]")
        .unwrap();
    let server = TestServer::start(&[("MIMIC_FILE_PATH", file.path().to_str().unwrap())]);
    let pod = |image: &str, secrets: &Value| json!({"metadata": {}, "spec": {"containers": [{"name": "web", "image": image}], "imagePullSecrets": secrets}});
    let update = |secrets: Value| review("UPDATE", "", &pod("nginx:2", &secrets), &pod("nginx:1", &secrets));
    let warning = "mimic: image of container `web` not rewritten: the pod does not list the pull secret `harbor-pull`";

    let response = answer(&server, &update(json!(null)));
    let audited = json!({"problems": warning});
    assert_eq!(response, json!({"uid": "u-1", "allowed": true, "auditAnnotations": audited, "warnings": [warning]}));
    assert_eq!(counted(&server, "pull_secret_missing").as_deref(), Some("1"));

    let response = answer(&server, &update(json!([{"name": "harbor-pull"}])));
    let image = json!([{"op": "replace", "path": "/spec/containers/0/image", "value": "harbor.example.com/hub/library/nginx:2"}]);
    assert_eq!(response["patch"], image);

    let mut debugged = pod("nginx:1", &json!(null));
    debugged["spec"]["ephemeralContainers"] = json!([{"name": "debugger", "image": "busybox"}]);
    let response = answer(&server, &review("UPDATE", "ephemeralcontainers", &debugged, &pod("nginx:1", &json!(null))));
    assert_eq!(response.get("patch"), None);
    assert_eq!(response["warnings"], json!([warning.replace("container `web`", "ephemeral container `debugger`")]));
}

#[test]
fn a_pod_that_is_too_costly_is_admitted_unchanged_counted_and_logged() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "rules: [{{upstream: docker.io, mirrors: [harbor.example.com/hub]}}").unwrap();
    for n in 0..64 {
        writeln!(file, ", {{pattern: '.*[ab].{{30}}/{n}', mirrors: [harbor.example.com/p{n}/x]}}").unwrap();
    }
    writeln!(file, "]").unwrap();
    let (path, admin) = (file.path().to_str().unwrap(), free_port().to_string());
    let variables = [("MIMIC_FILE_PATH", path), ("MIMIC_ADMIN_LISTENPORT", &admin)];
    let server = Process::start(&["--demo"], &variables);
    let send = |count: usize| {
        let containers: Vec<Value> = (0..count)
            .map(|n| json!({"name": format!("c{n}"), "image": format!("registry-{n}.example.com/team/app:{n}")}))
            .chain([json!({"name": "web", "image": "nginx"})])
            .collect();
        let mut connection = Connection::open(server.address()).expect("the server listens");
        let body = create(&json!({"name": "p"}), &json!(containers)).to_string();
        connection.review(&body).expect("the server answers").json()["response"].take()
    };
    assert!(send(2).get("patch").is_some(), "a pod of ordinary size is rewritten");

    let warning = "mimic: pod too costly to evaluate; images not rewritten";
    let expected =
        json!({"uid": "u-1", "allowed": true, "auditAnnotations": {"problems": warning}, "warnings": [warning]});
    assert_eq!(send(5_000), expected, "not one of its images is rewritten");

    let (_, page) = plain_get(server.admin(), "/metrics");
    for sample in [
        r#"mimic_pods_skipped_total{reason="too_costly"} 1"#,
        r#"mimic_admission_requests_total{operation="CREATE",outcome="skipped"} 1"#,
        r#"mimic_images_total{reason="rewritten"} 1"#,
    ] {
        assert!(page.lines().any(|line| line == sample), "{sample}: {page}");
    }
    let line = server.line("pod too costly to evaluate; admitted unchanged");
    assert_eq!((&line["level"], &line["namespace"], &line["pod"]), (&json!("warn"), &json!("shop"), &json!("p")));
}

#[test]
fn a_pod_opts_out_with_an_annotation_or_a_label() {
    let server = hub();
    let pod = json!([{"name": "web", "image": "nginx:1.27"}]);
    for (field, value, patched) in [
        ("annotations", "false", false),
        ("labels", "false", false),
        ("annotations", "true", true),
        ("labels", "true", true),
    ] {
        let metadata = json!({field: {"mimic.cryptkcoding.com/rewrite": value}});
        let response = answer(&server, &create(&metadata, &pod));
        assert_eq!(response.get("patch").is_some(), patched, "{field} {value}");
    }
}

#[test]
fn a_forged_record_is_neither_kept_nor_audited() {
    let server = hub();
    let forged = json!({"annotations": {RECORD: r#"{"miner":"docker.io/library/nginx"}"#}});
    let miner = json!({"name": "miner", "image": "evil.example/miner"});
    let response = answer(&server, &create(&forged, &json!([{"name": "web", "image": "nginx"}, miner])));
    let web = r#"{"web":"nginx"}"#;
    assert_eq!(
        response["patch"],
        json!([
            {"op": "replace", "path": "/spec/containers/0/image", "value": "harbor.example.com/dockerhub/library/nginx"},
            {"op": "add", "path": "/metadata/annotations/mimic.cryptkcoding.com~1original-images", "value": web},
        ])
    );
    assert_eq!(response["auditAnnotations"], json!({"original-images": web}));

    let response = answer(&server, &create(&forged, &json!([miner])));
    assert_eq!(response, json!({"uid": "u-1", "allowed": true}), "nothing is rewritten");
}
