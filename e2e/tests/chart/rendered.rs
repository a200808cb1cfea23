//! The objects that Helm renders. These tests need Helm, but no cluster.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, ensure};
use mimic_e2e::{Helm, objects};
use serde_json::{Value, json};

use crate::{CHART, value_files};

/// Objects by their kind and name.
type Objects = BTreeMap<(String, String), Value>;

fn by_name(text: &str) -> Result<Objects> {
    let mut named = Objects::new();
    for object in objects(text)? {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let name = text(&object["kind"]).zip(text(&object["metadata"]["name"]));
        let name = name.with_context(|| format!("it has a kind and a name: {object}"))?;
        ensure!(named.insert(name.clone(), object).is_none(), "{name:?} exists twice");
    }
    Ok(named)
}

fn rendered(helm: &Helm, options: &[&str]) -> Result<Objects> {
    by_name(&helm.template("mimic", &[&["--namespace", "mimic"], options].concat())?)
}

fn kustomized(folder: &str) -> Result<Objects> {
    let output =
        Command::new("kubectl").args(["kustomize", "--load-restrictor=LoadRestrictionsNone", folder]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    by_name(&String::from_utf8(output.stdout)?)
}

fn object<'o>(objects: &'o Objects, kind: &str, name: &str) -> Result<&'o Value> {
    objects.get(&(kind.to_owned(), name.to_owned())).with_context(|| format!("there is a {kind} `{name}`"))
}

/// Labels of releases, which also are in the selectors of the chart: other releases can run in the same namespace.
const LABELS_OF_RELEASES: [&str; 4] =
    ["app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"];

fn without_labels_of_releases(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|key, _| !LABELS_OF_RELEASES.contains(&key.as_str()));
        fields.values_mut().for_each(without_labels_of_releases);
    }
    value.as_array_mut().into_iter().flatten().for_each(without_labels_of_releases);
}

/// The test lists all differences.
#[test]
fn the_default_objects_equal_those_of_kustomize() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let mut kustomized = kustomized(&format!("{CHART}/../kustomize"))?;
    let mut chart = rendered(&helm, &[])?;

    // `helm install --create-namespace` creates it.
    kustomized.remove(&("Namespace".to_owned(), "mimic".to_owned())).context("there is a namespace")?;
    chart.values_mut().for_each(without_labels_of_releases);
    for deployment in [&mut kustomized, &mut chart] {
        let key = ("Deployment".to_owned(), "mimic".to_owned());
        let container = &mut deployment.get_mut(&key).context("there is a Deployment")?["spec"]["template"]["spec"]["containers"]
            [0];
        // A release has a version, a checkout has none.
        let image = container["image"].take();
        ensure!(image == "mimic" || image == format!("mimic:{}", env!("CARGO_PKG_VERSION")), "{image}");
        // Kustomize inserts additions at the front.
        let variables = container["env"].as_array_mut().context("there are variables")?;
        variables.sort_by_key(|variable| variable["name"].to_string());
    }
    for (name, object) in &kustomized {
        assert_eq!(chart.get(name), Some(object), "{name:?}");
    }
    assert_eq!(chart.keys().collect::<Vec<_>>(), kustomized.keys().collect::<Vec<_>>());
    Ok(())
}

#[test]
fn the_policy_adds_what_its_folder_adds_to_kustomize() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let built = |folder: &str| -> Result<Objects> {
        let output = Command::new("kubectl").args(["kustomize", &format!("{CHART}/../{folder}")]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        by_name(&String::from_utf8(output.stdout)?)
    };
    for (version, kubernetes) in [("v1", "1.36.0"), ("v1beta1", "1.35.0")] {
        let kustomized = built(&format!("policy/{version}"))?;
        let chart = rendered(&helm, &["--set", "policy.enabled=true", "--kube-version", kubernetes])?;
        let added = kustomized.len() - built("kustomize")?.len();
        assert_eq!(added, 3, "a binding, a role and a binding of the role");
        for (name, object) in &kustomized {
            match name.0.as_str() {
                // `helm install --create-namespace` creates it.
                "Namespace" => {}
                "Deployment" => {
                    let variable = r#"{"name":"MIMIC_POLICY_ENABLED","value":"true"}"#;
                    for deployment in [object, &chart[name]] {
                        assert!(deployment.to_string().contains(variable), "{deployment}");
                    }
                }
                _ => {
                    let mut of_chart = chart.get(name).with_context(|| format!("the chart has {name:?}"))?.clone();
                    without_labels_of_releases(&mut of_chart);
                    assert_eq!(&of_chart, object, "{name:?}");
                }
            }
        }
        let binding = object(&chart, "MutatingAdmissionPolicyBinding", "mimic")?;
        assert_eq!(binding["apiVersion"], format!("admissionregistration.k8s.io/{version}"));
    }
    Ok(())
}

