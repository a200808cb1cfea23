//! A list never shrinks by accident: Harbor answers single requests as if they were anonymous, and permissions are revoked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fake_harbor::{Answer, Fake, Request, proxy_projects};
use mimic_core::{Hint as _, MirrorSource as _};
use mimic_harbor::{HarborError, HarborSettings, HarborSource};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::{ROBOT, harbor, mirrors, settings};

fn private_too(fake: &Fake) -> HarborSettings {
    let mut settings = settings(fake, ROBOT);
    settings.private = true;
    settings.pull_secret = Some("harbor-pull".to_owned());
    settings
}

/// The recorded response, without the projects for which `gone` is true.
fn without(request: &Request, recorded: Answer, gone: impl Fn(&str) -> bool) -> Answer {
    let Some(mut projects) =
        serde_json::from_slice::<Vec<Value>>(&recorded.body).ok().filter(|_| request.path == proxy_projects(1))
    else {
        return recorded;
    };
    projects.retain(|project| !gone(project["name"].as_str().unwrap_or_default()));
    Answer { body: Value::from(projects).to_string().into_bytes(), ..recorded }
}

fn anonymous(request: &Request) -> Request {
    Request { by: "anonymous".to_owned(), ..request.clone() }
}

#[tokio::test]
async fn a_list_without_private_projects_is_kept_for_the_grace_period_and_reported() {
    let fake = Fake::start();
    let mut settings = private_too(&fake);
    settings.grace = Duration::from_hours(1);
    let harbor = harbor(settings);
    let all = mirrors(&harbor.refresh().await.expect("the fake behaves"));
    let public = 16;
    assert!(all.len() > public, "{all:?}");

    // The permission `Project: List` is revoked.
    fake.misbehave(|request, recorded| (request.path == proxy_projects(1)).then(|| recorded(&anonymous(request))));
    let report = harbor.refresh().await.expect("the responses are valid");
    assert_eq!(mirrors(&report), all);
    let kept = report.degraded().expect("private projects are missing").full_message().to_string();
    let missing = all.len() - public;
    assert!(kept.contains(" projects are missing from Harbor's list; keeping projects `"), "{kept}");
    assert!(missing > 0 && kept.contains("8 of 27 projects"), "{kept}");
    assert!(kept.contains("for 60 more minutes"), "{kept}");

    fake.behave();
    let report = harbor.refresh().await.expect("the fake behaves");
    assert_eq!((mirrors(&report), report.degraded()), (all, None));
}

#[tokio::test]
async fn after_the_grace_period_the_list_is_accepted() {
    let fake = Fake::start();
    let mut settings = private_too(&fake);
    settings.grace = Duration::ZERO;
    let harbor = harbor(settings);
    harbor.refresh().await.expect("the fake behaves");
    fake.misbehave(|request, recorded| (request.path == proxy_projects(1)).then(|| recorded(&anonymous(request))));
    let report = harbor.refresh().await.expect("the responses are valid");
    assert_eq!((mirrors(&report).len(), report.degraded()), (16, None));
}

#[tokio::test]
async fn a_source_reports_what_it_keeps() {
    let fake = Fake::start();
    let source = HarborSource::new("harbor", harbor(private_too(&fake)));
    let rules = source.load().await.expect("the fake behaves").rules.len();
    assert_eq!(source.degraded(), None);
    fake.remove_projects("");
    assert_eq!(source.load().await.expect("an empty list is valid").rules.len(), rules);
    assert!(source.degraded().is_some());
    fake.behave();
    assert_eq!(source.load().await.expect("the fake behaves").rules.len(), rules);
    assert_eq!(source.degraded(), None);
}

#[tokio::test]
async fn a_list_that_is_used_once_needs_two_reads_that_agree() {
    let fake = Fake::start();
    let all = mirrors(&harbor(private_too(&fake)).discover_confirmed().await.expect("the fake behaves"));
    // Each of the lists of projects in turn is the anonymous one, then every second one.
    for fault in 0..4 {
        let lists = AtomicUsize::new(0);
        fake.misbehave(move |request, recorded| {
            let is_list = request.path == proxy_projects(1);
            let anonymously = is_list && lists.fetch_add(1, Ordering::Relaxed) == fault;
            anonymously.then(|| recorded(&anonymous(request)))
        });
        let report = harbor(private_too(&fake)).discover_confirmed().await.expect("two reads agree");
        assert_eq!(mirrors(&report), all, "list {fault} was anonymous");
    }
    let lists = AtomicUsize::new(0);
    fake.misbehave(move |request, recorded| {
        let is_list = request.path == proxy_projects(1);
        (is_list && lists.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)).then(|| recorded(&anonymous(request)))
    });
    let error = harbor(private_too(&fake)).discover_confirmed().await.expect_err("the reads differ each time");
    assert!(matches!(error, HarborError::ListChanging { .. }), "{error}");
}

