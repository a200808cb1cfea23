//! The ConfigMap, watched by two replicas with the permissions of the shipped service account.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api,
    api::{PostParams, WatchEvent, WatchParams},
};
use mimic_e2e::{Cluster, Installation, Namespace, WebhookConfiguration, eventually, images};
use serde_json::json;

use crate::STEPS;

/// Longest time until a change of the ConfigMap applies to new pods.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_change_applies_to_the_next_pod_on_both_replicas() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &STEPS).await?;
    mimic.set_mirror("mirror.example.com/0").await?;
    let replicas = mimic.start_replicas(2).await?;
    // One namespace for each replica, to test both.
    mimic.checkout().run("kubectl delete mutatingwebhookconfiguration mimic")?;
    let mut namespaces = Vec::new();
    for (name, replica) in ["first", "second"].into_iter().zip(&replicas) {
        let namespace = Namespace::create(&cluster, name).await?;
        let configuration = WebhookConfiguration::new(&mimic.ca().await?, &[name])?.service_port(replica.port());
        configuration
            .apply(&namespace, |probe| images(probe) == [("probe", "mirror.example.com/0/library/busybox")])
            .await?;
        namespaces.push(namespace);
    }
    for version in 1..=5 {
        mimic.set_mirror(&format!("mirror.example.com/{version}")).await?;
        let changed = Instant::now();
        for namespace in &namespaces {
            mimic.rewrites(namespace, &format!("mirror.example.com/{version}/library/nginx")).await?;
        }
        ensure!(changed.elapsed() < SOON, "it took {:?}", changed.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn changes_apply_after_a_restart_of_the_api_server_and_a_compaction_of_etcd() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &STEPS).await?;
    let shop = Namespace::create(&cluster, "shop").await?;
    mimic.set_mirror("mirror.example.com/before").await?;
    let _replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, "mirror.example.com/before/library/nginx").await?;

    cluster.restart()?;
    mimic.set_mirror("mirror.example.com/restarted").await?;
    mimic.rewrites(&shop, "mirror.example.com/restarted/library/nginx").await?;

    let configmaps: Api<ConfigMap> = mimic.own().api();
    let followed = configmaps.get("mimic-mirrors").await?.metadata.resource_version.context("it has a version")?;
    for number in 0..20 {
        shop.kubectl(&["create", "configmap", &format!("other-{number}")])?;
    }
    cluster.compact()?;
    cluster.restart()?;
    let mut events = pin!(configmaps.watch(&WatchParams::default(), &followed).await?);
    let first = events.next().await.context("a watch begins with something")??;
    let WatchEvent::Error(expired) = first else {
        bail!("the resource version of the replicas has not expired: {first:?}")
    };
    assert_eq!(expired.code, 410);
    mimic.set_mirror("mirror.example.com/compacted").await?;
    mimic.rewrites(&shop, "mirror.example.com/compacted/library/nginx").await
}

#[tokio::test]
async fn each_of_two_thousand_pods_has_one_of_two_hundred_versions() -> Result<()> {
    const PODS: usize = 2000;
    const VERSIONS: usize = 200;
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &STEPS).await?;
    let shop = Namespace::create(&cluster, "shop").await?;
    let set = async |version: usize| {
        let mirrors = ["docker.io", "quay.io"].map(|upstream| (upstream, format!("mirror.example.com/{version}")));
        mimic.set_mirrors(&serde_json::to_value(BTreeMap::from(mirrors))?).await
    };
    set(0).await?;
    let _replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, "mirror.example.com/0/library/nginx").await?;

    let pods: Api<Pod> = shop.api();
    let (begun, created) = (Cell::new(0), Cell::new(0));
    let create = async || -> Result<()> {
        while begun.get() < PODS {
            begun.set(begun.get() + 1);
            let pod = json!({
                "metadata": {"generateName": "web-"},
                "spec": {
                    "containers": [{"name": "web", "image": "nginx"}, {"name": "side", "image": "quay.io/acme/side"}],
                    "automountServiceAccountToken": false,
                },
            });
            pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
            created.set(created.get() + 1);
        }
        Ok(())
    };
    let change = async || -> Result<()> {
        for version in 1..=VERSIONS {
            // Spread over the whole test.
            eventually("more pods", async || Ok(created.get() >= (version - 1) * PODS / VERSIONS)).await?;
            set(version).await?;
        }
        Ok(())
    };
    tokio::try_join!(create(), create(), create(), create(), create(), create(), create(), create(), change())?;
    mimic.rewrites(&shop, &format!("mirror.example.com/{VERSIONS}/library/nginx")).await?;

    let stored = shop.pods().await?;
    assert_eq!(stored.len(), PODS);
    let mut seen = BTreeSet::new();
    for pod in &stored {
        let images = images(pod);
        let version =
            images[0].1.strip_prefix("mirror.example.com/").and_then(|rest| rest.strip_suffix("/library/nginx"));
        let version: usize = version.and_then(|version| version.parse().ok()).with_context(|| format!("{images:?}"))?;
        ensure!(version <= VERSIONS, "{images:?}");
        // Both images must come from the same version of the mirrors.
        assert_eq!(images[1], ("side", format!("mirror.example.com/{version}/acme/side").as_str()));
        seen.insert(version);
    }
    ensure!(seen.len() > VERSIONS / 2, "pods were created while the mirrors changed: {seen:?}");
    Ok(())
}
