//! Harbor as a source of mirrors, as callers use it.

use mimic_core::{Catalog, Context, Hint as _, MirrorSource as _, SourceErrorKind};
use mimic_harbor::{Credentials, FindingLevel, HarborSource, Overrides, checkup};
use serde_json::Value;

use super::{ROBOT, discover, harbor, mirrors, settings, skipped};
use fake_harbor::{Answer, Fake, PASSWORD, Request, proxy_projects};

type Fault = fn(&Request, &dyn Fn(&Request) -> Answer) -> Option<Answer>;

/// What a caller does with a source, once.
async fn refresh(catalog: &Catalog, source: &HarborSource) {
    match source.load().await {
        Ok(list) => drop(catalog.publish(source.name(), list.rules)),
        Err(error) => catalog.fail(source.name(), error.to_string()),
    }
}

fn at(catalog: &Catalog, image: &str) -> Option<String> {
    catalog.rewriter().rewrite(image, &Context::default()).rewritten().map(str::to_owned)
}

#[tokio::test]
async fn the_last_list_is_kept_through_every_fault_and_a_deleted_project_disappears_with_the_second_list_without_it() {
    let fake = Fake::start();
    let source = HarborSource::new("harbor", harbor(settings(&fake, ROBOT)));
    let catalog = Catalog::new(["harbor"]);
    refresh(&catalog, &source).await;
    let quay = Some("harbor.example.com/proxy-quay/a/b".to_owned());
    assert_eq!(at(&catalog, "quay.io/a/b"), quay);

    let faults: [Fault; 6] = [
        |_, _| Some(Answer::error(500, "down")),
        |_, _| Some(Answer::new(200, "text/html", "<html>")),
        |request, recorded| Some(recorded(&Request { by: "robot-wrong-secret".to_owned(), ..request.clone() })),
        |request, recorded| Some(Answer { breaks_off_at: Some(1), ..recorded(request) }),
        |request, _| request.path.contains("/registries").then(|| Answer::error(401, "unauthorized")),
        |request, _| request.path.contains("/projects").then(|| Answer::json(200, &Value::Null)),
    ];
    for (number, fault) in (1..).zip(faults) {
        fake.misbehave(fault);
        refresh(&catalog, &source).await;
        let status = &catalog.status()[0];
        assert_eq!((status.rules, status.failures), (Some(16), number), "{:?}", status.last_error);
        assert_eq!(at(&catalog, "quay.io/a/b"), quay);
    }

    fake.remove_projects("quay");
    refresh(&catalog, &source).await;
    assert_eq!((catalog.status()[0].rules, at(&catalog, "quay.io/a/b")), (Some(16), quay), "one list could be wrong");
    refresh(&catalog, &source).await;
    assert_eq!((catalog.status()[0].rules, at(&catalog, "quay.io/a/b")), (Some(15), None));
}

#[tokio::test]
async fn a_new_password_in_the_file_is_used_for_the_next_list() {
    let fake = Fake::start();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "old").expect("the file can be written");
    let mut settings = settings(&fake, ROBOT);
    settings.credentials = Some(Credentials::from_file(ROBOT, file.path()));
    let source = HarborSource::new("harbor", harbor(settings));
    assert_eq!(source.files(), [file.path()]);

    let error = source.load().await.expect_err("the password is outdated");
    assert_eq!(error.kind(), SourceErrorKind::Forbidden);
    std::fs::write(file.path(), format!("{PASSWORD}\n")).expect("the file can be written");
    assert_eq!(source.load().await.expect("the password is valid").rules.len(), 16);
}

#[tokio::test]
async fn neither_errors_nor_debug_show_the_password() {
    let fake = Fake::start();
    let mut settings = settings(&fake, ROBOT);
    settings.credentials = Some(Credentials::new("robot$mimic", "hunter2"));
    let harbor = harbor(settings);
    let error = harbor.discover().await.expect_err("Harbor does not know this robot");
    for shown in [format!("{harbor:?}"), format!("{error:?}"), error.full_message().to_string()] {
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");
    }
}

