//! A replica of the shipped Deployment.

use std::{cell::RefCell, path::Path};

use anyhow::Result;

use crate::{
    binaries,
    http::{get, get_succeeds},
    process::{Process, background_command},
    server::free_ports,
    wait::eventually,
};

/// The real `mimic-server`, started as the kubelet would start a container. It is killed when this is dropped.
#[derive(Debug)]
pub struct Replica {
    process: Process,
    port: u16,
    admin_port: u16,
}

impl Replica {
    /// Starts it with a container's variables, but on loopback, on free ports, and outside the cluster. Does not wait
    /// until it is ready.
    pub(crate) fn start(variables: &[(String, String)], kubeconfig: &Path) -> Result<Self> {
        let (port, admin_port) = free_ports()?;
        let mut command = background_command(binaries::MIMIC_SERVER.path()?);
        command
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("KUBECONFIG", kubeconfig)
            .env("MIMIC_LISTENHOST", "127.0.0.1")
            .env("MIMIC_LISTENPORT", port.to_string())
            .env("MIMIC_ADMIN_LISTENHOST", "127.0.0.1")
            .env("MIMIC_ADMIN_LISTENPORT", admin_port.to_string());
        Ok(Self { process: Process::start("mimic-server", command)?, port, admin_port })
    }

    /// Where its webhook listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its second port.
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

    /// Waits until its detailed readiness, with the status line, has all these texts.
    pub async fn reports(&self, texts: &[&str]) -> Result<()> {
        let what = format!("mimic-server reports {texts:?}");
        let last = RefCell::new(String::new());
        let reported = eventually(&what, async || {
            let report = get(self.admin_port, "/readyz?verbose").unwrap_or_default();
            let is_so = texts.iter().all(|text| report.contains(text));
            last.replace(report);
            Ok(is_so)
        });
        reported.await.map_err(|error| error.context(last.take()))
    }

    /// Waits until its log has a line with this text, and returns the line.
    pub async fn logged(&self, text: &str) -> Result<String> {
        self.process.logged(text).await
    }

    /// Deletes it as the kubelet does: asks it to end and waits until it has. Tells whether it says that all went well.
    pub async fn leave(&mut self) -> Result<bool> {
        self.process.terminate()?;
        self.process.ended().await
    }
}
