//! A cluster whose pods run: a control plane on the host, and nodes with a kubelet and containerd.
//!
//! Each node has its own namespaces for the network, mounts, processes and cgroups, so that it cannot change the host, and ends
//! without a trace.

mod configuration;
mod daemon;
mod image;
mod machine;
mod network;
mod requirements;
mod worker;

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use openssl::x509::X509;

pub use self::worker::Node;
use self::{configuration::PLUGINS, daemon::start_daemon, network::Network};
use crate::{
    Cluster, Image, Registry, Skopeo, binaries::kept_directory, control_plane::Options, go::NODE,
    process::ChildProcess, tools::announce,
};

/// A control plane with nodes and a registry. Everything ends on drop, also if the test panics.
#[derive(Debug)]
pub struct NodeCluster {
    // In this order, they are dropped.
    nodes: Vec<Node>,
    _daemons: Vec<ChildProcess>,
    cluster: Cluster,
    registry: Registry,
    skopeo: Skopeo,
    directory: PathBuf,
    _network: Network,
    /// The network exists once on a machine, so there is one cluster at a time.
    _lock: File,
}

impl NodeCluster {
    /// A cluster with two nodes for one test.
    ///
    /// `None` if this machine cannot run nodes, or the kubelet was not built yet; then a line on stderr reports that the test is
    /// skipped, and why.
    ///
    /// # Errors
    /// If it does not start or, with `MIMIC_E2E_NODE=required`, something is missing.
    pub async fn own() -> Result<Option<Self>> {
        Self::own_with(&[]).await
    }

    /// The same with additional flags of kube-apiserver.
    pub async fn own_with(flags: &'static [&'static str]) -> Result<Option<Self>> {
        if requirements::is_skipped()? { Ok(None) } else { Self::start(2, flags).await.map(Some) }
    }

    /// The same for a test that takes long: only with `MIMIC_E2E_NODE=required`.
    pub async fn nightly() -> Result<Option<Self>> {
        Self::nightly_with(&[]).await
    }

    /// The same with additional flags of kube-apiserver.
    pub async fn nightly_with(flags: &'static [&'static str]) -> Result<Option<Self>> {
        if requirements::is_too_slow() { Ok(None) } else { Self::own_with(flags).await }
    }

    /// Starts one with so many nodes, at most nine, and waits until they are ready.
    ///
    /// # Errors
    /// If this machine cannot run nodes.
    pub async fn start(nodes: u8, flags: &[&'static str]) -> Result<Self> {
        if let Some(reason) = requirements::missing()? {
            bail!("cannot run nodes: {reason}");
        }
        NODE.built()?;
        let lock = lock()?;
        let directory = kept_directory()?.join("nodes");
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => bail!("{}: {error}", directory.display()),
            _ => fs::create_dir(&directory)?,
        }
        // Of a run that was killed.
        machine::remove_cgroups(None);
        let network = Network::create()?;
        let registry = Registry::at(&format!("{}:5000", network::HOST)).await?;
        let skopeo = Skopeo::new()?;
        let own = [
            "--allow-privileged=true",
            // It calls webhooks at the addresses of their pods: the host has no kube-proxy.
            "--enable-aggregator-routing=true",
            // The names of the nodes cannot be resolved.
            "--kubelet-preferred-address-types=InternalIP",
        ];
        let flags = own.iter().chain(flags).map(|&flag| flag.to_owned()).collect();
        let cluster = Cluster::start(Options { address: Some(network::HOST), flags })?;
        let daemons = daemons(&cluster, &directory)?;
        let mut this = Self {
            nodes: Vec::new(),
            _daemons: daemons,
            cluster,
            registry,
            skopeo,
            directory,
            _network: network,
            _lock: lock,
        };
        let sandbox = this.push(&Image::running("sandbox")?, "sandbox:1")?;
        for number in 1..=nodes {
            this.add_node(number, &sandbox)?;
        }
        for node in &this.nodes {
            node.is_ready(&this.cluster).await?;
        }
        Ok(this)
    }

    fn add_node(&mut self, number: u8, sandbox: &str) -> Result<()> {
        let directory = self.directory.join(format!("node-{number}"));
        let node = Node::new(number, directory, self.cluster.kubeconfig(), sandbox)?;
        let host = self.registry.host();
        node.set_hosts(host, &format!("server = \"http://{host}\"\n[host.\"http://{host}\"]\n"))?;
        self.nodes.push(node);
        self.start_node(number)
    }

    /// Switches a node on again; the first node has the number 1.
    pub fn start_node(&mut self, number: u8) -> Result<()> {
        let index = usize::from(number).checked_sub(1);
        let node = index.and_then(|index| self.nodes.get_mut(index)).context("no such node")?;
        node.start()?;
        for one in &self.nodes {
            for other in &self.nodes {
                if let Some(process) = one.process().filter(|_| one.number() != other.number()) {
                    network::route(other.number(), process)?;
                }
            }
        }
        Ok(())
    }

    /// The control plane.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Switches off all nodes at once. The control plane and the registry continue.
    pub fn stop_nodes(&mut self) {
        for node in &mut self.nodes {
            node.stop();
        }
    }

    /// The registry, which the nodes reach without TLS.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Starts another registry, on this port of the host, that the nodes reach without TLS. With `has_password`, it is for the
    /// user `user` with the password `secret` only.
    pub async fn another_registry(&self, port: u16, has_password: bool) -> Result<Registry> {
        let address = format!("{}:{port}", network::HOST);
        for node in &self.nodes {
            node.set_hosts(&address, &format!("server = \"http://{address}\"\n[host.\"http://{address}\"]\n"))?;
        }
        if has_password { Registry::with_password_at(&address).await } else { Registry::at(&address).await }
    }

    /// Pushes an image to a registry of [`NodeCluster::another_registry`] and returns its reference.
    pub fn push_to(&self, registry: &Registry, has_password: bool, image: &Image, path: &str) -> Result<String> {
        let reference = format!("{}/{path}", registry.host());
        if has_password {
            self.skopeo.push_with_password(image, &reference)?;
        } else {
            self.skopeo.push(image, &reference)?;
        }
        Ok(reference)
    }

    /// Pushes an image to the registry and returns its reference.
    pub fn push(&self, image: &Image, path: &str) -> Result<String> {
        let reference = format!("{}/{path}", self.registry.host());
        self.skopeo.push(image, &reference)?;
        Ok(reference)
    }

    /// Pushes Mimic's image as `mimic:latest`, and returns its repository.
    pub fn push_mimic(&self) -> Result<String> {
        let repository = format!("{}/mimic", self.registry.host());
        image::push(&self.skopeo, &format!("{repository}:latest"))?;
        Ok(repository)
    }

    /// Its files, among them the logs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for NodeCluster {
    fn drop(&mut self) {
        self.nodes.clear();
        machine::remove_cgroups(None);
    }
}

