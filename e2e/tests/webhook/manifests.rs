//! Manifests that `mimic manifests` rewrote, without the webhook, and the same manifests with it.

use std::fs;

use anyhow::{Context, Result};
use mimic_e2e::{Namespace, images, run_mimic};
use serde_json::{Value, json};

use crate::{MIRRORS, pod, unregistered};

/// Pods and Deployments that differ in what decides about their images.
fn objects() -> Vec<Value> {
    let opt_out = json!({"mimic.cryptkcoding.com/rewrite": "false"});
    let mut objects = Vec::new();

    let mut full =
        pod("full", [("hub", "nginx"), ("tag", "ghcr.io/acme/api:1.4.2"), ("other", "registry.example.org/a:2")]);
    full["spec"]["initContainers"] = json!([{"name": "setup", "image": "docker.io/library/busybox:1.36"}]);
    full["spec"]["volumes"] = json!([
        {"name": "scratch", "emptyDir": {}},
        {"name": "model", "image": {"reference": "quay.io/acme/model:v3"}},
        {"name": "local", "image": {"reference": "quay.io/acme/model:v3", "pullPolicy": "Never"}},
    ]);
    objects.push(full);

    let mut never = pod("never", [("kept", "nginx"), ("pulled", "nginx")]);
    never["spec"]["containers"][0]["imagePullPolicy"] = "Never".into();
    objects.push(never);

    let mut labelled = pod("labelled", [("kept", "nginx")]);
    labelled["metadata"]["labels"] = opt_out.clone();
    objects.push(labelled);

    let mut annotated = pod("annotated", [("kept", "nginx")]);
    annotated["metadata"]["annotations"] = opt_out.clone();
    objects.push(annotated);

    for (name, on_template) in [("deployed", false), ("opted-out", true)] {
        let mut template = pod(name, [("web", "nginx:1.27")]);
        template["metadata"] = json!({"labels": {"app": name}});
        if on_template {
            template["metadata"]["labels"]["mimic.cryptkcoding.com/rewrite"] = "false".into();
        }
        objects.push(json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            // Its own label does not count: the webhook sees only pods.
            "metadata": {"name": name, "labels": opt_out},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": template["metadata"], "spec": template["spec"]},
            },
        }));
    }
    objects
}

/// The images of an object's pod after the API server has stored the object and the pod.
async fn stored(namespace: &Namespace<'_>, object: &Value) -> Result<Vec<(String, String)>> {
    let created = namespace.kubectl_with(&["create", "-f", "-", "-o", "json"], object)?;
    let stored: Value = serde_json::from_str(&created.stdout)?;
    let name = object["metadata"]["name"].as_str().context("the object has a name")?;
    if object["kind"] == "Deployment" {
        // As a controller creates it, which this cluster does not have.
        let template = &stored["spec"]["template"];
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": template["spec"]});
        pod["metadata"] = json!({"name": name, "labels": template["metadata"]["labels"]});
        namespace.kubectl_create(&pod)?;
    }
    let pod = namespace.pod(name).await?;
    Ok(images(&pod).into_iter().map(|(name, image)| (name.to_owned(), image.to_owned())).collect())
}

#[tokio::test]
async fn rewritten_manifests_give_the_pods_that_the_webhook_gives() -> Result<()> {
    let Some((plain, server)) = unregistered("manifests-rewritten").await? else { return Ok(()) };
    let webhook = plain.sibling("manifests-webhook").await?;
    server.register(&webhook, &[]).await?;

    let folder = tempfile::tempdir()?;
    let rules = folder.path().join("mirrors.yaml");
    fs::write(&rules, MIRRORS)?;
    let rules = rules.display().to_string();
    let mut changed = 0;
    for object in objects() {
        let file = folder.path().join("object.json");
        fs::write(&file, serde_json::to_vec_pretty(&object)?)?;
        let output = run_mimic(&["manifests", "-f", &rules, &file.display().to_string()])?;
        let rewritten: Value = serde_json::from_str(&output)?;
        changed += usize::from(rewritten != object);
        let expected = stored(&webhook, &object).await?;
        assert_eq!(stored(&plain, &rewritten).await?, expected, "{object}");
    }
    assert_eq!(changed, 3, "the full pod, one container of `never`, and `deployed`");
    Ok(())
}
