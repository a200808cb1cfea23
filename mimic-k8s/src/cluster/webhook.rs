//! The webhook configuration: `caBundle`, with the CAs that the API server trusts when it calls Mimic, and a condition that spares
//! calls.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::connect::Cluster;
use super::error::ClusterError;
use super::secret::CERT_MANAGER;
use super::watch::ObjectWatch;

/// Whether a webhook configuration has the expected `caBundle`.
#[derive(Debug, Clone, PartialEq)]
pub enum CaBundleState {
    /// Every webhook that calls Mimic's Service has exactly this bundle.
    UpToDate,
    /// Some of them have another bundle, or none.
    Outdated {
        /// The names of these webhooks.
        webhooks: Vec<String>,
        /// The patch that updates them.
        patch: WebhookPatch,
    },
    /// No webhook calls Mimic's Service.
    NoWebhook,
    /// cert-manager fills in the bundle, because of this annotation.
    CertManager(String),
}

/// The condition of the webhook that Mimic keeps up to date, if the configuration has it.
pub const CONDITION: &str = "an-image-is-not-on-a-mirror";

/// The expression of [`CONDITION`] in the shipped files. Then the API server calls Mimic for every pod.
pub const ALWAYS: &str = "true";

/// How a condition compares with the expected one.
#[derive(Debug, Clone, PartialEq)]
pub enum ConditionState {
    /// Every webhook that calls Mimic's Service and has the condition has this expression.
    UpToDate,
    /// Some have another expression.
    Outdated {
        /// Whether all of them have the one of the shipped files.
        is_initial: bool,
        /// The patch that updates them.
        patch: WebhookPatch,
    },
}

/// A patch of a webhook configuration. It fails with a conflict if the configuration was changed since it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookPatch(Value);

/// The `MutatingWebhookConfiguration` whose `caBundle` Mimic keeps up to date.
#[derive(Clone)]
pub struct WebhookConfiguration {
    api: Api<MutatingWebhookConfiguration>,
    name: String,
    service: String,
    namespace: String,
}

impl WebhookConfiguration {
    /// The configuration of this name. Only webhooks that call this Service in Mimic's namespace are considered.
    pub fn new(cluster: &Cluster, name: &str, service: &str) -> Self {
        let api = Api::all(cluster.client().clone());
        let namespace = cluster.namespace().to_owned();
        Self { api, name: name.to_owned(), service: service.to_owned(), namespace }
    }

    /// Watches it.
    pub fn watch(&self) -> ObjectWatch<MutatingWebhookConfiguration> {
        ObjectWatch::new(self.api.clone(), &self.name)
    }

    /// Compares `configuration` with the expected `bundle`, in PEM.
    pub fn ca_bundle_state(&self, configuration: &MutatingWebhookConfiguration, bundle: &[u8]) -> CaBundleState {
        ca_bundle_state(configuration, &self.namespace, &self.service, bundle)
    }

    /// Compares the condition with the expected expression. Webhooks without the condition do not get it.
    pub fn condition_state(&self, configuration: &MutatingWebhookConfiguration, expression: &str) -> ConditionState {
        condition_state(configuration, &self.namespace, &self.service, expression)
    }

    /// Applies the patch.
    ///
    /// # Errors
    /// [`ClusterError`]. A conflict if the configuration was changed since it was read.
    pub async fn apply(&self, patch: &WebhookPatch) -> Result<(), ClusterError> {
        let parameters = PatchParams { field_manager: Some("mimic".to_owned()), ..PatchParams::default() };
        self.api.patch_metadata(&self.name, &parameters, &Patch::Strategic(&patch.0)).await?;
        Ok(())
    }
}

/// The webhooks that call this Service.
fn callers<'c>(
    configuration: &'c MutatingWebhookConfiguration,
    namespace: &str,
    service: &str,
) -> impl Iterator<Item = &'c MutatingWebhook> {
    configuration.webhooks.iter().flatten().filter(move |webhook| {
        let called = webhook.client_config.service.as_ref();
        called.is_some_and(|called| called.name == service && called.namespace == namespace)
    })
}

fn condition_state(
    configuration: &MutatingWebhookConfiguration,
    namespace: &str,
    service: &str,
    expression: &str,
) -> ConditionState {
    let conditions = callers(configuration, namespace, service).filter_map(|webhook| {
        let mut conditions = webhook.match_conditions.iter().flatten();
        Some((&webhook.name, &conditions.find(|condition| condition.name == CONDITION)?.expression))
    });
    let outdated: Vec<_> = conditions.filter(|(_, current)| *current != expression).collect();
    if outdated.is_empty() {
        return ConditionState::UpToDate;
    }
    // A strategic merge patch identifies webhooks and conditions by name, and keeps the others.
    let changed = outdated
        .iter()
        .map(|(name, _)| json!({"name": name, "matchConditions": [{"name": CONDITION, "expression": expression}]}));
    let patch = json!({
        "metadata": {"resourceVersion": configuration.metadata.resource_version},
        "webhooks": changed.collect::<Vec<_>>(),
    });
    let is_initial = outdated.iter().all(|(_, current)| *current == ALWAYS);
    ConditionState::Outdated { is_initial, patch: WebhookPatch(patch) }
}

