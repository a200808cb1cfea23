//! A test for each unexpected behaviour of Harbor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mimic_core::{Context, Hint as _, Rewriter};
use mimic_harbor::HarborError;
use serde_json::{Value, json};

use super::{ROBOT, discover, harbor, message, mirrors, settings, skipped};
use fake_harbor::{Answer, Fake, Request, proxy_projects};

fn as_anonymous(request: &Request, recorded: &dyn Fn(&Request) -> Answer) -> Answer {
    recorded(&Request { by: "robot-wrong-secret".to_owned(), ..request.clone() })
}

/// Trap 1. The robot account expires after the first request, so the list that follows is that of an anonymous client.
#[tokio::test]
async fn an_account_that_is_disabled_during_a_discovery_is_an_error() {
    let fake = Fake::start();
    for disabled_at in ["/projects", "/registries"] {
        let asked = AtomicBool::new(false);
        fake.misbehave(move |request, recorded| {
            let off = asked.fetch_or(request.path.contains(disabled_at), Ordering::Relaxed)
                || request.path.contains(disabled_at);
            (off && request.by == ROBOT).then(|| as_anonymous(request, recorded))
        });
        let error = discover(settings(&fake, ROBOT)).await.expect_err("the list is that of an anonymous client");
        assert!(matches!(error, HarborError::CredentialsNotAccepted { .. }), "{disabled_at}: {error}");
    }
}

/// Trap 1, the opposite case: it is no error that a valid account sees less than before.
#[tokio::test]
async fn a_valid_account_that_sees_less_is_no_error() {
    let fake = Fake::start();
    fake.edit_projects(|projects| projects.truncate(1));
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(mirrors(&report), ["docker.io harbor.example.com/proxy-dockerhub"]);
}

/// How a Harbor responds while its database is down.
fn without_database(request: &Request, recorded: &dyn Fn(&Request) -> Answer) -> Answer {
    if request.path.contains("/projects") {
        Answer::error(500, "internal server error")
    } else if request.path.contains("/registries") {
        Answer::error(401, "unauthorized")
    } else {
        as_anonymous(request, recorded)
    }
}

/// Trap 2.
#[tokio::test]
async fn a_database_that_is_down_is_not_reported_as_wrong_credentials() {
    let fake = Fake::start();
    let path = proxy_projects(1);
    let path = path.trim_start_matches("/api/v2.0/");
    let expected = format!("{} returned HTTP 500 for `{path}`: internal server error", fake.url());
    let check = async || {
        let error = discover(settings(&fake, ROBOT)).await.expect_err("the database is down");
        assert!(matches!(error, HarborError::ErrorResponse { status: 500, retry_after: None, .. }), "{error:?}");
        assert_eq!(message(&error), expected);
    };
    fake.misbehave(|request, recorded| Some(without_database(request, recorded)));
    check().await;

    // It goes down after the projects were listed.
    let down = AtomicBool::new(false);
    fake.misbehave(move |request, recorded| {
        let before = down.fetch_or(request.path.contains("/registries"), Ordering::Relaxed);
        (before || request.path.contains("/registries")).then(|| without_database(request, recorded))
    });
    check().await;

    fake.behave();
    assert!(discover(settings(&fake, ROBOT)).await.is_ok());
}

/// Trap 2. A Harbor whose Redis is down responds late.
#[tokio::test]
async fn a_late_response_is_accepted() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| Some(Answer { delay: Duration::from_millis(200), ..recorded(request) }));
    let report = discover(settings(&fake, ROBOT)).await.expect("the responses are only late");
    assert_eq!(mirrors(&report).len(), 16);
}

