//! Custom resource definitions and charts of other projects, from their own files.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Files of a Go module with a fixed version and content.
struct Module {
    path: &'static str,
    version: &'static str,
    /// The checksum, as in `go.sum`.
    sum: &'static str,
    files: &'static [&'static str],
}

const CERT_MANAGER: Module = Module {
    path: "github.com/cert-manager/cert-manager",
    version: "v1.21.2",
    sum: "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
    files: &["deploy/crds/cert-manager.io_certificates.yaml", "deploy/crds/cert-manager.io_issuers.yaml"],
};

const PROMETHEUS_OPERATOR: Module = Module {
    path: "github.com/prometheus-operator/prometheus-operator",
    version: "v0.85.0",
    sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    files: &[
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ],
};

const ISTIO: Module = Module {
    path: "istio.io/istio",
    version: "v0.0.0-20260827124520-eed52ebb66ad",
    sum: "h1:ui9TJjRMAV/hb5ehQaZDq7IUGxuQP6dra9lapT/VjHI=",
    files: &[],
};

/// The definitions of the chart's objects for cert-manager and the Prometheus Operator, to be applied. They are downloaded the
/// first time.
///
/// # Errors
/// If Go cannot download them, or a checksum differs.
pub fn definitions() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for module in [&CERT_MANAGER, &PROMETHEUS_OPERATOR] {
        let directory = download(module)?;
        files.extend(module.files.iter().map(|file| directory.join(file)));
    }
    Ok(files)
}

/// The folder of cert-manager's chart.
pub(crate) fn cert_manager_chart() -> Result<PathBuf> {
    Ok(download(&CERT_MANAGER)?.join("deploy/charts/cert-manager"))
}

/// The folder with all definitions of the Prometheus Operator.
pub(crate) fn prometheus_operator_definitions() -> Result<PathBuf> {
    Ok(download(&PROMETHEUS_OPERATOR)?.join("example/prometheus-operator-crd"))
}

/// The folder of Istio's chart for istiod.
pub(crate) fn istio_chart() -> Result<PathBuf> {
    Ok(download(&ISTIO)?.join("manifests/charts/istio-control/istio-discovery"))
}

fn download(module: &Module) -> Result<PathBuf> {
    let name = format!("{}@{}", module.path, module.version);
    let output = Command::new("go")
        .args(["mod", "download", "-json", &name])
        // Outside of our modules, whose versions would apply.
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .output()
        .context("go did not start")?;
    ensure!(output.status.success(), "go mod download {name}: {}", String::from_utf8_lossy(&output.stdout));
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(answer["Sum"] == module.sum, "{name} has another checksum: {}", answer["Sum"]);
    Ok(answer["Dir"].as_str().context("go prints the folder of a module")?.into())
}
