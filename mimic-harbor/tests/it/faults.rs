//! Harbors that are unreachable, fail, or are slow, and services that are no Harbor.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use mimic_core::{Hint as _, SourceError, SourceErrorKind};
use mimic_harbor::{Address, HarborError, HarborSettings, Timeouts};
use serde_json::json;

use super::{ROBOT, discover, harbor, message, mirrors, settings};
use fake_harbor::{Answer, Fake, proxy_projects};

async fn fails(settings: HarborSettings) -> HarborError {
    discover(settings).await.expect_err("the discovery fails")
}

fn at(address: &str) -> HarborSettings {
    HarborSettings::new(Address::parse(address).expect("a valid address"))
}

#[tokio::test]
async fn a_closed_port_refuses_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let harbor = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let error = fails(at(&harbor)).await;
    assert!(matches!(error, HarborError::ConnectionRefused { .. }), "{error:?}");
    assert_eq!(message(&error), format!("cannot connect to {harbor}: connection refused"));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_in_the_error() {
    let error = fails(at("http://harbor.invalid")).await;
    assert!(matches!(&error, HarborError::UnknownHost { host, .. } if host == "harbor.invalid"), "{error:?}");
    let message = message(&error);
    assert!(message.starts_with("cannot find the host `harbor.invalid`: "), "{message}");
}

#[tokio::test]
async fn a_harbor_that_does_not_respond_times_out() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| Some(Answer { delay: Duration::from_secs(5), ..recorded(request) }));
    let limit = Duration::from_millis(100);
    let mut settings = settings(&fake, ROBOT);
    settings.timeouts = Timeouts { request: limit, ..Timeouts::default() };
    let expected = format!("no response from {} to `systeminfo` within 100ms", fake.url());
    assert_eq!(message(&fails(settings).await), expected);
}

#[tokio::test]
async fn an_interrupted_response_is_an_error() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| {
        let answer = recorded(request);
        let half = answer.body.len() / 2;
        (request.path == proxy_projects(1)).then_some(Answer { breaks_off_at: Some(half), ..answer })
    });
    let error = fails(settings(&fake, ROBOT)).await;
    assert!(matches!(error, HarborError::Connection { .. }), "{error:?}");
}

#[tokio::test]
async fn a_web_page_is_no_harbor() {
    let fake = Fake::start();
    for (status, response) in [(200, "status 200 with a web page"), (404, "status 404 with a web page")] {
        fake.misbehave(move |_, _| Some(Answer::new(status, "text/html; charset=utf-8", "<html>Welcome</html>")));
        let expected = format!("{} is not a Harbor: {response}", fake.url());
        assert_eq!(message(&fails(settings(&fake, ROBOT)).await), expected);
    }
}

#[tokio::test]
async fn another_api_is_no_harbor() {
    let fake = Fake::start();
    for (status, body, response) in [
        (200, json!({"kind": "Status"}), "`systeminfo` has no `auth_mode`"),
        (404, json!({"kind": "Status"}), "no public `systeminfo`"),
        (403, json!({"kind": "Status"}), "no public `systeminfo`"),
    ] {
        fake.misbehave(move |_, _| Some(Answer::json(status, &body)));
        let expected = format!("{} is not a Harbor: {response}", fake.url());
        assert_eq!(message(&fails(settings(&fake, ROBOT)).await), expected);
    }
}

#[tokio::test]
async fn a_response_that_does_not_follow_the_api_is_an_error_with_the_reason() {
    let fake = Fake::start();
    for (body, reason) in [
        ("{}", "invalid type: map, expected a sequence"),
        ("[{}]", "missing field `project_id`"),
        ("[{\"project_id\": 1, \"name\": \"a\"", "EOF while parsing"),
    ] {
        fake.misbehave(move |request, _| {
            (request.path == proxy_projects(1)).then(|| Answer::new(200, "application/json", body))
        });
        let error = fails(settings(&fake, ROBOT)).await;
        let message = message(&error);
        assert!(message.starts_with("unexpected response from ") && message.contains(reason), "{message}");
    }
}

