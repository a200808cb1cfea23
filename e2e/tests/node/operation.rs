//! Replicas are replaced, killed, stopped and evicted while pods are created; the cluster starts from cold.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::DeleteParams;
use mimic_e2e::{Namespace, Node, NodeCluster, eventually, eventually_within, load::Load};
use serde_json::json;

use crate::{by_helm, ran};

/// The replicas that run.
async fn replicas(own: &Namespace<'_>) -> Result<Vec<Pod>> {
    let pods = own.pods().await?;
    Ok(pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect())
}

fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// The node that a pod is on.
fn node<'n>(nodes: &'n NodeCluster, pod: &Pod) -> Result<&'n Node> {
    let name = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).context("it is on a node")?;
    nodes.nodes().iter().find(|node| node.name() == name).context("the node exists")
}

/// Sends a signal to the first process of a pod's only container.
fn signal(nodes: &NodeCluster, pod: &Pod, signal: &str) -> Result<()> {
    let [server] = &ran(pod)?[..] else { panic!("one container: {pod:?}") };
    let id = server.container.strip_prefix("containerd://").context("containerd runs it")?;
    node(nodes, pod)?.ctr(&["tasks", "kill", "--signal", signal, id])?;
    Ok(())
}

const RESTART: &str = "kubectl -n mimic rollout restart deployment/mimic";
const ROLLED_OUT: &str = "kubectl -n mimic rollout status deployment/mimic --timeout=5m";

/// Everything that an administrator does on purpose loses nothing.
async fn maintenance(policy: &str) -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let options = format!("--set webhook.failurePolicy={policy}");
    let Some(mimic) = by_helm(&nodes, &options).await? else { return Ok(()) };
    let expected = format!("{}/library/nginx", mimic.mirror());
    let own = Namespace::existing(nodes.cluster(), "mimic").await?;
    let certificate = async || -> Result<_> {
        let secret: Secret = own.api().get("mimic-certs").await?;
        Ok(secret.data.and_then(|mut data| data.remove("tls.crt")))
    };

    Load::of(&mimic.shop, &expected, async |load| {
        load.more(50).await?;
        mimic.checkout.run_meanwhile(RESTART).await?;
        mimic.checkout.run_meanwhile(ROLLED_OUT).await?;
        load.more(50).await?;

        // Other certificates for other replicas.
        let before = certificate().await?;
        own.kubectl(&["patch", "secret", "mimic-certs", "--type=merge", "--patch", r#"{"data": {"tls.crt": null, "tls.key": null}}"#])?;
        eventually("there is a new certificate", async || {
            let now = certificate().await?;
            Ok(now.is_some() && now != before)
        })
        .await?;
        load.more(50).await?;

        mimic
            .checkout
            .run_meanwhile(
                "helm upgrade mimic deploy/chart --namespace mimic --reset-then-reuse-values --set podAnnotations.new=yes",
            )
            .await?;
        mimic.checkout.run_meanwhile(ROLLED_OUT).await?;
        load.more(50).await?;

        for node in nodes.nodes() {
            let name = node.name();
            mimic.checkout.run_meanwhile(&format!("kubectl drain {name} --ignore-daemonsets --timeout=5m")).await?;
            mimic.checkout.run_meanwhile(ROLLED_OUT).await?;
            load.more(50).await?;
            mimic.checkout.run_meanwhile(&format!("kubectl uncordon {name}")).await?;
        }
        Ok(())
    })
    .await?
    .none_failed()
}

#[tokio::test]
async fn maintenance_loses_no_pod_with_fail() -> Result<()> {
    maintenance("Fail").await
}

#[tokio::test]
async fn maintenance_loses_no_pod_with_ignore() -> Result<()> {
    maintenance("Ignore").await
}

#[tokio::test]
async fn the_disruption_budget_allows_one_eviction_at_a_time() -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let Some(_mimic) = by_helm(&nodes, "").await? else { return Ok(()) };
    let own = Namespace::existing(nodes.cluster(), "mimic").await?;
    let running = replicas(&own).await?;
    let [first, second] = &running[..] else { panic!("two replicas: {running:?}") };
    let evict = |pod: &Pod| {
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name(pod), "namespace": "mimic"},
        });
        // Unlike the client of these tests, kubectl does not try again when it is refused.
        let path = format!("/api/v1/namespaces/mimic/pods/{}/eviction", name(pod));
        own.kubectl_with(&["create", "--raw", &path, "-f", "-"], &eviction)
    };
    evict(first)?;
    let error = evict(second).err().context("the second eviction is refused")?.to_string();
    ensure!(error.contains("disruption budget"), "{error}");
    Ok(())
}

