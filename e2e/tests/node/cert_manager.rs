//! The chart's modes with the real cert-manager.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use mimic_e2e::{
    CertManager, Checkout, Namespace, NodeCluster, eventually, eventually_within, handshake_at, load::Load,
};
use openssl::x509::X509;
use serde_json::json;

use crate::{Mimic, ran};

const SECRET: &str = "mimic-certs";
/// Until a kubelet has updated mounted Secrets.
const MOUNTED: Duration = Duration::from_mins(4);

/// A key of Mimic's Secret.
async fn stored(own: &Namespace<'_>, key: &str) -> Result<Vec<u8>> {
    let secret: Secret = own.api().get(SECRET).await?;
    Ok(secret.data.unwrap_or_default().remove(key).with_context(|| format!("the Secret has {key}"))?.0)
}

/// Asks cert-manager for another certificate, as its command `cmctl renew` does, and waits for it.
async fn renew(namespace: &Namespace<'_>, name: &str) -> Result<()> {
    let revision = async || -> Result<i64> {
        let printed = namespace.kubectl(&["get", "certificate", name, "-o", "jsonpath={.status.revision}"])?.stdout;
        Ok(printed.parse().unwrap_or_default())
    };
    let before = revision().await?;
    let condition = json!({
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "by a test",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let patch = json!({"status": {"conditions": [condition]}}).to_string();
    namespace.kubectl(&["patch", "certificate", name, "--subresource=status", "--type=merge", "--patch", &patch])?;
    eventually(&format!("{name} is renewed"), async || Ok(revision().await? > before)).await
}

/// Waits until all replicas serve the certificate in the Secret, and a client that trusts the Secret's CA accepts it.
async fn served(own: &Namespace<'_>) -> Result<()> {
    let (ca, certificate) = (stored(own, "ca.crt").await?, X509::from_pem(&stored(own, "tls.crt").await?)?);
    let replicas: Vec<Pod> = own.pods().await?;
    ensure!(replicas.len() == 2, "{} replicas", replicas.len());
    for replica in replicas {
        let address = replica.status.and_then(|status| status.pod_ip).context("a replica has an address")?;
        let address = SocketAddr::new(address.parse()?, 8443);
        eventually_within("the new certificate is served", MOUNTED, async || {
            Ok(handshake_at(address, "mimic.mimic.svc", &ca).is_ok_and(|served| served == certificate))
        })
        .await?;
    }
    Ok(())
}

/// Installs Mimic with a certificate of cert-manager; runs a rewritten pod; then renews the certificate under load.
async fn is_trusted<'c>(nodes: &'c NodeCluster, checkout: Checkout<'c>, options: &str) -> Result<Mimic<'c>> {
    let options = format!("--set webhook.failurePolicy=Fail,certificate.certManager.enabled=true {options}");
    let mimic = Mimic::with_helm(nodes, checkout, &options).await?;
    let published = mimic.publish("app", "1")?;
    mimic.shop.kubectl(&["run", "app", "--image=app:1"])?;
    mimic.shop.kubectl(&["wait", "--for=condition=Ready", "pod/app", "--timeout=5m"])?;
    assert_eq!(ran(&mimic.shop.pod("app").await?)?[0].image, published);

    let own = Namespace::existing(nodes.cluster(), "mimic").await?;
    served(&own).await?;
    let first = stored(&own, "tls.crt").await?;
    let expected = format!("{}/library/nginx", mimic.mirror());
    Load::of(&mimic.shop, &expected, async |load| {
        load.more(50).await?;
        renew(&own, "mimic").await?;
        served(&own).await?;
        load.more(50).await
    })
    .await?
    .none_failed()?;
    ensure!(stored(&own, "tls.crt").await? != first, "the certificate is another one");
    for replica in own.pods().await? {
        assert_eq!(ran(&replica)?[0].restarts, 0);
    }
    Ok(mimic)
}

#[tokio::test]
async fn the_charts_own_ca_issues_and_rotates() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(nodes.cluster())? else { return Ok(()) };
    let _cert_manager = CertManager::install(&checkout, nodes.directory()).await?;
    let mimic = is_trusted(&nodes, checkout, "--set certificate.mode=file").await?;

    // Another CA: nothing changes until it issues the next certificate.
    let own = Namespace::existing(nodes.cluster(), "mimic").await?;
    let expected = format!("{}/library/nginx", mimic.mirror());
    let ca = stored(&own, "ca.crt").await?;
    Load::of(&mimic.shop, &expected, async |load| {
        renew(&own, "mimic-ca").await?;
        load.more(50).await
    })
    .await?
    .none_failed()?;
    let count = Load::of(&mimic.shop, &expected, async |_| {
        renew(&own, "mimic").await?;
        served(&own).await
    })
    .await?;
    ensure!(stored(&own, "ca.crt").await? != ca, "the CA is another one");
    // Not captured: how many depends on the machine.
    writeln!(io::stderr(), "another CA: {} of {} pods failed", count.failures().len(), count.total())?;
    for failure in count.failures() {
        ensure!(failure.contains("certificate signed by unknown authority"), "{failure}");
    }
    mimic.is_ready().await?;
    Load::of(&mimic.shop, &expected, async |load| load.more(50).await).await?.none_failed()
}

#[tokio::test]
async fn an_existing_issuer_issues_for_the_secret_that_mimic_watches() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(nodes.cluster())? else { return Ok(()) };
    let _cert_manager = CertManager::install(&checkout, nodes.directory()).await?;
    let central = Namespace::existing(nodes.cluster(), "cert-manager").await?;
    for (kind, name, spec) in [
        ("ClusterIssuer", "root", json!({"selfSigned": {}})),
        (
            "Certificate",
            "internal",
            json!({
                "isCA": true,
                "commonName": "internal",
                "secretName": "internal",
                "issuerRef": {"kind": "ClusterIssuer", "name": "root"},
            }),
        ),
        ("ClusterIssuer", "internal", json!({"ca": {"secretName": "internal"}})),
    ] {
        let object =
            json!({"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
        central.kubectl_create(&object)?;
    }
    let issuer = "--set certificate.mode=kubernetes \
        --set certificate.certManager.issuerRef.kind=ClusterIssuer,certificate.certManager.issuerRef.name=internal";
    is_trusted(&nodes, checkout, issuer).await?;
    let authorities = central.kubectl(&["get", "certificates", "--all-namespaces", "-o", "name"])?.stdout;
    assert_eq!(authorities, "certificate.cert-manager.io/internal\ncertificate.cert-manager.io/mimic\n");
    Ok(())
}
