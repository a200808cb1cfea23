//! The stored policy, and bringing it up to date.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use mimic_core::{Catalog, Problem};
use mimic_k8s::cluster::{ALWAYS, ClusterError, ClusterErrorKind, PolicyObject, PolicyState, StoredObject};
use mimic_k8s::policy::HASH;
use tokio::time::Instant;

use super::compiled::{Compiled, Compiler};
use super::reporter::Reporter;
use super::step::{Knowledge, Step, step};
use crate::backoff::Backoff;
use crate::health::Health;
use crate::known::Known;

/// The longest time without a look at the policy.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// The shortest time between two writes. Another client may keep reverting them; then the pauses get longer.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// A policy that was not changed by others for this long counts as undisputed.
const UNDISPUTED: Duration = Duration::from_mins(5);

/// A policy that is kept up to date through one version of the API.
pub(super) struct Kept {
    object: PolicyObject,
    label: String,
    policy: Known<StoredObject>,
    binding: Known<StoredObject>,
    compiled: Option<Compiled>,
    /// Why nothing was compiled, or nothing newer.
    not_compiled: Option<NotCompiled>,
    knowledge: Knowledge,
    /// Since when the policy has had the rules of another replica.
    differs_since: Option<Instant>,
    /// The UID of the last policy that Mimic wrote.
    known_uid: Option<String>,
    /// The version of the policy after the last write, and the fingerprint that was written. The API server may have changed
    /// what it stored.
    accepted: Option<(Option<String>, String)>,
    /// Pauses after failures to write.
    failures: Backoff,
    /// Pauses after changes by others.
    reverts: Backoff,
    last_revert: Option<Instant>,
    paused_until: Option<Instant>,
}

enum NotCompiled {
    Waiting(String),
    Failed(Problem),
}

impl Kept {
    pub(super) fn new(object: PolicyObject, label: &str) -> Self {
        Self {
            object,
            label: label.to_owned(),
            policy: Known::Unknown,
            binding: Known::Unknown,
            compiled: None,
            not_compiled: None,
            knowledge: Knowledge::default(),
            differs_since: None,
            known_uid: None,
            accepted: None,
            failures: Backoff::new(),
            reverts: Backoff::new(),
            last_revert: None,
            paused_until: None,
        }
    }

    /// Takes an event of the watch of the policy.
    pub(super) fn note_policy(
        &mut self,
        event: Result<Option<StoredObject>, ClusterError>,
        reporter: &mut Reporter,
    ) -> Result<(), ClusterError> {
        self.policy = Known::Unknown;
        self.policy = event?.into();
        self.report_stored(reporter);
        Ok(())
    }

    /// Takes an event of the watch of the binding.
    pub(super) fn note_binding(
        &mut self,
        event: Result<Option<StoredObject>, ClusterError>,
    ) -> Result<(), ClusterError> {
        self.binding = Known::Unknown;
        self.binding = event?.into();
        Ok(())
    }

    fn report_stored(&self, reporter: &mut Reporter) {
        reporter.stored(match &self.policy {
            Known::Present(stored) => stored.metadata.annotations.as_ref().and_then(|all| all.get(HASH)).cloned(),
            Known::Unknown | Known::Absent => None,
        });
    }

    /// Compiles the rules, on another thread. Before every source has loaded once, rules would be missing.
    pub(super) async fn compile(
        &mut self,
        compiler: &Compiler,
        catalog: &Arc<Catalog>,
        health: &Health,
        reporter: &mut Reporter,
    ) {
        let missing = health.missing_sources();
        if !missing.is_empty() {
            self.not_compiled =
                Some(NotCompiled::Waiting(format!("waiting for the first rules of {}", missing.join(", "))));
            return;
        }
        match compiler.compile(catalog, self.object.api()).await {
            Ok(new) => {
                reporter.compiled(new.rules, &new.left);
                let before = self.compiled.replace(new);
                let fingerprint =
                    |compiled: &Option<Compiled>| compiled.as_ref().map(|it| it.content.fingerprint().to_owned());
                self.knowledge.has_news |= fingerprint(&before) != fingerprint(&self.compiled);
                self.not_compiled = None;
            }
            Err(problem) => self.not_compiled = Some(NotCompiled::Failed(problem)),
        }
    }

    /// The expression of the webhook's condition for the rules; `None` if the rules are not known.
    pub(super) fn expression(&self) -> Option<&str> {
        match &self.not_compiled {
            Some(NotCompiled::Waiting(_)) => None,
            // There is no expression for these rules, and the earlier one may be wrong for them.
            Some(NotCompiled::Failed(_)) => Some(ALWAYS),
            None => self.compiled.as_ref().map(|compiled| compiled.condition.as_deref().unwrap_or(ALWAYS)),
        }
    }

