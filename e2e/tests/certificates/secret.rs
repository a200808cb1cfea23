//! `kubernetes`: a Secret that other tools manage.

use anyhow::Result;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use mimic_e2e::{Replica, TestCa, WebhookConfiguration, eventually, handshake, load, load::Load};
use openssl::{base64, pkey::PKey, pkey::Private, x509::X509};
use serde_json::{Value, json};

use crate::{MIRRORS, Place, SECRET};

type Identity = (X509, PKey<Private>);

fn start(place: &Place) -> Result<Replica> {
    Replica::in_namespace(&place.own, MIRRORS, &[("MIMIC_CERTIFICATE_SOURCE", "kubernetes")])
}

fn data(certificate_key: &str, key_key: &str, (certificate, key): &Identity) -> Result<Value> {
    let (certificate, key) = (certificate.to_pem()?, key.private_key_to_pem_pkcs8()?);
    Ok(json!({certificate_key: base64::encode_block(&certificate), key_key: base64::encode_block(&key)}))
}

async fn create(place: &Place, data: Value) -> Result<()> {
    let secret: Secret = serde_json::from_value(json!({"metadata": {"name": SECRET}, "data": data}))?;
    place.secrets().create(&PostParams::default(), &secret).await?;
    Ok(())
}

async fn change(place: &Place, data: Value) -> Result<()> {
    place.secrets().patch(SECRET, &PatchParams::default(), &Patch::Merge(json!({"data": data}))).await?;
    Ok(())
}

#[tokio::test]
async fn each_error_is_reported_and_a_fixed_certificate_is_served() -> Result<()> {
    let Some(place) = Place::prepare("secret-words").await? else { return Ok(()) };
    let (issuer, host) = (TestCa::new()?, place.host());
    let issue = || issuer.issue_for(&host);
    let ca = issuer.pem()?;
    let mut server = start(&place)?;
    let name = format!("Secret {}/{SECRET}", place.own.name());

    let report =
        server.reports(&[&format!("[-] certificate: no certificate loaded: {name}: not found (hint: ")]).await?;
    assert!(report.starts_with("HTTP/1.1 503 "), "{report}");
    assert!(handshake(server.port(), &host, &ca).is_err(), "it listens, but has no certificate");

    create(&place, json!({"tls.crt": "eA=="})).await?;
    server
        .reports(&[&format!("no certificate loaded: {name}: `tls.key` is missing, `tls.crt` exists (hint: ")])
        .await?;
    change(&place, json!({"tls.key": "eA=="})).await?;
    server
        .reports(&[&format!(
            "no certificate loaded: {name}: `tls.crt` and `tls.key`: no private key found; expected PEM"
        )])
        .await?;
    change(&place, data("tls.crt", "tls.key", &issuer.issue_for("mimic.elsewhere.svc")?)?).await?;
    server.reports(&[&format!("is not valid for `{host}`, which the API server uses")]).await?;

    let first = issue()?;
    change(&place, data("tls.crt", "tls.key", &first)?).await?;
    server.is_ready().await?;
    assert_eq!(handshake(server.port(), &host, &ca)?, first.0);

    let other = issue()?;
    change(&place, json!({"tls.key": data("tls.crt", "tls.key", &other)?["tls.key"]})).await?;
    let report = server.reports(&["new certificate rejected: "]).await?;
    let words = format!("{name}: `tls.crt` and `tls.key`: the private key does not match the certificate for ");
    assert!(report.contains(&words) && report.starts_with("HTTP/1.1 200 "), "{report}");
    assert_eq!(handshake(server.port(), &host, &ca)?, first.0, "the last good one stays");

    place.secrets().delete(SECRET, &DeleteParams::default()).await?;
    server.reports(&[&format!("new certificate rejected: {name}: not found")]).await?;
    assert_eq!(handshake(server.port(), &host, &ca)?, first.0);

    create(&place, data("cert.pem", "key.pem", &other)?).await?;
    let report = server.reports(&["[+] certificate: valid for 0 days"]).await?;
    assert!(!report.contains("rejected"), "{report}");
    assert_eq!(handshake(server.port(), &host, &ca)?, other.0, "the other names of the keys work as well");
    Ok(())
}

#[tokio::test]
async fn the_certificate_is_replaced_while_pods_are_created_and_none_is_rejected() -> Result<()> {
    let Some(place) = Place::prepare("secret-load").await? else { return Ok(()) };
    let (issuer, host) = (TestCa::new()?, place.host());
    let ca = issuer.pem()?;
    create(&place, data("tls.crt", "tls.key", &issuer.issue_for(&host)?)?).await?;
    let mut server = start(&place)?;
    server.is_ready().await?;
    let configuration = WebhookConfiguration::new(&ca, &[place.pods.name()])?.set("failurePolicy", "Fail");
    let configuration = configuration.service(place.own.name(), "mimic", server.port());
    configuration.create(&place.pods).await?;
    eventually("the API server calls the webhook", async || {
        Ok(load::create(&place.pods.api()).await.is_ok_and(|it| it))
    })
    .await?;

    Load::during(&place.pods, async |load| {
        for _ in 0..3 {
            load.more(20).await?;
            let next = issuer.issue_for(&host)?;
            change(&place, data("tls.crt", "tls.key", &next)?).await?;
            eventually("the new certificate is served", async || Ok(handshake(server.port(), &host, &ca)? == next.0))
                .await?;
        }
        load.more(20).await
    })
    .await
}
