//! The alerting rules and the dashboard use metrics that the server exposes.

use std::collections::BTreeSet;

use crate::common::client::{Connection, plain_get};
use crate::common::{REVIEW, TestServer};

const ALERTS: &str = include_str!("../../../deploy/monitoring/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../deploy/monitoring/dashboard.json");

/// Names of the samples that a server exposes.
fn exposed() -> BTreeSet<String> {
    let server = TestServer::start(&[("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub")]);
    Connection::open(server.address).expect("the server listens").review(REVIEW).expect("the server answers");
    let (_, page) = plain_get(server.admin, "/metrics");
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

/// Words in `text` that could be names of metrics that Mimic exposes.
fn mentioned(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("mimic_") || word.starts_with("process_")).collect()
}

fn unknown<'t>(text: &'t str, exposed: &BTreeSet<String>) -> Vec<&'t str> {
    let mentioned = mentioned(text);
    assert!(mentioned.len() > 5, "{mentioned:?}");
    mentioned.into_iter().filter(|name| !exposed.contains(*name)).collect()
}

#[test]
fn every_metric_that_alerts_and_dashboard_ask_for_is_exposed() {
    let exposed = exposed();
    assert_eq!(unknown(ALERTS, &exposed), [""; 0], "in the alerts");
    assert_eq!(unknown(DASHBOARD, &exposed), [""; 0], "in the dashboard");
}

#[test]
fn every_alert_is_explained() {
    let pages = include_str!("../../../docs/alerts.md");
    let alerts: BTreeSet<&str> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let explained: BTreeSet<&str> = pages.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(alerts.len() > 10);
    assert_eq!(alerts, explained);
}

#[test]
fn the_dashboard_and_its_panels_are_whole() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let mut positions = BTreeSet::new();
    for panel in panels {
        let position = &panel["gridPos"];
        assert!(
            positions.insert((position["y"].as_u64(), position["x"].as_u64())),
            "two panels at one position: {panel}"
        );
        let targets = panel["targets"].as_array().expect("a panel has queries");
        assert!(targets.iter().all(|target| target["expr"].as_str().is_some_and(|expr| !expr.is_empty())), "{panel}");
    }
    assert!(panels.len() > 10);
}
