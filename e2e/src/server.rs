//! The real `mimic-server` as a child process.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::symlink,
    path::Path,
};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::PostParams;
use openssl::{
    pkey::{PKey, Private},
    x509::X509,
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    Namespace, TestCa, WebhookConfiguration, binaries, handshake,
    http::{get, get_succeeds},
    images,
    process::{Process, background_command},
    wait::eventually,
};

/// A server with its own `mirrors.yaml` and certificate. It is killed on drop.
#[derive(Debug)]
pub struct MimicServer {
    process: Process,
    port: u16,
    admin_port: u16,
    issuer: TestCa,
    directory: TempDir,
}

impl MimicServer {
    /// Starts it with this `mirrors.yaml` and waits until it is ready. If the test fails, its log is shown.
    pub async fn start(mirrors: &str) -> Result<Self> {
        Self::start_with(mirrors, &[]).await
    }

    /// The same with additional variables, which take precedence over the defaults of tests.
    pub async fn start_with(mirrors: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let directory = TempDir::with_prefix("mimic-e2e-")?;
        let path = |name: &str| directory.path().join(name);
        let issuer = TestCa::new()?;
        mount_certificate(&path("certs"), &issuer.issue()?)?;
        fs::write(path("mirrors.yaml"), mirrors)?;
        let (port, admin_port) = free_ports()?;
        let mut command = background_command(binaries::MIMIC_SERVER.path()?);
        command
            .env("MIMIC_LISTENHOST", "127.0.0.1")
            .env("MIMIC_LISTENPORT", port.to_string())
            .env("MIMIC_ADMIN_LISTENHOST", "127.0.0.1")
            .env("MIMIC_ADMIN_LISTENPORT", admin_port.to_string())
            .env("MIMIC_CERTIFICATE_SOURCE", "file")
            .env("MIMIC_CERTIFICATE_CERTFILE", path("certs/tls.crt"))
            .env("MIMIC_CERTIFICATE_KEYFILE", path("certs/tls.key"))
            .env("MIMIC_FILE_PATH", path("mirrors.yaml"))
            .env("MIMIC_KUBERNETES_ENABLED", "false")
            .env("MIMIC_LOGLEVEL", "debug")
            .envs(variables.iter().copied());
        let process = Process::start("mimic-server", command)?;
        let mut server = Self { process, port, admin_port, issuer, directory };
        eventually("mimic-server is ready", async || {
            server.process.check_alive()?;
            Ok(get_succeeds(admin_port, "/readyz"))
        })
        .await?;
        Ok(server)
    }

    /// Registers it for the namespace and for `more` namespaces, and waits until pods are rewritten. It must have a mirror for
    /// `docker.io`.
    pub async fn register(&self, namespace: &Namespace<'_>, more: &[&str]) -> Result<()> {
        self.register_with(namespace, more, |configuration| configuration).await
    }

    /// The same with a changed webhook configuration.
    pub async fn register_with(
        &self,
        namespace: &Namespace<'_>,
        more: &[&str],
        change: impl FnOnce(WebhookConfiguration) -> WebhookConfiguration,
    ) -> Result<()> {
        let url = format!("https://127.0.0.1:{}/mutate", self.port);
        let namespaces = [&[namespace.name()], more].concat();
        let configuration = change(WebhookConfiguration::new(&self.issuer.pem()?, &namespaces)?.url(&url));
        configuration.apply(namespace, is_rewritten).await
    }

    /// Registers it as [`MimicServer::register`] does, but through the Service `mimic` in the namespace `mimic`, as in the shipped
    /// webhook configuration. A cluster has one such Service, so only one test of a binary can use it.
    pub async fn register_service(&self, namespace: &Namespace<'_>) -> Result<()> {
        let own = namespace.sibling("mimic").await?;
        let service = json!({
            "metadata": {"name": "mimic"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        });
        let service: Service = serde_json::from_value(service)?;
        own.api().create(&PostParams::default(), &service).await?;
        let configuration = WebhookConfiguration::new(&self.issuer.pem()?, &[namespace.name()])?;
        configuration.service_port(self.port).apply(namespace, is_rewritten).await
    }

    /// The response to `/readyz?verbose`.
    pub fn readiness(&self) -> Result<String> {
        Ok(get(self.admin_port, "/readyz?verbose")?)
    }

    /// Waits until its log has a line with this text.
    pub async fn logged(&self, text: &str) -> Result<()> {
        self.process.logged(text).await.map(drop)
    }

    /// Replaces its `mirrors.yaml` atomically, as editors and the kubelet do.
    pub fn replace_mirrors(&self, mirrors: &str) -> Result<()> {
        let path = |name: &str| self.directory.path().join(name);
        fs::write(path("mirrors.yaml.new"), mirrors)?;
        Ok(fs::rename(path("mirrors.yaml.new"), path("mirrors.yaml"))?)
    }

    /// Replaces its certificate with another one of the same CA, as the kubelet updates a mounted Secret, and returns it.
    pub fn replace_certificate(&self) -> Result<X509> {
        let issued = self.issuer.issue()?;
        mount_certificate(&self.directory.path().join("certs"), &issued)?;
        Ok(issued.0)
    }

    /// The certificate that it presents.
    pub fn certificate(&self) -> Result<X509> {
        handshake(self.port, "127.0.0.1", &self.issuer.pem()?)
    }

    /// The number of TLS handshakes that failed.
    pub fn failed_handshakes(&self) -> Result<u64> {
        let page = get(self.admin_port, "/metrics")?;
        let value = page.lines().find_map(|line| line.strip_prefix("mimic_tls_handshake_failures_total "));
        Ok(value.context("there is no such metric")?.parse()?)
    }

    /// Registers it without waiting until pods are rewritten.
    pub async fn register_unanswered(&self, namespace: &Namespace<'_>) -> Result<()> {
        let url = format!("https://127.0.0.1:{}/mutate", self.port);
        WebhookConfiguration::new(&self.issuer.pem()?, &[namespace.name()])?.url(&url).create(namespace).await
    }

    /// Kills it.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }
}

/// Whether the server rewrote the pod that probes webhook configurations.
fn is_rewritten(probe: &Pod) -> bool {
    images(probe) != [("probe", "busybox")]
}

/// Writes a certificate as the kubelet mounts it: each file is a link into `..data`, a link that is replaced atomically.
fn mount_certificate(directory: &Path, (certificate, key): &(X509, PKey<Private>)) -> Result<()> {
    fs::create_dir_all(directory)?;
    let version = tempfile::Builder::new().prefix("..").tempdir_in(directory)?.keep();
    fs::write(version.join("tls.crt"), certificate.to_pem()?)?;
    fs::write(version.join("tls.key"), key.private_key_to_pem_pkcs8()?)?;
    symlink(&version, directory.join("..data_tmp"))?;
    fs::rename(directory.join("..data_tmp"), directory.join("..data"))?;
    for name in ["tls.crt", "tls.key"] {
        if !directory.join(name).exists() {
            symlink(Path::new("..data").join(name), directory.join(name))?;
        }
    }
    Ok(())
}

/// Two free ports. Both are reserved at the same time, so that they differ.
pub(crate) fn free_ports() -> Result<(u16, u16)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}
