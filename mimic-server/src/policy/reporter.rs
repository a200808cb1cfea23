//! How the state of the policy is reported: readiness, metrics, log and Events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mimic_core::{Hint as _, Problem};
use mimic_k8s::cluster::ReplicaEvents;

use crate::health::Health;
use crate::policy_status::PolicyStatus;

/// How many rules that are left to the webhook are logged after a change. `mimic policy` lists all.
const LOGGED: usize = 20;

/// Reports each change once.
pub(super) struct Reporter {
    /// Name of the policy in messages.
    policy: String,
    health: Arc<Health>,
    events: Option<ReplicaEvents>,
    status: PolicyStatus,
    /// The rules that the policy leaves to the webhook.
    left: Vec<String>,
}

impl Reporter {
    pub(super) fn new(policy: String, health: Arc<Health>, events: Option<ReplicaEvents>) -> Self {
        let status = PolicyStatus { problem: Some("not read yet".to_owned()), ..PolicyStatus::default() };
        health.policy_reported(status.clone());
        Self { policy, health, events, status, left: Vec::new() }
    }

    /// Reports what the stored policy is.
    pub(super) fn stored(&mut self, hash: Option<String>) {
        self.status.stored = hash;
        self.publish();
    }

    /// Reports how many rules a compiled policy has, and which rules it leaves to the webhook.
    pub(super) fn compiled(&mut self, rules: usize, left: &[String]) {
        if self.left != left {
            let known: BTreeSet<&String> = self.left.iter().collect();
            for rule in left.iter().filter(|rule| !known.contains(rule)).take(LOGGED) {
                log::info!(policy = self.policy.as_str(), rule = rule.as_str(); "rule left to the webhook");
            }
            self.left = left.to_vec();
        }
        self.status.rules = Some((rules, left.len()));
        self.publish();
    }

    /// Reports that the stored policy has this replica's rules.
    pub(super) fn up_to_date(&mut self) {
        if self.status.problem.take().is_some() {
            self.publish();
        }
    }

    /// Reports a state that ends soon: no log line and no Event.
    pub(super) fn waiting(&mut self, reason: String) {
        self.status.problem = Some(reason);
        self.publish();
    }

    /// Reports why the policy is not brought up to date. It stays as it is.
    pub(super) fn problem(&mut self, problem: &Problem) {
        let text = problem.full_message().to_string();
        if self.status.problem.as_ref() == Some(&text) {
            return;
        }
        log::warn!(policy = self.policy.as_str(), problem = text.as_str(); "admission policy not up to date; it keeps its rules");
        self.event("PolicyNotUpdated", &text);
        self.status.problem = Some(text);
        self.publish();
    }

    /// Reports why the condition of the webhook may be outdated; `None` if it is not.
    pub(super) fn condition(&mut self, problem: Option<&Problem>) {
        let text = problem.map(|problem| problem.full_message().to_string());
        if self.status.condition == text {
            return;
        }
        if let Some(problem) = &text {
            log::warn!(policy = self.policy.as_str(), problem = problem.as_str(); "condition of the webhook not up to date");
            self.event("ConditionNotUpdated", problem);
        }
        self.status.condition = text;
        self.publish();
    }

    /// Reports that another client changed or deleted the policy, and that this replica restored it.
    pub(super) fn restored(&self, change: &str) {
        log::warn!(policy = self.policy.as_str(), change; "admission policy restored");
        self.event("PolicyRestored", &format!("another client {change} it; Mimic restored it"));
    }

    /// Reports that this replica wrote the policy.
    pub(super) fn written(&mut self, hash: &str) {
        let (rules, left) = self.status.rules.unwrap_or_default();
        log::info!(policy = self.policy.as_str(), rules, left, hash; "admission policy written");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.status.last_write = Some(now.as_secs_f64());
        self.publish();
    }

    fn event(&self, reason: &str, note: &str) {
        if let Some(events) = &self.events {
            events.warn(reason, "WritePolicy", format!("{}: {note}", self.policy));
        }
    }

    fn publish(&self) {
        self.health.policy_reported(self.status.clone());
    }
}
