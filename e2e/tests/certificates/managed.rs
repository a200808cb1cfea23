//! `managed`: Mimic's own CA.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use mimic_e2e::{Balancer, Replica, TestCa, WebhookConfiguration, eventually, handshake, load, load::Load};
use openssl::{base64, error::ErrorStack, x509::X509};
use serde_json::json;

use crate::{MIRRORS, Place, SECRET};

/// Two replicas on one port, which the API server calls as the Service.
struct Managed {
    place: Place,
    replicas: [Replica; 2],
    configuration: String,
    _balancer: Balancer,
}

impl Managed {
    /// Starts both at the same time in a namespace without a Secret, and waits until the API server calls them.
    async fn start(name: &str, variables: &[(&str, &str)]) -> Result<Option<Self>> {
        let Some(place) = Place::prepare(name).await? else { return Ok(None) };
        let mut managed = Self::launch(place, variables).await?;
        managed.called().await?;
        Ok(Some(managed))
    }

    /// Starts both at the same time. From then on, pods are rejected if the webhook fails.
    async fn launch(place: Place, variables: &[(&str, &str)]) -> Result<Self> {
        let balancer = Balancer::start()?;
        let configuration = WebhookConfiguration::new(b"", &[place.pods.name()])?.set("failurePolicy", "Fail");
        let configuration = configuration.service(place.own.name(), "mimic", balancer.port());
        configuration.create(&place.pods).await?;
        let configuration = configuration.name().to_owned();
        let own = [("MIMIC_CERTIFICATE_SOURCE", "managed"), ("MIMIC_CERTIFICATE_WEBHOOK", &configuration)];
        let variables = [&own, variables].concat();
        let start = || Replica::in_namespace(&place.own, MIRRORS, &variables);
        let replicas = [start()?, start()?];
        for replica in &replicas {
            balancer.add(replica.port(), replica.admin_port());
        }
        Ok(Self { place, replicas, configuration, _balancer: balancer })
    }

    /// Waits until the API server calls them, and checks that only one of them created a CA.
    async fn called(&mut self) -> Result<()> {
        for replica in &mut self.replicas {
            replica.is_ready().await?;
        }
        eventually("the API server calls the webhook", async || {
            Ok(load::create(&self.place.pods.api()).await.is_ok_and(|rewritten| rewritten))
        })
        .await?;
        let founded: usize = self.replicas.iter().map(|replica| replica.count_logged("created CA")).sum();
        ensure!(founded == 1, "{founded} CAs were created");
        Ok(())
    }

    /// The certificate that each replica presents to a client that trusts the `caBundle`.
    async fn handshakes(&self) -> Result<[X509; 2]> {
        let bundle = self.place.bundle(&self.configuration).await?;
        let shake = |replica: &Replica| handshake(replica.port(), &self.place.host(), &bundle);
        Ok([shake(&self.replicas[0])?, shake(&self.replicas[1])?])
    }
}

#[tokio::test]
async fn two_replicas_that_start_together_agree_on_one_ca() -> Result<()> {
    let Some(place) = Place::prepare("managed-start").await? else { return Ok(()) };
    let theirs: Secret = serde_json::from_value(json!({
        "metadata": {"name": SECRET},
        "stringData": {"tls.crt": "theirs", "tls.key": "theirs"},
    }))?;
    place.secrets().create(&PostParams::default(), &theirs).await?;
    let mut managed = Managed::launch(place, &[]).await?;
    for replica in &managed.replicas {
        replica.reports(&["which Mimic did not write"]).await?;
    }
    // Both wait for the Secret, and see it at the same moment. The shipped Secret is also empty.
    let emptied = json!({"data": {"tls.crt": "", "tls.key": ""}});
    managed.place.secrets().patch(SECRET, &PatchParams::default(), &Patch::Merge(emptied)).await?;
    managed.called().await?;
    let [first, second] = managed.handshakes().await?;
    assert_eq!(first, second);
    let bundle = managed.place.bundle(&managed.configuration).await?;
    assert_eq!(X509::stack_from_pem(&bundle)?.len(), 1);
    assert_eq!(bundle, managed.place.stored("ca.crt").await?);
    assert_eq!(first.to_pem()?, managed.place.stored("tls.crt").await?);
    for replica in &managed.replicas {
        let report = replica.reports(&["[+] certificate: valid for 8"]).await?;
        assert!(report.contains("\nready\n"), "{report}");
    }
    Ok(())
}

