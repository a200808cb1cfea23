//! Go programs that the tests run, built when needed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use openssl::sha::Sha256;

use crate::{binaries::kept_directory, tools, tools::announce};

/// A Go program. It is rebuilt only if its sources change.
#[derive(Debug)]
pub(crate) struct GoProgram {
    /// Its name under `target/e2e`.
    name: &'static str,
    /// The module with its sources and pinned dependencies.
    module: &'static str,
    package: &'static str,
    linker_flags: &'static str,
    /// Message that is printed before a build.
    announcement: &'static str,
}

pub(crate) static CONTROL_PLANE: GoProgram = GoProgram {
    name: "controlplane",
    module: concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane"),
    package: ".",
    // Kubernetes as a library has no version unless it is set at link time.
    linker_flags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.35.4",
    announcement: "building the kube-apiserver for end-to-end tests with Go; the first time takes 5 to 8 minutes",
};

pub(crate) static NODE: GoProgram = GoProgram {
    name: "kubernetes",
    module: CONTROL_PLANE.module,
    package: "./node",
    linker_flags: CONTROL_PLANE.linker_flags,
    announcement: "building the kubelet for end-to-end tests with Go; the first time takes 3 to 8 minutes",
};

pub(crate) static HELM: GoProgram = GoProgram {
    name: "helm",
    module: concat!(env!("CARGO_MANIFEST_DIR"), "/helm"),
    package: "helm.sh/helm/v3/cmd/helm",
    // As in Helm's Makefile: its own version, and the Kubernetes version that templates see.
    linker_flags: "-s -w -X helm.sh/helm/v3/internal/version.version=v3.20.2 \
        -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=35 \
        -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=35",
    announcement: "building Helm for end-to-end tests with Go; the first time takes about a minute",
};

/// The three programs of cert-manager.
pub(crate) static CERT_MANAGER: [GoProgram; 3] = [
    cert_manager("controller", "./controller"),
    cert_manager("cainjector", "./cainjector"),
    cert_manager("webhook", "./webhook"),
];

const fn cert_manager(name: &'static str, package: &'static str) -> GoProgram {
    GoProgram {
        name,
        module: concat!(env!("CARGO_MANIFEST_DIR"), "/neighbours/cert-manager"),
        package,
        linker_flags: "-s -w",
        announcement: "building a program of cert-manager with Go; the first time takes 3 to 8 minutes for all three",
    }
}

pub(crate) static PROMETHEUS_OPERATOR: GoProgram = GoProgram {
    name: "prometheus-operator",
    module: concat!(env!("CARGO_MANIFEST_DIR"), "/neighbours/prometheus-operator"),
    package: "github.com/prometheus-operator/prometheus-operator/cmd/operator",
    linker_flags: "-s -w",
    announcement: "building the Prometheus Operator with Go; the first time takes 2 to 6 minutes",
};

pub(crate) static ISTIO: GoProgram = GoProgram {
    name: "istio",
    module: concat!(env!("CARGO_MANIFEST_DIR"), "/neighbours/istio"),
    package: ".",
    linker_flags: "-s -w",
    announcement: "building Istio's sidecar injector with Go; the first time takes 3 to 10 minutes",
};

impl GoProgram {
    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is already built, or Go is available to build it.
    pub(crate) fn is_available(&self) -> Result<bool> {
        Ok(self.is_built()? || tools::runs("go", &["version"]))
    }

    /// Whether it is already built.
    pub(crate) fn is_built(&self) -> Result<bool> {
        Ok(self.path()?.exists())
    }

    /// Its path. The first call builds it.
    pub(crate) fn built(&self) -> Result<PathBuf> {
        let binary = self.path()?;
        if !binary.exists() {
            self.build(&binary)?;
        }
        Ok(binary)
    }

    /// The path of the binary for the current sources.
    fn path(&self) -> Result<PathBuf> {
        let module = Path::new(self.module);
        let mut files = Vec::new();
        // Otherwise it is a package of a dependency.
        if self.package.starts_with('.') {
            for entry in fs::read_dir(module.join(self.package))? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "go") {
                    files.push(path);
                }
            }
        }
        files.sort();
        files.extend([module.join("go.mod"), module.join("go.sum")]);
        let mut hash = Sha256::new();
        hash.update(self.linker_flags.as_bytes());
        for path in files {
            let text = fs::read(&path)?;
            let name = path.file_name().unwrap_or_default();
            hash.update(format!("\n{} {}\n", name.display(), text.len()).as_bytes());
            hash.update(&text);
        }
        let digest = hash.finish();
        // Eight bytes distinguish the few versions of a checkout.
        let key = u64::from_be_bytes(digest[..8].try_into()?);
        Ok(kept_directory()?.join(format!("{}-{key:016x}", self.name)))
    }

    /// Builds it, unless another test binary does so while this one waits for the lock.
    fn build(&self, binary: &Path) -> Result<()> {
        let directory = kept_directory()?;
        let lock = File::create(directory.join(format!("{}.lock", self.name)))?;
        lock.lock()?;
        if binary.exists() {
            return Ok(());
        }
        announce(self.announcement);
        let unfinished = directory.join(format!("unfinished-{}", self.name));
        let output = Command::new("go")
            .args(["build", "-trimpath", "-ldflags", self.linker_flags, "-o"])
            .arg(&unfinished)
            .arg(self.package)
            .current_dir(self.module)
            .env("CGO_ENABLED", "0")
            .output()
            .context("go did not start")?;
        ensure!(output.status.success(), "go build failed:\n{}", String::from_utf8_lossy(&output.stderr));
        let prefix = format!("{}-", self.name);
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            // Deletes binaries of other sources, which have up to a hundred megabytes each.
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)) {
                fs::remove_file(path)?;
            }
        }
        fs::rename(unfinished, binary)?;
        Ok(())
    }
}
