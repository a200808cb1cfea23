//! The samples of `docs/conflicts.md`, with a real API server.

use std::fs;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::Pod,
};
use kube::{Api, api::PostParams};
use mimic_e2e::{Cluster, MimicServer, Namespace, Page, WebhookConfiguration, eventually, images};
use serde_json::{Value, json};

const MIRRORS: &str = "
rules:
  - {upstream: docker.io, mirrors: [harbor.example.com/dockerhub], pullSecret: harbor-pull}
";

fn page() -> Result<Page> {
    Page::read("docs/conflicts.md")
}

fn pod(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "app", "image": "nginx:1.27", "imagePullPolicy": "IfNotPresent"}]},
    })
}

const WRITTEN: [(&str, &str); 1] = [("app", "nginx:1.27")];
const REWRITTEN: [(&str, &str); 1] = [("app", "harbor.example.com/dockerhub/library/nginx:1.27")];

/// The rows of the table of operators: the chart's value, and a label of the pods that it excludes.
fn operators(page: &Page) -> Result<Vec<(Option<String>, Value)>> {
    let section = page.section("Operators that replace")?;
    let rows = section.lines().filter(|line| line.starts_with("| ["));
    let in_ticks = |cell: &str| cell.trim().strip_prefix('`')?.strip_suffix('`').map(ToOwned::to_owned);
    let operators = rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let label = in_ticks(cells.last()?)?;
        let (key, value) = label.split_once('=').unwrap_or((&label, "any"));
        Some((in_ticks(cells[2]), json!({key: value})))
    });
    Ok(operators.collect())
}

#[tokio::test]
async fn pods_of_operators_in_the_table_are_excluded() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let page = page()?;
    let sample = page.sample("Operators that replace")?;
    let further = sample["webhook"]["objectSelector"]["matchExpressions"]
        .as_array()
        .context("the sample extends the selector")?;
    let operators = operators(&page)?;
    let (shipped, others): (Vec<_>, Vec<_>) = operators.iter().partition(|(preset, _)| preset.is_some());
    assert_eq!((shipped.len(), others.len()), (4, 2), "{operators:?}");

    let server = MimicServer::start(MIRRORS).await?;
    let plain = Namespace::create(cluster, "operators").await?;
    server.register(&plain, &[]).await?;
    let extended = Namespace::create(cluster, "more-operators").await?;
    let extend = |configuration: WebhookConfiguration| {
        let mut selector = configuration.field("objectSelector");
        selector["matchExpressions"].as_array_mut().into_iter().for_each(|all| all.extend_from_slice(further));
        configuration.replace("objectSelector", &selector)
    };
    server.register_with(&extended, &[], extend).await?;

    for (namespace, left_out, rewritten) in [(&plain, &shipped, &others), (&extended, &others, &Vec::new())] {
        let cases = left_out.iter().map(|(_, labels)| (labels, WRITTEN));
        let pooler = json!({"cnpg.io/podRole": "pooler"});
        let cases = cases.chain(rewritten.iter().map(|(_, labels)| (labels, REWRITTEN))).chain([(&pooler, REWRITTEN)]);
        for (number, (labels, expected)) in cases.enumerate() {
            let name = format!("pod-{number}");
            namespace.kubectl_create(&pod(&name, labels))?;
            assert_eq!(images(&namespace.pod(&name).await?), expected, "{labels}");
        }
    }
    Ok(())
}

#[test]
fn the_chart_has_the_values_of_the_page() -> Result<()> {
    let values = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/chart/values.yaml"))?;
    let values: Value = serde_saphyr::from_str(&values)?;
    let page = page()?;
    let mut named: Vec<String> = operators(&page)?.into_iter().filter_map(|(preset, _)| preset).collect();
    named.extend(["presets.aks", "ports.webhook", "hostNetwork", "excludeNamespaces"].map(ToOwned::to_owned));
    for name in named {
        ensure!(page.text().contains(&format!("`{name}`")), "{name} is on the page");
        ensure!(values.pointer(&format!("/{}", name.replace('.', "/"))).is_some(), "{name} is a value");
    }
    Ok(())
}

