//! Pods that a real kube-apiserver stores with the rules as a policy, without Mimic.

mod claims;
mod differential;
mod limits;
mod pods;
mod random;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use mimic_core::{Rewriter, Rule, parse_rules_file};
use mimic_e2e::{Cluster, Namespace, eventually, images};
use mimic_k8s::policy::{ApiVersion, Policy, PolicySettings, compile};
use serde_json::{Value, json};

/// Kubernetes 1.35 has this version of the API.
const VERSION: ApiVersion = ApiVersion::V1Beta1;

const ORIGINAL_IMAGES: &str = "mimic.cryptkcoding.com/original-images";

/// A namespace whose pods a policy changes. The policy has the name of the namespace.
struct Governed<'c> {
    namespace: Namespace<'c>,
    rewriter: Rewriter,
    policy: Policy,
}

/// A namespace with these rules as its policy. `None` if the test is skipped.
async fn governed(name: &str, mirrors: &str) -> Result<Option<Governed<'static>>> {
    let Some(cluster) = Cluster::shared_with_policies()? else { return Ok(None) };
    let namespace = Namespace::create(cluster, name).await?;
    Ok(Some(Governed::new(namespace, Rewriter::new([("file", rules(mirrors)?.into())])).await?))
}

/// The rules of a `mirrors.yaml`.
fn rules(mirrors: &str) -> Result<Vec<Rule>> {
    let list = parse_rules_file("mirrors.yaml", mirrors).map_err(|problem| anyhow::anyhow!("{problem}"))?;
    anyhow::ensure!(list.problems.is_empty(), "{:?}", list.problems);
    Ok(list.rules)
}

impl<'c> Governed<'c> {
    /// Applies the policy for a namespace, and waits until it has an effect.
    async fn new(namespace: Namespace<'c>, rewriter: Rewriter) -> Result<Self> {
        let settings = PolicySettings { name: namespace.name().to_owned(), ..PolicySettings::default() };
        let policy = compile(&rewriter, &settings)?;
        let governed = Self { namespace, rewriter, policy };
        governed.apply(&governed.policy.object(VERSION)).await?;
        let mut binding = governed.policy.binding(VERSION);
        binding["spec"]["matchResources"]["namespaceSelector"] =
            json!({"matchLabels": {"kubernetes.io/metadata.name": governed.namespace.name()}});
        governed.apply(&binding).await?;
        Ok(governed)
    }

    /// Waits until the policy changes this image. It does so within a second.
    async fn until_rewritten(self, image: &str) -> Result<Self> {
        eventually("the policy has an effect", async || Ok(self.dry_run(&[image]).await?[0] != image)).await?;
        Ok(self)
    }

    /// Creates or replaces an object of the API of policies.
    async fn apply(&self, object: &Value) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let name = object.metadata.name.clone().context("the object has a name")?;
        let api = self.api(object.types.as_ref().map_or("", |types| types.kind.as_str()));
        api.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(&object)).await?;
        Ok(())
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", VERSION.as_str(), kind);
        Api::all_with(self.namespace.client(), &ApiResource::from_gvk(&kind))
    }

    /// The images that a pod with these images would be stored with.
    async fn dry_run(&self, written: &[&str]) -> Result<Vec<String>> {
        let pod: Pod = serde_json::from_value(many(written))?;
        let pods: Api<Pod> = self.namespace.api();
        let created = pods.create(&PostParams { dry_run: true, ..PostParams::default() }, &pod).await?;
        Ok(images(&created).into_iter().map(|(_, image)| image.to_owned()).collect())
    }

    /// The image as the webhook would write it.
    fn expected(&self, image: &str) -> String {
        let context = mimic_core::Context::default().with_namespace(self.namespace.name());
        self.rewriter.rewrite(image, &context).rewritten().unwrap_or(image).to_owned()
    }
}

/// A pod with a container for each image.
fn many(images: &[&str]) -> Value {
    let containers: Vec<Value> = (0..)
        .zip(images)
        .map(|(number, image): (usize, _)| json!({"name": format!("c{number}"), "image": image}))
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "web-"},
        "spec": {"containers": containers, "automountServiceAccountToken": false},
    })
}

/// The original images in the annotation of a stored pod.
fn recorded(pod: &Pod) -> Option<Value> {
    let text = pod.metadata.annotations.as_ref()?.get(ORIGINAL_IMAGES)?;
    Some(serde_json::from_str(text).expect("the annotation is JSON"))
}
