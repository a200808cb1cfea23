//! Permissions of the shipped service account, and what Mimic reports if one is missing.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use k8s_openapi::api::{
    authorization::v1::SubjectAccessReview,
    rbac::v1::{ClusterRole, PolicyRule, Role},
};
use kube::{Api, api::PostParams};
use mimic_e2e::{Checkout, Cluster, Installation, Namespace, Replica, eventually};
use serde_json::json;

use crate::{ONE_STEP, STEPS};

const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// Resources to check, in addition to Mimic's own objects: those of each API group that Mimic uses, and critical ones.
const RESOURCES: [(&str, &str); 13] = [
    ("", "configmaps"),
    ("", "secrets"),
    ("", "events"),
    ("", "pods"),
    ("", "namespaces"),
    ("", "serviceaccounts"),
    ("events.k8s.io", "events"),
    ("apps", "deployments"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("coordination.k8s.io", "leases"),
];

/// Whether the service account has this permission. Without a name: for any object.
async fn may(
    client: &kube::Client,
    verb: &str,
    (group, resource): (&str, &str),
    namespace: &str,
    name: &str,
) -> Result<bool> {
    let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
        "user": "system:serviceaccount:mimic:mimic",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:mimic", "system:authenticated"],
        "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name},
    }}))?;
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("a review is answered")?.allowed)
}

/// All of its permissions, as `VERB RESOURCE.GROUP NAMESPACE/NAME`.
async fn permissions(client: &kube::Client) -> Result<BTreeSet<String>> {
    let mut allowed = BTreeSet::new();
    for resource in RESOURCES {
        for namespace in ["mimic", "default", ""] {
            for name in ["mimic", "mimic-mirrors", "mimic-certs", ""] {
                for verb in VERBS {
                    if may(client, verb, resource, namespace, name).await? {
                        allowed.insert(format!("{verb} {}.{} {namespace}/{name}", resource.1, resource.0));
                    }
                }
            }
        }
    }
    Ok(allowed)
}

#[tokio::test]
async fn the_service_account_has_the_permissions_that_mimic_needs_and_no_others() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let checkout = Checkout::new(&cluster)?;
    for step in STEPS {
        checkout.run(step)?;
    }
    let client = cluster.client().await?;
    let named =
        |verbs: &[&str], object: &str| -> Vec<String> { verbs.iter().map(|verb| format!("{verb} {object}")).collect() };
    let mut expected = BTreeSet::new();
    for name in ["", "mimic", "mimic-certs", "mimic-mirrors"] {
        // Permission to create any name includes these names.
        expected.insert(format!("create events.events.k8s.io mimic/{name}"));
    }
    expected.extend(named(&["get", "list", "watch"], "configmaps. mimic/mimic-mirrors"));
    expected.extend(named(&["list", "watch"], "secrets. mimic/mimic-certs"));
    eventually("the API server applies the roles", async || Ok(permissions(&client).await? == expected))
        .await
        .context(format!("{:#?}", permissions(&client).await?))?;

    checkout.run(ONE_STEP)?;
    expected.extend(named(&["get", "update"], "secrets. mimic/mimic-certs"));
    for namespace in ["", "default", "mimic"] {
        // Cluster-scoped objects are checked without a namespace.
        let webhook = format!("mutatingwebhookconfigurations.admissionregistration.k8s.io {namespace}/mimic");
        expected.extend(named(&["list", "watch", "patch"], &webhook));
    }
    eventually("the API server applies the roles", async || Ok(permissions(&client).await? == expected))
        .await
        .context(format!("{:#?}", permissions(&client).await?))
}

/// A cluster in which permissions are removed.
struct Reduced<'c> {
    mimic: Installation<'c>,
}

