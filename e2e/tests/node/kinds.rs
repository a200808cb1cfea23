//! Every kind of container and controller, and changes of pods that run.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use mimic_e2e::{Checkout, Namespace, NodeCluster, eventually, eventually_within};
use serde_json::{Value, json};

use crate::{Mimic, Ran, by_helm, ran};

const TRUE: [&str; 2] = ["/bin/busybox", "true"];

/// Waits until a pod is ready.
async fn ready(namespace: &Namespace<'_>, name: &str) -> Result<Pod> {
    namespace.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{name}"), "--timeout=5m"])?;
    namespace.pod(name).await
}

/// The name of each container, and what it runs.
fn named(pod: &Pod) -> Result<Vec<(String, String)>> {
    Ok(ran(pod)?.into_iter().map(|ran| (ran.name, ran.image)).collect())
}

#[tokio::test]
async fn every_kind_of_container_runs_what_the_mirror_has() -> Result<()> {
    let Some(nodes) = NodeCluster::own().await? else { return Ok(()) };
    let Some(mimic) = by_helm(&nodes, "").await? else { return Ok(()) };
    let names = ["init", "sidecar", "tagged", "digested", "both", "debug"];
    let published: Vec<String> = names.iter().map(|name| mimic.publish(name, "1")).collect::<Result<_>>()?;
    let digest = |index: usize| published[index].rsplit('@').next().unwrap_or_default();
    mimic.shop.kubectl_create(&json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "all"},
        "spec": {
            "initContainers": [
                {"name": "init", "image": "init:1", "command": TRUE},
                {"name": "sidecar", "image": "docker.io/library/sidecar:1", "restartPolicy": "Always"},
            ],
            "containers": [
                {"name": "tagged", "image": "tagged:1"},
                {"name": "digested", "image": format!("digested@{}", digest(3))},
                {"name": "both", "image": format!("index.docker.io/library/both:1@{}", digest(4))},
            ],
        },
    }))?;
    ready(&mimic.shop, "all").await?;
    mimic.shop.kubectl(&["debug", "all", "--image=debug:1", "--container=debug", "--", "/bin/busybox", "true"])?;
    let mut pod = mimic.shop.pod("all").await?;
    eventually("the ephemeral container has run", async || {
        pod = mimic.shop.pod("all").await?;
        Ok(ran(&pod)?.last().is_some_and(|last| last.name == "debug" && !last.image.is_empty()))
    })
    .await?;
    let mut expected: Vec<_> = names.iter().map(|&name| name.to_owned()).zip(published).collect();
    let mut actual = named(&pod)?;
    expected.sort();
    actual.sort();
    assert_eq!(actual, expected);
    Ok(())
}

#[tokio::test]
async fn the_pods_of_every_controller_run_what_the_mirror_has() -> Result<()> {
    let Some(nodes) = NodeCluster::own().await? else { return Ok(()) };
    let Some(mimic) = by_helm(&nodes, "").await? else { return Ok(()) };
    let published = mimic.publish("app", "1")?;
    let template = |name: &str, more: &Value| {
        let mut spec = json!({"containers": [{"name": "app", "image": "app:1"}]});
        if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
            spec.extend(more.clone());
        }
        json!({"metadata": {"labels": {"app": name}}, "spec": spec})
    };
    let selected = |name: &str| json!({"matchLabels": {"app": name}});
    for (kind, name, more) in [
        ("Deployment", "deployment", json!({"replicas": 2})),
        ("StatefulSet", "stateful", json!({"replicas": 2, "serviceName": "stateful"})),
        ("DaemonSet", "daemon", json!({})),
    ] {
        let mut spec = json!({"selector": selected(name), "template": template(name, &json!({}))});
        if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
            spec.extend(more.clone());
        }
        mimic.shop.kubectl_create(
            &json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}),
        )?;
    }
    let mut job = template("cron", &json!({"restartPolicy": "Never"}));
    job["spec"]["containers"][0]["command"] = json!(TRUE);
    mimic.shop.kubectl_create(&json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "cron"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": job}}},
    }))?;

    for (kind, name, count) in
        [("deployment", "deployment", 2), ("statefulset", "stateful", 2), ("daemonset", "daemon", 2)]
    {
        let pods = mimic.rolled_out(&format!("{kind}/{name}")).await?;
        let pods: Vec<_> = pods.iter().filter(|pod| label(pod) == Some(name)).collect();
        assert_eq!(pods.len(), count, "{name}");
        for pod in pods {
            assert_eq!(named(pod)?, [("app".to_owned(), published.clone())], "{name}");
        }
    }
    let of_cron_job = |pod: &Pod| label(pod) == Some("cron") && phase(pod) == Some("Succeeded");
    eventually_within("the CronJob has run", Duration::from_mins(5), async || {
        let pods = mimic.shop.pods().await?;
        let Some(pod) = pods.iter().find(|pod| of_cron_job(pod)) else { return Ok(false) };
        assert_eq!(named(pod)?, [("app".to_owned(), published.clone())]);
        Ok(true)
    })
    .await
}