#[tokio::test]
async fn the_settings_select_the_projects() {
    let fake = Fake::start();
    let mut settings = settings(&fake, ROBOT);
    settings.private = true;
    settings.unhealthy = false;
    settings.projects =
        mimic_core::internal::Globs::new(["proxy-*", "zz-proxy-ecr-api", "zz-proxy-path", "zz-proxy-unhealthy"])
            .expect("valid globs");
    settings.overrides = Overrides::parse(
        "zz-proxy-ecr-api=42.dkr.ecr.eu-west-1.amazonaws.com, zz-proxy-path=artifactory.example.com/docker-remote, no=a.b",
    )
    .expect("valid overrides");
    let report = discover(settings).await.expect("the fake behaves");
    let names = |what: Vec<String>| what.join("\n");
    assert!(names(mirrors(&report)).contains("42.dkr.ecr.eu-west-1.amazonaws.com harbor.example.com/zz-proxy-ecr-api"));
    assert!(names(mirrors(&report)).contains("artifactory.example.com/docker-remote harbor.example.com/zz-proxy-path"));
    let reasons = names(skipped(&report));
    assert!(
        reasons.contains("proxy-gcr-us: its endpoint is `unhealthy`, and `harbor.unhealthy` excludes such projects"),
        "{reasons}"
    );
    assert!(reasons.contains("zz-proxy-slash: its name does not match `harbor.projects`"), "{reasons}");
    let problems: Vec<String> = report.problems().iter().map(|problem| problem.message().to_owned()).collect();
    assert_eq!(problems, ["override for `no`: no such proxy-cache project visible"]);
}

#[tokio::test]
async fn a_choice_between_projects_is_one_warning_that_names_all() {
    let fake = Fake::start();
    let mut settings = settings(&fake, ROBOT);
    settings.private = true;
    let report = discover(settings).await.expect("the fake behaves");
    let warnings: Vec<String> = report
        .warnings()
        .iter()
        .map(|warning| warning.full_message().to_string().replace(&format!("{}: ", fake.url()), ""))
        .collect();
    assert_eq!(
        warnings[2],
        "project `proxy-dockerhub` takes precedence over projects `proxy-dockerhub-private` and \
         `proxy-dockerhub-registry` for `docker.io`"
    );
    assert_eq!(
        warnings[0],
        "project `zz-proxy-ecr-api` skipped: its endpoint `https://api.ecr.eu-west-1.amazonaws.com` does not contain the \
         AWS account ID (hint: set its upstream in `harbor.overrides`, as `project=upstream`)"
    );
    let unhealthy = "the endpoints of projects `proxy-gcr-us` and `zz-proxy-unhealthy` are not healthy: Harbor serves only \
                     cached images from there";
    assert!(warnings.iter().any(|warning| warning == unhealthy), "{warnings:#?}");
}

/// Public before private, then healthy, then the name.
#[tokio::test]
async fn the_choice_between_projects_is_always_the_same() {
    let fake = Fake::start();
    let choice = async |public: [&'static str; 3], health: [&'static str; 3]| {
        fake.misbehave(move |request, recorded| {
            let list = |edit: &dyn Fn(usize) -> Value| Value::from((0..3).map(edit).collect::<Vec<_>>());
            if request.path.contains("/registries") {
                return Some(Answer::json(200, &list(&|i| {
                    serde_json::json!({"id": i + 1, "type": "quay", "url": "https://quay.io", "status": health[i]})
                })));
            }
            if request.path == proxy_projects(1) {
                return Some(Answer::json(200, &list(&|i| {
                    let name = ["c", "b", "a"][i];
                    serde_json::json!({"project_id": i + 1, "name": name, "registry_id": i + 1,
                                       "metadata": {"public": public[i]}})
                })));
            }
            Some(recorded(request))
        });
        let mut settings = settings(&fake, ROBOT);
        settings.private = true;
        mirrors(&discover(settings).await.expect("the fake behaves"))
    };
    let (yes, no, well, ill) = ("true", "false", "healthy", "unhealthy");
    assert_eq!(choice([yes, yes, yes], [well, well, well]).await, ["quay.io harbor.example.com/a"]);
    assert_eq!(choice([yes, yes, yes], [well, ill, ill]).await, ["quay.io harbor.example.com/c"]);
    assert_eq!(choice([no, yes, no], [well, ill, well]).await, ["quay.io harbor.example.com/b"]);
    assert_eq!(choice([no, no, no], [ill, well, well]).await, ["quay.io harbor.example.com/a"]);
}

