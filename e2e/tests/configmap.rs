//! Mirrors from a ConfigMap that is watched at a real API server.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use mimic_e2e::{Cluster, MimicServer, Namespace, eventually, images};
use serde_json::{Value, json};

/// For the probe of the webhook configuration. All other mirrors come from the ConfigMap.
const MIRRORS: &str = "mirrors: {docker.io: file.example.com/hub}";

const NAME: &str = "mimic-mirrors";

/// Longest time until a change applies to new pods.
const SOON: Duration = Duration::from_secs(2);

/// Interval of readiness checks.
const PACE: Duration = Duration::from_millis(20);

/// A server that watches the ConfigMap of a namespace, and a namespace for pods, because Mimic skips its own.
struct Setting<'c> {
    own: Namespace<'c>,
    pods: Namespace<'c>,
    server: MimicServer,
}

impl<'c> Setting<'c> {
    async fn new(cluster: &'c Cluster, name: &str, data: Option<Value>, variables: &[(&str, &str)]) -> Result<Self> {
        let own = Namespace::create(cluster, &format!("{name}-mimic")).await?;
        if let Some(data) = data {
            create(&own, data).await?;
        }
        let kubeconfig = cluster.kubeconfig();
        let mut all = vec![
            ("KUBECONFIG", kubeconfig.to_str().context("the path is text")?),
            ("MIMIC_KUBERNETES_ENABLED", "true"),
            ("MIMIC_KUBERNETES_NAMESPACE", own.name()),
        ];
        all.extend(variables);
        let server = MimicServer::start_with(MIRRORS, &all).await?;
        let pods = own.sibling(name).await?;
        server.register(&pods, &[]).await?;
        Ok(Self { own, pods, server })
    }

    async fn rewritten(&self, image: &str) -> Result<String> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "probe"},
            "spec": {"containers": [{"name": "probe", "image": image}]},
        }))?;
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let seen = self.pods.api().create(&dry_run, &pod).await?;
        Ok(images(&seen)[0].1.to_owned())
    }

    /// Waits until images of quay.io are rewritten to this.
    async fn becomes(&self, expected: &str) -> Result<()> {
        let what = format!("quay.io/a/b:1 becomes {expected}");
        eventually(&what, async || Ok(self.rewritten("quay.io/a/b:1").await? == expected)).await
    }

    /// The same, soon after `change`.
    async fn becomes_soon(&self, expected: &str, change: impl Future<Output = Result<()>>) -> Result<()> {
        change.await?;
        let start = Instant::now();
        self.becomes(expected).await?;
        ensure!(start.elapsed() < SOON, "{expected} was used after {:?}", start.elapsed());
        Ok(())
    }

    async fn replace(&self, data: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"data": data}));
        self.own.api::<ConfigMap>().patch(NAME, &PatchParams::default(), &patch).await?;
        Ok(())
    }
}

async fn create(namespace: &Namespace<'_>, data: Value) -> Result<()> {
    let object: ConfigMap = serde_json::from_value(json!({"metadata": {"name": NAME}, "data": data}))?;
    namespace.api().create(&PostParams::default(), &object).await?;
    Ok(())
}

#[tokio::test]
async fn a_config_map_can_be_created_changed_deleted_and_recreated() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let setting = Setting::new(cluster, "comes-and-goes", None, &[]).await?;
    let readiness = setting.server.readiness()?;
    ensure!(readiness.contains("[+] source configmap:mimic-mirrors: 0 rules"), "{readiness}");
    setting.server.logged("ConfigMap not found (or deleted): no mirrors from it").await?;
    assert_eq!(setting.rewritten("quay.io/a/b:1").await?, "quay.io/a/b:1");

    let created = create(&setting.own, json!({"quay.io": "one.example.com/quay"}));
    setting.becomes_soon("one.example.com/quay/a/b:1", created).await?;
    let changed = setting.replace(json!({"quay.io": "two.example.com/quay"}));
    setting.becomes_soon("two.example.com/quay/a/b:1", changed).await?;
    let long_form = "rules:\n- upstream: quay.io/a\n  mirrors: [three.example.com/a]\n";
    setting.becomes_soon("three.example.com/a/b:1", setting.replace(json!({"mirrors.yaml": long_form}))).await?;

    let delete = async || {
        setting.own.api::<ConfigMap>().delete(NAME, &DeleteParams::default()).await?;
        anyhow::Ok(())
    };
    setting.becomes_soon("quay.io/a/b:1", delete()).await?;
    let again = create(&setting.own, json!({"quay.io": "four.example.com/quay"}));
    setting.becomes_soon("four.example.com/quay/a/b:1", again).await
}

