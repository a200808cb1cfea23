//! Replacing replicas and certificates while pods are created.

use anyhow::{Result, ensure};
use mimic_e2e::{Cluster, Installation, Namespace, Replica, eventually, handshake, load::Load};
use openssl::x509::X509;

use crate::{ONE_STEP, STEPS};

const MIRROR: &str = "harbor.example.com/dockerhub";
const REWRITTEN: &str = "harbor.example.com/dockerhub/library/nginx";

/// Mimic, installed with the script, two replicas, and a namespace whose pods they rewrite.
async fn installed(cluster: &Cluster) -> Result<(Installation<'_>, Namespace<'_>, Vec<Replica>)> {
    let mimic = Installation::by(cluster, &STEPS).await?;
    let shop = Namespace::create(cluster, "shop").await?;
    mimic.set_mirror(MIRROR).await?;
    let replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, REWRITTEN).await?;
    Ok((mimic, shop, replicas))
}

/// As the Deployment does for `kubectl rollout restart`: stops a replica only when its replacement is ready.
#[tokio::test]
async fn no_pod_is_rejected_while_both_replicas_are_replaced() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let (mimic, shop, replicas) = installed(&cluster).await?;

    let _successors = Load::during(&shop, async |load| {
        let mut successors = Vec::new();
        for (mut leaving, count) in replicas.into_iter().zip([3, 3]) {
            load.more(50).await?;
            let mut successor = mimic.start_replica().await?;
            successor.is_ready().await?;
            mimic.balancer().add(successor.port(), successor.admin_port());
            mimic.balancer().has_ready(count).await?;
            successors.push(successor);
            ensure!(leaving.leave().await?, "the replica exits successfully");
            mimic.balancer().remove(leaving.port());
        }
        load.more(50).await?;
        Ok(successors)
    })
    .await?;
    Ok(())
}

/// The certificate that a replica presents to a client that trusts these CAs.
fn shown(replica: &Replica, cas: &[u8]) -> Result<X509> {
    handshake(replica.port(), "mimic.mimic.svc", cas)
}

#[tokio::test]
async fn no_pod_is_rejected_while_the_script_renews_the_certificate() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let (mimic, shop, replicas) = installed(&cluster).await?;
    let ca = mimic.ca().await?;
    let mut last = shown(&replicas[0], &ca)?;

    Load::during(&shop, async |load| {
        for _ in 0..3 {
            load.more(20).await?;
            mimic.checkout().run_meanwhile(STEPS[1]).await?;
            for replica in &replicas {
                eventually("the new certificate is served", async || Ok(shown(replica, &ca)? != last)).await?;
            }
            last = shown(&replicas[0], &ca)?;
            assert_eq!(shown(&replicas[1], &ca)?, last);
        }
        load.more(50).await
    })
    .await
}

#[tokio::test]
async fn managed_certificates_work_from_an_empty_cluster_with_two_replicas_starting_together() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &[ONE_STEP]).await?;
    let shop = Namespace::create(&cluster, "shop").await?;
    mimic.set_mirror(MIRROR).await?;
    let replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, REWRITTEN).await?;

    let ca = mimic.ca().await?;
    assert_eq!(X509::stack_from_pem(&ca)?.len(), 1);
    assert_eq!(shown(&replicas[0], &ca)?, shown(&replicas[1], &ca)?);

    mimic.checkout().run(ONE_STEP)?;
    assert_eq!(mimic.ca().await?, ca, "applying it again changes no certificate");
    Ok(())
}
