//! A certificate that Mimic issues with its own CA. Both are in a Secret that all replicas share.
//!
//! There is no leader. Every replica watches the Secret, serves its certificate, and plans independently what it should
//! contain; the first write wins. `docs/decisions/0009-managed-certificates.md` explains why.

mod ca_bundle;
mod contents;
mod policy;
mod renewal_plan;

use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::Secret;
use mimic_core::{Hint as _, Problem};
use mimic_k8s::cluster::{
    CertificateSecret, Cluster, ClusterErrorKind, SecretOwner, WebhookConfiguration, secret_owner,
};
use tokio::time::Instant;

use super::cluster_problem::{from_cluster, secret_label};
use super::error::CertificateError;
use super::installer::CertificateInstaller;
use crate::backoff::Backoff;
use crate::known::Known;
use ca_bundle::CaBundle;
use contents::Data;
pub(crate) use policy::CertificatePolicy;
use renewal_plan::{Plan, Step, Write};

/// The longest sleep: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// The shortest time between two changes of the Secret, unless certificates are short-lived. Replicas with different
/// settings, such as the Service, must not replace each other's certificates as fast as they can.
const SHORTEST_PAUSE: Duration = Duration::from_mins(1);

/// Keeps the Secret and the webhook configuration up to date, and serves the certificate in the Secret.
pub(crate) struct ManagedCertificate {
    secret: CertificateSecret,
    /// Name of the Secret in messages.
    label: String,
    policy: CertificatePolicy,
    ca_bundle: CaBundle,
    installer: CertificateInstaller,
    known: Known<Secret>,
    /// Pauses between attempts to write the Secret.
    backoff: Backoff,
    /// The earliest time of the next write.
    paused_until: Option<Instant>,
}

impl ManagedCertificate {
    /// Manages the Secret of this name and the webhook configuration `webhook`.
    pub(crate) fn new(
        cluster: &Cluster,
        secret: &str,
        webhook: &str,
        policy: CertificatePolicy,
        installer: CertificateInstaller,
    ) -> Self {
        let configuration = WebhookConfiguration::new(cluster, webhook, &policy.service);
        Self {
            secret: CertificateSecret::new(cluster, secret),
            label: secret_label(cluster, secret),
            ca_bundle: CaBundle::new(configuration, webhook, &format!("{}/{}", policy.namespace, policy.service)),
            policy,
            installer,
            known: Known::Unknown,
            backoff: Backoff::new(),
            paused_until: None,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut secrets = self.secret.watch();
        let mut configurations = self.ca_bundle.webhook.watch();
        loop {
            let again = self.act().await;
            tokio::select! {
                secret = secrets.next() => match secret {
                    Ok(secret) => self.known = secret.into(),
                    Err(error) => {
                        self.known = Known::Unknown;
                        self.installer.report_unreadable(&from_cluster(&self.label, &error).full_message());
                    }
                },
                configuration = configurations.next() => self.ca_bundle.note(configuration),
                () = tokio::time::sleep(again.min(LONGEST_SLEEP)) => {}
            }
        }
    }

    /// Does what is due, and returns when to act again at the latest.
    async fn act(&mut self) -> Duration {
        let secret = match self.known.clone() {
            Known::Unknown => return LONGEST_SLEEP,
            Known::Absent => None,
            Known::Present(secret) => Some(secret),
        };
        let plan = match self.plan(secret.as_ref()) {
            Ok(plan) => plan,
            Err(problem) => {
                self.installer.report_rejected(&problem.full_message());
                return LONGEST_SLEEP;
            }
        };
        let installed = match &plan.serve {
            Some(Ok(pair)) => self.installer.install(pair).map_err(|error| self.problem(&error)),
            Some(Err(error)) => Err(self.problem(error)),
            None => Ok(()),
        };
        let soon = match (&secret, plan.bundle.is_empty()) {
            (Some(stored), false) => self.ca_bundle.update(&plan.bundle, &self.secret, stored).await,
            _ => None,
        };
        self.installer.report_distrust(self.ca_bundle.distrust(&plan.bundle).as_ref());

        let (retry, written) = match plan.write {
            Some(write) => self.write(secret.as_ref(), write, &plan.damage).await,
            None => (None, Ok(())),
        };
        match written.and(installed) {
            Ok(()) => self.installer.clear_error(),
            Err(problem) => self.installer.report_rejected(&problem.full_message()),
        }
        let planned = plan.again.duration_since(SystemTime::now()).unwrap_or_default();
        [soon, retry].into_iter().flatten().fold(planned, Duration::min)
    }

    fn plan(&self, secret: Option<&Secret>) -> Result<Plan, Problem> {
        if let Some(SecretOwner::Other(reason)) = secret.map(secret_owner) {
            return Err(Problem::new(&self.label, format!("{reason}; Mimic does not overwrite it")).with_hint(
                "delete the Secret, set `MIMIC_KUBERNETES_CERTSECRET` to another one, or set \
                 `MIMIC_CERTIFICATE_SOURCE=kubernetes` to serve its contents",
            ));
        }
        let data = secret.and_then(|secret| secret.data.as_ref()).into_iter().flatten();
        let data: Data = data.map(|(key, value)| (key.clone(), value.0.clone())).collect();
        renewal_plan::plan(&data, self.ca_bundle.seen(), &self.policy, SystemTime::now())
            .map_err(|error| self.problem(&error))
    }

    /// Writes the Secret, and returns when to try again if that is soon. The watch delivers the new contents to all
    /// replicas, this one included; they are served only then. After a conflict it delivers the other replica's.
    async fn write(
        &mut self,
        current: Option<&Secret>,
        write: Write,
        damage: &[String],
    ) -> (Option<Duration>, Result<(), Problem>) {
        let now = Instant::now();
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return (Some(until - now), Ok(()));
        }
        let Write { data, steps } = write;
        match self.secret.write(current, data).await {
            Ok(()) => {
                self.known = Known::Unknown;
                self.backoff.reset();
                self.paused_until = Some(now + SHORTEST_PAUSE.min(self.policy.leaf / 12));
                self.announce(&steps, damage);
                (None, Ok(()))
            }
            Err(error) if error.kind() == ClusterErrorKind::Conflict => {
                log::debug!(secret = self.label.as_str(); "another replica updated the Secret first");
                (Some(Backoff::new().next(None)), Ok(()))
            }
            Err(error) => {
                let problem = from_cluster(&self.label, &error);
                let is_absent = current.is_none() && error.kind() == ClusterErrorKind::Forbidden;
                (Some(self.backoff.next(None)), Err(if is_absent { self.not_created() } else { problem }))
            }
        }
    }

    fn not_created(&self) -> Problem {
        Problem::new(&self.label, "not found, and Mimic has no permission to create it").with_hint(
            "create an empty one with `kubectl create secret generic`, or allow Mimic's service account `create` on \
             `secrets` in its namespace",
        )
    }

    fn announce(&self, steps: &[Step], damage: &[String]) {
        let secret = self.label.as_str();
        for damage in damage {
            log::warn!(secret, damage = damage.as_str(); "replacing invalid data in the certificate Secret");
        }
        for step in steps {
            if *step == Step::PromotedUnseen {
                log::warn!(secret, step:%; "certificates renewed");
            } else {
                log::info!(secret, step:%; "certificates renewed");
            }
        }
    }

    fn problem(&self, error: &CertificateError) -> Problem {
        Problem::from_error(&self.label, error)
    }
}

#[cfg(test)]
mod rotation_simulation;
