//! A test for each thing that Harbor does and nobody expects.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mimic_core::{Context, Rewriter};
use mimic_harbor::HarborError;
use serde_json::{Value, json};

use super::{ROBOT, discover, harbor, left_out, mirrors, settings};
use fake_harbor::{Answer, Fake, Request, proxy_projects};

/// Lets a test edit the proxy-cache projects that the recordings have.
fn edit_projects(fake: &Fake, edit: impl Fn(&mut Vec<Value>) + Send + Sync + 'static) {
    fake.misbehave(move |request, recorded| {
        let mut answer = recorded(request);
        if request.path != proxy_projects(1) {
            return None;
        }
        let mut projects: Vec<Value> = serde_json::from_slice(&answer.body).expect("a page of projects");
        edit(&mut projects);
        answer.body = Value::from(projects).to_string().into_bytes();
        answer.headers.retain(|(name, _)| name != "x-total-count");
        Some(answer)
    });
}

fn as_nobody(request: &Request, recorded: &dyn Fn(&Request) -> Answer) -> Answer {
    recorded(&Request { by: "robot-wrong-secret".to_owned(), ..request.clone() })
}

/// Trap 1. The robot account expires after the first question, so the list that follows is that of nobody.
#[tokio::test]
async fn an_account_that_is_switched_off_meanwhile_is_an_error() {
    let fake = Fake::start();
    for switched_off_at in ["/projects", "/registries"] {
        let asked = AtomicBool::new(false);
        fake.misbehave(move |request, recorded| {
            let off = asked.fetch_or(request.path.contains(switched_off_at), Ordering::Relaxed)
                || request.path.contains(switched_off_at);
            (off && request.by == ROBOT).then(|| as_nobody(request, recorded))
        });
        let error = discover(settings(&fake, ROBOT)).await.expect_err("the list is that of nobody");
        assert!(matches!(error, HarborError::CredentialsNotAccepted { .. }), "{switched_off_at}: {error}");
    }
}

/// Trap 1, seen from the other side: an account that sees less than before, but is known, is no error.
#[tokio::test]
async fn a_known_account_that_sees_less_is_believed() {
    let fake = Fake::start();
    edit_projects(&fake, |projects| projects.truncate(1));
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(mirrors(&report), ["docker.io harbor.example.com/proxy-dockerhub"]);
}

/// What a Harbor answers whose database is down.
fn without_database(request: &Request, recorded: &dyn Fn(&Request) -> Answer) -> Answer {
    if request.path.contains("/projects") {
        Answer::error(500, "internal server error")
    } else if request.path.contains("/registries") {
        Answer::error(401, "unauthorized")
    } else {
        as_nobody(request, recorded)
    }
}

/// Trap 2.
#[tokio::test]
async fn a_harbor_without_its_database_is_ill_and_does_not_refuse_the_account() {
    let fake = Fake::start();
    let ill = |fake: &Fake| HarborError::Ill {
        harbor: fake.url(),
        status: 500,
        path: proxy_projects(1).trim_start_matches("/api/v2.0/").to_owned(),
        message: "internal server error".to_owned(),
        retry_after: None,
    };
    fake.misbehave(|request, recorded| Some(without_database(request, recorded)));
    assert_eq!(discover(settings(&fake, ROBOT)).await.expect_err("it is ill"), ill(&fake));

    // It goes down in the middle: after the projects were listed.
    let down = AtomicBool::new(false);
    fake.misbehave(move |request, recorded| {
        let before = down.fetch_or(request.path.contains("/registries"), Ordering::Relaxed);
        (before || request.path.contains("/registries")).then(|| without_database(request, recorded))
    });
    assert_eq!(discover(settings(&fake, ROBOT)).await.expect_err("it is ill"), ill(&fake));

    fake.behave();
    assert!(discover(settings(&fake, ROBOT)).await.is_ok());
}

/// Trap 2. A Harbor whose Redis is down answers, late.
#[tokio::test]
async fn a_harbor_that_takes_its_time_is_waited_for() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| Some(Answer { delay: Duration::from_millis(200), ..recorded(request) }));
    let report = discover(settings(&fake, ROBOT)).await.expect("late answers are answers");
    assert_eq!(mirrors(&report).len(), 16);
}

