//! What the API server's audit log contains.

use std::fs;

use anyhow::Result;
use mimic_e2e::{Cluster, MimicServer, Namespace, eventually_some};
use serde_json::{Value, json};

use crate::{MIRRORS, ORIGINAL_IMAGES, pod};

#[tokio::test]
async fn the_audit_log_names_what_was_rewritten_and_not_what_the_author_of_a_pod_forged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (policy, log) = (folder.path().join("policy.yaml"), folder.path().join("audit.log"));
    fs::write(&policy, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")?;
    let flags = [("--audit-policy-file", &policy), ("--audit-log-path", &log)];
    // The flags live as long as the process because a cluster can be restarted at any time.
    let flags = flags.map(|(flag, path)| &*format!("{flag}={}", path.display()).leak());
    let Some(cluster) = Cluster::own_with(Box::leak(Box::new(flags)))? else { return Ok(()) };
    let namespace = Namespace::create(&cluster, "audited").await?;
    let server = MimicServer::start(MIRRORS).await?;
    server.register(&namespace, &[]).await?;

    let mut forged = pod("web", [("web", "nginx"), ("miner", "evil.example/miner")]);
    forged["metadata"]["annotations"] = json!({ORIGINAL_IMAGES: r#"{"miner":"docker.io/library/nginx"}"#});
    namespace.kubectl_create(&forged)?;

    let audited = eventually_some("the audit log has the creation of the pod", async || {
        let events = fs::read_to_string(&log)?;
        // The last line can be incomplete.
        let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut created = events.filter(|event| {
            let object = &event["objectRef"];
            event["verb"] == "create" && object["resource"] == "pods" && object["name"] == "web"
        });
        Ok(created.find(|event| event["stage"] == "ResponseComplete"))
    })
    .await?;
    assert_eq!(audited["annotations"]["pods.mimic.cryptkcoding.com/original-images"], r#"{"web":"nginx"}"#);
    assert!(!audited.to_string().contains("miner"), "{audited}");
    Ok(())
}
