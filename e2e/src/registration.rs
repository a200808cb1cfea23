//! Registers webhooks as the shipped file does.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod};
use kube::{Api, api::PostParams};
use openssl::base64;
use serde_json::{Value, json};

use crate::{Namespace, wait::eventually};

const SHIPPED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/manifests/templates/mutatingwebhookconfiguration.yaml");

/// The shipped registration with this CA filled in, as YAML.
pub fn shipped_registration(ca: &[u8]) -> Result<String> {
    let template = fs::read_to_string(SHIPPED).with_context(|| Path::new(SHIPPED).display().to_string())?;
    Ok(template.replace("${CA_BUNDLE}", &base64::encode_block(ca)))
}

/// A registration like the shipped one, but of a webhook on loopback and for some namespaces only.
///
/// Registrations hold for the whole cluster: without the latter, tests would get into each other's way.
#[derive(Clone, Debug)]
pub struct Registration {
    object: Value,
}

impl Registration {
    /// For the webhook at `url`, whose certificate `ca` signed.
    pub fn new(url: &str, ca: &[u8], namespaces: &[&str]) -> Result<Self> {
        let mut object: Value = serde_saphyr::from_str(&shipped_registration(ca)?)?;
        object["metadata"]["name"] = json!(format!("mimic-{}", namespaces.join("-")));
        for webhook in object["webhooks"].as_array_mut().context("the registration has no webhooks")? {
            let client = webhook["clientConfig"].as_object_mut().context("the webhook has no clientConfig")?;
            client.remove("service").context("the webhook has no service")?;
            client.insert("url".to_owned(), json!(url));
            let selectors = webhook["namespaceSelector"]["matchExpressions"].as_array_mut();
            selectors.context("the webhook leaves out no namespace")?.push(json!({
                "key": "kubernetes.io/metadata.name",
                "operator": "In",
                "values": namespaces,
            }));
        }
        Ok(Self { object })
    }

    /// Sets what the API server does when the webhook cannot be asked.
    #[must_use]
    pub fn failure_policy(mut self, policy: &str) -> Self {
        for webhook in self.object["webhooks"].as_array_mut().into_iter().flatten() {
            webhook["failurePolicy"] = json!(policy);
        }
        self
    }

    /// Registers, and waits until the API server heeds it: until `called` says so of what the API server makes of a
    /// pod with the image `busybox`.
    pub async fn apply(&self, namespace: &Namespace<'_>, called: impl Fn(&Pod) -> bool) -> Result<()> {
        let object: MutatingWebhookConfiguration = serde_json::from_value(self.object.clone())?;
        Api::all(namespace.client()).create(&PostParams::default(), &object).await?;
        let pods: Api<Pod> = namespace.api();
        let probe: Pod = serde_json::from_value(json!({
            "metadata": {"name": "probe"},
            "spec": {"containers": [{"name": "probe", "image": "busybox"}]},
        }))?;
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        eventually("the API server calls the webhook", async || Ok(called(&pods.create(&dry_run, &probe).await?))).await
    }
}
