//! Lists of many pages, some of which change while they are read.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{ROBOT, discover, harbor, message, mirrors, settings};
use fake_harbor::{Answer, Fake};

fn project(number: usize) -> Value {
    json!({"project_id": number, "name": format!("p{number:05}"), "registry_id": number, "metadata": {"public": "true"}})
}

fn registry(number: usize) -> Value {
    json!({"id": number, "type": "docker-registry", "status": "healthy", "url": format!("https://r{number:05}.example.com")})
}

/// Serves projects and their endpoints in pages of at most a hundred; `change` edits the projects before each page.
fn serve(fake: &Fake, projects: Vec<Value>, change: impl Fn(usize, &mut Vec<Value>) + Send + Sync + 'static) {
    let registries: Vec<Value> = (1..=6000).map(registry).collect();
    let projects = Arc::new(Mutex::new(projects));
    fake.misbehave(move |request, _| {
        let number = |name: &str| {
            let value = request.path.split(['?', '&']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse::<usize>().ok())
        };
        let (page, size) = (number("page")?, number("page_size")?);
        let mut projects = projects.lock().expect("no test panics here");
        let list = if request.path.contains("/registries") {
            &registries
        } else {
            change(page, &mut projects);
            projects.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
            &*projects
        };
        let elements: Vec<Value> = list.iter().skip((page - 1) * size).take(size).cloned().collect();
        Some(Answer::json(200, &Value::from(elements)).header("X-Total-Count", list.len().to_string()))
    });
}

fn expected(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("r{n:05}.example.com harbor.example.com/p{n:05}")).collect()
}

#[tokio::test]
async fn five_thousand_projects_are_discovered() {
    let fake = Fake::start();
    serve(&fake, (1..=5000).map(project).collect(), |_, _| {});
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(mirrors(&report), expected(1..=5000));
    assert_eq!(report.rule_list().rules.len(), 5000);
    assert!(fake.connections() <= 2, "connections are reused: {}", fake.connections());
}

#[tokio::test]
async fn a_list_that_did_not_change_is_read_once() {
    let fake = Fake::start();
    serve(&fake, (1..=250).map(project).collect(), |_, _| {});
    let harbor = harbor(settings(&fake, ROBOT));
    for passes in [2, 1, 1] {
        harbor.discover().await.expect("the fake behaves");
        let pages = fake.take_requests().iter().filter(|request| request.path.contains("/projects?")).count();
        assert_eq!(pages, passes * 3);
    }
}

/// When a project of the first page is deleted, another one moves up to that page and is never seen.
#[tokio::test]
async fn a_project_removed_between_pages_takes_no_other_with_it() {
    let fake = Fake::start();
    let removed = Mutex::new(false);
    serve(&fake, (1..=250).map(project).collect(), move |page, projects| {
        let mut removed = removed.lock().expect("no test panics here");
        if page == 2 && !std::mem::replace(&mut *removed, true) {
            projects.remove(0);
        }
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(mirrors(&report), expected(2..=250));
}

#[tokio::test]
async fn a_project_added_between_pages_gives_no_duplicate() {
    let fake = Fake::start();
    let added = Mutex::new(false);
    serve(&fake, (2..=250).map(project).collect(), move |page, projects| {
        let mut added = added.lock().expect("no test panics here");
        if page == 2 && !std::mem::replace(&mut *added, true) {
            projects.push(project(1));
        }
    });
    let report = discover(settings(&fake, ROBOT)).await.expect("the fake behaves");
    assert_eq!(mirrors(&report), expected(1..=250));
}

/// The length of the list stays the same, so it does not show the change.
#[tokio::test]
async fn a_project_added_for_one_that_is_removed_takes_no_other_with_it() {
    let fake = Fake::start();
    let harbor = harbor(settings(&fake, ROBOT));
    let swapped = Mutex::new(0);
    serve(&fake, (1..=250).map(project).collect(), move |page, projects| {
        let mut swapped = swapped.lock().expect("no test panics here");
        *swapped += 1;
        // In the middle of the first pass after the first discovery, of two passes of three pages.
        if *swapped == 8 && page == 2 {
            projects.remove(0);
            projects.push(project(251));
        }
    });
    assert_eq!(mirrors(&harbor.discover().await.expect("the fake behaves")), expected(1..=250));
    assert_eq!(mirrors(&harbor.discover().await.expect("the fake behaves")), expected(2..=251));
}

#[tokio::test]
async fn a_list_that_keeps_changing_is_an_error() {
    let fake = Fake::start();
    serve(&fake, (1..=250).map(project).collect(), |page, projects| {
        if page == 2 {
            projects.remove(0);
        }
    });
    let error = discover(settings(&fake, ROBOT)).await.expect_err("no two passes are alike");
    assert_eq!(message(&error), format!("the list `projects` of {} keeps changing while being read", fake.url()));
}

#[tokio::test]
async fn a_list_without_its_length_is_read_to_the_end() {
    let fake = Fake::start();
    // Only an empty page shows that a full one was the last.
    fake.misbehave(move |request, _| {
        let number: usize = request.path.split("page=").nth(1)?.split('&').next()?.parse().ok()?;
        let list: Vec<Value> = match (number, request.path.contains("/registries")) {
            (1 | 2, true) => (number * 100 - 99..=number * 100).map(registry).collect(),
            (1 | 2, false) => (number * 100 - 99..=number * 100).map(project).collect(),
            _ => Vec::new(),
        };
        Some(Answer::json(200, &Value::from(list)))
    });
    assert_eq!(mirrors(&discover(settings(&fake, ROBOT)).await.expect("the fake behaves")), expected(1..=200));
}