/// The findings of a checkup: a plus before those that are ok, a dot before notes, a minus before problems.
async fn check(fake: &Fake, credential: &str, private: bool) -> Vec<String> {
    let mut settings = settings(fake, credential);
    settings.private = private;
    let found = checkup(&settings, &discover(settings.clone()).await);
    let sign = |level| match level {
        FindingLevel::Ok => '+',
        FindingLevel::Note => '.',
        FindingLevel::Problem => '-',
    };
    found
        .iter()
        .map(|finding| format!("{} {}", sign(finding.level), finding.text.replace(&fake.url(), "HARBOR")))
        .collect()
}

#[tokio::test]
async fn a_checkup_names_the_missing_permission() {
    let fake = Fake::start();
    assert_eq!(
        check(&fake, "robot-project-list", true).await[..7],
        [
            ". password sent over an unencrypted connection",
            "+ Harbor v2.15.2-080b0220 responds at HARBOR",
            "+ credentials of `robot-project-list` accepted",
            "+ registry address (reported by Harbor): harbor.example.com",
            "+ 29 proxy-cache projects visible: 20 public, 9 private",
            ". no permission to list registry endpoints; querying each project separately",
            ". private projects used without a pull secret",
        ]
    );
    let last = check(&fake, "robot-project-list", true).await.pop();
    let hidden = "- no permission to read the registry endpoint of projects `proxy-nvcr`, `zz-proxy-acr`, \
                  `zz-proxy-ali`, `zz-proxy-ecr-account`, `zz-proxy-ecr-api` and 1 more";
    assert_eq!(last.as_deref(), Some(hidden));
    assert_eq!(
        check(&fake, "robot-wrong-secret", false).await,
        [
            ". password sent over an unencrypted connection",
            "+ Harbor responds at HARBOR",
            "- HARBOR does not accept the credentials of `robot-wrong-secret`",
        ]
    );
}

#[tokio::test]
async fn an_unusable_project_is_skipped_and_does_not_affect_the_others() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| {
        let mut answer = recorded(request);
        let mut list: Vec<Value> = serde_json::from_slice(&answer.body).ok()?;
        for element in &mut list {
            match element["name"].as_str() {
                // The endpoint of the project `proxy-quay`.
                Some("quay") => element["url"] = "https://Harbor.example.com".into(),
                Some("proxy-k8s") => element["name"] = "not_.a-name".into(),
                // Created after the endpoints were listed: the summary of the project has it.
                Some("proxy-gcr") => element["registry_id"] = 4711.into(),
                _ => {}
            }
        }
        answer.body = Value::from(list).to_string().into_bytes();
        Some(answer)
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the others are usable");
    let reasons = skipped(&report).join("\n");
    for reason in [
        "proxy-quay: it points to its own Harbor",
        "not_.a-name: location `harbor.example.com/not_.a-name` has an invalid path",
    ] {
        assert!(reasons.contains(reason), "{reasons}");
    }
    for mirror in ["quay.io harbor.example.com/zz-proxy-quay-typed", "gcr.io harbor.example.com/proxy-gcr"] {
        assert!(mirrors(&report).contains(&mirror.to_owned()), "{mirror}");
    }
}

