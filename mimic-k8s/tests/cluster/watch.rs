//! An object is watched across changes and failures.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use mimic_k8s::cluster::{Cluster, ClusterError, ObjectWatch};
use tokio::time::{Instant, timeout};

use crate::fake::{Answer, End, FakeApi, Line, config_map, event, list, refusal, status, watch_of};

fn object_watch(cluster: &Cluster) -> ObjectWatch<ConfigMap> {
    ObjectWatch::new(cluster.api(), "mimic-mirrors")
}

/// The next result: the mirror in the ConfigMap, `absent`, or the kind of the error.
async fn next(watch: &mut ObjectWatch<ConfigMap>) -> String {
    match timeout(Duration::from_mins(30), watch.next()).await.expect("there is a result") {
        Ok(Some(object)) => object.data.unwrap_or_default().remove("docker.io").unwrap_or_default(),
        Ok(None) => "absent".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

async fn is_quiet(watch: &mut ObjectWatch<ConfigMap>, time: Duration) -> bool {
    timeout(time, watch.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn an_object_is_watched_through_change_deletion_and_creation() {
    let lines = [
        event("MODIFIED", &config_map("3", "two")),
        event("DELETED", &config_map("4", "two")),
        event("ADDED", &config_map("5", "three")),
    ];
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [watch_of(lines)]);
    let mut watch = object_watch(api.cluster());
    for expected in ["one", "two", "absent", "three"] {
        assert_eq!(next(&mut watch).await, expected);
    }
    let [list, watch] = &api.requests()[..] else { panic!("two requests") };
    let path = "GET /api/v1/namespaces/mimic/configmaps?&";
    let selector = "fieldSelector=metadata.name%3Dmimic-mirrors";
    for request in [list, watch] {
        assert!(request.line.starts_with(path) && request.line.contains(selector), "{}", request.line);
    }
    assert!(watch.is_watch() && watch.line.contains("timeoutSeconds=45") && watch.line.contains("resourceVersion=2"));
}

#[tokio::test(start_paused = true)]
async fn an_absent_object_is_seen_when_it_is_created() {
    let watch = watch_of([Line::After(Duration::from_secs(30)), event("ADDED", &config_map("3", "one"))]);
    let api = FakeApi::replay([list("2", &[])], [watch]);
    let mut watch = object_watch(api.cluster());
    assert_eq!(next(&mut watch).await, "absent");
    assert_eq!(next(&mut watch).await, "one");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_the_api_server_ends_continues_from_its_version() {
    let first = Answer::Watch(vec![event("MODIFIED", &config_map("7", "two"))], End::Orderly);
    let second = watch_of([event("MODIFIED", &config_map("8", "three"))]);
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [first, second]);
    let mut watch = object_watch(api.cluster());
    for expected in ["one", "two", "three"] {
        assert_eq!(next(&mut watch).await, expected);
    }
    let requests = api.requests();
    assert_eq!(requests.iter().filter(|request| !request.is_watch()).count(), 1);
    assert!(requests[2].line.contains("resourceVersion=7"), "{}", requests[2].line);
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_immediately_are_rate_limited() {
    let mut watches = vec![Answer::Watch(Vec::new(), End::Orderly); 200];
    watches.push(watch_of([event("MODIFIED", &config_map("3", "two"))]));
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], watches);
    let mut watch = object_watch(api.cluster());
    assert_eq!(next(&mut watch).await, "one");
    let start = Instant::now();
    assert_eq!(next(&mut watch).await, "two");
    assert!(start.elapsed() > Duration::from_secs(30), "200 requests in {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_is_listed_again_without_an_error() {
    let expired = Line::Event(serde_json::json!({"type": "ERROR", "object": status(410, "Expired", "too old")}));
    let lists = [list("2", &[config_map("1", "one")]), list("9", &[config_map("8", "two")])];
    let api = FakeApi::replay(lists, [watch_of([expired]), watch_of([])]);
    let mut watch = object_watch(api.cluster());
    assert_eq!(next(&mut watch).await, "one");
    let start = Instant::now();
    assert_eq!(next(&mut watch).await, "two");
    assert!(start.elapsed() < Duration::from_millis(1100), "{:?}", start.elapsed());
    assert!(is_quiet(&mut watch, Duration::from_mins(10)).await);
}

#[tokio::test(start_paused = true)]
async fn versions_that_expire_occasionally_are_not_an_error() {
    let expired = Line::Event(serde_json::json!({"type": "ERROR", "object": status(410, "Expired", "too old")}));
    // Without a bookmark the watch would count as silent.
    let bookmark = event("BOOKMARK", &config_map("5", "one"));
    let late: Vec<Line> = (0..4).flat_map(|_| [Line::After(Duration::from_secs(30)), bookmark.clone()]).collect();
    let late = watch_of([late, vec![expired]].concat());
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [late]);
    let mut watch = object_watch(api.cluster());
    assert_eq!(next(&mut watch).await, "one");
    assert!(is_quiet(&mut watch, Duration::from_mins(20)).await);
    assert!(api.requests().len() >= 18, "it was listed again each time");
}

#[tokio::test(start_paused = true)]
async fn versions_that_expire_repeatedly_are_an_error() {
    let expired = refusal(410, "Expired", "too old resource version");
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [expired]);
    let mut watch = object_watch(api.cluster());
    for expected in ["one", "Expired", "Expired"] {
        assert_eq!(next(&mut watch).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_line_is_ignored() {
    let change = serde_json::json!({"type": "MODIFIED", "object": config_map("3", "two")});
    for end in [End::Orderly, End::Broken] {
        let first = Answer::Watch(vec![Line::Half(change.clone())], end);
        let second = watch_of([Line::Event(change.clone())]);
        // After a broken response the object is listed again.
        let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [first, second]);
        let mut watch = object_watch(api.cluster());
        assert_eq!(next(&mut watch).await, "one");
        let mut result = next(&mut watch).await;
        if result == "Unreachable" {
            result = next(&mut watch).await;
        }
        assert_eq!(result, "two");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_event_is_an_error_and_the_watch_continues() {
    let nonsense = Line::Event(serde_json::json!({"type": "MODIFIED", "object": {"metadata": 5}}));
    let watches = [watch_of([nonsense]), watch_of([event("MODIFIED", &config_map("3", "two"))])];
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], watches);
    let mut watch = object_watch(api.cluster());
    for expected in ["one", "Invalid", "two"] {
        assert_eq!(next(&mut watch).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_restarted() {
    let watches = [watch_of([]), watch_of([event("MODIFIED", &config_map("3", "two"))])];
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], watches);
    let mut watch = object_watch(api.cluster());
    assert_eq!(next(&mut watch).await, "one");
    let start = Instant::now();
    assert_eq!(next(&mut watch).await, "two");
    assert!(start.elapsed() <= Duration::from_mins(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_to_at_most_half_a_minute() {
    let api = FakeApi::replay([refusal(500, "InternalError", "etcdserver: no leader")], []);
    let mut watch = object_watch(api.cluster());
    for _ in 0..20 {
        assert_eq!(next(&mut watch).await, "Unreachable");
    }
    let times: Vec<Instant> = api.requests().iter().map(|request| request.at).collect();
    let pauses: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    for (pause, shortest) in pauses.iter().zip([0.5, 1.0, 2.0, 4.0, 8.0].into_iter().chain(std::iter::repeat(15.0))) {
        assert!(*pause >= shortest && *pause < 2.0 * shortest + 0.1, "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_successful_list_with_a_failing_watch_is_not_a_recovery() {
    let forbidden = refusal(403, "Forbidden", "no");
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [forbidden]);
    let mut watch = object_watch(api.cluster());
    assert_eq!(next(&mut watch).await, "one");
    for _ in 0..5 {
        assert_eq!(next(&mut watch).await, "Forbidden");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_seen_while_watches_fail() {
    let lists = [list("2", &[config_map("1", "one")]), list("9", &[config_map("8", "two")])];
    let api = FakeApi::replay(lists, [refusal(403, "Forbidden", "no")]);
    let mut watch = object_watch(api.cluster());
    for expected in ["one", "Forbidden", "two", "Forbidden"] {
        assert_eq!(next(&mut watch).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_without_a_change_is_reported_once() {
    let unavailable = refusal(503, "ServiceUnavailable", "shutting down");
    let broken = Answer::Watch(vec![Line::After(Duration::from_secs(10))], End::Broken);
    let good = list("2", &[config_map("1", "one")]);
    let api = FakeApi::replay([good.clone(), unavailable, good], [broken, watch_of([])]);
    let mut watch = object_watch(api.cluster());
    assert_eq!(next(&mut watch).await, "one");
    let mut result = next(&mut watch).await;
    let mut failures = 0;
    while result == "Unreachable" {
        failures += 1;
        result = next(&mut watch).await;
    }
    assert!(failures > 0);
    assert_eq!(result, "one");
    assert!(is_quiet(&mut watch, Duration::from_mins(10)).await);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_loses_nothing() {
    let pause = Line::After(Duration::from_millis(700));
    let lines = [
        pause.clone(),
        event("MODIFIED", &config_map("3", "two")),
        pause,
        event("MODIFIED", &config_map("4", "three")),
    ];
    let lists = [refusal(500, "InternalError", "no"), list("2", &[config_map("1", "one")])];
    let api = FakeApi::replay(lists, [watch_of(lines)]);
    let mut watch = object_watch(api.cluster());
    let mut results: Vec<Result<Option<ConfigMap>, ClusterError>> = Vec::new();
    while results.len() < 4 {
        results.extend(timeout(Duration::from_millis(50), watch.next()).await);
    }
    let versions: Vec<Option<String>> =
        results.into_iter().map(|object| object.ok().flatten()?.metadata.resource_version).collect();
    assert_eq!(versions, [None, Some("1".to_owned()), Some("3".to_owned()), Some("4".to_owned())]);
    assert_eq!(api.requests().len(), 3);
}
