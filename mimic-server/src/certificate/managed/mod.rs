//! A certificate authority of Mimic's own, kept in a Secret that all replicas share.
//!
//! There is no leader. Every replica follows the Secret, serves what is in it, and plans by itself what should be in it
//! instead; of those who write, the first wins. `docs/decisions/0009-managed-certificates.md` says why.

mod contents;
mod plan;
mod trust;

use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::Secret;
use mimic_core::{Hint as _, Problem};
use mimic_k8s::cluster::{
    CertificateSecret, Cluster, ClusterErrorKind, SecretOwner, WebhookConfiguration, secret_owner,
};
use tokio::time::Instant;

use super::secret::{from_cluster, place};
use super::{CertificateError, Keeper};
use crate::config::Settings;
use crate::sources::pause;
use contents::Data;
use plan::{Plan, Step, Terms, Write};
use trust::Trust;

/// The longest sleep: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// The shortest time between two changes of the Secret, where certificates live long enough. Replicas that do not agree on
/// what it should hold, such as for which Service, must not replace each other's certificates as fast as they can.
const PACE: Duration = Duration::from_mins(1);

/// What is known of an object at the moment.
#[derive(Clone)]
enum Known<K> {
    /// Nothing: it has not been read yet, or cannot be, or has been changed since.
    Unknown,
    Absent,
    Present(K),
}

impl<K> From<Option<K>> for Known<K> {
    fn from(object: Option<K>) -> Self {
        object.map_or(Self::Absent, Self::Present)
    }
}

/// Keeps the Secret and the webhook configuration as they have to be, and serves what the Secret holds.
pub(crate) struct Managed {
    secret: CertificateSecret,
    /// How it is called in messages.
    place: String,
    terms: Terms,
    trust: Trust,
    keeper: Keeper,
    /// What the Secret is, as far as that is known at the moment.
    known: Known<Secret>,
    /// Attempts to write it that failed in a row.
    failures: u32,
    /// Not to be written before.
    rest: Option<Instant>,
}

impl Managed {
    pub(crate) fn new(cluster: &Cluster, settings: &Settings, keeper: Keeper) -> Self {
        let certificate = &settings.certificate;
        let name = &settings.kubernetes.cert_secret;
        let webhook = WebhookConfiguration::new(cluster, &certificate.webhook, &certificate.service);
        let terms = Terms {
            service: certificate.service.clone(),
            namespace: cluster.namespace().to_owned(),
            leaf: certificate.validity,
            authority: certificate.authority_validity,
        };
        Self {
            secret: CertificateSecret::new(cluster, name),
            place: place(cluster, name),
            trust: Trust::new(webhook, &certificate.webhook, &format!("{}/{}", terms.namespace, terms.service)),
            terms,
            keeper,
            known: Known::Unknown,
            failures: 0,
            rest: None,
        }
    }

    pub(crate) async fn keep(mut self) {
        let mut secrets = self.secret.watch();
        let mut configurations = self.trust.webhook.watch();
        loop {
            let again = self.act().await;
            tokio::select! {
                secret = secrets.next() => match secret {
                    Ok(secret) => self.known = secret.into(),
                    Err(error) => {
                        self.known = Known::Unknown;
                        self.keeper.lose_sight(&from_cluster(&self.place, &error).full_message());
                    }
                },
                configuration = configurations.next() => self.trust.note(configuration),
                () = tokio::time::sleep(again.min(LONGEST_SLEEP)) => {}
            }
        }
    }

