//! The real `mimic-server` in a namespace of the cluster.

use std::{fs, net::Ipv4Addr, net::SocketAddr};

use anyhow::Result;
use tempfile::TempDir;

use crate::{
    Namespace, binaries,
    http::get,
    process::{Process, background_command},
    server::free_ports,
    wait::eventually,
};

/// A server that reaches the API server as an administrator. It is killed when this is dropped.
#[derive(Debug)]
pub struct ClusterServer {
    process: Process,
    port: u16,
    admin_port: u16,
    _directory: TempDir,
}

impl ClusterServer {
    /// Starts it in this namespace with this `mirrors.yaml` and these variables, and does not wait until it is ready.
    pub fn start(namespace: &Namespace<'_>, mirrors: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let directory = TempDir::with_prefix("mimic-e2e-")?;
        let mirrors_file = directory.path().join("mirrors.yaml");
        fs::write(&mirrors_file, mirrors)?;
        let (port, admin_port) = free_ports()?;
        let mut command = background_command(binaries::MIMIC_SERVER.path()?);
        command
            .env("KUBECONFIG", namespace.cluster().kubeconfig())
            .env("MIMIC_KUBERNETES_NAMESPACE", namespace.name())
            .env("MIMIC_LISTENHOST", "127.0.0.1")
            .env("MIMIC_LISTENPORT", port.to_string())
            .env("MIMIC_ADMIN_LISTENHOST", "127.0.0.1")
            .env("MIMIC_ADMIN_LISTENPORT", admin_port.to_string())
            .env("MIMIC_FILE_PATH", mirrors_file)
            .env("MIMIC_KUBERNETES_ENABLED", "false")
            .envs(variables.iter().copied());
        let process = Process::start("mimic-server", command)?;
        Ok(Self { process, port, admin_port, _directory: directory })
    }

    /// Where the webhook listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The second port, on loopback as well.
    pub fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// Waits until its report says this, and returns the whole report: `/readyz?verbose` with its status line.
    pub async fn reports(&self, text: &str) -> Result<String> {
        let mut report = String::new();
        let said = eventually(&format!("mimic-server reports `{text}`"), async || {
            report = get(self.admin_port, "/readyz?verbose").unwrap_or_default();
            Ok(report.contains(text))
        })
        .await;
        said.map_err(|error| error.context(report.clone()))?;
        Ok(report)
    }

    /// How many lines of its log so far have this text.
    pub fn count_logged(&self, text: &str) -> usize {
        self.process.count(text)
    }

    /// Waits until it is ready.
    pub async fn ready(&mut self) -> Result<()> {
        eventually("mimic-server is ready", async || {
            self.process.check_alive()?;
            Ok(crate::http::get_succeeds(self.admin_port, "/readyz"))
        })
        .await
    }
}