#[tokio::test]
async fn a_policy_that_requires_the_mirror_sees_rewritten_images() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let namespace = Namespace::create(cluster, "policy").await?;
    let server = MimicServer::start(MIRRORS).await?;
    server.register(&namespace, &[]).await?;
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(page()?.sample("Policies on images")?)?;
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": {"name": "images-from-the-mirror"},
        "spec": {
            "policyName": policy.metadata.name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "policy"}}},
        },
    }))?;
    Api::all(namespace.client()).create(&PostParams::default(), &policy).await?;
    Api::all(namespace.client()).create(&PostParams::default(), &binding).await?;

    let pods: Api<Pod> = namespace.api();
    let out: Pod = serde_json::from_value(pod("out", &json!({"mimic.cryptkcoding.com/rewrite": "false"})))?;
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the policy rejects upstream images", async || {
        let refused = pods.create(&dry_run, &out).await.err();
        Ok(refused.is_some_and(|error| error.to_string().contains("images come from harbor.example.com only")))
    })
    .await?;
    namespace.kubectl_create(&pod("in", &json!({})))?;
    namespace.kubectl(&["debug", "in", "--image=busybox", "--container=debug"])?;
    let stored = namespace.pod("in").await?;
    assert_eq!(images(&stored), [REWRITTEN[0], ("debug", "harbor.example.com/dockerhub/library/busybox")]);
    // An ephemeral container without a mirror is rejected, too.
    assert!(namespace.kubectl(&["debug", "in", "--image=quay.io/a/b", "--container=other"]).is_err());
    Ok(())
}

#[tokio::test]
async fn images_are_always_pulled_from_the_mirror_with_always_pull_images() -> Result<()> {
    let Some(cluster) = Cluster::own_with(&["--enable-admission-plugins=AlwaysPullImages"])? else { return Ok(()) };
    let namespace = Namespace::create(&cluster, "always").await?;
    let server = MimicServer::start(MIRRORS).await?;
    server.register(&namespace, &[]).await?;
    namespace.kubectl_create(&pod("web", &json!({})))?;
    let stored = namespace.pod("web").await?;
    assert_eq!(images(&stored), REWRITTEN);
    let spec = stored.spec.context("a pod has a specification")?;
    assert_eq!(spec.containers[0].image_pull_policy.as_deref(), Some("Always"));
    Ok(())
}

#[tokio::test]
async fn a_pull_secret_is_added_to_those_of_the_service_account() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let namespace = Namespace::create(cluster, "pull-secrets").await?;
    let server = MimicServer::start(MIRRORS).await?;
    server.register(&namespace, &[]).await?;
    let patch = r#"{"imagePullSecrets": [{"name": "upstream-pull"}]}"#;
    namespace.kubectl(&["patch", "serviceaccount", "default", "--patch", patch])?;
    let secrets = async |name: &str| -> Result<Value> {
        let secrets = namespace.pod(name).await?.spec.and_then(|spec| spec.image_pull_secrets);
        Ok(serde_json::to_value(secrets)?)
    };
    // The API server applies the change of the ServiceAccount with a delay.
    eventually("pods get the pull secret of the account", async || {
        let name = format!("probe-{}", namespace.pods().await?.len());
        namespace.kubectl_create(&pod(&name, &json!({"mimic.cryptkcoding.com/rewrite": "false"})))?;
        Ok(secrets(&name).await? == json!([{"name": "upstream-pull"}]))
    })
    .await?;
    namespace.kubectl_create(&pod("web", &json!({})))?;
    assert_eq!(secrets("web").await?, json!([{"name": "upstream-pull"}, {"name": "harbor-pull"}]));
    Ok(())
}

/// The field that Argo CD ignores exists in the webhook configuration.
#[tokio::test]
async fn the_field_that_argo_cd_ignores_exists() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let namespace = Namespace::create(cluster, "gitops").await?;
    let server = MimicServer::start(MIRRORS).await?;
    server.register(&namespace, &[]).await?;
    let sample = page()?.sample("GitOps")?;
    let ignored = &sample["spec"]["ignoreDifferences"][0];
    assert_eq!((&ignored["kind"], &ignored["name"]), (&json!("MutatingWebhookConfiguration"), &json!("mimic")));
    let path = ignored["jqPathExpressions"][0].as_str().context("there is an expression")?;
    // jq's `[]` is `[*]` in kubectl's JSONPath.
    let path = format!("jsonpath={{{}}}", path.replace("[]", "[*]"));
    let bundle = namespace.kubectl(&["get", "mutatingwebhookconfiguration", "mimic-gitops", "-o", &path])?;
    ensure!(bundle.stdout.starts_with("LS0t"), "{bundle:?}");
    Ok(())
}
