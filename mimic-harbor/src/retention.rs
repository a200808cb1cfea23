//! Keeps projects that Harbor no longer lists until it is certain that they are gone.
//!
//! Harbor answers a request as if it were anonymous when it cannot check the account at that moment, for example because
//! its database has no free connection. The response is a valid list without private projects. A permission that is
//! revoked by mistake has the same effect.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::report::{Kept, ProxyProject, SkipReason};

/// How many reads must agree that a project is gone.
const READS: u32 = 2;

/// The projects that were in use, and since when some of them are missing.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    project: ProxyProject,
    missing: Option<Missing>,
}

/// A moment on both clocks: one that measures, and one that people read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    instant: Instant,
    time: SystemTime,
}

impl Now {
    /// The present moment.
    pub(crate) fn read() -> Self {
        Self { instant: Instant::now(), time: SystemTime::now() }
    }
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Now,
    /// Reads without the project, apart from those that lost most of the list.
    reads: u32,
}

impl Retention {
    /// Whether no project was ever in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Takes a complete read, before projects for the same upstream are compared. Adds the projects to it that are
    /// missing but kept. If the read lost more than half of the projects, or all private ones, they are kept for
    /// `grace`, and the result describes them.
    pub(crate) fn apply(&mut self, read: &mut Vec<ProxyProject>, grace: Duration, now: Now) -> Option<Kept> {
        let mut present: BTreeMap<&str, &ProxyProject> =
            read.iter().map(|project| (project.name.as_str(), project)).collect();
        // Harbor may deny an anonymous client what it shows to the account.
        present.retain(|_, project| {
            !matches!(project.skipped, Some(SkipReason::NotPermitted | SkipReason::EndpointDeleted))
        });
        self.known.retain(|name, known| {
            if let Some(project) = present.get(name.as_str()) {
                // It is skipped for a reason that Harbor or the settings state, so there is nothing to keep.
                return project.skipped.is_none();
            }
            known.missing.get_or_insert(Missing { since: now, reads: 0 });
            true
        });
        for project in present.into_values().filter(|project| project.skipped.is_none()) {
            let known = Known { project: project.clone(), missing: None };
            self.known.insert(project.name.clone(), known);
        }

        let missing = |known: &&Known| known.missing.is_some();
        let lost = self.known.values().filter(missing).count();
        let private = || self.known.values().filter(|known| !known.project.public);
        let suspicious =
            lost * 2 > self.known.len() || private().next().is_some() && private().all(|known| missing(&known));
        self.known.retain(|_, known| {
            let Some(missing) = &mut known.missing else { return true };
            missing.reads += u32::from(!suspicious);
            if suspicious { now.instant.duration_since(missing.since.instant) < grace } else { missing.reads < READS }
        });

        let kept: Vec<&Known> = self.known.values().filter(|known| known.missing.is_some()).collect();
        let first = kept
            .iter()
            .filter_map(|known| known.missing)
            .map(|missing| missing.since)
            .min_by_key(|since| since.instant);
        read.retain(|project| kept.iter().all(|known| known.project.name != project.name));
        read.extend(kept.iter().map(|known| known.project.clone()));
        read.sort_by(|a, b| a.name.cmp(&b.name));
        first.filter(|_| suspicious).map(|first| Kept {
            projects: kept.iter().map(|known| known.project.name.clone()).collect(),
            known: self.known.len(),
            until: first.time + grace,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_hours(1);
    const REFRESH: Duration = Duration::from_mins(5);

    struct Reads {
        retention: Retention,
        now: Now,
    }

    impl Reads {
        fn new(projects: &[&str]) -> Self {
            let mut reads = Self { retention: Retention::default(), now: Now::read() };
            assert_eq!(reads.next(projects), (names(projects), None));
            reads
        }

        /// Reads a list, and returns what is in use then, and what is reported as kept.
        fn next(&mut self, projects: &[&str]) -> (Vec<String>, Option<Vec<String>>) {
            let mut read = projects.iter().map(|name| project(name)).collect();
            self.now = Now { instant: self.now.instant + REFRESH, time: self.now.time + REFRESH };
            let kept = self.retention.apply(&mut read, GRACE, self.now);
            (read.into_iter().map(|project| project.name).collect(), kept.map(|kept| kept.projects))
        }
    }

    fn names(projects: &[&str]) -> Vec<String> {
        projects.iter().map(|name| (*name).to_owned()).collect()
    }

    /// A project that is in use. Those whose name begins with `private` are private.
    fn project(name: &str) -> ProxyProject {
        ProxyProject::in_use(name, !name.starts_with("private"))
    }

    #[test]
    fn a_project_is_dropped_after_two_reads_without_it() {
        let mut reads = Reads::new(&["a", "b", "c"]);
        assert_eq!(reads.next(&["a", "b"]), (names(&["a", "b", "c"]), None));
        assert_eq!(reads.next(&["a", "b"]), (names(&["a", "b"]), None));
    }

    #[test]
    fn a_project_that_returns_starts_again() {
        let mut reads = Reads::new(&["a", "b", "c"]);
        for _ in 0..10 {
            assert_eq!(reads.next(&["a", "b"]), (names(&["a", "b", "c"]), None));
            assert_eq!(reads.next(&["a", "b", "c"]), (names(&["a", "b", "c"]), None));
        }
    }

    #[test]
    fn most_projects_or_all_private_ones_are_kept_for_the_grace_period_and_reported() {
        for (all, left) in [
            (["a", "b", "c", "d"], vec!["a"]),
            (["a", "b", "private-c", "private-d"], vec!["a", "b"]),
            (["a", "b", "c", "private-d"], vec!["a", "b", "c"]),
            (["a", "b", "c", "d"], vec![]),
        ] {
            let mut reads = Reads::new(&all);
            let lost: Vec<&str> = all.iter().filter(|name| !left.contains(*name)).copied().collect();
            for _ in 0..12 {
                assert_eq!(reads.next(&left), (names(&all), Some(names(&lost))));
            }
            assert_eq!(reads.next(&left), (names(&left), None), "an hour after the first read without them");
        }
    }

    #[test]
    fn the_report_says_until_when_and_stays_the_same() {
        let mut reads = Reads::new(&["a", "b", "c"]);
        let until = reads.now.time + REFRESH + GRACE;
        for _ in 0..12 {
            reads.next(&["a"]);
            let mut read = vec![project("a")];
            let kept = reads.retention.apply(&mut read, GRACE, reads.now);
            assert_eq!(kept, Some(Kept { projects: names(&["b", "c"]), known: 3, until }));
        }
    }

    #[test]
    fn a_suspicious_read_does_not_count_for_a_project_that_is_really_gone() {
        let mut reads = Reads::new(&["a", "b", "c", "private-d", "private-e"]);
        assert_eq!(reads.next(&["a", "b", "c", "private-e"]).0.len(), 5);
        // Anonymous: both private projects are missing.
        assert_eq!(reads.next(&["a", "b", "c"]).0.len(), 5);
        assert_eq!(reads.next(&["a", "b", "c", "private-e"]), (names(&["a", "b", "c", "private-e"]), None));
    }

    #[test]
    fn a_project_that_is_not_readable_is_kept_and_one_that_is_skipped_is_not() {
        let mut reads = Reads::new(&["a", "b", "c"]);
        for (reason, expected) in
            [(SkipReason::NotPermitted, names(&["a", "b", "c"])), (SkipReason::EndpointDeleted, names(&["a", "b"]))]
        {
            let mut read = vec![project("a"), project("b"), ProxyProject { skipped: Some(reason), ..project("c") }];
            assert_eq!(reads.retention.apply(&mut read, GRACE, reads.now), None);
            let used = read.iter().filter(|project| project.skipped.is_none());
            assert_eq!(used.map(|project| project.name.clone()).collect::<Vec<_>>(), expected);
        }
        let mut read = vec![ProxyProject { skipped: Some(SkipReason::OwnHarbor), ..project("a") }, project("b")];
        assert_eq!(reads.retention.apply(&mut read, GRACE, reads.now), None);
        assert_eq!(read.iter().filter(|project| project.skipped.is_none()).count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Refreshes that are anonymous or fail lose nothing, however many follow each other within the grace period. A
        /// deleted project is gone after the second refresh without a fault.
        #[test]
        fn random_faults_lose_nothing(
            public in 1_usize..6,
            private in 2_usize..6,
            refreshes in proptest::collection::vec(prop_oneof![2 => Just('+'), 1 => Just('a'), 1 => Just('!')], 1..11),
            deletion in any::<proptest::sample::Index>(),
            deleted in any::<proptest::sample::Index>(),
        ) {
            let all: Vec<String> =
                (0..private).map(|n| format!("private-{n}")).chain((0..public).map(|n| format!("public-{n}"))).collect();
            let deleted = deleted.get(&all).clone();
            let mut reads = Reads::new(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let (mut good, deletion) = (0, deletion.index(refreshes.len()));
            for (number, fault) in refreshes.iter().enumerate() {
                let is_deleted = number >= deletion;
                // A request that fails changes nothing; one that is anonymous hides the private projects.
                if *fault == '!' {
                    continue;
                }
                let listed = all.iter().map(String::as_str).filter(|name| *fault == '+' || !name.starts_with("private"));
                let listed: Vec<&str> = listed.filter(|name| !is_deleted || **name != *deleted).collect();
                let (used, kept) = reads.next(&listed);
                good += usize::from(is_deleted && kept.is_none() && *fault == '+');
                for name in all.iter().filter(|name| !is_deleted || **name != deleted) {
                    prop_assert!(used.contains(name), "{name} was lost: {used:?}");
                }
                prop_assert!(good < 2 || !used.contains(&deleted), "{deleted} is still used: {used:?}");
            }
        }
    }
}
