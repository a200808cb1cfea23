//! The real `mimic-server` as a child process.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::symlink,
    path::Path,
};

use anyhow::Result;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::PostParams;
use openssl::{
    pkey::{PKey, Private},
    x509::X509,
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    Authority, Namespace, Registration, binaries, handshake,
    http::{get, get_succeeds},
    images,
    process::{Process, background_command},
    wait::eventually,
};

/// A server with a `mirrors.yaml` and a certificate of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct MimicServer {
    process: Process,
    port: u16,
    admin_port: u16,
    authority: Authority,
    directory: TempDir,
}

impl MimicServer {
    /// Starts it with this `mirrors.yaml` and waits until it is ready. Its log is shown when the test fails.
    pub async fn start(mirrors: &str) -> Result<Self> {
        Self::start_with(mirrors, &[]).await
    }

    /// The same with further variables, which win over those of every test.
    pub async fn start_with(mirrors: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let directory = TempDir::with_prefix("mimic-e2e-")?;
        let path = |name: &str| directory.path().join(name);
        let authority = Authority::new()?;
        mount_certificate(&path("certs"), &authority.issue()?)?;
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
        let mut server = Self { process, port, admin_port, authority, directory };
        eventually("mimic-server is ready", async || {
            server.process.check_alive()?;
            Ok(get_succeeds(admin_port, "/readyz"))
        })
        .await?;
        Ok(server)
    }

    /// Registers it for the namespace and for `more` namespaces, and waits until pods are rewritten. For that,
    /// its mirrors must have one for `docker.io`.
    pub async fn register(&self, namespace: &Namespace<'_>, more: &[&str]) -> Result<()> {
        self.register_with(namespace, more, |registration| registration).await
    }

    /// The same with a registration that differs.
    pub async fn register_with(
        &self,
        namespace: &Namespace<'_>,
        more: &[&str],
        change: impl FnOnce(Registration) -> Registration,
    ) -> Result<()> {
        let url = format!("https://127.0.0.1:{}/mutate", self.port);
        let namespaces = [&[namespace.name()], more].concat();
        let registration = change(Registration::new(&self.authority.pem()?, &namespaces)?.url(&url));
        registration.apply(namespace, is_rewritten).await
    }

    /// Registers it as [`MimicServer::register`] does, but as the service `mimic` in the namespace `mimic`, as the
    /// shipped registration has it. A cluster has one such service: for one test of a binary.
    pub async fn register_service(&self, namespace: &Namespace<'_>) -> Result<()> {
        let own = namespace.sibling("mimic").await?;
        let service = json!({
            "metadata": {"name": "mimic"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        });
        let service: Service = serde_json::from_value(service)?;
        own.api().create(&PostParams::default(), &service).await?;
        let registration = Registration::new(&self.authority.pem()?, &[namespace.name()])?;
        registration.service_port(self.port).apply(namespace, is_rewritten).await
    }

    /// What `/readyz?verbose` says.
    pub fn readiness(&self) -> Result<String> {
        Ok(get(self.admin_port, "/readyz?verbose")?)
    }

    /// Waits until its log has a line with this text.
    pub async fn logged(&self, text: &str) -> Result<()> {
        self.process.logged(text).await.map(drop)
    }

    /// Replaces its `mirrors.yaml`, as editors and the kubelet do: at one stroke.
    pub fn replace_mirrors(&self, mirrors: &str) -> Result<()> {
        let path = |name: &str| self.directory.path().join(name);
        fs::write(path("mirrors.yaml.new"), mirrors)?;
        Ok(fs::rename(path("mirrors.yaml.new"), path("mirrors.yaml"))?)
    }

    /// Gives it another certificate from the same authority, as the kubelet updates a mounted Secret, and returns that.
    pub fn replace_certificate(&self) -> Result<X509> {
        let issued = self.authority.issue()?;
        mount_certificate(&self.directory.path().join("certs"), &issued)?;
        Ok(issued.0)
    }

    /// The certificate that it shows.
    pub fn certificate(&self) -> Result<X509> {
        handshake(self.port, "127.0.0.1", &self.authority.pem()?)
    }

    /// Ends it without notice.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }
}

/// Whether the server has seen the pod with which registrations are probed.
fn is_rewritten(probe: &Pod) -> bool {
    images(probe) != [("probe", "busybox")]
}

/// Puts a certificate where the kubelet would mount it: each file is a link into `..data`, itself a link that is replaced
/// at one stroke.
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

/// Two ports on which nobody listens. Both are taken at once, so that they differ.
pub(crate) fn free_ports() -> Result<(u16, u16)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}
