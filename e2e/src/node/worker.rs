//! A node: a machine with containerd, a kubelet and kube-proxy.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;

use super::{
    configuration::{self, SOCKET},
    machine::Machine,
    network,
};
use crate::{Cluster, go::NODE, wait::eventually};

/// A node that runs pods.
#[derive(Debug)]
pub struct Node {
    number: u8,
    directory: PathBuf,
    kubeconfig: PathBuf,
    /// `None` while it is switched off.
    machine: Option<Machine>,
}

impl Node {
    /// Prepares a node with its files in a folder. Its number is from 1.
    pub(super) fn new(number: u8, directory: PathBuf, kubeconfig: PathBuf, sandbox_image: &str) -> Result<Self> {
        fs::create_dir_all(directory.join("log"))?;
        configuration::write(&directory, number, &kubeconfig, sandbox_image)?;
        Ok(Self { number, directory, kubeconfig, machine: None })
    }

    /// The name of its object.
    pub fn name(&self) -> String {
        format!("node-{}", self.number)
    }

    /// Its address.
    pub fn address(&self) -> String {
        network::address(self.number)
    }

    /// Its number.
    pub(super) fn number(&self) -> u8 {
        self.number
    }

    /// The first process of its machine.
    pub(super) fn process(&self) -> Option<u32> {
        self.machine.as_ref().map(Machine::init)
    }

    /// Sets how containerd reaches a registry, with the text of a
    /// [`hosts.toml`](https://github.com/containerd/containerd/blob/main/docs/hosts.md).
    pub fn set_hosts(&self, registry: &str, text: &str) -> Result<()> {
        let folder = self.directory.join("hosts").join(registry);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("hosts.toml"), text)?)
    }

    /// Switches it on. Its disk has what the last run left there.
    pub(super) fn start(&mut self) -> Result<()> {
        let mut machine = Machine::boot(&self.name(), &self.directory)?;
        network::connect(self.number, machine.init())?;
        let path = |name: &str| format!("'{}'", self.directory.join(name).display());
        let program = format!("'{}'", NODE.built()?.display());
        let log = |name: &str| self.directory.join("log").join(format!("{name}.log"));
        machine.start(&format!("containerd --config {}", path("containerd.toml")), &log("containerd"))?;
        let kubelet = format!(
            "{program} kubelet --config {} --kubeconfig '{}' --root-dir {} --hostname-override {} --node-ip {}",
            path("kubelet.yaml"),
            self.kubeconfig.display(),
            path("kubelet"),
            self.name(),
            self.address(),
        );
        machine.start(&kubelet, &log("kubelet"))?;
        machine.start(&format!("{program} kube-proxy --config {}", path("kube-proxy.yaml")), &log("kube-proxy"))?;
        self.machine = Some(machine);
        Ok(())
    }

    /// Switches it off: everything on it ends at once, as in a power failure.
    pub(super) fn stop(&mut self) {
        if self.machine.take().is_some() {
            network::disconnect(self.number);
        }
    }

    /// Waits until the control plane considers it ready.
    pub(super) async fn is_ready(&self, cluster: &Cluster) -> Result<()> {
        let nodes: Api<NodeObject> = Api::all(cluster.client().await?);
        let name = self.name();
        let what = format!("{name} is ready");
        let is_ready = eventually(&what, async || {
            let node = nodes.get_opt(&name).await?;
            let conditions = node.and_then(|node| node.status).and_then(|status| status.conditions);
            let mut conditions = conditions.iter().flatten();
            Ok(conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True"))
        });
        is_ready.await.with_context(|| format!("see the logs in {}", self.directory.join("log").display()))
    }

    /// Runs a program on it, and returns its output.
    ///
    /// # Errors
    /// If it fails, or the node is switched off.
    pub fn run(&self, program: &[&str]) -> Result<String> {
        let machine = self.machine.as_ref().context("the node is switched off")?;
        let output = machine.run(program)?;
        ensure!(output.status.success(), "{program:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs containerd's `ctr` for the containers and images of pods.
    ///
    /// # Errors
    /// If it fails.
    pub fn ctr(&self, arguments: &[&str]) -> Result<String> {
        self.run(&[&["ctr", "--address", SOCKET, "--namespace", "k8s.io"], arguments].concat())
    }

    /// Its files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}