fn ca_bundle_state(
    configuration: &MutatingWebhookConfiguration,
    namespace: &str,
    service: &str,
    bundle: &[u8],
) -> CaBundleState {
    let injected = format!("{CERT_MANAGER}inject-");
    let mut annotations = configuration.metadata.annotations.iter().flatten().map(|(name, _)| name);
    if let Some(name) = annotations.find(|name| name.starts_with(&injected)) {
        return CaBundleState::CertManager(name.clone());
    }
    let callers: Vec<&MutatingWebhook> = callers(configuration, namespace, service).collect();
    if callers.is_empty() {
        return CaBundleState::NoWebhook;
    }
    let wanted = ByteString(bundle.to_vec());
    let outdated = callers.into_iter().filter(|webhook| webhook.client_config.ca_bundle.as_ref() != Some(&wanted));
    let webhooks: Vec<String> = outdated.map(|webhook| webhook.name.clone()).collect();
    if webhooks.is_empty() {
        return CaBundleState::UpToDate;
    }
    // A strategic merge patch identifies webhooks by name.
    let changed = webhooks.iter().map(|name| json!({"name": name, "clientConfig": {"caBundle": wanted}}));
    let patch = json!({
        "metadata": {"resourceVersion": configuration.metadata.resource_version},
        "webhooks": changed.collect::<Vec<_>>(),
    });
    CaBundleState::Outdated { webhooks, patch: WebhookPatch(patch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] = b"ours";

    fn webhook(name: &str, client: &Value) -> Value {
        json!({"name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": client})
    }

    /// A `clientConfig` that calls a Service and has this bundle.
    fn calling(namespace: &str, service: &str, bundle: Option<&[u8]>) -> Value {
        let bundle = bundle.map(|bundle| ByteString(bundle.to_vec()));
        json!({"service": {"namespace": namespace, "name": service}, "caBundle": bundle})
    }

    fn compared(webhooks: &Value, annotations: &Value) -> CaBundleState {
        let configuration = json!({
            "metadata": {"name": "mimic", "resourceVersion": "7", "annotations": annotations},
            "webhooks": webhooks,
        });
        let configuration = serde_json::from_value(configuration).expect("it is a configuration");
        ca_bundle_state(&configuration, "system", "mimic", OURS)
    }

    #[test]
    fn only_webhooks_that_call_mimics_service_are_updated() {
        let url = json!({"url": "https://mimic.example.com/mutate"});
        let others = [
            webhook("url.example.com", &url),
            webhook("namespace.example.com", &calling("default", "mimic", None)),
            webhook("service.example.com", &calling("system", "other", Some(b"theirs"))),
        ];
        let ours = |bundle| webhook("pods.example.com", &calling("system", "mimic", bundle));
        let with = |bundle| json!([others.as_slice(), &[ours(bundle)]].concat());
        let none = json!({});
        assert_eq!(compared(&json!(others), &none), CaBundleState::NoWebhook);
        assert_eq!(compared(&json!([]), &none), CaBundleState::NoWebhook);
        assert_eq!(compared(&with(Some(OURS)), &none), CaBundleState::UpToDate);
        for bundle in [None, Some(&b""[..]), Some(b"theirs")] {
            let patch = json!({
                "metadata": {"resourceVersion": "7"},
                "webhooks": [{"name": "pods.example.com", "clientConfig": {"caBundle": ByteString(OURS.to_vec())}}],
            });
            let webhooks = vec!["pods.example.com".to_owned()];
            assert_eq!(
                compared(&with(bundle), &none),
                CaBundleState::Outdated { webhooks, patch: WebhookPatch(patch) }
            );
        }
    }

    #[test]
    fn only_an_existing_condition_of_mimics_webhooks_is_updated() {
        let condition = |name: &str, expression: &str| json!({"name": name, "expression": expression});
        let state = |webhooks: &[(&str, &str, Value)]| {
            let webhooks = webhooks.iter().map(|(name, service, conditions)| {
                let mut webhook = webhook(name, &calling("system", service, None));
                webhook["matchConditions"] = conditions.clone();
                webhook
            });
            let configuration = json!({
                "metadata": {"name": "mimic", "resourceVersion": "7"},
                "webhooks": webhooks.collect::<Vec<_>>(),
            });
            let configuration = serde_json::from_value(configuration).expect("it is a configuration");
            condition_state(&configuration, "system", "mimic", "new")
        };
        let other = condition("not-a-mirror-pod", "old");
        let with = |expression: &str| json!([other, condition(CONDITION, expression)]);
        assert_eq!(state(&[("a", "mimic", json!([other])), ("b", "other", with("old"))]), ConditionState::UpToDate);
        assert_eq!(state(&[("a", "mimic", with("new"))]), ConditionState::UpToDate);
        for (current, is_initial) in [("old", false), (ALWAYS, true)] {
            let patch = WebhookPatch(json!({
                "metadata": {"resourceVersion": "7"},
                "webhooks": [{"name": "a", "matchConditions": [condition(CONDITION, "new")]}],
            }));
            let all = [("a", "mimic", with(current)), ("b", "mimic", with("new")), ("c", "other", with("old"))];
            assert_eq!(state(&all), ConditionState::Outdated { is_initial, patch });
        }
    }

    #[test]
    fn a_bundle_that_cert_manager_fills_in_is_not_updated() {
        let annotation = "cert-manager.io/inject-ca-from";
        let webhooks = json!([webhook("pods.example.com", &calling("system", "mimic", None))]);
        let state = compared(&webhooks, &json!({annotation: "system/mimic"}));
        assert_eq!(state, CaBundleState::CertManager(annotation.to_owned()));
    }
}
