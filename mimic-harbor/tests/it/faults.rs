//! Harbors that are away, ill, slow, or no Harbors.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use mimic_core::{SourceError, SourceErrorKind};
use mimic_harbor::{Address, HarborError, Settings, Timeouts};
use serde_json::json;

use super::{ROBOT, discover, harbor, mirrors, settings};
use fake_harbor::{Answer, Fake, proxy_projects};

async fn fails(settings: Settings) -> HarborError {
    discover(settings).await.expect_err("there is nothing good to be had")
}

fn at(address: &str) -> Settings {
    Settings::new(Address::parse(address).expect("a good address"))
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_refuses_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let harbor = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    assert_eq!(fails(at(&harbor)).await, HarborError::Refused { harbor });
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_named() {
    let error = fails(at("http://harbor.invalid")).await;
    assert!(matches!(&error, HarborError::UnknownHost { host, .. } if host == "harbor.invalid"), "{error:?}");
}

#[tokio::test]
async fn a_harbor_that_does_not_answer_is_not_waited_for_for_ever() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| Some(Answer { delay: Duration::from_secs(5), ..recorded(request) }));
    let limit = Duration::from_millis(100);
    let mut settings = settings(&fake, ROBOT);
    settings.timeouts = Timeouts { request: limit, ..Timeouts::default() };
    let (harbor, path) = (fake.url(), "systeminfo".to_owned());
    assert_eq!(fails(settings).await, HarborError::Timeout { harbor, path, limit });
}

#[tokio::test]
async fn half_a_page_is_no_page() {
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
    for (status, answer) in [(200, "status 200 with a web page"), (404, "status 404 with a web page")] {
        fake.misbehave(move |_, _| Some(Answer::new(status, "text/html; charset=utf-8", "<html>Welcome</html>")));
        let expected = HarborError::NotHarbor { harbor: fake.url(), answer: answer.to_owned() };
        assert_eq!(fails(settings(&fake, ROBOT)).await, expected);
    }
}

#[tokio::test]
async fn another_api_is_no_harbor() {
    let fake = Fake::start();
    for (status, body, answer) in [
        (200, json!({"kind": "Status"}), "its `systeminfo` names no `auth_mode`"),
        (404, json!({"kind": "Status"}), "it has no public `systeminfo`"),
        (403, json!({"kind": "Status"}), "it has no public `systeminfo`"),
    ] {
        fake.misbehave(move |_, _| Some(Answer::json(status, &body)));
        let expected = HarborError::NotHarbor { harbor: fake.url(), answer: answer.to_owned() };
        assert_eq!(fails(settings(&fake, ROBOT)).await, expected);
    }
}

#[tokio::test]
async fn an_answer_that_the_api_does_not_have_is_named() {
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
        assert!(matches!(&error, HarborError::Unexpected { reason: said, .. } if said.contains(reason)), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let fake = Fake::start();
    fake.misbehave(|_, _| Some(Answer::new(200, "application/json", vec![b' '; 17 << 20])));
    let error = fails(settings(&fake, ROBOT)).await;
    assert!(matches!(&error, HarborError::Unexpected { reason, .. } if reason.contains("16 MiB")), "{error:?}");
}

#[tokio::test]
async fn a_packed_answer_is_unpacked() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| {
        let answer = recorded(request);
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(&answer.body).expect("packing in memory");
        let body = packer.finish().expect("packing in memory");
        Some(Answer { body, ..answer }.header("Content-Encoding", "gzip"))
    });
    assert_eq!(mirrors(&discover(settings(&fake, ROBOT)).await.expect("the fake behaves")).len(), 16);
}

#[tokio::test]
async fn a_harbor_that_is_ill_recovers() {
    let fake = Fake::start();
    let harbor = harbor(settings(&fake, ROBOT));
    let asked = AtomicUsize::new(0);
    fake.misbehave(move |_, _| {
        let ill = asked.fetch_add(1, Ordering::Relaxed) < 2;
        ill.then(|| Answer::error(500, "pq: the database system is starting up"))
    });
    for _ in 0..2 {
        let error = harbor.discover().await.expect_err("it is ill");
        let message = "is ill: it answers 500 to `systeminfo`: pq: the database system is starting up";
        assert_eq!(error.to_string(), format!("{} {message}", fake.url()));
    }
    assert_eq!(mirrors(&harbor.discover().await.expect("it is well")).len(), 16);
}

#[tokio::test]
async fn one_project_that_cannot_be_asked_for_spoils_the_list() {
    let fake = Fake::start();
    fake.misbehave(|request, _| request.path.ends_with("/proxy-k8s/summary").then(|| Answer::error(500, "no")));
    let error = fails(settings(&fake, "robot-project-read-all")).await;
    assert!(matches!(error, HarborError::Ill { status: 500, .. }), "{error:?}");
}

#[tokio::test]
async fn a_harbor_that_asks_to_be_left_alone_is() {
    let fake = Fake::start();
    for status in [429, 503] {
        fake.misbehave(move |_, _| Some(Answer::new(status, "text/html", "busy").header("Retry-After", "120")));
        let error = SourceError::from(fails(settings(&fake, ROBOT)).await);
        assert_eq!(error.kind(), SourceErrorKind::Unavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_mins(2)));
    }
}

#[tokio::test]
async fn a_redirect_to_another_place_is_not_followed() {
    let (fake, other) = (Fake::start(), Fake::start());
    let elsewhere = format!("{}/api/v2.0/systeminfo", other.url());
    let location = elsewhere.clone();
    fake.misbehave(move |_, _| Some(Answer::new(307, "text/html", "").header("Location", &location)));
    let expected = HarborError::Redirected { harbor: fake.url(), location: elsewhere };
    assert_eq!(fails(settings(&fake, ROBOT)).await, expected);
    assert!(other.take_requests().is_empty(), "the credentials are not for others");
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
async fn an_account_that_sees_no_registry_at_all_needs_a_permission() {
    let fake = Fake::start();
    fake.misbehave(|request, _| request.path.ends_with("/summary").then(|| Answer::error(403, "forbidden")));
    let error = fails(settings(&fake, "robot-project-list")).await;
    assert_eq!(
        error.to_string(),
        format!("`robot-project-list` may not see which registries the proxy-cache projects are for at {}", fake.url())
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("`Registry: List`")));
    assert_eq!(SourceError::from(error).kind(), SourceErrorKind::Forbidden);
}
