//! The metrics page, as Prometheus sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpStream;

use crate::common::client::{Connection, plain_get};
use crate::common::{REVIEW, TestServer, eventually, replace};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Every sample by name and labels.
fn samples(server: &TestServer) -> BTreeMap<String, f64> {
    let (status, page) = plain_get(server.admin, "/metrics");
    assert_eq!(status, 200);
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (sample, value) = line.rsplit_once(' ').expect("a sample has a value");
            (sample.to_owned(), value.parse().expect("it is a number"))
        })
        .collect()
}

fn post(server: &TestServer, body: &[u8]) -> u16 {
    let mut connection = Connection::open(server.address).expect("the server listens");
    connection.request("POST", "/mutate", &[JSON], body).expect("the server answers").status
}

#[test]
fn requests_are_counted() {
    let server = TestServer::start(&[("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub")]);
    let before = samples(&server);
    assert_eq!(post(&server, REVIEW.as_bytes()), 200);
    assert_eq!(post(&server, REVIEW.replace("CREATE", "CONNECT").as_bytes()), 200);
    assert_eq!(post(&server, b"{"), 400);
    let after = samples(&server);

    let delta: BTreeMap<&str, f64> = after
        .iter()
        .map(|(sample, value)| (sample.as_str(), value - before.get(sample).unwrap_or(&0.0)))
        .filter(|(sample, delta)| sample.contains("_total") && sample.starts_with("mimic_") && *delta != 0.0)
        .collect();
    let expected = BTreeMap::from([
        (r#"mimic_admission_requests_total{operation="CREATE",outcome="rewritten"}"#, 1.0),
        (r#"mimic_admission_requests_total{operation="none",outcome="refused"}"#, 1.0),
        (r#"mimic_admission_requests_total{operation="other",outcome="skipped"}"#, 1.0),
        (r#"mimic_images_total{reason="no_rule"}"#, 3.0),
        (r#"mimic_images_total{reason="rewritten"}"#, 1.0),
        (r#"mimic_pods_skipped_total{reason="operation"}"#, 1.0),
        (r#"mimic_rule_images_total{rule="docker.io",source="environment"}"#, 1.0),
    ]);
    assert_eq!(delta, expected);
    assert_eq!(after.get("mimic_admission_duration_seconds_count"), Some(&2.0));
}

#[test]
fn sources_certificate_and_readiness_are_observed() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("mirrors.yaml");
    replace(&file, "mirrors: {docker.io: a.example.com/hub, quay.io: a.example.com/quay}");
    let path = file.to_str().expect("it is UTF-8");
    let server = TestServer::start(&[("MIMIC_FILE_PATH", path)]);
    let of = |samples: &BTreeMap<String, f64>, name: &str| {
        samples.get(&format!(r#"{name}{{source="file:{path}"}}"#)).copied()
    };

    let first = samples(&server);
    assert_eq!(of(&first, "mimic_source_rules"), Some(2.0));
    assert_eq!(of(&first, "mimic_source_loads_total"), Some(1.0));
    assert_eq!(of(&first, "mimic_source_failures_total"), Some(0.0));
    assert_eq!(of(&first, "mimic_source_skipped_entries"), Some(0.0));
    assert_eq!(first.get(r#"mimic_ready{state="ready"}"#), Some(&1.0));
    assert_eq!(first.get(r#"mimic_certificate_loads_total{outcome="used"}"#), Some(&1.0));
    let started = first["process_start_time_seconds"];
    let loaded = of(&first, "mimic_source_last_success_timestamp_seconds").expect("it was loaded");
    assert!((loaded - started).abs() < 3600.0, "{loaded} {started}");
    let expires = first["mimic_certificate_expiry_timestamp_seconds"];
    let days = (expires - loaded) / 86_400.0;
    assert!((364.9..=365.1).contains(&days), "a self-signed certificate is valid for a year: {days}");

    replace(&file, "mirrors: {docker.io: a.example.com/hub, quay.io: 'https://a.example.com'}");
    let second = eventually("the skipped entry shows", || {
        Some(samples(&server)).filter(|samples| of(samples, "mimic_source_skipped_entries") == Some(1.0))
    });
    assert_eq!(of(&second, "mimic_source_rules"), Some(1.0));
    assert_eq!(second.get(r#"mimic_ready{state="degraded"}"#), Some(&1.0));
    assert_eq!(second.get(r#"mimic_ready{state="ready"}"#), Some(&0.0));

    replace(&file, "mirrors: [");
    let third = eventually("the failure shows", || {
        Some(samples(&server)).filter(|samples| of(samples, "mimic_source_failures_total") >= Some(1.0))
    });
    assert_eq!(of(&third, "mimic_source_rules"), Some(1.0), "the last good rules stay");
}

#[test]
fn a_failed_handshake_is_counted() {
    let server = TestServer::start(&[]);
    let mut stream = TcpStream::connect(server.address).expect("the server listens");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it is accepted");
    eventually("it is counted", || {
        Some(samples(&server)).filter(|samples| samples["mimic_tls_handshake_failures_total"] >= 1.0)
    });
}

#[test]
fn the_names_are_those_of_the_documentation() {
    let server = TestServer::start(&[("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub")]);
    post(&server, REVIEW.as_bytes());
    let (_, page) = plain_get(server.admin, "/metrics");
    // A test in the server has those of the policy, which needs a cluster.
    let own = |name: &&str| name.starts_with("mimic_") && !name.starts_with("mimic_policy_");
    let exposed: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).filter(own).collect();
    let documentation = mimic_server::internal::metrics_page();
    let documented: BTreeSet<&str> =
        documentation.lines().filter_map(|line| line.strip_prefix("## ")).filter(own).collect();
    assert_eq!(exposed, documented);
}

#[test]
fn requests_add_no_samples() {
    let server = TestServer::start(&[("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub")]);
    post(&server, REVIEW.as_bytes());
    let before: Vec<String> = samples(&server).into_keys().collect();
    for number in 0..20 {
        let body = REVIEW.replace("CREATE", &format!("OP{number}")).replace("nginx", &format!("image{number}"));
        post(&server, body.as_bytes());
        post(&server, REVIEW.replace("nginx", &format!("image{number}")).as_bytes());
    }
    assert_eq!(samples(&server).into_keys().collect::<Vec<_>>(), before);
}