/// Refreshes of one schedule.
const REFRESHES: usize = 8;

/// How many schedules are tried: `MIMIC_HARBOR_SCHEDULES`, or a number that takes a few seconds.
fn schedules() -> u32 {
    std::env::var("MIMIC_HARBOR_SCHEDULES").map_or(60, |text| text.parse().expect("a number"))
}

#[derive(Debug)]
struct Schedule {
    /// The numbers of the requests that are answered as anonymous ones.
    anonymous: BTreeSet<usize>,
    /// The refresh before which a project is deleted.
    deletion: usize,
    /// Which of the projects in use that is.
    deleted: proptest::sample::Index,
    /// Whether the account has no permission to list registry endpoints, so that summaries are requested.
    summaries: bool,
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let anonymous = proptest::collection::btree_set(0_usize..60, 0..12);
    (anonymous, 1..REFRESHES - 2, any::<proptest::sample::Index>(), proptest::bool::weighted(0.2))
        .prop_map(|(anonymous, deletion, deleted, summaries)| Schedule { anonymous, deletion, deleted, summaries })
}

/// Single requests that Harbor answers as anonymous never remove a project, and a deleted project is gone after three
/// refreshes that succeed.
#[test]
fn random_faults_lose_nothing_and_deleted_projects_go() {
    let fake = Fake::start();
    fake.forget_requests();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: schedules(), failure_persistence: None, ..Config::default() });
    let account = |schedule: &Schedule| if schedule.summaries { "robot-project-read-all" } else { ROBOT };
    let outcome = runner.run(&schedule(), |schedule| {
        fake.behave();
        let mut settings = private_too(&fake);
        settings.credentials = Some(mimic_harbor::Credentials::new(account(&schedule), fake_harbor::PASSWORD));
        let harbor = harbor(settings);
        let all = mirrors(&runtime.block_on(harbor.refresh()).expect("the fake behaves"));
        let deleted = schedule.deleted.get(&all).clone();
        let name = deleted.rsplit('/').next().unwrap_or_default().to_owned();
        let (is_deleted, is_faulty) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        let (deleted_now, faulty_now, faults) =
            (Arc::clone(&is_deleted), Arc::clone(&is_faulty), schedule.anonymous.clone());
        let requests = AtomicUsize::new(0);
        fake.misbehave(move |request, recorded| {
            let number = requests.fetch_add(1, Ordering::Relaxed);
            let is_fault = faults.contains(&number) && faulty_now.load(Ordering::Relaxed);
            let answer = if is_fault { recorded(&anonymous(request)) } else { recorded(request) };
            let gone = deleted_now.load(Ordering::Relaxed);
            Some(without(request, answer, |project| gone && project == name))
        });
        let mut successes = 0;
        for refresh in 0..REFRESHES + 3 {
            if refresh == schedule.deletion {
                is_deleted.store(true, Ordering::Relaxed);
            }
            is_faulty.store(refresh < REFRESHES, Ordering::Relaxed);
            let Ok(report) = runtime.block_on(harbor.refresh()) else { continue };
            let now = mirrors(&report);
            successes += usize::from(refresh >= schedule.deletion && report.degraded().is_none());
            for mirror in all.iter().filter(|mirror| **mirror != deleted) {
                prop_assert!(now.contains(mirror), "{mirror} was lost at refresh {refresh}: {now:?}");
            }
            if refresh < schedule.deletion {
                prop_assert!(now.contains(&deleted), "{deleted} was lost at refresh {refresh}");
            }
            // The last three are without faults.
            if successes >= 3 || refresh + 1 == REFRESHES + 3 {
                prop_assert!(!now.contains(&deleted), "{deleted} is still used at refresh {refresh}");
            }
        }
        prop_assert!(successes >= 3, "a refresh failed without a fault");
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}
