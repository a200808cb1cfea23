//! The cluster that the tests of one binary share.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

use anyhow::{Context, Result, bail};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::{
    binaries::kept_directory,
    control_plane::{ControlPlane, Options},
    go::CONTROL_PLANE,
    tools,
};

/// Flags for the API of mutating admission policies, which Kubernetes 1.34 and 1.35 do not serve by default.
const POLICIES: [&str; 2] =
    ["--feature-gates=MutatingAdmissionPolicy=true", "--runtime-config=admissionregistration.k8s.io/v1beta1=true"];

/// A control plane and its credentials.
#[derive(Debug)]
pub struct Cluster {
    control_plane: Mutex<ControlPlane>,
    directory: PathBuf,
    options: Options,
    /// Locks the directory. The last field, so that it is dropped after the control plane.
    _slot: File,
}

impl Cluster {
    /// The cluster of this test binary. The first call starts it.
    ///
    /// `None` if a tool is missing; then a line on stderr reports that the test is skipped, and why.
    ///
    /// # Errors
    /// If the cluster does not start or, with `MIMIC_E2E=required`, a tool is missing.
    pub fn shared() -> Result<Option<&'static Self>> {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        Self::shared_in(&SHARED, &[])
    }

    /// The same with the API of mutating admission policies, which Kubernetes 1.35 does not serve by default.
    pub fn shared_with_policies() -> Result<Option<&'static Self>> {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        Self::shared_in(&SHARED, &POLICIES)
    }

    fn shared_in(shared: &'static OnceLock<Result<Self, String>>, flags: &[&str]) -> Result<Option<&'static Self>> {
        if is_skipped()? {
            return Ok(None);
        }
        match shared.get_or_init(|| Self::start(Options::with_flags(flags)).map_err(|error| format!("{error:#}"))) {
            Ok(cluster) => Ok(Some(cluster)),
            Err(error) => bail!("no cluster: {error}"),
        }
    }

    /// A cluster for one test, which can restart it; otherwise as [`Cluster::shared`].
    pub fn own() -> Result<Option<Self>> {
        Self::own_with(&[])
    }

    /// The same with the API of mutating admission policies.
    pub fn own_with_policies() -> Result<Option<Self>> {
        Self::own_with(&POLICIES)
    }

    /// The same with additional flags of kube-apiserver.
    pub fn own_with(flags: &[&str]) -> Result<Option<Self>> {
        if is_skipped()? { Ok(None) } else { Self::start(Options::with_flags(flags)).map(Some) }
    }

    /// Starts an empty one.
    pub(crate) fn start(options: Options) -> Result<Self> {
        let (directory, slot) = free_slot(&kept_directory()?)?;
        let control_plane = Mutex::new(ControlPlane::start(&directory, false, &options)?);
        Ok(Self { control_plane, directory, options, _slot: slot })
    }

    /// Kills the API server and starts it again with the same state and address.
    pub fn restart(&self) -> Result<()> {
        let mut control_plane = self.control_plane.lock().unwrap_or_else(PoisonError::into_inner);
        control_plane.kill()?;
        *control_plane = ControlPlane::start(&self.directory, true, &self.options)?;
        Ok(())
    }

    /// Makes etcd delete all old versions of objects.
    pub fn compact(&self) -> Result<()> {
        self.control_plane.lock().unwrap_or_else(PoisonError::into_inner).compact()
    }

    /// Its files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The kubeconfig of an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// A new client, because a client belongs to the runtime of one test.
    pub async fn client(&self) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// Runs kubectl as an administrator, with `input` on its standard input.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &[u8]) -> Result<Output> {
        let mut child = Command::new("kubectl")
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBECACHEDIR", self.directory.join("kubectl"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("kubectl did not start")?;
        let mut stdin = child.stdin.take().context("kubectl has no standard input")?;
        stdin.write_all(input)?;
        drop(stdin);
        Ok(child.wait_with_output()?)
    }
}

/// Whether tests must be skipped.
fn is_skipped() -> Result<bool> {
    let available = CONTROL_PLANE.is_available()?;
    tools::is_skipped(|| {
        if !tools::runs("kubectl", &["version", "--client"]) {
            Some("kubectl is not installed, and these tests create pods with it")
        } else if !available {
            Some("Go is not installed, and it is needed to build the kube-apiserver of these tests")
        } else {
            None
        }
    })
}

/// Locks a directory that no other running test binary uses.
///
/// Directories are reused, not deleted: the state of the last run can be inspected, and their number is limited by the number of
/// test binaries that run concurrently.
fn free_slot(parent: &Path) -> Result<(PathBuf, File)> {
    for number in 0.. {
        let directory = parent.join(format!("cluster-{number}"));
        fs::create_dir_all(&directory)?;
        let slot = File::create(directory.join("lock"))?;
        match slot.try_lock() {
            Ok(()) => return Ok((directory, slot)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    unreachable!("a process cannot hold that many locks")
}
