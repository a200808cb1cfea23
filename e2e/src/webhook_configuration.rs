//! Webhook configurations based on the shipped file.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod};
use kube::{Api, api::PostParams};
use openssl::base64;
use serde_json::{Value, json};

use crate::{Namespace, wait::eventually};

const SHIPPED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/manifests/templates/mutatingwebhookconfiguration.yaml");

/// The shipped webhook configuration with this CA, as YAML.
pub fn shipped_webhook_configuration(ca: &[u8]) -> Result<String> {
    let template = fs::read_to_string(SHIPPED).with_context(|| Path::new(SHIPPED).display().to_string())?;
    Ok(template.replace("${CA_BUNDLE}", &base64::encode_block(ca)))
}

/// A webhook configuration like the shipped one, but for certain namespaces, and for a webhook on loopback.
///
/// Webhook configurations apply to the whole cluster: without a selector, tests would affect each other.
#[derive(Clone, Debug)]
pub struct WebhookConfiguration {
    object: Value,
}

impl WebhookConfiguration {
    /// For these namespaces, with the CA that signed the certificate of the webhook.
    pub fn new(ca: &[u8], namespaces: &[&str]) -> Result<Self> {
        let mut object: Value = serde_saphyr::from_str(&shipped_webhook_configuration(ca)?)?;
        object["metadata"]["name"] = json!(format!("mimic-{}", namespaces.join("-")));
        let mut configuration = Self { object };
        configuration.each_webhook(|webhook| {
            if let Some(requirements) = webhook["namespaceSelector"]["matchExpressions"].as_array_mut() {
                requirements
                    .push(json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces}));
            }
        });
        Ok(configuration)
    }

    fn each_webhook(&mut self, change: impl Fn(&mut Value)) {
        self.object["webhooks"].as_array_mut().into_iter().flatten().for_each(change);
    }

    /// Uses this URL instead of the Service.
    #[must_use]
    pub fn url(mut self, url: &str) -> Self {
        self.each_webhook(|webhook| {
            webhook["clientConfig"]["service"] = Value::Null;
            webhook["clientConfig"]["url"] = json!(url);
        });
        self
    }

    /// Uses another port of the Service.
    #[must_use]
    pub fn service_port(mut self, port: u16) -> Self {
        self.each_webhook(|webhook| webhook["clientConfig"]["service"]["port"] = json!(port));
        self
    }

    /// Uses another Service and port.
    #[must_use]
    pub fn service(mut self, namespace: &str, name: &str, port: u16) -> Self {
        self.each_webhook(|webhook| {
            let service = &mut webhook["clientConfig"]["service"];
            (service["namespace"], service["name"], service["port"]) = (json!(namespace), json!(name), json!(port));
        });
        self
    }

    /// Name of the webhook configuration.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Sets a field of the webhook, such as `failurePolicy`.
    #[must_use]
    pub fn set(mut self, field: &str, value: &str) -> Self {
        self.each_webhook(|webhook| webhook[field] = json!(value));
        self
    }

    /// A field of the webhook.
    pub fn field(&self, field: &str) -> Value {
        self.object["webhooks"][0][field].clone()
    }

    /// Replaces a structured field, such as `objectSelector`.
    #[must_use]
    pub fn replace(mut self, field: &str, value: &Value) -> Self {
        self.each_webhook(|webhook| webhook[field] = value.clone());
        self
    }

    /// Sets the prefix of the name, instead of `mimic`: the API server calls webhooks in the order of their names.
    #[must_use]
    pub fn named(mut self, prefix: &str) -> Self {
        let name = self.object["metadata"]["name"].as_str().unwrap_or_default();
        self.object["metadata"]["name"] = json!(name.replacen("mimic", prefix, 1));
        self
    }

    /// Creates it, without waiting.
    pub async fn create(&self, namespace: &Namespace<'_>) -> Result<()> {
        let object: MutatingWebhookConfiguration = serde_json::from_value(self.object.clone())?;
        Api::all(namespace.client()).create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// Creates it, and waits until the API server uses it: until `called` returns true for a stored pod with the image
    /// `busybox`.
    pub async fn apply(&self, namespace: &Namespace<'_>, called: impl Fn(&Pod) -> bool) -> Result<()> {
        self.create(namespace).await?;
        let pods: Api<Pod> = namespace.api();
        let probe: Pod = serde_json::from_value(json!({
            "metadata": {"name": "probe"},
            "spec": {"containers": [{"name": "probe", "image": "busybox"}]},
        }))?;
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        eventually("the API server calls the webhook", async || Ok(called(&pods.create(&dry_run, &probe).await?))).await
    }
}
