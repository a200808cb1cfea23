//! The chart with certificates from a script or cert-manager, and with Harbor.

use std::fs;

use anyhow::{Context, Result};
use fake_harbor::{Fake, PASSWORD};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use mimic_e2e::{Checkout, Cluster, Installation, Namespace, TestCa, definitions};
use openssl::{
    base64,
    ssl::{SslAcceptor, SslMethod},
};
use serde_json::{Value, json};

use crate::installed::inventory;

const MIRROR: &str = "--set 'mirrors.docker\\.io=harbor.example.com/hub'";
/// An account that sees all projects.
const ROBOT: &str = "robot-project-list+registry-list";
const REWRITTEN: &str = "harbor.example.com/hub/library/nginx";

#[tokio::test]
async fn a_certificate_of_the_script_is_served_and_trusted() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    let shop = Namespace::create(&cluster, "shop").await?;
    let commands = [
        "kubectl create namespace mimic",
        "./deploy/scripts/webhook-create-signed-cert.sh --service mimic --secret mimic-certs --namespace mimic",
        "kubectl -n mimic get secret mimic-certs -o jsonpath='{.data.ca\\.crt}' | base64 -d > ca.crt",
        &format!(
            "helm install mimic deploy/chart --namespace mimic --set certificate.mode=kubernetes --set-file certificate.caBundle=ca.crt {MIRROR}"
        ),
    ];
    let mimic = Installation::of(checkout, &commands, "mimic", "mimic").await?;
    let _replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, REWRITTEN).await?;

    mimic.checkout().run("helm uninstall mimic --namespace mimic")?;
    let left: Vec<String> = inventory(mimic.checkout())?.into_iter().filter(|name| name.contains("mimic")).collect();
    assert_eq!(left, ["Namespace /mimic", "Secret mimic/mimic-certs", "ServiceAccount mimic/default"]);
    Ok(())
}

/// Does what cert-manager would do: issues the certificate of the Certificate, and sets the caBundle.
async fn be_cert_manager(mimic: &Checkout<'_>, own: &Namespace<'_>) -> Result<()> {
    let get = |object: &str| -> Result<Value> {
        Ok(serde_json::from_str(&mimic.run(&format!("kubectl -n {} get {object} -o json", own.name()))?.stdout)?)
    };
    let certificate = get("certificate.cert-manager.io mimic")?;
    let issuer = get("issuer.cert-manager.io mimic")?;
    assert_eq!(certificate["spec"]["issuerRef"], json!({"name": "mimic", "kind": "Issuer"}));
    let root = get("certificate.cert-manager.io mimic-ca")?;
    assert_eq!(root["spec"]["secretName"], issuer["spec"]["ca"]["secretName"]);
    let host = certificate["spec"]["dnsNames"][0].as_str().context("it is for a host")?;
    let issuer = TestCa::new()?;
    let (leaf, key) = issuer.issue_for(host)?;
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": certificate["spec"]["secretName"]},
        "type": "kubernetes.io/tls",
        "data": {
            "ca.crt": base64::encode_block(&issuer.pem()?),
            "tls.crt": base64::encode_block(&leaf.to_pem()?),
            "tls.key": base64::encode_block(&key.private_key_to_pem_pkcs8()?),
        },
    }))?;
    own.api().create(&PostParams::default(), &secret).await?;
    let webhook = get("mutatingwebhookconfiguration mimic")?;
    assert_eq!(webhook["metadata"]["annotations"]["cert-manager.io/inject-ca-from"], format!("{}/mimic", own.name()));
    let bundle = base64::encode_block(&issuer.pem()?);
    let patch = json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]).to_string();
    own.kubectl(&["patch", "mutatingwebhookconfiguration", "mimic", "--type=json", "--patch", &patch])?;
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_cert_manager_is_mounted_and_an_upgrade_keeps_its_ca_bundle() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    for file in definitions()? {
        checkout.run(&format!("kubectl create -f {}", file.display()))?;
    }
    checkout.run("kubectl wait --for=condition=Established crd --all")?;
    let shop = Namespace::create(&cluster, "shop").await?;
    let options =
        format!("--namespace mimic --set certificate.mode=file,certificate.certManager.enabled=true {MIRROR}");
    let install = format!("helm install mimic deploy/chart --create-namespace {options}");
    let mimic = Installation::of(checkout, &[&install], "mimic", "mimic").await?;
    be_cert_manager(mimic.checkout(), mimic.own()).await?;
    let _replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, REWRITTEN).await?;

    mimic.checkout().run(&format!("helm upgrade mimic deploy/chart {options} --set replicaCount=3"))?;
    mimic.route()?;
    mimic.rewrites(&shop, REWRITTEN).await?;

    mimic.checkout().run("helm uninstall mimic --namespace mimic")?;
    let left =
        mimic.checkout().run("kubectl -n mimic get certificates,issuers,mutatingwebhookconfigurations -o name")?;
    assert_eq!(left.stdout, "");
    Ok(())
}

