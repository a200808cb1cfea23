//! The real Prometheus Operator.

use std::{path::Path, process::Stdio};

use anyhow::Result;

use crate::{
    Checkout, crds,
    go::PROMETHEUS_OPERATOR,
    process::{ChildProcess, background_command},
};

/// The operator, with all its definitions. It runs on the host instead of in a pod, and ends on drop.
#[derive(Debug)]
pub struct PrometheusOperator {
    _program: ChildProcess,
}

impl PrometheusOperator {
    /// Installs it. The first time, it is built with Go.
    ///
    /// # Errors
    /// If it cannot be built or does not start. Its log is in `logs`.
    pub fn install(checkout: &Checkout<'_>, logs: &Path) -> Result<Self> {
        // The definitions are too large for the annotation of a client-side apply.
        let definitions = crds::prometheus_operator_definitions()?;
        checkout.run(&format!("kubectl create -f {}", definitions.display()))?;
        checkout.run("kubectl wait --for=condition=Established crd --all")?;
        let mut command = background_command(PROMETHEUS_OPERATOR.built()?);
        command
            .arg("--web.listen-address=127.0.0.1:0")
            .env("KUBECONFIG", checkout.cluster().kubeconfig())
            .stdout(Stdio::null());
        Ok(Self { _program: ChildProcess::start("operator", &mut command, &logs.join("prometheus-operator.log"))? })
    }
}
