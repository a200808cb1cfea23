//! Replicas that keep the policy, and pods while none runs.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use mimic_e2e::{Cluster, Installation, Namespace, Replica, eventually};
use serde_json::json;

use crate::{INSTALL, awaited, policy, without_webhook};

const ONE: &str = "one.example.com/library/nginx";
const TWO: &str = "two.example.com/library/nginx";

/// Of another tool; it changes nothing.
const PATCH: &str = "[JSONPatch{op: 'test', path: '/kind', value: 'Pod'}]";

/// How often one of the replicas logged this.
fn logged(replicas: &[Replica], text: &str) -> usize {
    replicas.iter().map(|replica| replica.count_logged(text)).sum()
}

#[tokio::test]
async fn rules_apply_while_no_replica_runs_and_changes_of_others_are_reverted() -> Result<()> {
    let Some(cluster) = Cluster::own_with_policies()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &[INSTALL]).await?;
    without_webhook(&mimic)?;
    let shop = Namespace::create(&cluster, "shop").await?;
    mimic.set_mirrors(&json!({"docker.io": "one.example.com", "*": null, "quay.io": "one.example.com/quay"})).await?;
    // The kubelet sets it.
    let mut replicas = Vec::new();
    for pod in ["mimic-0", "mimic-1"] {
        replicas.push(mimic.start_replica_with(&[("HOSTNAME", pod)]).await?);
    }
    mimic.rewrites(&shop, ONE).await?;
    for replica in &replicas {
        replica.reports(&["[+] policy: hash ", "0 left to the webhook\n"]).await?;
    }
    assert_eq!(logged(&replicas, "admission policy written"), 1, "replicas with the same rules write once");

    let own = mimic.own();
    let written = policy(own)?.context("there is a policy")?;
    let binding = own.kubectl(&["get", "mutatingadmissionpolicybinding", "mimic", "-o", "jsonpath={.metadata.uid}"])?;
    assert_eq!(written["metadata"]["ownerReferences"][0]["uid"], json!(binding.stdout), "{written}");

    let changed = Instant::now();
    mimic.set_mirror("two.example.com").await?;
    mimic.rewrites(&shop, TWO).await?;
    eprintln!("a changed rule applied after {:?}", changed.elapsed());

    // Another client changes the policy, and deletes it.
    let before = policy(own)?.context("there is a policy")?;
    let patch = r#"{"spec": {"failurePolicy": "Fail"}}"#;
    own.kubectl(&["patch", "mutatingadmissionpolicy", "mimic", "--type=merge", "--patch", patch])?;
    let restored = awaited("the policy is restored", own, |policy| policy["spec"] == before["spec"]).await?;
    ensure!(restored["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"], "it was changed");
    eventually("it is logged", async || Ok(logged(&replicas, "admission policy restored") == 1)).await?;
    own.kubectl(&["delete", "mutatingadmissionpolicy", "mimic"])?;
    let created = awaited("the policy is created again", own, |policy| policy["spec"] == before["spec"]).await?;
    ensure!(created["metadata"]["uid"] != before["metadata"]["uid"], "it was deleted");
    eventually("it is logged", async || Ok(logged(&replicas, "admission policy restored") == 2)).await?;
    eventually("there are Events", async || {
        let events = own.api::<Event>().list(&ListParams::default()).await?;
        Ok(events.iter().filter(|event| event.reason.as_deref() == Some("PolicyRestored")).count() == 2)
    })
    .await?;

    // A replica is killed, and another starts: nothing is written.
    let stored = awaited("the policy is owned", own, |policy| !policy["metadata"]["ownerReferences"].is_null()).await?;
    drop(replicas.pop());
    let replica = mimic.start_replica().await?;
    replica.reports(&["[+] policy: hash "]).await?;
    assert_eq!(replica.count_logged("admission policy written"), 0);
    assert_eq!(policy(own)?, Some(stored));
    replicas.push(replica);

    // All are killed.
    drop(replicas);
    mimic.rewrites(&shop, TWO).await?;
    shop.kubectl(&["run", "web", "--image=nginx"])?;
    let web = shop.pod("web").await?;
    assert_eq!(mimic_e2e::images(&web), [("web", TWO)]);
    let annotations = web.metadata.annotations.unwrap_or_default();
    assert_eq!(annotations["mimic.cryptkcoding.com/original-images"], r#"{"web":"nginx"}"#);
    Ok(())
}

#[tokio::test]
async fn without_its_binding_the_policy_is_not_created_again() -> Result<()> {
    let Some(cluster) = Cluster::own_with_policies()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &[INSTALL]).await?;
    mimic.set_mirror("one.example.com").await?;
    let replicas = mimic.start_replicas(1).await?;
    replicas[0].reports(&["[+] policy: hash "]).await?;

    // As the garbage collector does: first the owner, then what it owns.
    let own = mimic.own();
    own.kubectl(&["delete", "mutatingadmissionpolicybinding", "mimic"])?;
    own.kubectl(&["delete", "mutatingadmissionpolicy", "mimic"])?;
    let missing = "[!] policy: no policy; 1 rule, 0 left to the webhook; not up to date: \
                   MutatingAdmissionPolicyBinding mimic: not found, so Mimic writes no policy";
    let report = replicas[0].reports(&[missing, "ready, degraded: "]).await?;
    assert_eq!(policy(own)?, None, "{report}");

    mimic.checkout().run(INSTALL)?;
    awaited("the policy is created", own, |policy| policy["metadata"]["name"] == "mimic").await?;
    replicas[0].reports(&["[+] policy: hash "]).await.map(drop)
}

#[tokio::test]
async fn a_policy_of_another_tool_is_not_overwritten() -> Result<()> {
    let Some(cluster) = Cluster::own_with_policies()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &[INSTALL]).await?;
    let own = mimic.own();
    let theirs = json!({
        "apiVersion": "admissionregistration.k8s.io/v1beta1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "mimic"},
        "spec": {
            "failurePolicy": "Ignore",
            "reinvocationPolicy": "Never",
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
            ]},
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": PATCH}}],
        },
    });
    own.kubectl_create(&theirs)?;
    let stored = policy(own)?;
    mimic.set_mirror("one.example.com").await?;
    let replicas = mimic.start_replicas(1).await?;
    replicas[0].reports(&["Mimic did not write it, and does not overwrite it"]).await?;
    assert_eq!(policy(own)?, stored);
    own.kubectl(&["delete", "mutatingadmissionpolicy", "mimic"])?;
    replicas[0].reports(&["[+] policy: hash "]).await.map(drop)
}