impl Reduced<'_> {
    /// Starts a replica without this permission, and restores the permission afterwards.
    ///
    /// The permission must be in a role of the shipped files, which proves that the test and the files agree.
    async fn says(
        &self,
        role: &str,
        (verb, (group, resource)): (&str, (&str, &str)),
        variables: &[(&str, &str)],
        said: &str,
    ) -> Result<Replica> {
        let own = self.mimic.own();
        let client = own.client();
        let namespace = if role.starts_with("clusterrole/") { "" } else { own.name() };
        let name = match resource {
            "configmaps" => "mimic-mirrors",
            "secrets" => "mimic-certs",
            "events" => "",
            _ => "mimic",
        };
        let rules = self.rules(role).await?;
        let mut changed = rules.clone();
        let mut found = false;
        for rule in &mut changed {
            if rule.resources.iter().flatten().any(|known| known == resource) {
                let before = rule.verbs.len();
                rule.verbs.retain(|known| known != verb);
                found |= rule.verbs.len() < before;
            }
        }
        changed.retain(|rule| !rule.verbs.is_empty());
        assert!(found, "{role} has `{verb}` on `{resource}`");
        let set = |rules: &[PolicyRule]| -> Result<()> {
            let patch = json!([{"op": "replace", "path": "/rules", "value": rules}]).to_string();
            own.kubectl(&["patch", role, "--type=json", "--patch", &patch]).map(drop)
        };
        set(&changed)?;
        let is = async |expected: bool| {
            eventually("the API server applies the role", async || {
                Ok(may(&client, verb, (group, resource), namespace, name).await? == expected)
            })
            .await
        };
        is(false).await?;
        let replica = self.mimic.start_replica_with(variables).await?;
        replica.logged(said).await.with_context(|| format!("without `{verb}` on `{resource}`"))?;
        set(&rules)?;
        is(true).await?;
        Ok(replica)
    }

    async fn rules(&self, role: &str) -> Result<Vec<PolicyRule>> {
        let rules = match role.split_once('/') {
            Some(("clusterrole", name)) => Api::<ClusterRole>::all(self.mimic.own().client()).get(name).await?.rules,
            Some((_, name)) => self.mimic.own().api::<Role>().get(name).await?.rules,
            None => None,
        };
        rules.with_context(|| format!("{role} has rules"))
    }
}

const CONFIGMAPS: (&str, &str) = ("", "configmaps");
const SECRETS: (&str, &str) = ("", "secrets");
const EVENTS: (&str, &str) = ("events.k8s.io", "events");
const WEBHOOKS: (&str, &str) = ("admissionregistration.k8s.io", "mutatingwebhookconfigurations");

#[tokio::test]
async fn mimic_names_a_missing_permission_and_continues_once_it_is_granted() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &STEPS).await?;
    let reduced = Reduced { mimic };
    let role = "role/mimic";
    let hint = |verb: &str, object: &str| {
        format!("grant Mimic's service account `{verb}` on `{object}` in a Role in namespace `mimic`")
    };
    for verb in ["list", "watch"] {
        let said = hint(verb, "configmaps` named `mimic-mirrors");
        reduced.says(role, (verb, CONFIGMAPS), &[], &said).await?.is_ready().await?;
        let said = hint(verb, "secrets` named `mimic-certs");
        reduced.says(role, (verb, SECRETS), &[], &said).await?.is_ready().await?;
    }
    let said = hint("get", "configmaps` named `mimic-mirrors");
    let once = [("MIMIC_KUBERNETES_WATCH", "false")];
    reduced.says(role, ("get", CONFIGMAPS), &once, &said).await?.is_ready().await?;

    reduced.mimic.set_mirrors(&json!({"docker.io": "https://harbor.example.com"})).await?;
    reduced.says(role, ("create", EVENTS), &[], &hint("create", "events.events.k8s.io")).await?.is_ready().await
}

#[tokio::test]
async fn mimic_names_a_missing_permission_for_managed_certificates() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &[ONE_STEP]).await?;
    mimic.set_mirror("mirror.example.com").await?;
    let shop = Namespace::create(&cluster, "shop").await?;
    let reduced = Reduced { mimic };
    for verb in ["get", "update"] {
        let said = format!(
            "grant Mimic's service account `{verb}` on `secrets` named `mimic-certs` in a Role in namespace `mimic`"
        );
        let mut replica = reduced.says("role/mimic-managed", (verb, SECRETS), &[], &said).await?;
        replica.is_ready().await?;
        drop(replica);
        reduced.mimic.own().kubectl(&["delete", "secret", "mimic-certs"])?;
        reduced.mimic.checkout().run("kubectl apply -f deploy/kustomize/secret.yaml")?;
    }
    for verb in ["list", "watch", "patch"] {
        let said = format!(
            "grant Mimic's service account `{verb}` on `mutatingwebhookconfigurations.admissionregistration.k8s.io` named `mimic` in a ClusterRole"
        );
        let mut replica = reduced.says("clusterrole/mimic-managed", (verb, WEBHOOKS), &[], &said).await?;
        replica.is_ready().await?;
        reduced
            .mimic
            .change_webhook(&json!([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}]))?;
    }
    let _replicas = reduced.mimic.start_replicas(2).await?;
    reduced.mimic.rewrites(&shop, "mirror.example.com/library/nginx").await
}
