//! Random schedules of requests that Harbor answers as if they were anonymous.

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use fake_harbor::{Answer, Fake, PASSWORD, Request, proxy_projects};
use mimic_harbor::Credentials;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::shrinking::{anonymous, private_too};
use super::{ROBOT, harbor, mirrors, tls};

/// Refreshes of one schedule with faults. Three without faults follow.
const REFRESHES: usize = 8;

/// Projects of a small Harbor, public and private, with which schedules take a third of the time.
const SMALL: [&str; 9] = [
    "proxy-dockerhub",
    "proxy-gcr",
    "proxy-ghcr",
    "proxy-k8s",
    "proxy-quay",
    "proxy-nvcr",
    "zz-proxy-acr",
    "zz-proxy-ali",
    "zz-proxy-jfrog",
];

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
    deleted: prop::sample::Index,
    /// Whether the account has no permission to list registry endpoints, so that summaries are requested.
    summaries: bool,
    /// Whether the Harbor has only the projects of [`SMALL`].
    small: bool,
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let anonymous = prop::collection::btree_set(0_usize..60, 0..12);
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.9));
    (anonymous, 1..REFRESHES - 2, any::<prop::sample::Index>(), flags).prop_map(
        |(anonymous, deletion, deleted, (summaries, small))| Schedule {
            anonymous,
            deletion,
            deleted,
            summaries,
            small,
        },
    )
}

/// The lists of a Harbor with some projects only. Each is made once: a schedule reads it many times.
#[derive(Default)]
struct Lists(Mutex<HashMap<List, Vec<u8>>>);

/// The account, the project that was deleted, and whether the Harbor has only the projects of [`SMALL`].
type List = (String, Option<String>, bool);

impl Lists {
    /// The recorded response, with the projects of this Harbor.
    fn edited(&self, request: &Request, recorded: Answer, deleted: Option<&str>, small: bool) -> Answer {
        let is_edited = request.path == proxy_projects(1) && recorded.status == 200 && (small || deleted.is_some());
        if !is_edited {
            return recorded;
        }
        let key = (request.by.clone(), deleted.map(str::to_owned), small);
        let mut lists = self.0.lock().expect("no test panicked");
        let body = lists.entry(key).or_insert_with(|| {
            let mut list: Vec<Value> = serde_json::from_slice(&recorded.body).expect("a list");
            list.retain(|project| {
                let name = project["name"].as_str().unwrap_or_default();
                Some(name) != deleted && (!small || SMALL.contains(&name))
            });
            Value::from(list).to_string().into_bytes()
        });
        Answer { body: body.clone(), ..recorded }
    }
}

/// What the schedules of one thread share.
struct Trial<'t> {
    fake: Fake,
    lists: Arc<Lists>,
    runtime: Runtime,
    /// Some CA: to load those of the system takes a tenth of the time.
    ca: &'t Path,
}

impl Trial<'_> {
    fn run(&self, schedule: &Schedule) -> Result<(), TestCaseError> {
        let Self { fake, lists, runtime, ca } = self;
        let mut settings = private_too(fake);
        let account = if schedule.summaries { "robot-project-read-all" } else { ROBOT };
        settings.credentials = Some(Credentials::new(account, PASSWORD));
        settings.ca_file = Some((*ca).to_owned());
        let harbor = harbor(settings);

        let (name, now_faulty) = (Arc::new(Mutex::new(None::<String>)), Arc::new(AtomicBool::new(false)));
        let (deleted_name, is_faulty) = (Arc::clone(&name), Arc::clone(&now_faulty));
        let (lists, faults, small) = (Arc::clone(lists), schedule.anonymous.clone(), schedule.small);
        let requests = AtomicUsize::new(0);
        fake.misbehave(move |request, recorded| {
            let is_fault =
                is_faulty.load(Ordering::Relaxed) && faults.contains(&requests.fetch_add(1, Ordering::Relaxed));
            let request = if is_fault { &anonymous(request) } else { request };
            let deleted = deleted_name.lock().expect("no test panicked");
            Some(lists.edited(request, recorded(request), deleted.as_deref(), small))
        });
        let all = mirrors(&runtime.block_on(harbor.refresh()).expect("the fake behaves"));
        let deleted = schedule.deleted.get(&all).clone();
        let mut successes = 0;
        for refresh in 0..REFRESHES + 3 {
            if refresh == schedule.deletion {
                *name.lock().expect("no test panicked") = deleted.rsplit('/').next().map(str::to_owned);
            }
            now_faulty.store(refresh < REFRESHES, Ordering::Relaxed);
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
    }
}

/// Single requests that Harbor answers as anonymous never remove a project, and a deleted project is gone after three
/// refreshes that succeed.
#[test]
fn random_faults_lose_nothing_and_deleted_projects_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, tls::some_ca()).expect("it can be written");
    let threads = thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    let cases = schedules().div_ceil(threads);
    let tried = AtomicUsize::new(0);
    let outcomes: Vec<_> = thread::scope(|scope| {
        let try_some = || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            let trial = Trial { fake: Fake::start(), lists: Arc::default(), runtime, ca: &ca };
            trial.fake.forget_requests();
            let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
            let outcome = runner.run(&schedule(), |schedule| {
                tried.fetch_add(1, Ordering::Relaxed);
                trial.run(&schedule)
            });
            outcome.map_err(|error| error.to_string())
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(try_some)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread does not panic")).collect()
    });
    for outcome in outcomes {
        assert_eq!(outcome, Ok(()));
    }
    let tried = tried.into_inner();
    writeln!(std::io::stderr(), "{tried} schedules: nothing lost, and every deleted project gone")
        .expect("stderr is open");
}
