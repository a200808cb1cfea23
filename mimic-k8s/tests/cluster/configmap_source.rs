//! Mirrors from a ConfigMap across changes and failures.

use std::time::Duration;

use mimic_core::{Hint as _, MirrorSource as _, SourceErrorKind};
use mimic_k8s::cluster::ConfigMapSource;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::fake::{Answer, End, FakeApi, Line, Request, config_map, event, list, refusal, watch_of};

const NAME: &str = "mimic-mirrors";

fn watched(api: &FakeApi) -> ConfigMapSource {
    ConfigMapSource::new(api.cluster(), NAME).watched()
}

/// The locations of the list in order, or the error message.
async fn load(source: &ConfigMapSource) -> Result<Vec<String>, String> {
    let list = source.load().await.map_err(|error| error.full_message().to_string())?;
    Ok(list.rules.iter().map(|rule| rule.mirrors()[0].location().as_str().to_owned()).collect())
}

async fn changes_within(source: &ConfigMapSource, time: Duration) -> bool {
    timeout(time, source.changed()).await.is_ok()
}

fn with_data(version: &str, data: &Value) -> Value {
    let mut object = config_map(version, "");
    object["data"] = data.clone();
    object
}

#[tokio::test(start_paused = true)]
async fn a_load_returns_the_last_result_of_the_watch() {
    let lines = [Line::After(Duration::from_secs(5)), event("MODIFIED", &config_map("3", "two.example"))];
    let api = FakeApi::replay([list("2", &[config_map("1", "one.example")])], [watch_of(lines)]);
    let source = watched(&api);
    assert_eq!(source.name(), "configmap:mimic-mirrors");
    for _ in 0..3 {
        assert_eq!(load(&source).await.unwrap(), ["one.example"]);
    }
    source.changed().await;
    for _ in 0..3 {
        assert_eq!(load(&source).await.unwrap(), ["two.example"]);
    }
    assert_eq!(api.requests().len(), 2, "with a watch, a load sends no request");
}

