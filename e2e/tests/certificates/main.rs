//! Certificates from the cluster, with a real kube-apiserver as the client that has to trust them.

mod managed;
mod secret;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::Api;
use kube::api::PostParams;
use mimic_e2e::{Cluster, Namespace};
use openssl::ssl::{SslConnector, SslMethod};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use serde_json::json;

const MIRRORS: &str = "mirrors: {docker.io: harbor.example.com/dockerhub}";
const SECRET: &str = "mimic-certs";

/// A namespace for pods, and one for Mimic with a service `mimic` that leads to loopback.
struct Place {
    pods: Namespace<'static>,
    own: Namespace<'static>,
}

impl Place {
    /// `None` when the test is skipped.
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

    /// How the API server calls the service.
    fn host(&self) -> String {
        format!("mimic.{}.svc", self.own.name())
    }

    fn secrets(&self) -> Api<Secret> {
        self.own.api()
    }

    /// What is under a key of Mimic's Secret.
    async fn stored(&self, key: &str) -> Result<Vec<u8>> {
        let data = self.secrets().get(SECRET).await?.data.unwrap_or_default();
        Ok(data.get(key).with_context(|| format!("the Secret has `{key}`"))?.0.clone())
    }

    /// The `caBundle` of the only webhook of a configuration; empty when there is none.
    async fn bundle(&self, configuration: &str) -> Result<Vec<u8>> {
        let configurations: Api<MutatingWebhookConfiguration> = Api::all(self.own.client());
        let webhook = configurations.get(configuration).await?.webhooks.unwrap_or_default().pop();
        let bundle = webhook.context("there is a webhook")?.client_config.ca_bundle;
        Ok(bundle.map(|bundle| bundle.0).unwrap_or_default())
    }
}

/// What a TLS client that trusts these authorities and calls `host` is shown there.
///
/// # Errors
/// When it does not take the server for the right one.
fn handshake(address: SocketAddr, host: &str, authorities: &[u8]) -> Result<X509> {
    let mut trusted = X509StoreBuilder::new()?;
    for authority in X509::stack_from_pem(authorities)? {
        trusted.add_cert(authority)?;
    }
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_cert_store(trusted.build());
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let stream = connector.build().connect(host, stream)?;
    stream.ssl().peer_certificate().context("the server has a certificate")
}
