//! Client certificates: the API server with the documented files is served, another one is not.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use mimic_e2e::{Cluster, MimicServer, Namespace, TestCa, eventually, images};

use crate::MIRRORS;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/certificates.md");

/// The YAML block of the page that contains a text.
fn documented(text: &str) -> Result<String> {
    let page = fs::read_to_string(PAGE)?;
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.into_iter().find(|block| block.contains(text));
    Ok(block.with_context(|| format!("the page has a sample with `{text}`"))?.to_owned())
}

/// Writes the documented files, and returns the path of the `AdmissionConfiguration`.
fn write_configuration(directory: &Path, ca: &TestCa) -> Result<String> {
    let (certificate, key) = ca.issue_for_client()?;
    fs::write(directory.join("client.crt"), certificate.to_pem()?)?;
    fs::write(directory.join("client.key"), key.private_key_to_pem_pkcs8()?)?;
    // The webhook is at a URL with any port, not at the Service.
    let here = directory.display().to_string();
    let adapted = |text: &str| Ok::<_, anyhow::Error>(documented(text)?.replace("/etc/kubernetes/mimic", &here));
    fs::write(directory.join("kubeconfig"), adapted("kind: Config\n")?.replace("name: mimic.mimic.svc", "name: '*'"))?;
    let path = directory.join("admission.yaml");
    fs::write(&path, adapted("kind: AdmissionConfiguration\n")?)?;
    Ok(path.display().to_string())
}

#[tokio::test]
async fn only_an_api_server_with_a_client_certificate_is_served() -> Result<()> {
    let directory = tempfile::TempDir::with_prefix("mimic-e2e-")?;
    let ca = TestCa::new()?;
    let file = directory.path().join("ca.crt");
    fs::write(&file, ca.pem()?)?;
    let file = file.display().to_string();
    let flag = format!("--admission-control-config-file={}", write_configuration(directory.path(), &ca)?);
    let (Some(other), Some(cluster)) = (Cluster::shared()?, Cluster::own_with(&[&flag])?) else { return Ok(()) };
    let server = MimicServer::start_with(MIRRORS, &[("MIMIC_CLIENTCA", &file)]).await?;

    // Succeeds once a pod is rewritten.
    let namespace = Namespace::create(&cluster, "with-certificate").await?;
    server.register(&namespace, &[]).await?;

    let namespace = Namespace::create(other, "without-certificate").await?;
    let before = server.failed_handshakes()?;
    server.register_unanswered(&namespace).await?;
    let pods: Api<Pod> = namespace.api();
    let pod: Pod = serde_json::from_value(serde_json::json!({
        "metadata": {"generateName": "web-"},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
    }))?;
    eventually("the API server calls Mimic, and is refused", async || {
        let stored = pods.create(&kube::api::PostParams::default(), &pod).await?;
        assert_eq!(images(&stored), [("web", "nginx:1.27")]);
        Ok(server.failed_handshakes()? > before)
    })
    .await
}