fn label(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get("app").map(String::as_str)
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

/// A pod with a request that can be resized.
fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "finalizers": ["example.com/wait"]},
        "spec": {"containers": [{
            "name": "app",
            "image": "app:1",
            "resources": {"requests": {"cpu": "10m"}},
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
        }]},
    })
}

/// Resizes a pod and waits until its kubelet has done that, and so has seen all changes before.
async fn resized(namespace: &Namespace<'_>, name: &str, cpu: &str) -> Result<Pod> {
    let patch = json!({"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": cpu}}}]}}).to_string();
    namespace.kubectl(&["patch", "pod", name, "--subresource=resize", "--patch", &patch])?;
    let mut pod = namespace.pod(name).await?;
    eventually("the pod is resized", async || {
        pod = namespace.pod(name).await?;
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        let status = statuses.and_then(|statuses| statuses.first()).context("a container has a status")?;
        let requests = status.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        Ok(requests.and_then(|requests| requests.get("cpu")).is_some_and(|quantity| quantity.0 == cpu))
    })
    .await?;
    Ok(pod)
}

#[tokio::test]
async fn nothing_restarts_but_containers_with_a_changed_image() -> Result<()> {
    let Some(nodes) = NodeCluster::own().await? else { return Ok(()) };
    let Some(checkout) = Checkout::with_helm(nodes.cluster())? else { return Ok(()) };
    // Docker Hub as the nodes reach it without Mimic.
    let upstream = format!("http://{}/v2/upstream", nodes.registry().host());
    for node in nodes.nodes() {
        let hosts = format!("server = \"{upstream}\"\n[host.\"{upstream}\"]\noverride_path = true\n");
        node.set_hosts("docker.io", &hosts)?;
    }
    let old = Mimic::upstream(&nodes, "app", "1")?;
    let early = Namespace::create(nodes.cluster(), "early").await?;
    early.kubectl_create(&pod("before"))?;
    ready(&early, "before").await?;

    let mimic = Mimic::with_helm(&nodes, checkout, "").await?;
    let published = mimic.publish("app", "1")?;
    early.kubectl_with(&["apply", "-f", "-"], &pod("after"))?;
    ready(&early, "after").await?;
    let started = async |name: &str| -> Result<Vec<Ran>> { ran(&early.pod(name).await?) };
    let (before, after) = (started("before").await?, started("after").await?);
    assert_eq!(before[0].image, old);
    assert_eq!(after[0].image, published);

    // Applied again as written, while the stored image is the mirror's.
    early.kubectl_with(&["apply", "-f", "-"], &pod("after"))?;
    for (name, ran_first) in [("before", &before), ("after", &after)] {
        early.kubectl(&["label", "pod", name, "changed=yes"])?;
        early.kubectl(&["annotate", "pod", name, "example.com/changed=yes"])?;
        early.kubectl(&["patch", "pod", name, "--type=merge", "--patch", r#"{"metadata": {"finalizers": null}}"#])?;
        let pod = resized(&early, name, "20m").await?;
        assert_eq!(&ran(&pod)?, ran_first, "{name}");
        ensure!(pod.metadata.finalizers.is_none(), "{:?}", pod.metadata);
    }

    let newer = mimic.publish("app", "2")?;
    for name in ["before", "after"] {
        early.kubectl(&["set", "image", &format!("pod/{name}"), "app=app:2"])?;
        eventually(&format!("{name} runs the new image"), async || Ok(started(name).await?[0].image == newer)).await?;
        assert_eq!(started(name).await?[0].restarts, 1);
    }
    early.kubectl(&["create", "deployment", "web", "--image=app:1"])?;
    early.kubectl(&["rollout", "status", "deployment/web", "--timeout=5m"])?;
    early.kubectl(&["set", "image", "deployment/web", "app=app:2"])?;
    early.kubectl(&["rollout", "status", "deployment/web", "--timeout=5m"])?;
    let pods = early.pods().await?;
    let current = pods.iter().filter(|pod| label(pod) == Some("web") && pod.metadata.deletion_timestamp.is_none());
    let images: Vec<_> = current.map(named).collect::<Result<_>>()?;
    assert_eq!(images, [[("app".to_owned(), newer)]]);
    Ok(())
}
