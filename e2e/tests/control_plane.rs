//! Properties of the control plane that tests rely on.

use anyhow::Result;
use mimic_e2e::{Cluster, Namespace};

#[tokio::test]
async fn a_restart_keeps_objects_and_credentials() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let namespace = Namespace::create(&cluster, "kept").await?;
    namespace.kubectl(&["run", "web", "--image=nginx"])?;
    let before = namespace.pod("web").await?;
    let token = namespace.kubectl(&["create", "token", "default"])?.stdout;

    cluster.restart()?;

    assert_eq!(namespace.pod("web").await?, before);
    let who = namespace.kubectl(&[
        "auth",
        "whoami",
        "--token",
        token.trim(),
        "-o",
        "jsonpath={.status.userInfo.username}",
    ])?;
    assert_eq!(who.stdout, "system:serviceaccount:kept:default");
    Ok(())
}