/// A replica fails under load, and the kubelet starts it again. Pods fail only because their request went to that replica, and none
/// afterwards. With `Ignore`, they would not be rewritten.
async fn failing(signal_name: &str, deadline: Duration, reasons: &[&str]) -> Result<()> {
    let Some(nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let Some(mimic) = by_helm(&nodes, "--set webhook.failurePolicy=Fail").await? else { return Ok(()) };
    let expected = format!("{}/library/nginx", mimic.mirror());
    let own = Namespace::existing(nodes.cluster(), "mimic").await?;
    let count = Load::of(&mimic.shop, &expected, async |load| {
        load.more(100).await?;
        let victim = replicas(&own).await?.into_iter().next().context("a replica runs")?;
        signal(&nodes, &victim, signal_name)?;
        eventually_within("the replica is restarted", deadline, async || {
            let now = ran(&own.pod(name(&victim)).await?)?;
            Ok(now.first().is_some_and(|server| server.restarts == 1))
        })
        .await
    })
    .await?;
    // Not captured: how many depends on the machine.
    writeln!(io::stderr(), "{signal_name}: {} of {} pods failed", count.failures().len(), count.total())?;
    for failure in count.failures() {
        ensure!(reasons.iter().any(|reason| failure.contains(reason)), "{failure}");
    }
    mimic.run(ROLLED_OUT)?;
    Load::of(&mimic.shop, &expected, async |load| load.more(200).await).await?.none_failed()
}

#[tokio::test]
async fn a_killed_replica_loses_only_requests_that_it_gets() -> Result<()> {
    failing("SIGKILL", Duration::from_mins(2), &["connection refused", "connection reset", "EOF"]).await
}

/// The liveness probe fails three times, ten seconds apart; then the kubelet waits for the grace period.
#[tokio::test]
async fn a_hanging_replica_loses_only_requests_that_it_gets() -> Result<()> {
    let reasons = ["deadline exceeded", "Timeout exceeded", "connection refused", "connection reset", "EOF"];
    failing("SIGSTOP", Duration::from_mins(5), &reasons).await
}

/// All nodes lose power. Mimic's namespace, and that of what the mirror needs, are excluded.
#[tokio::test]
async fn a_cluster_starts_from_cold_with_fail() -> Result<()> {
    let Some(mut nodes) = NodeCluster::nightly().await? else { return Ok(()) };
    let state = {
        let options = "--set webhook.failurePolicy=Fail \
            --set 'excludeNamespaces={kube-system,kube-node-lease,kube-public,registry}'";
        let Some(mimic) = by_helm(&nodes, options).await? else { return Ok(()) };
        let published = mimic.publish("app", "1")?;
        mimic.shop.kubectl(&["create", "deployment", "web", "--image=app:1"])?;
        mimic.rolled_out("deployment/web").await?;
        mimic.checkout.run("kubectl create namespace registry")?;
        published
    };
    nodes.stop_nodes();
    let own = Namespace::existing(nodes.cluster(), "mimic").await?;
    for replica in replicas(&own).await? {
        // As when the nodes are gone for long: then the replicas' pods are created again.
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        own.api::<Pod>().delete(name(&replica), &now).await?;
    }
    let shop = Namespace::existing(nodes.cluster(), "shop").await?;
    let registry = Namespace::existing(nodes.cluster(), "registry").await?;
    let image = format!("{}/sandbox:1", nodes.registry().host());
    registry.kubectl(&["run", "registry", &format!("--image={image}")])?;
    let refused = shop.kubectl(&["run", "early", "--image=app:1"]).err().context("no replica runs")?.to_string();
    ensure!(refused.contains("failed calling webhook"), "{refused}");
    drop((own, shop, registry));

    for number in [1, 2] {
        nodes.start_node(number)?;
    }
    let own = Namespace::existing(nodes.cluster(), "mimic").await?;
    own.kubectl(&["rollout", "status", "deployment/mimic", "--timeout=5m"])?;
    let shop = Namespace::existing(nodes.cluster(), "shop").await?;
    eventually("the API server reaches a replica", async || {
        Ok(shop.kubectl(&["run", "late", "--image=app:1"]).is_ok())
    })
    .await?;
    shop.kubectl(&["wait", "--for=condition=Ready", "pod/late", "--timeout=5m"])?;
    assert_eq!(ran(&shop.pod("late").await?)?[0].image, state);
    Ok(())
}