    /// Does what there is to do now, and says how long it may take until there is more.
    async fn act(&mut self) -> Duration {
        let secret = match self.known.clone() {
            Known::Unknown => return LONGEST_SLEEP,
            Known::Absent => None,
            Known::Present(secret) => Some(secret),
        };
        let plan = match self.plan(secret.as_ref()) {
            Ok(plan) => plan,
            Err(problem) => {
                self.keeper.complain(&problem.full_message());
                return LONGEST_SLEEP;
            }
        };
        let taken_up = match &plan.serve {
            Some(Ok(pair)) => self.keeper.take_up(pair).map_err(|error| self.problem(&error)),
            Some(Err(error)) => Err(self.problem(error)),
            None => Ok(()),
        };
        let soon = match (&secret, plan.bundle.is_empty()) {
            (Some(stored), false) => self.trust.bring_in_step(&plan.bundle, &self.secret, stored).await,
            _ => None,
        };
        self.keeper.trust(self.trust.doubt(&plan.bundle).as_ref());

        let written = match plan.write {
            Some(write) => self.write(secret.as_ref(), write, &plan.damage).await,
            None => Ok(None),
        };
        let retry = match written.and_then(|retry| taken_up.map(|()| retry)) {
            Ok(retry) => {
                self.keeper.all_well();
                retry
            }
            Err(problem) => {
                self.keeper.complain(&problem.full_message());
                (self.failures > 0).then(|| pause(self.failures, None))
            }
        };
        let planned = plan.again.duration_since(SystemTime::now()).unwrap_or_default();
        [soon, retry].into_iter().flatten().fold(planned, Duration::min)
    }

    fn plan(&self, secret: Option<&Secret>) -> Result<Plan, Problem> {
        if let Some(SecretOwner::Other(reason)) = secret.map(secret_owner) {
            return Err(Problem::new(&self.place, format!("{reason}; Mimic does not overwrite it")).with_hint(
                "delete the Secret, name another one in `MIMIC_KUBERNETES_CERTSECRET`, or set \
                 `MIMIC_CERTIFICATE_SOURCE=kubernetes` to serve what is in it",
            ));
        }
        let data = secret.and_then(|secret| secret.data.as_ref()).into_iter().flatten();
        let data: Data = data.map(|(key, value)| (key.clone(), value.0.clone())).collect();
        plan::plan(&data, self.trust.seen(), &self.terms, SystemTime::now()).map_err(|error| self.problem(&error))
    }

    /// Writes the Secret. What it holds then comes back as news of it, as it does for the other replicas; only then it is
    /// served. After a conflict there is news on its way already, and soon another look.
    async fn write(
        &mut self,
        current: Option<&Secret>,
        write: Write,
        damage: &[String],
    ) -> Result<Option<Duration>, Problem> {
        let now = Instant::now();
        if let Some(rest) = self.rest.filter(|rest| *rest > now) {
            return Ok(Some(rest - now));
        }
        let Write { data, steps } = write;
        match self.secret.write(current, data).await {
            Ok(()) => {
                self.known = Known::Unknown;
                self.failures = 0;
                self.rest = Some(now + PACE.min(self.terms.leaf / 12));
                self.announce(&steps, damage);
                Ok(None)
            }
            Err(error) if error.kind() == ClusterErrorKind::Conflict => {
                log::debug!(secret = self.place.as_str(); "another replica was faster");
                Ok(Some(pause(1, None)))
            }
            Err(error) => {
                self.failures += 1;
                let problem = from_cluster(&self.place, &error);
                let is_absent = current.is_none() && error.kind() == ClusterErrorKind::Forbidden;
                Err(if is_absent { self.uncreated() } else { problem })
            }
        }
    }

    fn uncreated(&self) -> Problem {
        Problem::new(&self.place, "there is no such Secret, and Mimic may not create it").with_hint(
            "create an empty one with `kubectl create secret generic`, or allow Mimic's service account `create` on \
             `secrets` in its namespace",
        )
    }

    fn announce(&self, steps: &[Step], damage: &[String]) {
        let secret = self.place.as_str();
        for damage in damage {
            log::warn!(secret, damage = damage.as_str(); "damaged contents of the Secret are replaced");
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
        Problem::new(&self.place, error.to_string())
    }
}

#[cfg(test)]
mod years;