/// Trap 3, with 4, 5 and 8: all requests of a discovery.
#[tokio::test]
async fn a_discovery_needs_few_requests_and_none_is_refused() {
    let fake = Fake::start();
    let mut settings = settings(&fake, ROBOT);
    settings.private = true;
    discover(settings).await.expect("the fake behaves");
    let requests = fake.take_requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    let projects = proxy_projects(1);
    assert_eq!(
        paths,
        [
            "/api/v2.0/systeminfo",
            projects.as_str(),
            "/api/v2.0/registries?page=1&page_size=100&sort=id",
            "/api/v2.0/systeminfo",
        ]
    );
    for request in requests {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        assert_eq!(header("cookie"), None, "every response sets a session cookie");
        assert_eq!(header("x-is-resource-name"), Some("true"));
        assert_eq!(header("user-agent"), Some(concat!("mimic/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(header("accept-encoding"), Some("gzip"));
    }
}

/// Trap 3. The endpoint that many projects share is requested once.
#[tokio::test]
async fn one_summary_is_requested_for_each_endpoint() {
    let fake = Fake::start();
    let mut settings = settings(&fake, "robot-project-read-all");
    settings.private = true;
    discover(settings).await.expect("the fake behaves");
    let summaries = fake.take_requests().iter().filter(|request| request.path.ends_with("/summary")).count();
    assert_eq!(summaries, 26);
}

/// Trap 4.
#[tokio::test]
async fn ordinary_projects_are_skipped_if_harbor_ignores_the_query() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| {
        let path = request.path.split_once("&q=")?.0.to_owned();
        Some(recorded(&Request { path, ..request.clone() }))
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!((report.projects.len(), mirrors(&report).len()), (29, 16));
}

/// Trap 5.
#[tokio::test]
async fn the_order_of_lists_changes_nothing() {
    let fake = Fake::start();
    let expected = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    fake.misbehave(|request, recorded| {
        let mut answer = recorded(request);
        let mut list: Vec<Value> = serde_json::from_slice(&answer.body).ok()?;
        list.reverse();
        answer.body = Value::from(list).to_string().into_bytes();
        Some(answer)
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!((mirrors(&report), skipped(&report)), (mirrors(&expected), skipped(&expected)));
}

/// Trap 6. Values are strings, and `"false"` is not true.
#[tokio::test]
async fn a_project_is_private_unless_it_is_marked_public() {
    let fake = Fake::start();
    fake.edit_projects(|projects| {
        projects.truncate(3);
        projects[0]["metadata"] = json!({"public": "false"});
        projects[1]["metadata"] = json!(null);
        projects[2]["metadata"] = json!({"public": "true", "prevent_vul": "true"});
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(report.projects.iter().map(|project| project.public).collect::<Vec<_>>(), [false, false, true]);
}

/// Trap 6. Harbor responds with 404 for repositories that the filter does not match.
#[tokio::test]
async fn a_projects_filter_becomes_its_rules_filter() {
    let fake = Fake::start();
    fake.set_filters(&[
        ("proxy-dockerhub", "", "library/**"),
        ("proxy-dockerhub-registry", "regex", "acme/.*|bitnami/redis"),
        ("proxy-quay", "doublestar", "{acme"),
        ("zz-proxy-quay-typed", "doublestar", "acme/*"),
        ("proxy-gcr", "", "x/*"),
    ]);
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    let rewriter = Rewriter::new([("harbor", report.rule_list().rules.into())]);
    let rewrite = |image: &str| rewriter.rewrite(image, &Context::default()).rewritten().map(str::to_owned);
    for (image, at) in [
        ("nginx:1.27", Some("proxy-dockerhub/library/nginx:1.27")),
        ("acme/app", Some("proxy-dockerhub-registry/acme/app")),
        ("bitnami/redis", Some("proxy-dockerhub-registry/bitnami/redis")),
        ("bitnami/kafka", None),
        (
            "quay.io/acme/app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            Some(
                "zz-proxy-quay-typed/acme/app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            ),
        ),
        ("quay.io/other/app", None),
        ("gcr.io/x/y", Some("proxy-gcr/x/y")),
        ("gcr.io/x/y/z", None),
    ] {
        assert_eq!(rewrite(image), at.map(|at| format!("harbor.example.com/{at}")), "{image}");
    }
    let broken =
        "proxy-quay: cannot parse its filter `{acme`: an unclosed `{` or `[`, an invalid class or an incomplete escape"
            .to_owned();
    assert!(skipped(&report).contains(&broken), "{:?}", skipped(&report));
}

/// It serves all repositories.
#[tokio::test]
async fn a_project_without_a_filter_takes_precedence_over_those_with_one() {
    let fake = Fake::start();
    fake.edit_projects(|projects| {
        for project in projects.iter_mut().filter(|project| project["name"] == "proxy-dockerhub") {
            project["metadata"] = json!({"public": "true", "proxy_cache_filter_pattern": "library/*"});
        }
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(mirrors(&report)[0], "docker.io harbor.example.com/proxy-dockerhub-registry");
    let outranked =
        "proxy-dockerhub: project `proxy-dockerhub-registry` takes precedence for the same upstream".to_owned();
    assert!(skipped(&report).contains(&outranked), "{:?}", skipped(&report));
}

/// Trap 7. For a project that was deleted after it was listed, Harbor responds with 403 to a robot account, 401 to an
/// anonymous client and 404 to an administrator.
#[tokio::test]
async fn a_deleted_project_is_skipped_with_every_account() {
    let fake = Fake::start();
    for (credential, status) in [("robot-project-read-all", 403), ("anonymous", 401), ("admin", 404)] {
        fake.misbehave(move |request, recorded| {
            if request.path.ends_with("/proxy-quay/summary") {
                let path = "/api/v2.0/projects/does-not-exist/summary".to_owned();
                let deleted = recorded(&Request { path, ..request.clone() });
                return Some(if deleted.status == status { deleted } else { Answer::error(status, "deleted") });
            }
            // Makes even the administrator request summaries.
            request.path.contains("/registries").then(|| Answer::error(403, "forbidden"))
        });
        let report = discover(settings(&fake, credential)).await.expect("a deleted project does not affect the others");
        // The other project for the upstream has another endpoint, and is used now.
        let quay: Vec<_> = mirrors(&report).into_iter().filter(|mirror| mirror.starts_with("quay.io ")).collect();
        assert_eq!(quay, ["quay.io harbor.example.com/zz-proxy-quay-typed"], "{credential}");
        assert_eq!(mirrors(&report).len(), 16, "{credential}");
        assert!(skipped(&report).iter().any(|line| line.starts_with("proxy-quay: ")), "{credential}");
    }
}

/// Trap 8. Without the header, Harbor would look for project number 42.
#[tokio::test]
async fn a_project_whose_name_is_a_number_is_requested_by_name() {
    let fake = Fake::start();
    fake.edit_projects(|projects| {
        projects.truncate(1);
        projects[0]["name"] = json!("42");
    });
    let inner = fake.clone();
    let _ = discover(settings(&fake, "robot-project-read-all")).await;
    let requests = inner.take_requests();
    let summary = requests
        .iter()
        .find(|request| request.path == "/api/v2.0/projects/42/summary")
        .expect("the summary is requested");
    assert_eq!(summary.headers.get("x-is-resource-name").map(String::as_str), Some("true"));
}

/// Trap 9.
#[tokio::test]
async fn the_registry_address_can_be_a_host_or_a_url_and_have_a_path() {
    let fake = Fake::start();
    for (configured, reported, location) in [
        (None, "harbor.example.com", "harbor.example.com"),
        (None, "Harbor.Example.com:8443", "harbor.example.com:8443"),
        (None, "harbor.example.com/", "harbor.example.com"),
        (None, "https://harbor.example.com//", "harbor.example.com"),
        // Harbor reports its external URL, which a proxy in front of it can serve below a path.
        (None, "example.com:8443/harbor/", "example.com:8443/harbor"),
        (Some("example.com/pull/harbor/"), "harbor.example.com", "example.com/pull/harbor"),
        (Some("https://pull.example.com/"), "harbor.example.com", "pull.example.com"),
        (Some("pull.example.com:5000"), "", "pull.example.com:5000"),
    ] {
        fake.misbehave(move |request, recorded| {
            let mut answer = recorded(request);
            let mut info: Value = serde_json::from_slice(&answer.body).ok()?;
            *info.get_mut("registry_url")? = json!(reported);
            answer.body = info.to_string().into_bytes();
            Some(answer)
        });
        let mut settings = settings(&fake, ROBOT);
        settings.registry = configured.map(str::to_owned);
        let report = discover(settings).await.expect("the fake behaves");
        assert_eq!(mirrors(&report)[0], format!("docker.io {location}/proxy-dockerhub"));
    }
    let mut settings = settings(&fake, ROBOT);
    settings.registry = Some("harbor".to_owned());
    let error = mimic_harbor::Harbor::new(settings).expect_err("`harbor` would be a repository of Docker Hub");
    assert!(matches!(error, HarborError::RegistryInvalid { .. }), "{error}");
}

/// The address of the API often resolves only in the cluster.
#[tokio::test]
async fn without_an_account_the_registry_address_is_never_guessed() {
    let fake = Fake::start();
    let mut settings = settings(&fake, "anonymous");
    settings.registry = None;
    let error = harbor(settings).discover().await.expect_err("the address is unknown");
    assert_eq!(message(&error), format!("{} did not report its registry address", fake.url()));
    assert!(error.hint().is_some_and(|hint| hint.contains("harbor.registryurl")));
}
