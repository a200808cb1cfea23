//! A cluster without the API: Kubernetes 1.35 by default.

use anyhow::{Result, ensure};
use mimic_e2e::{Checkout, Cluster, Namespace, Replica};

const MIRRORS: &str = "mirrors: {docker.io: harbor.example.com/dockerhub}";

#[tokio::test]
async fn mimic_is_ready_and_says_that_the_api_is_missing() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let own = Namespace::create(&cluster, "without-policies").await?;
    let variables = [("MIMIC_POLICY_ENABLED", "true"), ("MIMIC_CERTIFICATE_SOURCE", "selfsigned")];
    let mut replica = Replica::in_namespace(&own, MIRRORS, &variables)?;
    replica.is_ready().await?;
    let missing = "[!] policy: no policy; not up to date: MutatingAdmissionPolicy mimic: the API server has no API for \
                   mutating admission policies (hint: ";
    replica.reports(&[missing, "\nready, degraded: policy\n"]).await?;

    let Some(checkout) = Checkout::with_helm(&cluster)? else { return Ok(()) };
    let install = "helm install mimic deploy/chart --namespace mimic --create-namespace --set policy.enabled=true";
    let Err(error) = checkout.run(install) else { anyhow::bail!("the chart was installed") };
    let error = format!("{error:#}");
    ensure!(error.contains("the API server has no API for mutating admission policies"), "{error}");
    Ok(())
}
