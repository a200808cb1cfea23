//! Keeps caBundle of the webhook configuration up to date, so that the API server trusts the certificate.

use std::time::{Duration, SystemTime};

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use mimic_core::Problem;
use mimic_k8s::cluster::{CaBundleState, CertificateSecret, ClusterError, ClusterErrorKind, WebhookConfiguration};
use tokio::time::Instant;

use super::renewal_plan::Trusted;
use crate::backoff::Backoff;
use crate::certificate::cluster_problem::from_cluster;
use crate::known::Known;

/// The shortest time between two changes: another client may keep reverting them.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The webhook configuration and its caBundle.
pub(super) struct CaBundle {
    pub(super) webhook: WebhookConfiguration,
    /// Name of the configuration in messages.
    label: String,
    /// The Service that its webhooks must reference.
    service: String,
    known: Known<MutatingWebhookConfiguration>,
    seen: Option<Trusted>,
    /// The last failure to read or change it.
    failure: Option<Problem>,
    /// Pauses between attempts to change it.
    backoff: Backoff,
    /// The earliest time of the next change.
    paused_until: Option<Instant>,
}

impl CaBundle {
    pub(super) fn new(webhook: WebhookConfiguration, name: &str, service: &str) -> Self {
        Self {
            webhook,
            label: format!("MutatingWebhookConfiguration {name}"),
            service: service.to_owned(),
            known: Known::Unknown,
            seen: None,
            failure: None,
            backoff: Backoff::new(),
            paused_until: None,
        }
    }

    /// Takes an event of the watch.
    pub(super) fn note(&mut self, event: Result<Option<MutatingWebhookConfiguration>, ClusterError>) {
        match event {
            Ok(configuration) => {
                self.known = configuration.into();
                self.failure = None;
            }
            Err(error) => {
                // The configuration may change meanwhile, so what was seen no longer counts.
                self.known = Known::Unknown;
                self.seen = None;
                self.failure = Some(from_cluster(&self.label, &error));
            }
        }
    }

    /// The bundle that has been seen in it, and since when.
    pub(super) fn seen(&self) -> Option<&Trusted> {
        self.seen.as_ref()
    }

    /// Updates caBundle if it differs from `bundle`, which is in the Secret `stored`. Returns when to call again, if soon.
    pub(super) async fn update(
        &mut self,
        bundle: &[u8],
        secret: &CertificateSecret,
        stored: &Secret,
    ) -> Option<Duration> {
        let Known::Present(configuration) = &self.known else { return None };
        let (webhooks, patch) = match self.webhook.ca_bundle_state(configuration, bundle) {
            CaBundleState::UpToDate => {
                self.backoff.reset();
                if self.seen.as_ref().is_none_or(|seen| seen.bundle != bundle) {
                    self.seen = Some(Trusted { bundle: bundle.to_vec(), since: SystemTime::now() });
                    // A step becomes due once the bundle has been in use for a while: plan again.
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
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Some(until - now);
        }
        // A replica that has not seen the latest CA yet must not remove it.
        let outcome = match secret.is_unchanged(stored).await {
            Ok(true) => self.webhook.apply(&patch).await,
            Ok(false) => return Some(SHORTEST_PAUSE),
            Err(error) => Err(error),
        };
        let pause = match outcome {
            Ok(()) => {
                let webhooks = webhooks.join(", ");
                log::info!(configuration = self.label.as_str(), webhooks = webhooks.as_str(); "caBundle updated");
                self.backoff.reset();
                self.failure = None;
                SHORTEST_PAUSE
            }
            // Changed concurrently: the watch delivers the new version.
            Err(error) if error.kind() == ClusterErrorKind::Conflict => SHORTEST_PAUSE,
            Err(error) => {
                self.failure = Some(from_cluster(&self.label, &error));
                self.backoff.next(None)
            }
        };
        self.paused_until = Some(now + pause);
        Some(pause)
    }

    /// Why the API server probably does not trust the CAs in `bundle`.
    pub(super) fn distrust(&self, bundle: &[u8]) -> Option<Problem> {
        if self.failure.is_some() {
            return self.failure.clone();
        }
        let configuration = match &self.known {
            Known::Unknown => return None,
            Known::Absent => {
                return Some(
                    Problem::new(&self.label, "not found")
                        .with_hint("apply it, or set `MIMIC_CERTIFICATE_WEBHOOK` to another one"),
                );
            }
            Known::Present(configuration) => configuration,
        };
        match self.webhook.ca_bundle_state(configuration, bundle) {
            // An outdated bundle is being updated; a failure of that is reported above.
            CaBundleState::UpToDate | CaBundleState::Outdated { .. } => None,
            CaBundleState::NoWebhook => Some(
                Problem::new(&self.label, format!("no webhook in it references Service `{}`", self.service)).with_hint(
                    "compare `clientConfig.service` with `MIMIC_CERTIFICATE_SERVICE` and Mimic's namespace; for a \
                     webhook that calls a URL, copy the Secret's `ca.crt` into its `caBundle` yourself",
                ),
            ),
            CaBundleState::CertManager(annotation) => Some(
                Problem::new(&self.label, format!("caBundle is injected by cert-manager (annotation `{annotation}`)"))
                    .with_hint("remove the annotation, or set `MIMIC_CERTIFICATE_SOURCE=kubernetes`"),
            ),
        }
    }
}