    /// Does what is due, and returns when to act again at the latest.
    pub(super) async fn act(&mut self, reporter: &mut Reporter) -> Duration {
        match &self.not_compiled {
            // Whatever is stored has more rules than this replica knows.
            Some(NotCompiled::Waiting(reason)) => {
                reporter.waiting(reason.clone());
                return LONGEST_SLEEP;
            }
            Some(NotCompiled::Failed(problem)) => {
                reporter.problem(problem);
                return LONGEST_SLEEP;
            }
            None => {}
        }
        let Some(compiled) = &self.compiled else { return LONGEST_SLEEP };
        let owner = match self.owner() {
            Ok(Some(owner)) => owner,
            Ok(None) => return LONGEST_SLEEP,
            Err(problem) => {
                reporter.problem(&problem);
                return LONGEST_SLEEP;
            }
        };
        let stored = match &self.policy {
            Known::Unknown => return LONGEST_SLEEP,
            Known::Absent => None,
            Known::Present(stored) => Some(stored),
        };
        let accepted = self.accepted.as_ref().zip(stored).is_some_and(|((version, fingerprint), stored)| {
            *version == stored.metadata.resource_version && fingerprint == compiled.content.fingerprint()
        });
        let state = if accepted { PolicyState::UpToDate } else { self.object.state(stored, &compiled.content, &owner) };
        let now = Instant::now();
        if state == PolicyState::OtherContent {
            self.knowledge.differs_for = now - *self.differs_since.get_or_insert(now);
        } else {
            self.differs_since = None;
        }
        self.knowledge.is_known =
            stored.is_some_and(|stored| self.known_uid.is_some() && stored.metadata.uid == self.known_uid);
        let restored = match step(state, self.knowledge) {
            Step::Done => {
                self.settled(reporter);
                return LONGEST_SLEEP;
            }
            Step::Refuse => {
                reporter.problem(
                    &Problem::new(&self.label, "Mimic did not write it, and does not overwrite it").with_hint(
                        "delete it, or set `MIMIC_POLICY_NAME`, and the name of the binding, to another one",
                    ),
                );
                return LONGEST_SLEEP;
            }
            Step::Wait(time) => {
                reporter.waiting("another replica has written other rules".to_owned());
                return time;
            }
            Step::Write => None,
            Step::Restore(change) => Some(change),
        };
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return until - now;
        }
        self.write(owner, restored, reporter).await
    }

    /// The owner of the policy; `None` while the binding is unknown.
    fn owner(&self) -> Result<Option<OwnerReference>, Problem> {
        let label = format!("MutatingAdmissionPolicyBinding {}", self.object.name());
        match &self.binding {
            Known::Unknown => Ok(None),
            Known::Absent => Err(Problem::new(&label, "not found, so Mimic writes no policy")
                .with_hint("apply `deploy/policy`, or set `policy.enabled` in the chart's values")),
            Known::Present(binding) => self.object.owner(binding).map(Some).map_err(|error| {
                Problem::new(&label, error.to_string()).with_hint("give the policy and the binding the same name")
            }),
        }
    }

    /// Notes that the policy has this replica's rules.
    fn settled(&mut self, reporter: &mut Reporter) {
        if let Known::Present(stored) = &self.policy {
            self.known_uid.clone_from(&stored.metadata.uid);
        }
        self.knowledge.has_news = false;
        self.knowledge.was_stored = true;
        self.failures.reset();
        if self.last_revert.is_none_or(|last| last.elapsed() > UNDISPUTED) {
            self.reverts.reset();
        }
        reporter.up_to_date();
    }

    async fn write(&mut self, owner: OwnerReference, restored: Option<&str>, reporter: &mut Reporter) -> Duration {
        let (Some(compiled), Known::Present(binding)) = (&self.compiled, &self.binding) else { return LONGEST_SLEEP };
        let stored = match &self.policy {
            Known::Present(stored) => Some(stored.clone()),
            Known::Unknown | Known::Absent => None,
        };
        let (fingerprint, hash) = (compiled.content.fingerprint().to_owned(), compiled.hash.clone());
        // Deleting the binding deletes the policy. The watch of the binding may be behind that of the policy.
        let outcome = match &stored {
            None => match self.object.is_bound(binding).await {
                Ok(true) => self.object.write(None, &compiled.content, owner).await,
                Ok(false) => {
                    self.binding = Known::Absent;
                    self.knowledge.was_stored = false;
                    return Duration::ZERO;
                }
                Err(error) => Err(error),
            },
            Some(stored) => self.object.write(Some(stored), &compiled.content, owner).await,
        };
        let pause = match outcome {
            Ok(written) => {
                let version = |object: &StoredObject| object.metadata.resource_version.clone();
                let is_changed = stored.as_ref().is_none_or(|stored| version(stored) != version(&written));
                self.accepted = Some((version(&written), fingerprint));
                self.policy = Known::Present(written);
                self.report_stored(reporter);
                if is_changed {
                    reporter.written(&hash);
                }
                match restored.filter(|_| is_changed) {
                    Some(change) => {
                        reporter.restored(change);
                        self.last_revert = Some(Instant::now());
                        self.reverts.next(None).max(SHORTEST_PAUSE)
                    }
                    None => SHORTEST_PAUSE,
                }
            }
            // Another replica was first: the watch delivers its version.
            Err(error) if error.kind() == ClusterErrorKind::Conflict => {
                log::debug!(policy = self.label.as_str(); "another replica wrote the admission policy first");
                self.paused_until = Some(Instant::now() + SHORTEST_PAUSE);
                return SHORTEST_PAUSE;
            }
            Err(error) => {
                reporter.problem(&Problem::from_error(&self.label, &error));
                let pause = self.failures.next(None);
                self.paused_until = Some(Instant::now() + pause);
                return pause;
            }
        };
        self.paused_until = Some(Instant::now() + pause);
        // The next look finds it up to date.
        Duration::ZERO
    }
}