#[tokio::test]
async fn an_invalid_entry_is_an_event_and_the_others_apply() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let data = json!({"ghcr.io": "https://one.example.com/ghcr", "quay.io": "one.example.com/quay"});
    let setting = Setting::new(cluster, "half-wrong", Some(data), &[]).await?;
    assert_eq!(setting.rewritten("quay.io/a/b:1").await?, "one.example.com/quay/a/b:1");
    assert_eq!(setting.rewritten("ghcr.io/a/b:1").await?, "ghcr.io/a/b:1");
    let problem = "configmap half-wrong-mimic/mimic-mirrors, key `ghcr.io`: location `https://one.example.com/ghcr` has a \
                   scheme (hint: write `one.example.com/ghcr`)";
    let readiness = setting.server.readiness()?;
    ensure!(readiness.contains(&format!("1 rule; 1 invalid entry skipped, first: {problem}")), "{readiness}");

    eventually("the Event exists", async || {
        let described = setting.own.kubectl(&["describe", "configmap", NAME])?.stdout;
        Ok(described.contains(problem) && described.contains("Warning") && described.contains("InvalidMirror"))
    })
    .await?;

    setting.replace(json!({"ghcr.io": "one.example.com/ghcr"})).await?;
    eventually("the error is no longer reported", async || Ok(setting.server.readiness()?.ends_with("\nready\n"))).await
}

#[tokio::test]
async fn without_a_watch_it_is_read_once() -> Result<()> {
    let Some(cluster) = Cluster::shared()? else { return Ok(()) };
    let data = json!({"quay.io": "one.example.com/quay"});
    let variables = [("MIMIC_KUBERNETES_WATCH", "false")];
    let read_once = Setting::new(cluster, "read-once", Some(data), &variables).await?;
    let kubeconfig = cluster.kubeconfig();
    let variables = [
        ("KUBECONFIG", kubeconfig.to_str().context("the path is text")?),
        ("MIMIC_KUBERNETES_ENABLED", "true"),
        ("MIMIC_KUBERNETES_NAMESPACE", read_once.own.name()),
    ];
    let watching = MimicServer::start_with(MIRRORS, &variables).await?;
    read_once.replace(json!({"mirrors.yaml": "mirrors: {ghcr.io: two.example.com/ghcr}"})).await?;
    // The other server has applied the change.
    eventually("the other server applies the change", async || {
        Ok(watching.readiness()?.contains("mimic-mirrors: 2 rules"))
    })
    .await?;
    assert_eq!(read_once.rewritten("ghcr.io/a/b:1").await?, "ghcr.io/a/b:1");
    assert_eq!(read_once.rewritten("quay.io/a/b:1").await?, "one.example.com/quay/a/b:1");
    Ok(())
}

/// Whether the server was ever ready and degraded because of its ConfigMap while `work` was done.
fn was_degraded_during(server: &MimicServer, work: impl FnOnce() -> Result<()> + Send) -> Result<bool> {
    let mut degraded = false;
    thread::scope(|scope| {
        let working = scope.spawn(work);
        while !working.is_finished() {
            degraded |= server.readiness()?.ends_with("\nready, degraded: source configmap:mimic-mirrors\n");
            thread::sleep(PACE);
        }
        working.join().map_err(|_| anyhow!("it panicked"))?
    })?;
    Ok(degraded)
}

#[tokio::test]
async fn changes_apply_after_a_restart_of_the_api_server() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let data = json!({"quay.io": "one.example.com/quay"});
    let setting = Setting::new(&cluster, "killed", Some(data), &[]).await?;
    assert_eq!(setting.rewritten("quay.io/a/b:1").await?, "one.example.com/quay/a/b:1");

    assert!(was_degraded_during(&setting.server, || cluster.restart())?, "the server was degraded");
    assert_eq!(setting.rewritten("quay.io/a/b:1").await?, "one.example.com/quay/a/b:1");
    eventually("the server is ready again", async || Ok(setting.server.readiness()?.ends_with("\nready\n"))).await?;
    let changed = setting.replace(json!({"quay.io": "two.example.com/quay"}));
    setting.becomes_soon("two.example.com/quay/a/b:1", changed).await
}
