//! The condition with which the API server does not call Mimic for pods whose images are all on a mirror.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use mimic_core::Problem;
use mimic_k8s::cluster::{Cluster, ClusterError, ClusterErrorKind, ConditionState, ObjectWatch, WebhookConfiguration};
use tokio::time::Instant;

use super::step::PATIENCE;
use crate::backoff::Backoff;
use crate::known::Known;

/// The shortest time between two changes.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest time without a look at it.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// The condition in the webhook configuration. The shipped files with the policy have it, so that it ends with the policy.
pub(super) struct Condition {
    webhook: WebhookConfiguration,
    label: String,
    known: Known<MutatingWebhookConfiguration>,
    /// The expression for the current rules; `None` until they are compiled.
    wanted: Option<String>,
    /// Whether it changed since the configuration last had it.
    has_news: bool,
    /// Since when the configuration has had the expression of another replica.
    differs_since: Option<Instant>,
    backoff: Backoff,
    paused_until: Option<Instant>,
    failure: Option<Problem>,
}

impl Condition {
    /// The condition of the webhooks in this configuration that call this Service.
    pub(super) fn new(cluster: &Cluster, name: &str, service: &str) -> Self {
        Self {
            webhook: WebhookConfiguration::new(cluster, name, service),
            label: format!("MutatingWebhookConfiguration {name}"),
            known: Known::Unknown,
            wanted: None,
            has_news: false,
            differs_since: None,
            backoff: Backoff::new(),
            paused_until: None,
            failure: None,
        }
    }

    pub(super) fn watch(&self) -> ObjectWatch<MutatingWebhookConfiguration> {
        self.webhook.watch()
    }

    /// Takes an event of the watch.
    pub(super) fn note(&mut self, event: Result<Option<MutatingWebhookConfiguration>, ClusterError>) {
        match event {
            Ok(configuration) => {
                self.known = configuration.into();
                self.failure = None;
            }
            Err(error) => {
                self.known = Known::Unknown;
                self.failure = Some(Problem::from_error(&self.label, &error));
            }
        }
    }

    /// Sets the expression for the current rules.
    pub(super) fn want(&mut self, expression: &str) {
        if self.wanted.as_deref() != Some(expression) {
            self.wanted = Some(expression.to_owned());
            self.has_news = true;
        }
    }

    /// Why the condition may be outdated.
    pub(super) fn failure(&self) -> Option<&Problem> {
        self.failure.as_ref()
    }

    /// Does what is due, and returns when to act again at the latest. As with the policy, replicas whose rules differ do not
    /// undo each other's changes.
    pub(super) async fn act(&mut self) -> Duration {
        let (Some(wanted), Known::Present(configuration)) = (&self.wanted, &self.known) else { return LONGEST_SLEEP };
        let ConditionState::Outdated { is_initial, patch } = self.webhook.condition_state(configuration, wanted) else {
            self.has_news = false;
            self.differs_since = None;
            self.backoff.reset();
            return LONGEST_SLEEP;
        };
        let now = Instant::now();
        let since = *self.differs_since.get_or_insert(now);
        if !self.has_news && !is_initial && now < since + PATIENCE {
            return since + PATIENCE - now;
        }
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return until - now;
        }
        let pause = match self.webhook.apply(&patch).await {
            Ok(()) => {
                log::info!(configuration = self.label.as_str(); "condition of the webhook updated");
                self.failure = None;
                SHORTEST_PAUSE
            }
            // Changed concurrently: the watch delivers the new version.
            Err(error) if error.kind() == ClusterErrorKind::Conflict => SHORTEST_PAUSE,
            Err(error) => {
                self.failure = Some(Problem::from_error(&self.label, &error));
                self.backoff.next(None)
            }
        };
        self.paused_until = Some(Instant::now() + pause);
        pause
    }
}
