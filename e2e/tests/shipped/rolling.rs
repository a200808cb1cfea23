//! Replicas and certificates that are replaced while pods are created.

use std::{
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use mimic_e2e::{Cluster, Installation, Namespace, eventually, load::Load};
use openssl::{
    ssl::{SslConnector, SslMethod},
    x509::{X509, store::X509StoreBuilder},
};

use crate::{ONE_STEP, STEPS};

const MIRROR: &str = "harbor.example.com/dockerhub";
const REWRITTEN: &str = "harbor.example.com/dockerhub/library/nginx";

/// What the Deployment does for `kubectl rollout restart`: a successor is ready before a replica is asked to leave.
#[tokio::test]
async fn no_pod_is_refused_while_both_replicas_are_replaced() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &STEPS).await?;
    let shop = Namespace::create(&cluster, "shop").await?;
    mimic.set_mirror(MIRROR).await?;
    let replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, REWRITTEN).await?;

    let _successors = Load::during(&shop, async |load| {
        let mut successors = Vec::new();
        for (mut leaving, count) in replicas.into_iter().zip([3, 3]) {
            load.more(50).await?;
            let mut successor = mimic.start_replica().await?;
            successor.is_ready().await?;
            mimic.balancer().add(successor.port(), successor.admin_port());
            mimic.balancer().has_ready(count).await?;
            successors.push(successor);
            ensure!(leaving.leave().await?, "it says that all went well");
            mimic.balancer().remove(leaving.port());
        }
        load.more(50).await?;
        Ok(successors)
    })
    .await?;
    Ok(())
}

/// The certificate that whoever listens there shows a client that trusts these authorities, and no others.
fn shown(port: u16, authorities: &[u8]) -> Result<X509> {
    let mut trusted = X509StoreBuilder::new()?;
    for authority in X509::stack_from_pem(authorities)? {
        trusted.add_cert(authority)?;
    }
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_cert_store(trusted.build());
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let session = connector.build().connect("mimic.mimic.svc", stream)?;
    session.ssl().peer_certificate().context("a server shows a certificate")
}

#[tokio::test]
async fn no_pod_is_refused_while_the_script_renews_the_certificate() -> Result<()> {
    let Some(cluster) = Cluster::own()? else { return Ok(()) };
    let mimic = Installation::by(&cluster, &STEPS).await?;
    let shop = Namespace::create(&cluster, "shop").await?;
    mimic.set_mirror(MIRROR).await?;
    let replicas = mimic.start_replicas(2).await?;
    mimic.rewrites(&shop, REWRITTEN).await?;
    let authority = mimic.authority().await?;
    let mut last = shown(replicas[0].port(), &authority)?;

    Load::during(&shop, async |load| {
        for _ in 0..3 {
            load.more(20).await?;
            mimic.checkout().run_meanwhile(STEPS[1]).await?;
            for replica in &replicas {
                eventually("the new certificate is shown", async || Ok(shown(replica.port(), &authority)? != last))
                    .await?;
            }
            last = shown(replicas[0].port(), &authority)?;
            assert_eq!(shown(replicas[1].port(), &authority)?, last);
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

    let authority = mimic.authority().await?;
    assert_eq!(X509::stack_from_pem(&authority)?.len(), 1);
    assert_eq!(shown(replicas[0].port(), &authority)?, shown(replicas[1].port(), &authority)?);

    mimic.checkout().run(ONE_STEP)?;
    assert_eq!(mimic.authority().await?, authority, "applying it again changes no certificate");
    Ok(())
}
