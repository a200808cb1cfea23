//! The real sidecar injector of Istio.

use std::{fs, path::Path, process::Stdio};

use anyhow::{Context, Result};
use openssl::base64;

use crate::{
    Checkout, TestCa, crds,
    go::ISTIO,
    helm::objects,
    process::{ChildProcess, background_command},
    server::free_ports,
    wait::eventually,
};

/// Istio's injector, with the templates and the webhook configuration of its chart. It runs on the host instead of in a pod, and
/// ends on drop.
#[derive(Debug)]
pub struct IstioInjector {
    _program: ChildProcess,
}

impl IstioInjector {
    /// Installs it, and waits until pods of namespaces with the label `istio-injection=enabled` get a sidecar. The first time, it
    /// is built with Go. Its files are in `directory`.
    ///
    /// # Errors
    /// If it cannot be built or does not start.
    pub async fn install(checkout: &Checkout<'_>, directory: &Path) -> Result<Self> {
        let path = |name: &str| directory.join(format!("istio-{name}"));
        let issuer = TestCa::new()?;
        let (certificate, key) = issuer.issue_for("localhost")?;
        fs::write(path("certificate"), certificate.to_pem()?)?;
        fs::write(path("key"), key.private_key_to_pem_pkcs8()?)?;
        let (port, _) = free_ports()?;
        // istiod, the rest of the chart, is not needed.
        let template = format!(
            "helm template istiod {} --namespace istio-system --set istiodRemote.injectionURL=https://localhost:{port}/inject \
             --set istiodRemote.injectionCABundle={} --set global.hub=docker.io/istio",
            crds::istio_chart()?.display(),
            base64::encode_block(&issuer.pem()?),
        );
        let settings = checkout.run(&format!("{template} --show-only templates/istiod-injector-configmap.yaml"))?;
        let settings = objects(&settings.stdout)?.pop().context("the chart has a ConfigMap")?;
        for name in ["config", "values"] {
            fs::write(path(name), settings["data"][name].as_str().with_context(|| format!("with {name}"))?)?;
        }
        let mut command = background_command(ISTIO.built()?);
        command.arg("-address").arg(format!("localhost:{port}"));
        for name in ["certificate", "key", "config", "values"] {
            command.arg(format!("-{name}")).arg(path(name));
        }
        // Sidecars as containers. To decide on init containers, it would watch nodes.
        command.env("ENABLE_NATIVE_SIDECARS", "false").stdout(Stdio::null());
        let program = ChildProcess::start("istio", &mut command, &path("log"))?;

        checkout.run(&format!("{template} --show-only templates/mutatingwebhook.yaml | kubectl create -f -"))?;
        checkout.run("kubectl create namespace probe && kubectl label namespace probe istio-injection=enabled")?;
        let probe =
            "kubectl -n probe run probe --image=probe --dry-run=server -o jsonpath='{.spec.containers[*].name}'";
        eventually("Istio injects its sidecar", async || {
            Ok(checkout.run(probe).is_ok_and(|printed| printed.stdout.contains("istio-proxy")))
        })
        .await?;
        Ok(Self { _program: program })
    }
}
