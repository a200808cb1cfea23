//! A list never shrinks by accident: Harbor answers single requests as if they were anonymous, and permissions are revoked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fake_harbor::{Fake, Request, proxy_projects};
use mimic_core::{Hint as _, MirrorSource as _};
use mimic_harbor::{HarborError, HarborSettings, HarborSource};

use super::{ROBOT, harbor, mirrors, settings};

pub(crate) fn private_too(fake: &Fake) -> HarborSettings {
    let mut settings = settings(fake, ROBOT);
    settings.private = true;
    settings.pull_secret = Some("harbor-pull".to_owned());
    settings
}

pub(crate) fn anonymous(request: &Request) -> Request {
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
    assert!(kept.contains(" until ") && kept.contains(" GMT (hint: "), "{kept}");
    let again = harbor.refresh().await.expect("the responses are valid");
    assert_eq!(again.degraded(), report.degraded(), "a lasting problem has one text");

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
