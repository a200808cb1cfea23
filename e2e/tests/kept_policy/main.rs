//! The rules in a `MutatingAdmissionPolicy` that Mimic keeps up to date.

mod absent;
mod chart;
mod condition;
mod permissions;
mod replicas;

use anyhow::Result;
use mimic_e2e::{Installation, Namespace, eventually};
use serde_json::Value;

const INSTALL: &str = "kubectl apply -k deploy/policy/v1beta1";

/// Removes the webhook configuration, so that the policy alone rewrites pods.
fn without_webhook(mimic: &Installation<'_>) -> Result<()> {
    mimic.own().kubectl(&["delete", "mutatingwebhookconfiguration", "mimic"]).map(drop)
}

/// The stored policy; `None` if there is none.
fn policy(namespace: &Namespace<'_>) -> Result<Option<Value>> {
    let policies = namespace.kubectl(&["get", "mutatingadmissionpolicies", "-o", "json"])?;
    let mut policies: Value = serde_json::from_str(&policies.stdout)?;
    Ok(policies["items"].as_array_mut().and_then(Vec::pop))
}

/// Waits until the stored policy is as expected, and returns it.
async fn awaited(what: &str, namespace: &Namespace<'_>, expected: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut found = Value::Null;
    eventually(what, async || {
        found = policy(namespace)?.unwrap_or_default();
        Ok(expected(&found))
    })
    .await?;
    Ok(found)
}
