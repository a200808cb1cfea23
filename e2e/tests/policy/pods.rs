//! What happens to pods besides their images.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use mimic_core::Rewriter;
use mimic_e2e::{Recorder, eventually, images};
use mimic_k8s::policy::{PolicySettings, compile};
use serde_json::{Value, json};

use crate::{Governed, governed, many, recorded, rules};

const MIRRORS: &str = "
mirrors:
  docker.io: harbor.example.com/dockerhub
  quay.io: harbor.example.com/quay
rules:
  - upstream: ghcr.io
    pullSecret: b-pull
    mirrors: [harbor.example.com/ghcr]
  - upstream: ghcr.io/acme
    pullSecret: a-pull
    mirrors: [harbor.example.com/acme]
";

async fn ready(name: &str) -> Result<Option<Governed<'static>>> {
    match governed(name, MIRRORS).await? {
        Some(governed) => Ok(Some(governed.until_rewritten("nginx").await?)),
        None => Ok(None),
    }
}

/// A pod with the lists and fields that a patch of the wrong kind would merge, reorder or drop.
fn rich() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "rich", "annotations": {"note": "a/b~c \"quoted\"", "z": ""}, "labels": {"tier": "front"}},
        "spec": {
            "automountServiceAccountToken": false,
            "imagePullSecrets": [{"name": "own"}],
            "containers": [
                {
                    "name": "z-web", "image": "nginx:1.27",
                    "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "B", "value": "$(A)"}],
                    "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}],
                    "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 3},
                    "command": ["a", "b", "a"], "args": [],
                    "volumeMounts": [{"name": "scratch", "mountPath": "/b"}, {"name": "scratch", "mountPath": "/a"}],
                },
                {"name": "a-side", "image": "quay.io/acme/side@sha256:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39"},
                {"name": "never", "image": "nginx:1.27", "imagePullPolicy": "Never"},
                {"name": "mirrored", "image": "harbor.example.com/dockerhub/library/redis:7"},
                {"name": "other", "image": "registry.example.org/team/tool:2"},
                {"name": "invalid", "image": "Nginx:Latest!"},
            ],
            "initContainers": [
                {"name": "setup", "image": "busybox", "env": [{"name": "X"}, {"name": "X", "value": "1"}]},
                {"name": "sidecar", "image": "envoyproxy/envoy:v1.31.0", "restartPolicy": "Always"},
            ],
            "ephemeralContainers": null,
            "volumes": [
                {"name": "scratch", "emptyDir": {}},
                {"name": "model", "image": {"reference": "quay.io/acme/model:v3"}},
                {"name": "local", "image": {"reference": "quay.io/acme/model:v3", "pullPolicy": "Never"}},
            ],
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}, {"ip": "10.0.0.1", "hostnames": ["c"]}],
            "tolerations": null,
            "nodeSelector": null,
        },
    })
}

#[tokio::test]
async fn nothing_but_images_and_one_annotation_changes() -> Result<()> {
    let Some(governed) = ready("policy-rich").await? else { return Ok(()) };
    governed.namespace.kubectl_create(&rich())?;
    let mut with = governed.namespace.pod("rich").await?;
    let plain = governed.namespace.sibling("no-policy-rich").await?;
    plain.kubectl_create(&rich())?;
    let mut without = plain.pod("rich").await?;

    let originals = json!({
        "setup": "busybox",
        "sidecar": "envoyproxy/envoy:v1.31.0",
        "z-web": "nginx:1.27",
        "a-side": "quay.io/acme/side@sha256:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39",
        "volumes/model": "quay.io/acme/model:v3",
    });
    assert_eq!(recorded(&with), Some(originals));
    let written: Vec<(String, String)> =
        images(&without).into_iter().map(|(name, image)| (name.to_owned(), image.to_owned())).collect();
    for ((name, stored), (_, written)) in images(&with).into_iter().zip(&written) {
        let is_never_pulled = matches!(name, "never" | "local");
        let expected = if is_never_pulled { written.clone() } else { governed.expected(written) };
        assert_eq!(stored, expected, "{name}");
    }

    with.metadata.annotations.iter_mut().for_each(|annotations| _ = annotations.remove(crate::ORIGINAL_IMAGES));
    assert_eq!(with.metadata.annotations, without.metadata.annotations);
    assert_eq!(with.metadata.labels, without.metadata.labels);
    for pod in [&mut with, &mut without] {
        remove_images(pod);
    }
    assert_eq!(with.spec, without.spec);
    Ok(())
}