#[test]
fn the_policy_applies_to_the_pods_of_the_webhook() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let objects = rendered(&helm, &["--values", &format!("{CHART}/ci/policy-values.yaml")])?;
    let webhook = &object(&objects, "MutatingWebhookConfiguration", "mimic")?["webhooks"][0];
    let bound = &object(&objects, "MutatingAdmissionPolicyBinding", "mimic")?["spec"]["matchResources"];
    for selector in ["namespaceSelector", "objectSelector"] {
        assert_eq!(webhook[selector], bound[selector]);
        assert_ne!(bound[selector]["matchLabels"], Value::Null, "the values add labels");
    }
    assert_eq!(webhook["rules"], bound["resourceRules"]);
    Ok(())
}

#[test]
fn the_command_rewrites_the_images_as_a_post_renderer() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let before = helm.template("mimic", &[])?;
    let after = helm.template_with_mimic("mimic", &["-m", "docker.io=harbor.example.com/dockerhub", "-"])?;
    let image = concat!("mimic:", env!("CARGO_PKG_VERSION"));
    ensure!(before.contains(image), "the chart has its image:\n{before}");
    // Helm writes the objects of its own output in another order than those of a post-renderer.
    let expected = before.replace(image, &format!("harbor.example.com/dockerhub/library/{image}"));
    assert_eq!(by_name(&after)?, by_name(&expected)?);
    Ok(())
}

#[test]
fn helm_lint_passes() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    helm.lint(&[])?;
    for file in value_files()? {
        helm.lint(&["--values", &file])?;
    }
    Ok(())
}

#[test]
fn invalid_values_are_rejected_with_a_helpful_message() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    for (options, words) in [
        ("webhok.failurePolicy=Fail", "additional properties 'webhok' not allowed"),
        ("webhook.failurePolicy=Ignored", "at '/webhook/failurePolicy': value must be one of 'Ignore', 'Fail'"),
        ("webhook.timeoutSeconds=31", "at '/webhook/timeoutSeconds': maximum: got 31, want 30"),
        ("webhook.objectSelector.matchLabel.a=b", "additional properties 'matchLabel' not allowed"),
        ("config.MIMIC_DRY_RUN=true", "at '/config': additional properties 'MIMIC_DRY_RUN' not allowed"),
        ("config.MIMIC_LISTENPORT=1", "at '/config': additional properties 'MIMIC_LISTENPORT' not allowed"),
        ("config.MIMIC_DRYRUN=yes", "value must be one of true, false, 'true', 'false'"),
        ("config.MIMIC_DRAIN=10", "at '/config/MIMIC_DRAIN': got number, want string"),
        ("image.digest=abc", "at '/image/digest': 'abc' does not match pattern"),
        ("replicaCount=two", "at '/replicaCount': got string, want integer"),
        (
            "certificate.certManager.enabled=true",
            "certificate.mode is `managed`, in which Mimic creates the certificate",
        ),
        ("certificate.mode=file,certificate.caBundle=LS0t", "must be PEM, not base64"),
        (
            "certificate.mode=file,certificate.certManager.enabled=true,certificate.caBundle=-----BEGIN CERTIFICATE-----",
            "choose one of them",
        ),
        ("mirrors.docker\\.io=https://harbor.example.com", "write registries without a scheme"),
        ("extraEnv[0].name=MIMIC_DRYRUN", "extraEnv has MIMIC_DRYRUN"),
        ("harbor.enabled=true", "set harbor.url"),
        ("harbor.enabled=true,harbor.url=h,harbor.existingSecret=s", "set the username of the password"),
        ("harbor.enabled=true,harbor.url=h,harbor.others[0].name=a,harbor.others[0].url=i", "set harbor.name"),
        (
            "harbor.enabled=true,harbor.url=h,harbor.name=a,harbor.others[0].name=a,harbor.others[0].url=i",
            "two Harbors have the name `a`",
        ),
        ("harbor.others[0].name=a,harbor.others[0].url=i", "harbor.enabled is false"),
        ("networkPolicy.apiServer[0]=10.0.0.1", "at '/networkPolicy/apiServer/0': '10.0.0.1' does not match pattern"),
        ("excludeNamespaces[0]=a b", "at '/excludeNamespaces/0': 'a b' does not match pattern"),
        ("policy.enabled=true,config.MIMIC_DRYRUN=true", "config.MIMIC_DRYRUN is to leave pods unchanged"),
        (
            "policy.enabled=true,webhook.matchConditions[0].name=a,webhook.matchConditions[0].expression=a",
            "webhook.matchConditions are not conditions of the policy",
        ),
        ("ports.admin=8443", "must differ"),
        ("autoscaling.enabled=true,autoscaling.minReplicas=9", "must not be above"),
        ("priorityClassName=a,priorityClass.create=true", "choose one of them"),
    ] {
        let said = helm.refuses(&["--set", options])?;
        ensure!(said.contains(words), "{options}: {said}");
    }
    Ok(())
}

