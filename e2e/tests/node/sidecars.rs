//! A real sidecar injector, before and after Mimic.

use anyhow::{Context, Result};
use k8s_openapi::{
    api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use mimic_e2e::{Checkout, IstioInjector, NodeCluster, eventually, images};
use serde_json::json;

use crate::Mimic;

const INJECTOR: &str = "istio-sidecar-injector";
/// The API server calls webhooks in the order of their names.
const LATER: &str = "zz-istio";

/// Sets whether the API server calls Mimic again when a later webhook changes a pod.
fn reinvocation(mimic: &Mimic<'_>, policy: &str) -> Result<()> {
    let patch = json!([{"op": "replace", "path": "/webhooks/0/reinvocationPolicy", "value": policy}]);
    mimic.run(&format!("kubectl patch mutatingwebhookconfiguration mimic --type=json --patch '{patch}'"))?;
    Ok(())
}

/// Waits until a new pod would get these images, by name.
async fn becomes(mimic: &Mimic<'_>, expected: &[(&str, String)]) -> Result<()> {
    let mut last = Vec::new();
    let what = format!("pods get {expected:?}");
    let found = eventually(&what, async || {
        let created = mimic.shop.kubectl(&["run", "app", "--image=app:1", "--dry-run=server", "-o", "json"])?;
        let pod: Pod = serde_json::from_str(&created.stdout)?;
        last = images(&pod).into_iter().map(|(name, image)| (name.to_owned(), image.to_owned())).collect();
        last.sort();
        Ok(last.iter().map(|(name, image)| (name.as_str(), image.clone())).eq(expected.iter().cloned()))
    })
    .await;
    found.map_err(|error| error.context(format!("{last:?}")))
}

#[tokio::test]
async fn sidecars_of_istio_come_from_the_mirror_in_either_order() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(nodes.cluster())? else { return Ok(()) };
    let _injector = IstioInjector::install(&checkout, nodes.directory()).await?;
    let mimic = Mimic::with_helm(&nodes, checkout, "").await?;
    mimic.run("kubectl label namespace shop istio-injection=enabled")?;
    let mirror = mimic.mirror();
    let rewritten = [
        ("app", format!("{mirror}/library/app:1")),
        ("istio-init", format!("{mirror}/istio/proxyv2:latest")),
        ("istio-proxy", format!("{mirror}/istio/proxyv2:latest")),
    ];

    // Istio's name is before Mimic's: one call of Mimic is enough.
    reinvocation(&mimic, "Never")?;
    becomes(&mimic, &rewritten).await?;

    let configurations: Api<MutatingWebhookConfiguration> = Api::all(nodes.cluster().client().await?);
    let mut later = configurations.get(INJECTOR).await?;
    later.metadata = ObjectMeta { name: Some(LATER.to_owned()), ..ObjectMeta::default() };
    configurations.delete(INJECTOR, &DeleteParams::default()).await?;
    configurations.create(&PostParams::default(), &later).await?;
    // Without the policy that Mimic has, the API server does not show it the sidecars.
    let mut missed = rewritten.clone();
    for (_, image) in &mut missed[1..] {
        *image = "docker.io/istio/proxyv2:latest".to_owned();
    }
    becomes(&mimic, &missed).await?;
    reinvocation(&mimic, "IfNeeded")?;
    becomes(&mimic, &rewritten).await.context("Mimic is called again")
}
