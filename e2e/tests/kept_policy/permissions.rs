//! What Mimic reports if a permission is missing.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::Api;
use mimic_e2e::{Cluster, Installation, Namespace};
use serde_json::json;

use crate::{INSTALL, awaited, policy, without_webhook};

const POLICIES: &str = "mutatingadmissionpolicies";
const BINDINGS: &str = "mutatingadmissionpolicybindings";

fn set_rules(own: &Namespace<'_>, rules: &[PolicyRule]) -> Result<()> {
    let patch = json!([{"op": "replace", "path": "/rules", "value": rules}]).to_string();
    own.kubectl(&["patch", "clusterrole", "mimic-policy", "--type=json", "--patch", &patch]).map(drop)
}

#[tokio::test]
async fn a_missing_permission_is_named_and_the_policy_stays_until_it_is_granted() -> Result<()> {
    let Some(cluster) = Cluster::own_with_policies()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &[INSTALL]).await?;
    without_webhook(&mimic)?;
    let shop = Namespace::create(&cluster, "shop").await?;
    let own = mimic.own();
    let role: ClusterRole = Api::all(own.client()).get("mimic-policy").await?;
    let rules = role.rules.context("the role has rules")?;
    for (number, (resource, verb)) in [
        (BINDINGS, "list"),
        (BINDINGS, "watch"),
        (BINDINGS, "get"),
        (POLICIES, "list"),
        (POLICIES, "watch"),
        (POLICIES, "update"),
        (POLICIES, "create"),
    ]
    .into_iter()
    .enumerate()
    {
        // To create the policy needs `get` on the binding; to update it does not.
        if ["get", "create"].contains(&verb) && policy(own)?.is_some() {
            own.kubectl(&["delete", "mutatingadmissionpolicy", "mimic"])?;
        }
        let before = policy(own)?;
        let mut reduced = rules.clone();
        for rule in &mut reduced {
            if rule.resources.iter().flatten().any(|known| known == resource) {
                rule.verbs.retain(|known| known != verb);
            }
        }
        reduced.retain(|rule| !rule.verbs.is_empty());
        ensure!(reduced != rules, "the role has `{verb}` on `{resource}`");
        set_rules(own, &reduced)?;
        let mirror = format!("mirror{number}.example.com");
        mimic.set_mirror(&mirror).await?;
        let mut replica = mimic.start_replica().await?;
        let named = if verb == "create" { String::new() } else { " named `mimic`".to_owned() };
        let expected = format!(
            "grant Mimic's service account `{verb}` on `{resource}.admissionregistration.k8s.io`{named} in a ClusterRole"
        );
        replica.reports(&[&expected, "[!] policy: "]).await?;
        replica.is_ready().await?;
        assert_eq!(policy(own)?, before, "without `{verb}` on `{resource}`");

        set_rules(own, &rules)?;
        replica.reports(&["[+] policy: hash "]).await?;
        awaited("the policy is written", own, |policy| policy["metadata"]["name"] == "mimic").await?;
        drop(replica);
        mimic.rewrites(&shop, &format!("{mirror}/library/nginx")).await?;
    }
    Ok(())
}
