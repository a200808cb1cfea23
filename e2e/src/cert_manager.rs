//! The real cert-manager.

use std::{path::Path, process::Stdio};

use anyhow::Result;

use crate::{
    Checkout, crds, go,
    process::{ChildProcess, background_command},
    server::free_ports,
    wait::eventually,
};

const NAMESPACE: &str = "cert-manager";

/// cert-manager, installed with its chart. Its programs run on the host instead of in pods. They end on drop.
#[derive(Debug)]
pub struct CertManager {
    _programs: Vec<ChildProcess>,
}

impl CertManager {
    /// Installs it, and waits until it is usable. The first time, it is built with Go.
    ///
    /// # Errors
    /// If it cannot be built or does not start. Its logs are in `logs`.
    pub async fn install(checkout: &Checkout<'_>, logs: &Path) -> Result<Self> {
        let (port, health) = free_ports()?;
        checkout.run(&format!(
            "helm install cert-manager {} --namespace {NAMESPACE} --create-namespace --set crds.enabled=true \
             --set startupapicheck.enabled=false --set webhook.url.host=localhost:{port} \
             --set replicaCount=0,cainjector.replicaCount=0,webhook.replicaCount=0",
            crds::cert_manager_chart()?.display()
        ))?;
        checkout.run("kubectl wait --for=condition=Established crd --all")?;
        let kubeconfig = checkout.cluster().kubeconfig().display().to_string();
        let of_webhook = [
            format!("--kubeconfig={kubeconfig}"),
            format!("--secure-port={port}"),
            format!("--healthz-port={health}"),
            "--metrics-listen-address=0".to_owned(),
            // As its chart does.
            format!("--dynamic-serving-ca-secret-namespace={NAMESPACE}"),
            "--dynamic-serving-ca-secret-name=cert-manager-webhook-ca".to_owned(),
            "--dynamic-serving-dns-names=localhost".to_owned(),
        ];
        let mut programs = Vec::new();
        for program in &go::CERT_MANAGER {
            let mut command = background_command(program.built()?);
            match program.name() {
                "webhook" => command.args(&of_webhook),
                _ => command.arg(&kubeconfig),
            };
            let log = logs.join(format!("cert-manager-{}.log", program.name()));
            programs.push(ChildProcess::start(program.name(), command.stdout(Stdio::null()), &log)?);
        }
        // The API server calls its webhook once cainjector has written the caBundle.
        let issuer = "printf 'apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: probe}\nspec: {selfSigned: {}}' \
             | kubectl create --dry-run=server -f -";
        eventually("cert-manager's webhook is called", async || Ok(checkout.run(issuer).is_ok())).await?;
        Ok(Self { _programs: programs })
    }
}
