//! The webhook configuration: whom the API server trusts when it calls Mimic.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::secret::CERT_MANAGER;
use super::{Cluster, ClusterError, Follower};

/// How a webhook configuration stands to the authorities that Mimic's callers have to trust.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Every webhook that calls Mimic's Service has exactly this bundle.
    InStep,
    /// Some of them have another one, or none.
    Behind {
        /// Their names.
        webhooks: Vec<String>,
        /// What brings them in step.
        patch: BundlePatch,
    },
    /// No webhook calls Mimic's Service.
    Uncalled,
    /// Somebody else fills in the bundle: this annotation of cert-manager asks for it.
    Claimed(String),
}

/// A change of `caBundle` that fails with a conflict if anybody changes the configuration meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct BundlePatch(Value);

/// The one `MutatingWebhookConfiguration` that is kept in step.
#[derive(Clone)]
pub struct WebhookConfiguration {
    api: Api<MutatingWebhookConfiguration>,
    name: String,
    service: String,
    namespace: String,
}

impl WebhookConfiguration {
    /// The configuration of this name, as far as its webhooks call this Service in Mimic's namespace.
    pub fn new(cluster: &Cluster, name: &str, service: &str) -> Self {
        let api = Api::all(cluster.client().clone());
        let namespace = cluster.namespace().to_owned();
        Self { api, name: name.to_owned(), service: service.to_owned(), namespace }
    }

    /// Follows it.
    pub fn follow(&self) -> Follower<MutatingWebhookConfiguration> {
        Follower::new(self.api.clone(), &self.name)
    }

    /// How it stands to `bundle`, PEM.
    pub fn standing(&self, configuration: &MutatingWebhookConfiguration, bundle: &[u8]) -> Standing {
        standing(configuration, &self.namespace, &self.service, bundle)
    }

    /// Brings it in step.
    ///
    /// # Errors
    /// [`ClusterError`]; a conflict when it has changed since it was read.
    pub async fn apply(&self, patch: &BundlePatch) -> Result<(), ClusterError> {
        let parameters = PatchParams { field_manager: Some("mimic".to_owned()), ..PatchParams::default() };
        self.api.patch_metadata(&self.name, &parameters, &Patch::Strategic(&patch.0)).await?;
        Ok(())
    }
}

fn standing(configuration: &MutatingWebhookConfiguration, namespace: &str, service: &str, bundle: &[u8]) -> Standing {
    let injected = format!("{CERT_MANAGER}inject-");
    let mut annotations = configuration.metadata.annotations.iter().flatten().map(|(name, _)| name);
    if let Some(name) = annotations.find(|name| name.starts_with(&injected)) {
        return Standing::Claimed(name.clone());
    }
    let calls_mimic = |webhook: &&MutatingWebhook| {
        let called = webhook.client_config.service.as_ref();
        called.is_some_and(|called| called.name == service && called.namespace == namespace)
    };
    let callers: Vec<&MutatingWebhook> = configuration.webhooks.iter().flatten().filter(calls_mimic).collect();
    if callers.is_empty() {
        return Standing::Uncalled;
    }
    let wanted = ByteString(bundle.to_vec());
    let behind = callers.into_iter().filter(|webhook| webhook.client_config.ca_bundle.as_ref() != Some(&wanted));
    let webhooks: Vec<String> = behind.map(|webhook| webhook.name.clone()).collect();
    if webhooks.is_empty() {
        return Standing::InStep;
    }
    // Webhooks are told apart by their names, here and by the API server.
    let changed = webhooks.iter().map(|name| json!({"name": name, "clientConfig": {"caBundle": wanted}}));
    let patch = json!({
        "metadata": {"resourceVersion": configuration.metadata.resource_version},
        "webhooks": changed.collect::<Vec<_>>(),
    });
    Standing::Behind { webhooks, patch: BundlePatch(patch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] = b"ours";

    fn webhook(name: &str, client: &Value) -> Value {
        json!({"name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": client})
    }

    /// A client that calls a Service and trusts this bundle.
    fn calling(namespace: &str, service: &str, bundle: Option<&[u8]>) -> Value {
        let bundle = bundle.map(|bundle| ByteString(bundle.to_vec()));
        json!({"service": {"namespace": namespace, "name": service}, "caBundle": bundle})
    }

    fn judge(webhooks: &Value, annotations: &Value) -> Standing {
        let configuration = json!({
            "metadata": {"name": "mimic", "resourceVersion": "7", "annotations": annotations},
            "webhooks": webhooks,
        });
        let configuration = serde_json::from_value(configuration).expect("it is a configuration");
        standing(&configuration, "system", "mimic", OURS)
    }

    #[test]
    fn only_webhooks_that_call_mimics_service_are_kept_in_step() {
        let url = json!({"url": "https://mimic.example.com/mutate"});
        let others = [
            webhook("url.example.com", &url),
            webhook("namespace.example.com", &calling("default", "mimic", None)),
            webhook("service.example.com", &calling("system", "other", Some(b"theirs"))),
        ];
        let ours = |bundle| webhook("pods.example.com", &calling("system", "mimic", bundle));
        let with = |bundle| json!([others.as_slice(), &[ours(bundle)]].concat());
        let none = json!({});
        assert_eq!(judge(&json!(others), &none), Standing::Uncalled);
        assert_eq!(judge(&json!([]), &none), Standing::Uncalled);
        assert_eq!(judge(&with(Some(OURS)), &none), Standing::InStep);
        for bundle in [None, Some(&b""[..]), Some(b"theirs")] {
            let patch = json!({
                "metadata": {"resourceVersion": "7"},
                "webhooks": [{"name": "pods.example.com", "clientConfig": {"caBundle": ByteString(OURS.to_vec())}}],
            });
            let webhooks = vec!["pods.example.com".to_owned()];
            assert_eq!(judge(&with(bundle), &none), Standing::Behind { webhooks, patch: BundlePatch(patch) });
        }
    }

    #[test]
    fn what_cert_manager_fills_in_is_left_to_it() {
        let annotation = "cert-manager.io/inject-ca-from";
        let webhooks = json!([webhook("pods.example.com", &calling("system", "mimic", None))]);
        let standing = judge(&webhooks, &json!({annotation: "system/mimic"}));
        assert_eq!(standing, Standing::Claimed(annotation.to_owned()));
    }
}