/// Trap 3, with 4, 5 and 8: everything that is sent.
#[tokio::test]
async fn the_questions_are_few_and_none_that_harbor_refuses() {
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
        assert_eq!(header("cookie"), None, "every answer sets a session's cookie");
        assert_eq!(header("x-is-resource-name"), Some("true"));
        assert_eq!(header("user-agent"), Some(concat!("mimic/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(header("accept-encoding"), Some("gzip"));
    }
}

/// Trap 3. An endpoint that many projects share is asked for once.
#[tokio::test]
async fn summaries_are_asked_once_for_every_endpoint() {
    let fake = Fake::start();
    let mut settings = settings(&fake, "robot-project-read-all");
    settings.private = true;
    discover(settings).await.expect("the fake behaves");
    let summaries = fake.take_requests().iter().filter(|request| request.path.ends_with("/summary")).count();
    assert_eq!(summaries, 26);
}

/// Trap 4.
#[tokio::test]
async fn ordinary_projects_are_passed_over_where_the_filter_is_ignored() {
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
async fn the_order_of_answers_changes_nothing() {
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
    assert_eq!((mirrors(&report), left_out(&report)), (mirrors(&expected), left_out(&expected)));
}

/// Trap 6. Values are text, and `"false"` is not true.
#[tokio::test]
async fn what_is_not_said_to_be_public_is_private() {
    let fake = Fake::start();
    edit_projects(&fake, |projects| {
        projects.truncate(3);
        projects[0]["metadata"] = json!({"public": "false"});
        projects[1]["metadata"] = json!(null);
        projects[2]["metadata"] = json!({"public": "true", "prevent_vul": "true"});
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(report.projects.iter().map(|entry| entry.public).collect::<Vec<_>>(), [false, false, true]);
}

/// Trap 6. What a filter does not let through is 404 at the mirror.
#[tokio::test]
async fn a_projects_filter_becomes_its_rules_filter() {
    let fake = Fake::start();
    edit_projects(&fake, |projects| {
        for project in projects.iter_mut() {
            let metadata = match project["name"].as_str().unwrap_or_default() {
                "proxy-dockerhub" => json!({"public": "true", "proxy_cache_filter_pattern": "library/**"}),
                "proxy-dockerhub-registry" => {
                    json!({"public": "true", "proxy_cache_filter_pattern": "acme/.*|bitnami/redis",
                           "proxy_cache_filter_pattern_kind": "regex"})
                }
                "proxy-quay" => json!({"public": "true", "proxy_cache_filter_pattern": "{acme"}),
                "zz-proxy-quay-typed" => json!({"public": "true", "proxy_cache_filter_pattern": "acme/*"}),
                "proxy-gcr" => {
                    json!({"public": "true", "proxy_cache_filter_pattern": "x/*", "proxy_cache_filter_kind": ""})
                }
                _ => continue,
            };
            project["metadata"] = metadata;
        }
    });
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
    let broken = "proxy-quay: its filter `{acme` cannot be understood: it has an unmatched brace".to_owned();
    assert!(left_out(&report).contains(&broken), "{:?}", left_out(&report));
}

/// Whatever else is said for it: it serves everything.
#[tokio::test]
async fn a_project_without_a_filter_comes_before_those_with_one() {
    let fake = Fake::start();
    edit_projects(&fake, |projects| {
        for project in projects.iter_mut().filter(|project| project["name"] == "proxy-dockerhub") {
            project["metadata"] = json!({"public": "true", "proxy_cache_filter_pattern": "library/*"});
        }
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(mirrors(&report)[0], "docker.io harbor.example.com/proxy-dockerhub-registry");
    let lost = "proxy-dockerhub: `proxy-dockerhub-registry` serves the same upstream".to_owned();
    assert!(left_out(&report).contains(&lost), "{:?}", left_out(&report));
}

/// Trap 7. A project that is removed after it was listed is 403 to a robot, 401 to nobody and 404 to an administrator.
#[tokio::test]
async fn a_project_that_is_gone_is_left_out_whoever_asks() {
    let fake = Fake::start();
    for (credential, status) in [("robot-project-read-all", 403), ("anonymous", 401), ("admin", 404)] {
        fake.misbehave(move |request, recorded| {
            if request.path.ends_with("/proxy-quay/summary") {
                let path = "/api/v2.0/projects/does-not-exist/summary".to_owned();
                let gone = recorded(&Request { path, ..request.clone() });
                return Some(if gone.status == status { gone } else { Answer::error(status, "gone") });
            }
            // Makes even the administrator ask for summaries.
            request.path.contains("/registries").then(|| Answer::error(403, "forbidden"))
        });
        let report = discover(settings(&fake, credential)).await.expect("one project that is gone harms no other");
        // Its rival has another endpoint, and serves the upstream now.
        let quay: Vec<_> = mirrors(&report).into_iter().filter(|mirror| mirror.starts_with("quay.io ")).collect();
        assert_eq!(quay, ["quay.io harbor.example.com/zz-proxy-quay-typed"], "{credential}");
        assert_eq!(mirrors(&report).len(), 16, "{credential}");
        assert!(left_out(&report).iter().any(|line| line.starts_with("proxy-quay: ")), "{credential}");
    }
}

/// Trap 8. Without the header, Harbor would look for project number 42.
#[tokio::test]
async fn a_project_that_is_called_by_a_number_is_asked_for_by_name() {
    let fake = Fake::start();
    edit_projects(&fake, |projects| {
        projects.truncate(1);
        projects[0]["name"] = json!("42");
    });
    let inner = fake.clone();
    let _ = discover(settings(&fake, "robot-project-read-all")).await;
    let requests = inner.take_requests();
    let summary =
        requests.iter().find(|request| request.path == "/api/v2.0/projects/42/summary").expect("it is asked for");
    assert_eq!(summary.headers.get("x-is-resource-name").map(String::as_str), Some("true"));
}

/// Trap 9.
#[tokio::test]
async fn the_registry_address_is_taken_as_harbor_writes_it_and_as_people_do() {
    let fake = Fake::start();
    for (configured, told, location) in [
        (None, "harbor.example.com", "harbor.example.com"),
        (None, "Harbor.Example.com:8443", "harbor.example.com:8443"),
        (Some("https://pull.example.com/"), "harbor.example.com", "pull.example.com"),
        (Some("pull.example.com:5000"), "", "pull.example.com:5000"),
    ] {
        fake.misbehave(move |request, recorded| {
            let mut answer = recorded(request);
            let mut info: Value = serde_json::from_slice(&answer.body).ok()?;
            *info.get_mut("registry_url")? = json!(told);
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

/// The API's own address is often one that only the cluster knows.
#[tokio::test]
async fn without_an_account_the_registry_address_is_never_guessed() {
    let fake = Fake::start();
    let mut settings = settings(&fake, "anonymous");
    settings.registry = None;
    let error = harbor(settings).discover().await.expect_err("nobody told it");
    assert_eq!(error, HarborError::RegistryUnknown { harbor: fake.url() });
    assert!(error.hint().is_some_and(|hint| hint.contains("harbor.registryurl")));
}