#[test]
fn pods_are_replaced_for_changed_settings_but_not_for_mirrors() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let deployment =
        |options: &[&str]| -> Result<Value> { Ok(object(&rendered(&helm, options)?, "Deployment", "mimic")?.clone()) };
    let other =
        "mirrors.docker\\.io=harbor.example.com/other,rules[0].upstream=quay.io,rules[0].mirrors[0]=h.example.com/quay";
    assert_eq!(deployment(&[])?, deployment(&["--set", other])?);
    let harbor = ["--set", "harbor.enabled=true,harbor.url=harbor.example.com"];
    let interval = [&harbor[..], &["--set", "harbor.interval=1h"]].concat();
    assert_ne!(deployment(&harbor)?, deployment(&interval)?);
    assert_eq!(deployment(&harbor)?, deployment(&[&harbor[..], &["--set", other]].concat())?);
    Ok(())
}

#[test]
fn the_chart_does_not_set_a_ca_bundle_that_others_set() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    for (file, annotations) in [
        ("full", json!({"example.com/reviewed": "true", "admissions.enforcer/disabled": "true"})),
        ("cert-manager", json!({"cert-manager.io/inject-ca-from": "mimic/mimic"})),
        ("kubernetes", json!({"cert-manager.io/inject-ca-from-secret": "mimic/webhook-certificate"})),
    ] {
        let objects = rendered(&helm, &["--values", &format!("{CHART}/ci/{file}-values.yaml")])?;
        let webhook = object(&objects, "MutatingWebhookConfiguration", "mimic");
        let webhook = webhook.or_else(|_| object(&objects, "MutatingWebhookConfiguration", "mimic-images"))?;
        assert_eq!(webhook["metadata"]["annotations"], annotations, "{file}");
        assert!(webhook["webhooks"][0]["clientConfig"].get("caBundle").is_none(), "{file}");
    }
    Ok(())
}

#[test]
fn excluded_namespaces_are_in_the_selector_and_in_the_settings() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let objects = rendered(&helm, &["--set", "excludeNamespaces={kube-system,build-*}"])?;
    let webhook = &object(&objects, "MutatingWebhookConfiguration", "mimic")?["webhooks"][0];
    let values = &webhook["namespaceSelector"]["matchExpressions"][0]["values"];
    assert_eq!(values, &json!(["kube-system", "mimic"]), "selectors do not support globs");
    let deployment = object(&objects, "Deployment", "mimic")?.to_string();
    assert!(
        deployment.contains(r#"{"name":"MIMIC_EXCLUDE_NAMESPACES","value":"kube-system,build-*"}"#),
        "{deployment}"
    );
    Ok(())
}

#[test]
fn match_conditions_are_omitted_for_clusters_that_do_not_support_them() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let conditions = |version: &str| -> Result<Option<usize>> {
        let objects = rendered(&helm, &["--kube-version", version])?;
        let webhook = &object(&objects, "MutatingWebhookConfiguration", "mimic")?["webhooks"][0];
        Ok(webhook["matchConditions"].as_array().map(Vec::len))
    };
    assert_eq!((conditions("v1.29.14-gke.100")?, conditions("v1.30.0-eks-1234567")?), (None, Some(2)));
    let said = helm.refuses(&["--kube-version", "1.27.0"])?;
    ensure!(said.contains("chart requires kubeVersion"), "{said}");
    Ok(())
}

#[test]
fn only_the_given_addresses_of_api_servers_can_reach_the_webhook() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let peers = |options: &[&str]| -> Result<Value> {
        let objects = rendered(&helm, options)?;
        Ok(object(&objects, "NetworkPolicy", "mimic")?["spec"]["ingress"][0]["from"].clone())
    };
    assert_eq!(peers(&[])?, Value::Null);
    let block = |cidr: &str| json!({"ipBlock": {"cidr": cidr}});
    let addresses = "networkPolicy.apiServer={10.0.0.1/32,2001:db8::1/128}";
    assert_eq!(peers(&["--set", addresses])?, json!([block("10.0.0.1/32"), block("2001:db8::1/128")]));
    let further = ["--set", addresses, "--set", "networkPolicy.webhookFrom[0].ipBlock.cidr=10.1.0.0/16"];
    assert_eq!(peers(&further)?, json!([block("10.0.0.1/32"), block("2001:db8::1/128"), block("10.1.0.0/16")]));
    Ok(())
}

