//! Certificates from the cluster, with a real kube-apiserver as the client.

mod client;
mod managed;
mod secret;

use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::Api;
use kube::api::PostParams;
use mimic_e2e::{Cluster, Namespace};
use serde_json::json;

const MIRRORS: &str = "mirrors: {docker.io: harbor.example.com/dockerhub}";
const SECRET: &str = "mimic-certs";

/// A namespace for pods, and one for Mimic with a Service `mimic` that routes to loopback.
struct Place {
    pods: Namespace<'static>,
    own: Namespace<'static>,
}

impl Place {
    /// `None` if the test is skipped.
    async fn prepare(name: &str) -> Result<Option<Self>> {
        let Some(cluster) = Cluster::shared()? else { return Ok(None) };
        let pods = Namespace::create(cluster, name).await?;
        let own = pods.sibling(&format!("{name}-mimic")).await?;
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "mimic"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }))?;
        own.api().create(&PostParams::default(), &service).await?;
        Ok(Some(Self { pods, own }))
    }

    /// The host name of the Service.
    fn host(&self) -> String {
        format!("mimic.{}.svc", self.own.name())
    }

    fn secrets(&self) -> Api<Secret> {
        self.own.api()
    }

    /// The value of a key of Mimic's Secret.
    async fn stored(&self, key: &str) -> Result<Vec<u8>> {
        let data = self.secrets().get(SECRET).await?.data.unwrap_or_default();
        Ok(data.get(key).with_context(|| format!("the Secret has `{key}`"))?.0.clone())
    }

    /// The `caBundle` of the only webhook of a configuration; empty if there is none.
    async fn bundle(&self, configuration: &str) -> Result<Vec<u8>> {
        let configurations: Api<MutatingWebhookConfiguration> = Api::all(self.own.client());
        let webhook = configurations.get(configuration).await?.webhooks.unwrap_or_default().pop();
        let bundle = webhook.context("there is a webhook")?.client_config.ca_bundle;
        Ok(bundle.map(|bundle| bundle.0).unwrap_or_default())
    }
}
