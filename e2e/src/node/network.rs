//! The network between the host, which has the control plane and the registry, and the nodes.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The host's address in the network.
pub(super) const HOST: &str = "10.123.0.1";

/// The addresses of pods on all nodes, and of nodes.
pub(super) const ALL: &str = "10.123.0.0/16";

/// A bridge on the host. Its end removes the interfaces and routes that belong to it.
#[derive(Debug)]
pub(super) struct Network;

/// The bridge, and the beginning of the names of its ports.
const BRIDGE: &str = "mimic-e2e";

impl Network {
    /// Creates it.
    pub(super) fn create() -> Result<Self> {
        // Of a run that was killed. It fails if there is none.
        let _ = ip(&["link", "delete", BRIDGE]);
        ip(&["link", "add", BRIDGE, "type", "bridge"])?;
        let network = Self;
        ip(&["address", "add", &format!("{HOST}/24"), "dev", BRIDGE])?;
        ip(&["link", "set", BRIDGE, "up"])?;
        Ok(network)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = ip(&["link", "delete", BRIDGE]) {
            eprintln!("{error:#}");
        }
    }
}

/// The address of a node.
pub(super) fn address(node: u8) -> String {
    format!("10.123.0.{}", 10 + node)
}

/// The addresses of the pods of a node.
pub(super) fn pods(node: u8) -> String {
    format!("10.123.{node}.0/24")
}

/// Connects the network namespace of a process, which is a node, to the bridge.
pub(super) fn connect(node: u8, process: u32) -> Result<()> {
    // Of a run that was killed.
    disconnect(node);
    let port = port(node);
    let process = process.to_string();
    ip(&["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &process])?;
    ip(&["link", "set", &port, "master", BRIDGE, "up"])?;
    ip(&["route", "replace", &pods(node), "via", &address(node)])?;
    for arguments in [
        &["address", "add", &format!("{}/24", address(node)), "dev", "eth0"][..],
        &["link", "set", "eth0", "up"],
        &["route", "add", "default", "via", HOST],
    ] {
        run(Command::new("nsenter").args(["--target", &process, "--net", "ip"]).args(arguments))?;
    }
    Ok(())
}

/// Removes the port of a node. The kernel does that, too, but some time after the end of the network namespace.
pub(super) fn disconnect(node: u8) {
    // It fails if there is none.
    let _ = ip(&["link", "delete", &port(node)]);
}

/// The interface on the host that leads to a node.
fn port(node: u8) -> String {
    format!("{BRIDGE}-{node}")
}

/// Routes the pods of one node from another one, which is this process.
pub(super) fn route(node: u8, process: u32) -> Result<()> {
    let process = process.to_string();
    let route = ["ip", "route", "replace", &pods(node), "via", &address(node)];
    run(Command::new("nsenter").args(["--target", &process, "--net"]).args(route))
}

fn ip(arguments: &[&str]) -> Result<()> {
    run(Command::new("ip").args(arguments))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} did not start"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
