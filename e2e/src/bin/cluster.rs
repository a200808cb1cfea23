//! Starts a cluster whose pods run, until Ctrl-C. `e2e/README.md` describes it.

use std::{
    env,
    io::{self, Write},
};

use anyhow::{Context, Result, ensure};
use mimic_e2e::NodeCluster;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let nodes = match env::args().nth(1) {
        Some(argument) => argument.parse().with_context(|| format!("invalid number of nodes `{argument}`"))?,
        None => 2,
    };
    ensure!((1..10).contains(&nodes), "invalid number of nodes `{nodes}`: must be from 1 to 9");
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        result = run(nodes) => result,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

/// Returns only errors: the cluster ends when this is dropped.
async fn run(nodes: u8) -> Result<()> {
    let cluster = NodeCluster::start(nodes, &[]).await?;
    let image = cluster.push_mimic()?;
    writeln!(
        io::stdout(),
        "export KUBECONFIG={}\n\
         # Registry without TLS, with Mimic's image: {image}:latest\n\
         # Logs: {}\n\
         # Ctrl-C ends the cluster.",
        cluster.cluster().kubeconfig().display(),
        cluster.directory().display()
    )?;
    std::future::pending().await
}