#[tokio::test(start_paused = true)]
async fn an_absent_or_deleted_config_map_has_no_mirrors() {
    let lines = [
        Line::After(Duration::from_secs(1)),
        event("ADDED", &config_map("3", "one.example")),
        Line::After(Duration::from_secs(1)),
        event("DELETED", &config_map("4", "one.example")),
    ];
    let api = FakeApi::replay([list("2", &[])], [watch_of(lines)]);
    let source = watched(&api);
    assert!(load(&source).await.unwrap().is_empty());
    source.changed().await;
    assert_eq!(load(&source).await.unwrap(), ["one.example"]);
    source.changed().await;
    assert!(load(&source).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_metadata_is_not_a_change_of_mirrors() {
    let mut labelled = config_map("3", "one.example");
    labelled["metadata"]["labels"] = json!({"team": "images"});
    let lines = [event("MODIFIED", &labelled)];
    let api = FakeApi::replay([list("2", &[config_map("1", "one.example")])], [watch_of(lines)]);
    let source = watched(&api);
    load(&source).await.unwrap();
    assert!(!changes_within(&source, Duration::from_secs(30)).await);
}

#[tokio::test(start_paused = true)]
async fn a_failing_watch_is_an_error_until_it_recovers() {
    let good = list("2", &[config_map("1", "one.example")]);
    let unavailable = refusal(503, "ServiceUnavailable", "shutting down");
    let broken = Answer::Watch(vec![Line::After(Duration::from_secs(10))], End::Broken);
    let api = FakeApi::replay([good.clone(), unavailable, good], [broken, watch_of([])]);
    let source = watched(&api);
    assert_eq!(load(&source).await.unwrap(), ["one.example"]);
    assert!(changes_within(&source, Duration::from_mins(10)).await, "the failure is reported");
    let error = source.load().await.expect_err("the watch is broken");
    assert_eq!(error.kind(), SourceErrorKind::Unavailable);
    let message = error.full_message().to_string();
    assert!(message.starts_with("cannot read configmap mimic/mimic-mirrors: "), "{message}");
    for _ in 0..5 {
        assert!(changes_within(&source, Duration::from_mins(10)).await, "there is a result");
        if let Ok(list) = load(&source).await {
            assert_eq!(list, ["one.example"]);
            assert!(!changes_within(&source, Duration::from_mins(10)).await, "the recovery is reported once");
            return;
        }
    }
    panic!("it does not recover");
}

#[tokio::test(start_paused = true)]
async fn each_failed_attempt_is_reported_once() {
    let api = FakeApi::replay([refusal(403, "Forbidden", "no")], []);
    let source = watched(&api);
    for attempts in 1..5 {
        let error = source.load().await.expect_err("it is forbidden");
        assert_eq!((error.kind(), api.requests().len()), (SourceErrorKind::Forbidden, attempts));
        let hint = "(hint: check the Roles and ClusterRoles that are bound to Mimic's service account)";
        let message = error.full_message().to_string();
        assert!(message.ends_with(hint), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_each_load_reads_the_config_map() {
    let answers = [
        Answer::Whole(200, config_map("1", "one.example")),
        Answer::Whole(200, config_map("2", "two.example")),
        refusal(404, "NotFound", "configmaps \"mimic-mirrors\" not found"),
        refusal(500, "InternalError", "no leader"),
    ];
    let api = FakeApi::replay(answers, []);
    let source = ConfigMapSource::new(api.cluster(), NAME);
    assert_eq!(load(&source).await.unwrap(), ["one.example"]);
    assert!(!changes_within(&source, Duration::from_mins(10)).await);
    assert_eq!(load(&source).await.unwrap(), ["two.example"]);
    assert!(load(&source).await.unwrap().is_empty());
    let error = load(&source).await.expect_err("the API server is unavailable");
    assert_eq!(error, "cannot read configmap mimic/mimic-mirrors: the API server is unavailable: no leader");
    for request in api.requests() {
        assert_eq!(request.line, "GET /api/v1/namespaces/mimic/configmaps/mimic-mirrors");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_rules_of_an_invalid_file_stay_in_use() {
    let good = json!({"quay.io": "one.example", "mirrors.yaml": "mirrors: {docker.io: long.example/hub}"});
    let bad = json!({"quay.io": "two.example", "mirrors.yaml": "mirrors: ["});
    let none = json!({"quay.io": "two.example"});
    let versions = [("1", &good), ("2", &bad), ("3", &none), ("4", &bad)];
    let answers = versions.map(|(version, data)| Answer::Whole(200, with_data(version, data)));
    let api = FakeApi::replay(answers, []);
    let source = ConfigMapSource::new(api.cluster(), NAME);
    assert_eq!(load(&source).await.unwrap(), ["one.example", "long.example/hub"]);

    let list = source.load().await.unwrap();
    let locations: Vec<&str> = list.rules.iter().map(|rule| rule.mirrors()[0].location().as_str()).collect();
    assert_eq!(locations, ["two.example", "long.example/hub"]);
    let problem = list.problems[0].to_string();
    assert!(problem.starts_with("configmap mimic/mimic-mirrors, key `mirrors.yaml`:1: not valid YAML: "), "{problem}");
    assert!(problem.ends_with("; keeping the 1 rule last read from `mirrors.yaml`"), "{problem}");

    assert_eq!(load(&source).await.unwrap(), ["two.example"]);
    let list = source.load().await.unwrap();
    assert_eq!((list.rules.len(), list.problems.len()), (1, 1));
    assert!(!list.problems[0].to_string().contains("keeping"));
}

/// The requests that create Events.
fn events(api: &FakeApi) -> Vec<Request> {
    let path = "POST /apis/events.k8s.io/v1/namespaces/mimic/events";
    api.requests().into_iter().filter(|request| request.line.starts_with(path)).collect()
}

/// Lets background tasks finish.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

fn api_with_invalid_entries(answer_to_events: Answer) -> FakeApi {
    let data: serde_json::Map<String, Value> =
        (10..22).map(|number| (format!("r{number}.example"), json!("https://x.example"))).collect();
    let object = with_data("7", &data.into());
    FakeApi::start(move |request| match &request.line {
        line if line.starts_with("POST") => match &answer_to_events {
            Answer::Whole(200, _) => Answer::Whole(201, request.body.clone()),
            other => other.clone(),
        },
        _ => Answer::Whole(200, object.clone()),
    })
}

#[tokio::test(start_paused = true)]
async fn invalid_entries_become_events_once_per_version() {
    let api = api_with_invalid_entries(Answer::Whole(200, Value::Null));
    let source = ConfigMapSource::new(api.cluster(), NAME).with_events(api.cluster());
    for _ in 0..3 {
        let list = source.load().await.unwrap();
        assert_eq!(list.problems.len(), 12);
        pass(Duration::from_mins(1)).await;
    }
    let events = events(&api);
    assert_eq!(events.len(), 11, "ten entries and a summary");
    let event = &events[0].body;
    assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &json!("InvalidMirror")));
    assert_eq!(
        event["note"],
        "configmap mimic/mimic-mirrors, key `r10.example`: location `https://x.example` has a scheme \
                               (hint: write `x.example`)"
    );
    let regarding = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": NAME, "namespace": "mimic", "uid": "1",
    });
    assert_eq!(event["regarding"], regarding);
    assert_eq!(event["reportingController"], "mimic.cryptkcoding.com/mimic-server");
    assert_eq!(events[10].body["note"], "2 more entries were skipped; Mimic's log lists all of them");
}

#[tokio::test(start_paused = true)]
async fn events_that_cannot_be_created_do_not_delay_loading() {
    for answer in [refusal(403, "Forbidden", "no"), Answer::Silence] {
        let api = api_with_invalid_entries(answer);
        let source = ConfigMapSource::new(api.cluster(), NAME).with_events(api.cluster());
        let list = timeout(Duration::from_secs(1), source.load()).await.expect("without delay").unwrap();
        assert_eq!(list.problems.len(), 12);
        pass(Duration::from_mins(5)).await;
        assert_eq!(events(&api).len(), 1, "no second one is created");
    }
}