#[tokio::test]
async fn a_ca_bundle_that_is_overwritten_is_restored() -> Result<()> {
    let Some(managed) = Managed::start("managed-bundle", &[]).await? else { return Ok(()) };
    let bundle = managed.place.bundle(&managed.configuration).await?;
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(managed.place.own.client());
    let theirs = base64::encode_block(&TestCa::new()?.pem()?);
    for overwritten in [json!(null), json!(""), json!(theirs)] {
        let webhook = json!({"name": "pods.mimic.cryptkcoding.com", "clientConfig": {"caBundle": overwritten}});
        let patch = Patch::Strategic(json!({"webhooks": [webhook]}));
        configurations.patch(&managed.configuration, &PatchParams::default(), &patch).await?;
        eventually("the caBundle is restored", async || {
            Ok(managed.place.bundle(&managed.configuration).await? == bundle)
        })
        .await?;
    }
    eventually("pods are rewritten", async || Ok(load::create(&managed.place.pods.api()).await.is_ok_and(|it| it)))
        .await
}

#[tokio::test]
async fn what_mimic_did_not_write_is_not_overwritten() -> Result<()> {
    let Some(place) = Place::prepare("managed-foreign").await? else { return Ok(()) };
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": SECRET},
        "stringData": {"tls.crt": "theirs", "tls.key": "theirs"},
    }))?;
    let secret = place.secrets().create(&PostParams::default(), &secret).await?;
    let server = Replica::in_namespace(&place.own, MIRRORS, &[("MIMIC_CERTIFICATE_SOURCE", "managed")])?;
    server.reports(&["has `tls.crt`, `tls.key`, which Mimic did not write; Mimic does not overwrite it"]).await?;
    assert_eq!(place.secrets().get(SECRET).await?, secret);

    // The owner removes it.
    let emptied = json!({"data": {"tls.crt": "", "tls.key": ""}});
    place.secrets().patch(SECRET, &PatchParams::default(), &Patch::Merge(emptied)).await?;
    let report = server.reports(&["certificate: valid for 8"]).await?;
    assert!(report.contains("MutatingWebhookConfiguration mimic: not found"), "{report}");
    Ok(())
}

#[tokio::test]
async fn certificate_and_ca_are_rotated_while_pods_are_created_and_none_is_rejected() -> Result<()> {
    let lives = [("MIMIC_CERTIFICATE_VALIDITY", "12s"), ("MIMIC_CERTIFICATE_AUTHORITYVALIDITY", "36s")];
    let Some(managed) = Managed::start("managed-rotation", &lives).await? else { return Ok(()) };
    let first = X509::stack_from_pem(&managed.place.stored("ca.crt").await?)?.pop().context("there is a CA")?;
    let mut leaves = Vec::new();
    let mut announced = false;
    Load::during(&managed.place.pods, async |load| {
        loop {
            let cas = X509::stack_from_pem(&managed.place.bundle(&managed.configuration).await?)?;
            if !cas.contains(&first) {
                break;
            }
            for leaf in managed.handshakes().await? {
                announced |= cas.len() == 2 && has_issued(&first, &leaf)?;
                if !leaves.contains(&leaf) {
                    leaves.push(leaf);
                }
            }
            load.more(1).await?;
        }
        load.more(20).await
    })
    .await?;
    assert!(announced, "the second CA was trusted before it signed");
    assert!(leaves.len() >= 4, "{} serving certificates", leaves.len());
    Ok(())
}

fn has_issued(ca: &X509, certificate: &X509) -> Result<bool> {
    let has_issued = certificate.verify(&*ca.public_key()?);
    // OpenSSL keeps the error in a queue of this thread, where the client would find it.
    drop(ErrorStack::get());
    Ok(has_issued?)
}
