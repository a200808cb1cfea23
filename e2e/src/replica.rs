//! A replica of Mimic in a cluster.

use std::{cell::RefCell, fs, path::Path};

use anyhow::Result;
use tempfile::TempDir;

use crate::{
    Namespace, binaries,
    http::{get, get_succeeds},
    process::{Process, background_command},
    server::free_ports,
    wait::eventually,
};

/// The real `mimic-server`, started as the kubelet would start a container. It is killed on drop.
#[derive(Debug)]
pub struct Replica {
    process: Process,
    port: u16,
    admin_port: u16,
    /// Its `mirrors.yaml`, if it has one.
    _directory: Option<TempDir>,
}

impl Replica {
    /// Starts it in this namespace as an administrator, with this `mirrors.yaml` and these variables. Does not wait
    /// until it is ready.
    pub fn in_namespace(namespace: &Namespace<'_>, mirrors: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let directory = TempDir::with_prefix("mimic-e2e-")?;
        let file = directory.path().join("mirrors.yaml");
        fs::write(&file, mirrors)?;
        let file = file.to_string_lossy();
        let own = [
            ("MIMIC_KUBERNETES_NAMESPACE", namespace.name()),
            ("MIMIC_FILE_PATH", &file),
            ("MIMIC_KUBERNETES_ENABLED", "false"),
        ];
        let variables = own.into_iter().chain(variables.iter().copied());
        let replica = Self::start(variables, &namespace.cluster().kubeconfig())?;
        Ok(Self { _directory: Some(directory), ..replica })
    }

    /// Starts it with a container's variables, but on loopback, on free ports, and outside the cluster. Does not wait
    /// until it is ready.
    pub(crate) fn start<'v>(
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
        kubeconfig: &Path,
    ) -> Result<Self> {
        let (port, admin_port) = free_ports()?;
        let mut command = background_command(binaries::MIMIC_SERVER.path()?);
        command
            .envs(variables)
            .env("KUBECONFIG", kubeconfig)
            .env("MIMIC_LISTENHOST", "127.0.0.1")
            .env("MIMIC_LISTENPORT", port.to_string())
            .env("MIMIC_ADMIN_LISTENHOST", "127.0.0.1")
            .env("MIMIC_ADMIN_LISTENPORT", admin_port.to_string());
        Ok(Self { process: Process::start("mimic-server", command)?, port, admin_port, _directory: None })
    }

    /// The port of its webhook on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its admin port.
    pub fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// Waits until it is ready.
    pub async fn is_ready(&mut self) -> Result<()> {
        eventually("mimic-server is ready", async || {
            self.process.check_alive()?;
            Ok(get_succeeds(self.admin_port, "/readyz"))
        })
        .await
    }

    /// Waits until its detailed readiness, with the status line, contains all these strings, and returns it.
    pub async fn reports(&self, texts: &[&str]) -> Result<String> {
        let what = format!("mimic-server reports {texts:?}");
        let last = RefCell::new(String::new());
        let reported = eventually(&what, async || {
            let report = get(self.admin_port, "/readyz?verbose").unwrap_or_default();
            let is_so = texts.iter().all(|text| report.contains(text));
            last.replace(report);
            Ok(is_so)
        });
        reported.await.map_err(|error| error.context(last.borrow().clone()))?;
        Ok(last.into_inner())
    }

    /// Waits until its log has a line with this text, and returns the line.
    pub async fn logged(&self, text: &str) -> Result<String> {
        self.process.logged(text).await
    }

    /// The number of log lines so far with this text.
    pub fn count_logged(&self, text: &str) -> usize {
        self.process.count(text)
    }

    /// Stops it as the kubelet does, waits until it exits, and returns whether it was successful.
    pub async fn leave(&mut self) -> Result<bool> {
        self.process.terminate()?;
        self.process.ended().await
    }
}