fn remove_images(pod: &mut Pod) {
    let Some(spec) = &mut pod.spec else { return };
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        container.image = None;
    }
    for image in spec.volumes.iter_mut().flatten().filter_map(|volume| volume.image.as_mut()) {
        image.reference = None;
    }
}

#[tokio::test]
async fn an_invalid_pod_is_rejected_as_without_the_policy() -> Result<()> {
    let Some(governed) = ready("policy-invalid").await? else { return Ok(()) };
    let mut twice = many(&["nginx", "redis"]);
    twice["spec"]["containers"][1]["name"] = json!("c0");
    let mut none = many(&[]);
    none["spec"]["containers"] = Value::Null;
    for (pod, why) in [(twice, "Duplicate value"), (none, "Required value")] {
        let error = governed.namespace.kubectl_create(&pod).expect_err("the pod is invalid").to_string();
        ensure!(error.contains(why), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn pull_secrets_are_added_once_and_sorted() -> Result<()> {
    let Some(governed) = ready("policy-secrets").await? else { return Ok(()) };
    let images = ["ghcr.io/x/y", "ghcr.io/acme/a", "ghcr.io/z/y", "nginx"];
    let secrets = async |pod: &Value| -> Result<Vec<String>> {
        let pods: Api<Pod> = governed.namespace.api();
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let created = pods.create(&dry_run, &serde_json::from_value(pod.clone())?).await?;
        let secrets = created.spec.and_then(|spec| spec.image_pull_secrets).unwrap_or_default();
        Ok(secrets.into_iter().map(|secret| secret.name).collect())
    };
    assert_eq!(secrets(&many(&images)).await?, ["a-pull", "b-pull"]);
    let mut own = many(&images);
    own["spec"]["imagePullSecrets"] = json!([{"name": "own"}, {"name": "b-pull"}]);
    assert_eq!(secrets(&own).await?, ["own", "b-pull", "a-pull"]);
    assert_eq!(secrets(&many(&["nginx"])).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn an_update_changes_only_images_that_are_new() -> Result<()> {
    let Some(governed) = ready("policy-update").await? else { return Ok(()) };
    let namespace = &governed.namespace;
    // Created while the policy does not apply to it, and opted in later.
    let mut older = many(&["nginx:1.27", "quay.io/acme/side:1", "ghcr.io/acme/a:1"]);
    older["metadata"] = json!({"name": "web", "labels": {"mimic.cryptkcoding.com/rewrite": "false"}});
    namespace.kubectl_create(&older)?;
    namespace.kubectl(&["label", "pod/web", "mimic.cryptkcoding.com/rewrite-"])?;
    let written = [("c0", "nginx:1.27"), ("c1", "quay.io/acme/side:1"), ("c2", "ghcr.io/acme/a:1")];
    assert_eq!(images(&namespace.pod("web").await?), written);

    namespace.kubectl(&["set", "image", "pod/web", "c0=nginx:1.28", "c2=ghcr.io/acme/a:2"])?;
    let stored = namespace.pod("web").await?;
    let web = ("c0", "harbor.example.com/dockerhub/library/nginx:1.28");
    // Kubernetes allows no new pull secret, so the third image is unchanged.
    assert_eq!(images(&stored), [web, written[1], ("c2", "ghcr.io/acme/a:2")]);
    assert_eq!(recorded(&stored), None, "an update patches nothing but images");

    let update = r#"{
        "metadata": {"labels": {"mimic.cryptkcoding.com/rewrite": "false"}},
        "spec": {"containers": [{"name": "c1", "image": "quay.io/acme/side:2"}]}
    }"#;
    namespace.kubectl(&["patch", "pod/web", "--patch", update])?;
    assert_eq!(images(&namespace.pod("web").await?)[1], ("c1", "quay.io/acme/side:2"), "it opts out with the update");
    Ok(())
}

#[tokio::test]
async fn an_update_uses_the_pull_secret_that_the_pod_has() -> Result<()> {
    let Some(governed) = ready("policy-update-secret").await? else { return Ok(()) };
    let mut web = many(&["ghcr.io/acme/a:1"]);
    web["metadata"] = json!({"name": "web"});
    governed.namespace.kubectl_create(&web)?;
    governed.namespace.kubectl(&["set", "image", "pod/web", "c0=ghcr.io/acme/a:2"])?;
    assert_eq!(images(&governed.namespace.pod("web").await?), [("c0", "harbor.example.com/acme/a:2")]);
    Ok(())
}

#[tokio::test]
async fn new_ephemeral_containers_are_rewritten() -> Result<()> {
    let Some(governed) = ready("policy-debug").await? else { return Ok(()) };
    let namespace = &governed.namespace;
    let mut web = many(&["nginx"]);
    web["metadata"] = json!({"name": "web", "annotations": {"mimic.cryptkcoding.com/rewrite": "no"}});
    namespace.kubectl_create(&web)?;
    for (name, image) in [("one", "busybox:1"), ("two", "quay.io/acme/debug")] {
        namespace.kubectl(&["debug", "web", "--image", image, "--container", name])?;
    }
    let web = ("c0", "harbor.example.com/dockerhub/library/nginx");
    let one = ("one", "harbor.example.com/dockerhub/library/busybox:1");
    let two = ("two", "harbor.example.com/quay/acme/debug");
    assert_eq!(images(&namespace.pod("web").await?), [web, one, two]);
    Ok(())
}

#[tokio::test]
async fn pods_that_the_webhook_skips_are_skipped() -> Result<()> {
    let Some(governed) = ready("policy-skipped").await? else { return Ok(()) };
    let opt_out = json!({"mimic.cryptkcoding.com/rewrite": "false"});
    for (name, field, value) in [
        ("opted-out-by-label", "labels", opt_out.clone()),
        ("opted-out-by-annotation", "annotations", opt_out),
        ("mirror-pod", "annotations", json!({"kubernetes.io/config.mirror": "0123"})),
        ("of-an-operator", "labels", json!({"cnpg.io/podRole": "instance"})),
    ] {
        let mut pod = many(&["nginx"]);
        pod["metadata"] = json!({"name": name, field: value});
        if name == "mirror-pod" {
            pod["spec"]["nodeName"] = json!("node");
        }
        governed.namespace.kubectl_create(&pod)?;
        let stored = governed.namespace.pod(name).await?;
        assert_eq!((images(&stored), recorded(&stored)), (vec![("c0", "nginx")], None), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn containers_that_a_webhook_adds_later_are_rewritten_and_recorded() -> Result<()> {
    let Some(governed) = ready("policy-injector").await? else { return Ok(()) };
    let injector = Recorder::injecting(&json!({"name": "injected", "image": "quay.io/acme/proxy:1"}))?;
    injector.register(&governed.namespace, &[]).await?;
    let mut web = many(&["nginx:1.27"]);
    web["metadata"] = json!({"name": "web"});
    governed.namespace.kubectl_create(&web)?;
    let stored = governed.namespace.pod("web").await?;
    let expected = [
        ("c0", "harbor.example.com/dockerhub/library/nginx:1.27"),
        ("injected", "harbor.example.com/quay/acme/proxy:1"),
    ];
    assert_eq!(images(&stored), expected);
    assert_eq!(recorded(&stored), Some(json!({"c0": "nginx:1.27", "injected": "quay.io/acme/proxy:1"})));
    Ok(())
}

#[tokio::test]
async fn a_webhook_with_the_conditions_is_called_only_for_what_the_policy_left() -> Result<()> {
    let Some(cluster) = mimic_e2e::Cluster::shared_with_policies()? else { return Ok(()) };
    let namespace = mimic_e2e::Namespace::create(cluster, "policy-conditions").await?;
    let rewriter = Rewriter::new([("file", rules(MIRRORS)?.into())]);
    let conditions = json!(compile(&rewriter, &PolicySettings::default())?.match_conditions());
    let recorder = Recorder::start()?;
    // Registered before there is a policy, because that would rewrite the pod that waits for it.
    recorder.register_with(&namespace, &[], |webhook| webhook.replace("matchConditions", &conditions)).await?;
    let governed = Governed::new(namespace, rewriter).await?.until_rewritten("nginx").await?;
    recorder.take();

    let done = ["nginx:1.27", "quay.io/acme/a", "harbor.example.com/quay/b", "ghcr.io/acme/c"];
    for _ in 0..10 {
        governed.dry_run(&done).await?;
    }
    ensure!(recorder.take().is_empty(), "no call for pods that are done");
    let with_volume = |reference: &str| {
        let mut pod = many(&done);
        pod["spec"]["volumes"] = json!([{"name": "model", "image": {"reference": reference}}]);
        pod
    };
    let many_done = ["nginx"; 400];
    for (pod, calls) in [
        (many(&["nginx", "registry.example.org/tool"]), 1),
        (many(&["harbor.example.com/quay"]), 1),
        (many(&["harbor.example.com/quayside/b"]), 1),
        (with_volume("quay.io/acme/model"), 0),
        (with_volume("registry.example.org/model"), 1),
        // The comparison of so many images could exceed its budget, and so reject the pod.
        (many(&many_done), 1),
    ] {
        governed.namespace.kubectl_with(&["create", "--dry-run=server", "-f", "-"], &pod)?;
        assert_eq!(recorder.take().len(), calls, "{}", pod["spec"]);
    }
    Ok(())
}

#[tokio::test]
async fn an_entry_that_the_author_of_a_pod_forged_is_not_stored() -> Result<()> {
    let Some(governed) = ready("policy-forged").await? else { return Ok(()) };
    for (name, value) in [
        ("forged", r#"{"c1":"docker.io/library/nginx"}"#),
        ("odd", r#"{"c1":"docker.io/library/nginx","x":1}"#),
        ("none", "nginx"),
    ] {
        let mut pod = many(&["nginx", "evil.example/miner"]);
        pod["metadata"] = json!({"name": name, "annotations": {crate::ORIGINAL_IMAGES: value}});
        governed.namespace.kubectl_create(&pod)?;
        assert_eq!(recorded(&governed.namespace.pod(name).await?), Some(json!({"c0": "nginx"})), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn annotations_that_are_full_do_not_stop_the_rewrite() -> Result<()> {
    let Some(governed) = ready("policy-full").await? else { return Ok(()) };
    let mut web = many(&["nginx"]);
    // The limit of all annotations is 256 KiB.
    web["metadata"] = json!({"name": "web", "annotations": {"a": "x".repeat((256 << 10) - 2)}});
    governed.namespace.kubectl_create(&web)?;
    let stored = governed.namespace.pod("web").await?;
    assert_eq!(images(&stored), [("c0", "harbor.example.com/dockerhub/library/nginx")]);
    assert_eq!(recorded(&stored), None);
    Ok(())
}

#[tokio::test]
async fn the_command_prints_a_policy_that_works() -> Result<()> {
    let Some(cluster) = mimic_e2e::Cluster::shared_with_policies()? else { return Ok(()) };
    let namespace = mimic_e2e::Namespace::create(cluster, "policy-command").await?;
    let excluded = [namespace.sibling("policy-excluded").await?, namespace.sibling("policy-glob-x").await?];
    let file = tempfile::NamedTempFile::with_suffix(".yaml")?;
    std::fs::write(file.path(), MIRRORS)?;
    let path = file.path().to_string_lossy().into_owned();
    // The other tests of this binary have namespaces that begin with `policy`, `golden` or `random`, too.
    let others = "kube-*,policy-[!c]*,no-*,golden-*,random-*,limit-*,policy-excluded";
    let options =
        ["policy", "-f", &path, "--api-version", "v1beta1", "--name", "printed", "--exclude-namespaces", others];
    let printed = mimic_e2e::run_mimic(&options)?;
    let manifest = tempfile::NamedTempFile::with_suffix(".yaml")?;
    std::fs::write(manifest.path(), printed)?;
    namespace.kubectl(&["apply", "-f", &manifest.path().to_string_lossy()])?;
    let mut web = many(&["nginx"]);
    web["metadata"] = json!({"name": "web"});
    eventually("the policy has an effect", async || {
        let shown = namespace.kubectl_with(&["create", "--dry-run=server", "-o", "json", "-f", "-"], &web)?;
        let pod: Pod = serde_json::from_str(&shown.stdout)?;
        Ok(images(&pod) == [("c0", "harbor.example.com/dockerhub/library/nginx")])
    })
    .await?;
    for namespace in excluded {
        namespace.kubectl_create(&web)?;
        assert_eq!(images(&namespace.pod("web").await?), [("c0", "nginx")], "{}", namespace.name());
    }
    Ok(())
}