/// Waits until no other cluster with nodes runs on this machine.
fn lock() -> Result<File> {
    // A folder that exists on every machine that can run nodes.
    let lock = File::open(PLUGINS)?;
    if lock.try_lock().is_err() {
        announce("waiting for the end of another cluster with nodes");
        lock.lock()?;
    }
    Ok(lock)
}

/// The scheduler and the controllers.
fn daemons(cluster: &Cluster, directory: &Path) -> Result<Vec<ChildProcess>> {
    let certificates = cluster.directory().join("certs");
    // The API server's own certificate comes first, then its CA.
    let chain = X509::stack_from_pem(&fs::read(certificates.join("apiserver.crt"))?)?;
    let ca = directory.join("ca.crt");
    fs::write(&ca, chain.last().context("the API server has a certificate")?.to_pem()?)?;
    let kubeconfig = format!("--kubeconfig={}", cluster.kubeconfig().display());
    // One replica, which no metrics are read from.
    let common = [kubeconfig.as_str(), "--leader-elect=false", "--secure-port=0"];
    let ca = format!("--root-ca-file={}", ca.display());
    let key = format!("--service-account-private-key-file={}", certificates.join("sa.key").display());
    // Without those for clouds.
    let controllers = "--controllers=*,-node-ipam-controller,-cloud-node-lifecycle-controller,-service-lb-controller,\
         -serviceaccount-token-controller";
    let more = [ca.as_str(), key.as_str(), controllers];
    Ok(vec![
        start_daemon("kube-controller-manager", &[&common[..], &more].concat(), directory)?,
        start_daemon("kube-scheduler", &common, directory)?,
    ])
}
