//! Whether the API server trusts the certificate: the webhook configuration's side.

use std::time::{Duration, SystemTime};

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use mimic_core::Problem;
use mimic_k8s::cluster::{CaBundleState, CertificateSecret, ClusterError, ClusterErrorKind, WebhookConfiguration};
use tokio::time::Instant;

use super::Known;
use super::plan::Trusted;
use crate::certificate::secret::from_cluster;
use crate::sources::pause;

/// The shortest time between two changes: somebody else may keep changing it back.
const PACE: Duration = Duration::from_secs(1);

/// Keeps the webhook configuration in step with the bundle of authorities.
pub(super) struct Trust {
    pub(super) webhook: WebhookConfiguration,
    /// How the configuration is called in messages.
    place: String,
    /// The Service that its webhooks have to call.
    service: String,
    /// What it is, as far as that is known at the moment.
    known: Known<MutatingWebhookConfiguration>,
    seen: Option<Trusted>,
    /// What went wrong last, while reading or changing it.
    failure: Option<Problem>,
    /// Attempts to change it that failed in a row.
    failures: u32,
    /// Not to be changed before.
    rest: Option<Instant>,
}

impl Trust {
    pub(super) fn new(webhook: WebhookConfiguration, name: &str, service: &str) -> Self {
        Self {
            webhook,
            place: format!("MutatingWebhookConfiguration {name}"),
            service: service.to_owned(),
            known: Known::Unknown,
            seen: None,
            failure: None,
            failures: 0,
            rest: None,
        }
    }

    /// Takes note of news of it.
    pub(super) fn note(&mut self, news: Result<Option<MutatingWebhookConfiguration>, ClusterError>) {
        match news {
            Ok(configuration) => {
                self.known = configuration.into();
                self.failure = None;
            }
            Err(error) => {
                // Nobody knows what it says meanwhile, so what was seen does not count.
                self.known = Known::Unknown;
                self.seen = None;
                self.failure = Some(from_cluster(&self.place, &error));
            }
        }
    }

    /// What has been seen in it for how long.
    pub(super) fn seen(&self) -> Option<&Trusted> {
        self.seen.as_ref()
    }

    /// Changes it if it is not in step with `bundle`, which is what `stored` holds. Says when to look again, if soon.
    pub(super) async fn bring_in_step(
        &mut self,
        bundle: &[u8],
        secret: &CertificateSecret,
        stored: &Secret,
    ) -> Option<Duration> {
        let Known::Present(configuration) = &self.known else { return None };
        let (webhooks, patch) = match self.webhook.ca_bundle_state(configuration, bundle) {
            CaBundleState::UpToDate => {
                self.failures = 0;
                if self.seen.as_ref().is_none_or(|seen| seen.bundle != bundle) {
                    self.seen = Some(Trusted { bundle: bundle.to_vec(), since: SystemTime::now() });
                    // There is a stage now that begins when this has been so for a while.
                    return Some(Duration::ZERO);
                }
                return None;
            }
            CaBundleState::Outdated { webhooks, patch } => (webhooks, patch),
            CaBundleState::NoWebhook | CaBundleState::CertManager(_) => {
                self.seen = None;
                return None;
            }
        };
        self.seen = None;
        let now = Instant::now();
        if let Some(rest) = self.rest.filter(|rest| *rest > now) {
            return Some(rest - now);
        }
        // One who has not heard of the latest authority must not take it from those who have.
        let outcome = match secret.is_unchanged(stored).await {
            Ok(true) => self.webhook.apply(&patch).await,
            Ok(false) => return Some(PACE),
            Err(error) => Err(error),
        };
        let rest = match outcome {
            Ok(()) => {
                let webhooks = webhooks.join(", ");
                log::info!(configuration = self.place.as_str(), webhooks = webhooks.as_str(); "caBundle brought in step");
                self.failures = 0;
                self.failure = None;
                PACE
            }
            // Somebody else has changed it, which is news that is on its way.
            Err(error) if error.kind() == ClusterErrorKind::Conflict => PACE,
            Err(error) => {
                self.failures += 1;
                self.failure = Some(from_cluster(&self.place, &error));
                pause(self.failures, None)
            }
        };
        self.rest = Some(now + rest);
        Some(rest)
    }

    /// Why the API server may not trust the authorities in `bundle`.
    pub(super) fn doubt(&self, bundle: &[u8]) -> Option<Problem> {
        if self.failure.is_some() {
            return self.failure.clone();
        }
        let configuration = match &self.known {
            Known::Unknown => return None,
            Known::Absent => {
                return Some(
                    Problem::new(&self.place, "there is no such configuration")
                        .with_hint("apply it, or name another one in `MIMIC_CERTIFICATE_WEBHOOK`"),
                );
            }
            Known::Present(configuration) => configuration,
        };
        match self.webhook.ca_bundle_state(configuration, bundle) {
            // What is behind is being brought in step; if that fails, it is said above.
            CaBundleState::UpToDate | CaBundleState::Outdated { .. } => None,
            CaBundleState::NoWebhook => Some(
                Problem::new(&self.place, format!("none of its webhooks calls the Service `{}`", self.service)).with_hint(
                    "compare `clientConfig.service` with `MIMIC_CERTIFICATE_SERVICE` and Mimic's namespace; a webhook \
                     that calls a URL has to be given the Secret's `ca.crt` by hand",
                ),
            ),
            CaBundleState::CertManager(annotation) => Some(
                Problem::new(&self.place, format!("cert-manager fills in its `caBundle`, as `{annotation}` asks it to"))
                    .with_hint("remove the annotation, or set `MIMIC_CERTIFICATE_SOURCE=kubernetes`"),
            ),
        }
    }
}