#[tokio::test]
async fn a_response_that_is_too_long_is_an_error() {
    let fake = Fake::start();
    fake.misbehave(|_, _| Some(Answer::new(200, "application/json", vec![b' '; 17 << 20])));
    let error = fails(settings(&fake, ROBOT)).await;
    let expected =
        format!("unexpected response from {} to `systeminfo`: the response is longer than 16 MiB", fake.url());
    assert_eq!(message(&error), expected);
}

#[tokio::test]
async fn a_compressed_response_is_decompressed() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| {
        let answer = recorded(request);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&answer.body).expect("compression in memory");
        let body = encoder.finish().expect("compression in memory");
        Some(Answer { body, ..answer }.header("Content-Encoding", "gzip"))
    });
    assert_eq!(mirrors(&discover(settings(&fake, ROBOT)).await.expect("the fake behaves")).len(), 16);
}

#[tokio::test]
async fn a_harbor_that_fails_recovers() {
    let fake = Fake::start();
    let harbor = harbor(settings(&fake, ROBOT));
    let requests = AtomicUsize::new(0);
    fake.misbehave(move |_, _| {
        let fails = requests.fetch_add(1, Ordering::Relaxed) < 2;
        fails.then(|| Answer::error(500, "pq: the database system is starting up"))
    });
    for _ in 0..2 {
        let error = harbor.discover().await.expect_err("Harbor fails");
        let expected = "returned HTTP 500 for `systeminfo`: pq: the database system is starting up";
        assert_eq!(error.full_message().to_string(), format!("{} {expected}", fake.url()));
    }
    assert_eq!(mirrors(&harbor.discover().await.expect("Harbor recovered")).len(), 16);
}

#[tokio::test]
async fn an_error_for_one_project_fails_the_discovery() {
    let fake = Fake::start();
    fake.misbehave(|request, _| request.path.ends_with("/proxy-k8s/summary").then(|| Answer::error(500, "no")));
    let error = fails(settings(&fake, "robot-project-read-all")).await;
    assert!(matches!(error, HarborError::ErrorResponse { status: 500, .. }), "{error:?}");
}

#[tokio::test]
async fn retry_after_is_passed_to_the_caller() {
    let fake = Fake::start();
    for status in [429, 503] {
        fake.misbehave(move |_, _| Some(Answer::new(status, "text/html", "busy").header("Retry-After", "120")));
        let error = SourceError::from(fails(settings(&fake, ROBOT)).await);
        assert_eq!(error.kind(), SourceErrorKind::Unavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_mins(2)));
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (fake, other) = (Fake::start(), Fake::start());
    let elsewhere = format!("{}/api/v2.0/systeminfo", other.url());
    let location = elsewhere.clone();
    fake.misbehave(move |_, _| Some(Answer::new(307, "text/html", "").header("Location", &location)));
    let expected = format!("{} redirects to `{elsewhere}`", fake.url());
    assert_eq!(message(&fails(settings(&fake, ROBOT)).await), expected);
    assert!(other.take_requests().is_empty(), "other hosts must not get the credentials");
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed_with_credentials() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| match request.path.strip_prefix("/moved") {
        None => Some(Answer::new(308, "text/html", "").header("Location", format!("/moved{}", request.path))),
        Some(path) => Some(recorded(&fake_harbor::Request { path: path.to_owned(), ..request.clone() })),
    });
    assert_eq!(mirrors(&discover(settings(&fake, ROBOT)).await.expect("redirects are followed")).len(), 16);
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let fake = Fake::start();
    fake.misbehave(|request, _| Some(Answer::new(302, "", "").header("Location", &request.path)));
    let error = fails(settings(&fake, ROBOT)).await;
    assert!(matches!(error, HarborError::Redirected { .. }), "{error:?}");
    assert!(fake.take_requests().len() < 10);
}

#[tokio::test]
async fn an_account_that_sees_no_endpoint_needs_a_permission() {
    let fake = Fake::start();
    fake.misbehave(|request, _| request.path.ends_with("/summary").then(|| Answer::error(403, "forbidden")));
    let error = fails(settings(&fake, "robot-project-list")).await;
    assert_eq!(
        message(&error),
        format!(
            "`robot-project-list` has no permission to read the registry endpoints of the proxy-cache projects at {}",
            fake.url()
        )
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("`Registry: List`")));
    assert_eq!(SourceError::from(error).kind(), SourceErrorKind::Forbidden);
}