/// A Harbor with TLS, and a certificate of this CA.
fn harbor(issuer: &TestCa) -> Result<Fake> {
    let (certificate, key) = issuer.issue_for("localhost")?;
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_certificate(&certificate)?;
    acceptor.set_private_key(&key)?;
    let acceptor = acceptor.build();
    Ok(Fake::start_with(move |stream| Some(Box::new(acceptor.accept(stream).ok()?))))
}

#[tokio::test]
async fn each_harbor_gets_its_own_password_and_ca() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    let shop = Namespace::create(&cluster, "shop").await?;
    let issuers = [TestCa::new()?, TestCa::new()?];
    let harbors = [harbor(&issuers[0])?, harbor(&issuers[1])?];
    let values = json!({"harbor": {
        "enabled": true,
        "name": "main",
        "url": harbors[0].url(),
        "username": ROBOT,
        "existingSecret": "harbor-main",
        "passwordKey": "secret",
        "caConfigMap": "harbor-cas",
        "caKey": "main.crt",
        "others": [{
            "name": "lab",
            "url": harbors[1].url(),
            "registry": "lab.example.com",
            "username": ROBOT,
            "existingSecret": "harbor-lab",
            "caConfigMap": "harbor-cas",
        }],
    }});
    fs::write(
        checkout.path().join("values.yaml"),
        values.to_string().replace("http://127.0.0.1", "https://localhost"),
    )?;
    fs::write(checkout.path().join("main.crt"), issuers[0].pem()?)?;
    fs::write(checkout.path().join("ca.crt"), issuers[1].pem()?)?;
    let commands = [
        "kubectl create namespace mimic",
        &format!("kubectl -n mimic create secret generic harbor-main --from-literal=secret={PASSWORD}"),
        &format!("kubectl -n mimic create secret generic harbor-lab --from-literal=password={PASSWORD}"),
        "kubectl -n mimic create configmap harbor-cas --from-file=main.crt --from-file=ca.crt",
        "helm install mimic deploy/chart --namespace mimic --values values.yaml",
    ];
    let mimic = Installation::of(checkout, &commands, "mimic", "mimic").await?;
    let replicas = mimic.start_replicas(1).await?;
    replicas[0].reports(&["source harbor:main: 16 rules", "source harbor:lab: 16 rules"]).await?;
    mimic.rewrites(&shop, "harbor.example.com/proxy-dockerhub/library/nginx").await?;

    // As with `kubectl exec`: the command reads the pod's variables and files.
    let found = mimic.exec_mimic(&["doctor"]).await?;
    for (source, registry) in
        [("main", "reported by Harbor): harbor.example.com"), ("lab", "configured): lab.example.com")]
    {
        let of_source = found.split("\n\n").find(|part| part.starts_with(&format!("harbor:{source}\n")));
        let of_source = of_source.with_context(|| format!("no `harbor:{source}` in:\n{found}"))?;
        for expected in
            [&format!("ok       credentials of `{ROBOT}` accepted"), &format!("ok       registry address ({registry}")]
        {
            assert!(of_source.contains(expected), "{expected}\n{of_source}");
        }
    }
    Ok(())
}