#[tokio::test]
async fn many_unhealthy_endpoints_are_one_warning_with_a_few_names() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| {
        let answer = recorded(request);
        let text = String::from_utf8(answer.body.clone()).expect("UTF-8").replace("\"healthy\"", "\"unhealthy\"");
        request.path.contains("/registries").then_some(Answer { body: text.into_bytes(), ..answer })
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves otherwise");
    let warnings = report.warnings();
    let unhealthy: Vec<&str> =
        warnings.iter().map(mimic_core::Problem::message).filter(|message| message.contains("not healthy")).collect();
    let [warning] = unhealthy[..] else { panic!("{unhealthy:#?}") };
    assert!(
        warning.starts_with("the endpoints of projects `") && warning.contains(" and 11 more are not healthy"),
        "{warning}"
    );
}

/// Harbor locks a name for a moment after a failed login, so a person whose account is used would be locked out.
#[tokio::test]
async fn a_discovery_fails_to_log_in_at_most_once_and_repeated_refusals_lengthen_the_pause() {
    let fake = Fake::start();
    let mut settings = settings(&fake, ROBOT);
    settings.credentials = Some(Credentials::new(ROBOT, "wrong"));
    let source = HarborSource::new("harbor", harbor(settings));
    for pause in [None, Some(1), Some(2), Some(4), Some(8), Some(16), Some(16)] {
        fake.take_requests();
        let error = source.load().await.expect_err("the password is wrong");
        assert_eq!(error.kind(), SourceErrorKind::Forbidden);
        assert_eq!(error.retry_after().map(|pause| pause.as_secs()), pause.map(|minutes: u64| minutes * 60));
        let logins = fake.take_requests();
        let logins = logins.iter().filter(|request| request.headers.contains_key("authorization"));
        assert_eq!(logins.count(), 1);
    }

    // A 401 for a list, as Harbor answers while its database is down, costs one login more at most.
    let source = HarborSource::new("harbor", harbor(self::settings(&fake, ROBOT)));
    fake.misbehave(|request, _| request.path.contains("/registries").then(|| Answer::error(401, "unauthorized")));
    fake.take_requests();
    assert_eq!(source.load().await.expect_err("refused").kind(), SourceErrorKind::Forbidden);
    let refused = fake.take_requests();
    let after = refused.iter().skip_while(|request| !request.path.contains("/registries")).skip(1);
    assert_eq!(after.filter(|request| request.headers.contains_key("authorization")).count(), 0);
}

#[tokio::test]
async fn a_project_whose_endpoint_is_gone_is_not_reported_as_a_missing_permission() {
    let fake = Fake::start();
    fake.misbehave(|request, recorded| {
        let mut answer = recorded(request);
        let mut endpoints: Vec<Value> = serde_json::from_slice(&answer.body).ok()?;
        endpoints.retain(|endpoint| !endpoint["url"].to_string().contains("nvcr.io"));
        answer.body = Value::from(endpoints).to_string().into_bytes();
        request.path.contains("/registries").then_some(answer)
    });
    let mut settings = settings(&fake, ROBOT);
    settings.private = true;
    let report = discover(settings).await.expect("the fake behaves otherwise");
    let expected = "proxy-nvcr: its registry endpoint no longer exists".to_owned();
    assert!(skipped(&report).contains(&expected), "{:#?}", skipped(&report));
}

#[tokio::test]
async fn the_check_of_an_account_that_sees_no_private_project_says_so() {
    let fake = Fake::start();
    let mut settings = settings(&fake, "robot-repository-pull-all");
    settings.private = true;
    fake.misbehave(|request, recorded| {
        let anonymously = Request { by: "anonymous".to_owned(), ..request.clone() };
        request.path.contains("/projects").then(|| recorded(&anonymously))
    });
    let report = discover(settings.clone()).await;
    let note = "private projects are enabled, but the account sees none";
    let findings = checkup(&settings, &report);
    assert!(
        findings.iter().any(|finding| finding.level == FindingLevel::Note && finding.text == note),
        "{findings:#?}"
    );

    let mut settings = self::settings(&fake, "anonymous");
    settings.registry = None;
    let findings = checkup(&settings, &discover(settings.clone()).await);
    assert!(findings[0].text.starts_with("Harbor responds at http://127.0.0.1:"), "{findings:#?}");
    assert_eq!(findings[1].level, FindingLevel::Problem);
}