/// Checks that the setting points to the file of this ConfigMap.
fn assert_client_ca(objects: &Objects, config_map: &Value) -> Result<()> {
    let pod = &object(objects, "Deployment", "mimic")?["spec"]["template"]["spec"];
    let has = |list: &Value, item: &Value| list.as_array().is_some_and(|list| list.contains(item));
    let container = &pod["containers"][0];
    assert!(has(&container["env"], &json!({"name": "MIMIC_CLIENTCA", "value": "/client-ca/ca.crt"})), "{container}");
    let mount = json!({"name": "client-ca", "mountPath": "/client-ca", "readOnly": true});
    assert!(has(&container["volumeMounts"], &mount), "{container}");
    assert!(has(&pod["volumes"], &json!({"name": "client-ca", "configMap": config_map})), "{pod}");
    Ok(())
}

#[test]
fn the_ca_of_clients_is_mounted_where_the_setting_points() -> Result<()> {
    let Some(helm) = Helm::available()? else { return Ok(()) };
    let options = ["--set", "certificate.clientCAConfigMap=api,certificate.clientCAKey=client.crt"];
    let source = json!({"name": "api", "items": [{"key": "client.crt", "path": "ca.crt"}]});
    assert_client_ca(&rendered(&helm, &options)?, &source)
}

/// The file of kustomize has the patches in a comment.
#[test]
fn an_overlay_with_the_commented_patches_serves_only_api_servers() -> Result<()> {
    // Tools are missing together.
    if Helm::available()?.is_none() {
        return Ok(());
    }
    let base = std::fs::canonicalize(format!("{CHART}/../kustomize"))?;
    let shipped = std::fs::read_to_string(base.join("kustomization.yaml"))?;
    let (_, comment) = shipped.split_once("# An overlay with these patches").context("the comment exists")?;
    let patches =
        comment.lines().skip_while(|line| *line != "#   patches:").map_while(|line| line.strip_prefix("#   "));
    let patches: Vec<&str> = patches.collect();
    ensure!(patches.len() > 10, "{patches:?}");
    let folder = tempfile::tempdir()?;
    // A base cannot be an absolute path.
    std::os::unix::fs::symlink(base.parent().context("it has a parent")?, folder.path().join("deploy"))?;
    let overlay = folder.path().join("overlay");
    std::fs::create_dir(&overlay)?;
    std::fs::write(
        overlay.join("kustomization.yaml"),
        format!("resources: [../deploy/kustomize]\n{}\n", patches.join("\n")),
    )?;
    let before = kustomized(&base.display().to_string())?;
    let after = kustomized(&overlay.display().to_string())?;
    assert_client_ca(&after, &json!({"name": "client-ca"}))?;
    let policy = |objects: &Objects| Ok::<_, anyhow::Error>(object(objects, "NetworkPolicy", "mimic")?["spec"].clone());
    let (mut expected, found) = (policy(&before)?, policy(&after)?);
    expected["ingress"][0]["from"] = json!([{"ipBlock": {"cidr": "10.0.0.1/32"}}]);
    assert_eq!(found, expected);
    // Other settings stay.
    let env = |objects: &Objects| -> Result<usize> {
        let env = &object(objects, "Deployment", "mimic")?["spec"]["template"]["spec"]["containers"][0]["env"];
        Ok(env.as_array().context("it is a list")?.len())
    };
    assert_eq!(env(&after)?, env(&before)? + 1);
    Ok(())
}

/// The chart's policy equals that of the manifests, as another test checks.
#[test]
fn egress_is_limited_to_dns_api_servers_and_harbor() -> Result<()> {
    let policies = by_name(&std::fs::read_to_string(format!("{CHART}/../manifests/networkpolicy.yaml"))?)?;
    let spec = &object(&policies, "NetworkPolicy", "mimic")?["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    let rules = spec["egress"].as_array().context("it is a list")?;
    let mut ports = Vec::new();
    for rule in rules {
        // A rule without ports would admit all of them.
        for port in rule["ports"].as_array().context("each rule has ports")? {
            ports.push(format!("{} {}", port["protocol"].as_str().context("a protocol")?, port["port"]));
        }
    }
    ports.sort();
    assert_eq!(ports, ["TCP 16443", "TCP 443", "TCP 53", "TCP 5353", "TCP 6443", "TCP 8443", "UDP 53", "UDP 5353"]);
    Ok(())
}
