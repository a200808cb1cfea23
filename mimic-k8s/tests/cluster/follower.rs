//! An object is followed through everything.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use mimic_k8s::cluster::{Cluster, ClusterError, Follower};
use tokio::time::{Instant, timeout};

use crate::fake::{Answer, End, FakeApi, Line, config_map, event, list, refusal, status, watch_of};

fn follower(cluster: &Cluster) -> Follower<ConfigMap> {
    Follower::new(cluster.api(), "mimic-mirrors")
}

/// What comes next: the mirror of the ConfigMap, `absent`, or the kind of the error.
async fn next(follower: &mut Follower<ConfigMap>) -> String {
    match timeout(Duration::from_mins(30), follower.next()).await.expect("something comes") {
        Ok(Some(object)) => object.data.unwrap_or_default().remove("docker.io").unwrap_or_default(),
        Ok(None) => "absent".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

async fn is_quiet(follower: &mut Follower<ConfigMap>, time: Duration) -> bool {
    timeout(time, follower.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn it_is_read_and_followed_through_change_deletion_and_creation() {
    let lines = [
        event("MODIFIED", &config_map("3", "two")),
        event("DELETED", &config_map("4", "two")),
        event("ADDED", &config_map("5", "three")),
    ];
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [watch_of(lines)]);
    let mut follower = follower(api.cluster());
    for expected in ["one", "two", "absent", "three"] {
        assert_eq!(next(&mut follower).await, expected);
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
async fn one_that_is_absent_is_waited_for() {
    let watch = watch_of([Line::After(Duration::from_secs(30)), event("ADDED", &config_map("3", "one"))]);
    let api = FakeApi::replay([list("2", &[])], [watch]);
    let mut follower = follower(api.cluster());
    assert_eq!(next(&mut follower).await, "absent");
    assert_eq!(next(&mut follower).await, "one");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_the_api_server_ends_is_taken_up_where_it_was() {
    let first = Answer::Watch(vec![event("MODIFIED", &config_map("7", "two"))], End::Orderly);
    let second = watch_of([event("MODIFIED", &config_map("8", "three"))]);
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [first, second]);
    let mut follower = follower(api.cluster());
    for expected in ["one", "two", "three"] {
        assert_eq!(next(&mut follower).await, expected);
    }
    let requests = api.requests();
    assert_eq!(requests.iter().filter(|request| !request.is_watch()).count(), 1);
    assert!(requests[2].line.contains("resourceVersion=7"), "{}", requests[2].line);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_at_once_every_time_is_no_storm() {
    let mut watches = vec![Answer::Watch(Vec::new(), End::Orderly); 200];
    watches.push(watch_of([event("MODIFIED", &config_map("3", "two"))]));
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], watches);
    let mut follower = follower(api.cluster());
    assert_eq!(next(&mut follower).await, "one");
    let start = Instant::now();
    assert_eq!(next(&mut follower).await, "two");
    assert!(start.elapsed() > Duration::from_secs(30), "200 requests in {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_is_read_anew_without_a_word() {
    let expired = Line::Event(serde_json::json!({"type": "ERROR", "object": status(410, "Expired", "too old")}));
    let lists = [list("2", &[config_map("1", "one")]), list("9", &[config_map("8", "two")])];
    let api = FakeApi::replay(lists, [watch_of([expired]), watch_of([])]);
    let mut follower = follower(api.cluster());
    assert_eq!(next(&mut follower).await, "one");
    let start = Instant::now();
    assert_eq!(next(&mut follower).await, "two");
    assert!(start.elapsed() < Duration::from_millis(1100), "{:?}", start.elapsed());
    assert!(is_quiet(&mut follower, Duration::from_mins(10)).await);
}

#[tokio::test(start_paused = true)]
async fn versions_that_expire_now_and_then_are_not_told() {
    let expired = Line::Event(serde_json::json!({"type": "ERROR", "object": status(410, "Expired", "too old")}));
    // A bookmark keeps the watch from being taken for one that has fallen silent.
    let bookmark = event("BOOKMARK", &config_map("5", "one"));
    let late: Vec<Line> = (0..4).flat_map(|_| [Line::After(Duration::from_secs(30)), bookmark.clone()]).collect();
    let late = watch_of([late, vec![expired]].concat());
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [late]);
    let mut follower = follower(api.cluster());
    assert_eq!(next(&mut follower).await, "one");
    assert!(is_quiet(&mut follower, Duration::from_mins(20)).await);
    assert!(api.requests().len() >= 18, "it was read anew each time");
}

#[tokio::test(start_paused = true)]
async fn versions_that_expire_again_and_again_are_told() {
    let expired = refusal(410, "Expired", "too old resource version");
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [expired]);
    let mut follower = follower(api.cluster());
    for expected in ["one", "Expired", "Expired"] {
        assert_eq!(next(&mut follower).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_line_is_no_line() {
    let change = serde_json::json!({"type": "MODIFIED", "object": config_map("3", "two")});
    for end in [End::Orderly, End::Broken] {
        let first = Answer::Watch(vec![Line::Half(change.clone())], end);
        let second = watch_of([Line::Event(change.clone())]);
        // After a broken answer the list is read again.
        let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [first, second]);
        let mut follower = follower(api.cluster());
        assert_eq!(next(&mut follower).await, "one");
        let mut heard = next(&mut follower).await;
        if heard == "Unreachable" {
            heard = next(&mut follower).await;
        }
        assert_eq!(heard, "two");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_not_json_is_an_error_and_the_watch_comes_back() {
    let nonsense = Line::Event(serde_json::json!({"type": "MODIFIED", "object": {"metadata": 5}}));
    let watches = [watch_of([nonsense]), watch_of([event("MODIFIED", &config_map("3", "two"))])];
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], watches);
    let mut follower = follower(api.cluster());
    for expected in ["one", "Invalid", "two"] {
        assert_eq!(next(&mut follower).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_is_noticed() {
    let watches = [watch_of([]), watch_of([event("MODIFIED", &config_map("3", "two"))])];
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], watches);
    let mut follower = follower(api.cluster());
    assert_eq!(next(&mut follower).await, "one");
    let start = Instant::now();
    assert_eq!(next(&mut follower).await, "two");
    assert!(start.elapsed() <= Duration::from_mins(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_to_half_a_minute_at_most() {
    let api = FakeApi::replay([refusal(500, "InternalError", "etcdserver: no leader")], []);
    let mut follower = follower(api.cluster());
    for _ in 0..20 {
        assert_eq!(next(&mut follower).await, "Unreachable");
    }
    let times: Vec<Instant> = api.requests().iter().map(|request| request.at).collect();
    let pauses: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    for (pause, shortest) in pauses.iter().zip([0.5, 1.0, 2.0, 4.0, 8.0].into_iter().chain(std::iter::repeat(15.0))) {
        assert!(*pause >= shortest && *pause < 2.0 * shortest + 0.1, "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_succeeds_beside_a_watch_that_does_not_is_no_recovery() {
    let forbidden = refusal(403, "Forbidden", "no");
    let api = FakeApi::replay([list("2", &[config_map("1", "one")])], [forbidden]);
    let mut follower = follower(api.cluster());
    assert_eq!(next(&mut follower).await, "one");
    for _ in 0..5 {
        assert_eq!(next(&mut follower).await, "Forbidden");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_even_while_watches_fail() {
    let lists = [list("2", &[config_map("1", "one")]), list("9", &[config_map("8", "two")])];
    let api = FakeApi::replay(lists, [refusal(403, "Forbidden", "no")]);
    let mut follower = follower(api.cluster());
    for expected in ["one", "Forbidden", "two", "Forbidden"] {
        assert_eq!(next(&mut follower).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recovery_is_told_once_even_if_nothing_has_changed() {
    let unavailable = refusal(503, "ServiceUnavailable", "shutting down");
    let broken = Answer::Watch(vec![Line::After(Duration::from_secs(10))], End::Broken);
    let good = list("2", &[config_map("1", "one")]);
    let api = FakeApi::replay([good.clone(), unavailable, good], [broken, watch_of([])]);
    let mut follower = follower(api.cluster());
    assert_eq!(next(&mut follower).await, "one");
    let mut heard = next(&mut follower).await;
    let mut failures = 0;
    while heard == "Unreachable" {
        failures += 1;
        heard = next(&mut follower).await;
    }
    assert!(failures > 0);
    assert_eq!(heard, "one");
    assert!(is_quiet(&mut follower, Duration::from_mins(10)).await);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_by_whoever_stops_waiting() {
    let pause = Line::After(Duration::from_millis(700));
    let lines = [
        pause.clone(),
        event("MODIFIED", &config_map("3", "two")),
        pause,
        event("MODIFIED", &config_map("4", "three")),
    ];
    let lists = [refusal(500, "InternalError", "no"), list("2", &[config_map("1", "one")])];
    let api = FakeApi::replay(lists, [watch_of(lines)]);
    let mut follower = follower(api.cluster());
    let mut heard: Vec<Result<Option<ConfigMap>, ClusterError>> = Vec::new();
    while heard.len() < 4 {
        heard.extend(timeout(Duration::from_millis(50), follower.next()).await);
    }
    let versions: Vec<Option<String>> =
        heard.into_iter().map(|object| object.ok().flatten()?.metadata.resource_version).collect();
    assert_eq!(versions, [None, Some("1".to_owned()), Some("3".to_owned()), Some("4".to_owned())]);
    assert_eq!(api.requests().len(), 3);
}
