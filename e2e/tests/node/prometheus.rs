//! The chart's objects for the Prometheus Operator, with the real operator.

use anyhow::{Context, Result};
use mimic_e2e::{Checkout, Namespace, NodeCluster, PrometheusOperator, eventually, objects};
use serde_json::{Value, json};

use crate::Mimic;

/// A Prometheus that uses the monitors and rules of all namespaces. The operator writes its configuration; no pod runs.
fn prometheus() -> Value {
    json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "main"},
        "spec": {
            "replicas": 0,
            "serviceMonitorSelector": {},
            "serviceMonitorNamespaceSelector": {},
            "ruleSelector": {},
            "ruleNamespaceSelector": {},
        },
    })
}

#[tokio::test]
async fn the_operator_scrapes_the_replicas_and_loads_the_alerts() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(nodes.cluster())? else { return Ok(()) };
    let _operator = PrometheusOperator::install(&checkout, nodes.directory())?;
    let options = "--set metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true";
    let mimic = Mimic::with_helm(&nodes, checkout, options).await?;
    let monitoring = Namespace::create(nodes.cluster(), "monitoring").await?;
    monitoring.kubectl_create(&prometheus())?;

    let job = "serviceMonitor/mimic/mimic/0";
    let mut configuration = String::new();
    eventually("the operator writes a scrape configuration for Mimic", async || {
        let read = "kubectl -n monitoring get secret prometheus-main -o jsonpath='{.data.prometheus\\.yaml\\.gz}' \
             | base64 -d | gunzip";
        // It fails until the Secret exists.
        configuration = mimic.run(&format!("set -o pipefail; {read}")).map(|read| read.stdout).unwrap_or_default();
        Ok(configuration.contains(job))
    })
    .await?;
    let configuration = objects(&configuration)?.pop().context("a configuration")?;
    let scraped = configuration["scrape_configs"].as_array().into_iter().flatten().find(|one| one["job_name"] == job);
    let scraped = scraped.context("the job is there")?;
    assert_eq!(scraped["metrics_path"], "/metrics");
    assert_eq!(scraped["kubernetes_sd_configs"][0]["namespaces"]["names"], json!(["mimic"]));
    let relabelled = scraped["relabel_configs"].as_array().context("it selects targets")?;
    // The alerts use these labels.
    for label in ["namespace", "pod"] {
        assert!(relabelled.iter().any(|one| one["target_label"] == label), "{label}: {relabelled:?}");
    }

    let rules = ["get", "configmap", "prometheus-main-rulefiles-0", "-o", "yaml"];
    eventually("the operator hands the alerts to Prometheus", async || {
        let found = monitoring.kubectl(&rules).map(|found| found.stdout).unwrap_or_default();
        Ok(found.contains("alert: MimicPassedOver") && found.contains("alert: MimicAbsent"))
    })
    .await
}
