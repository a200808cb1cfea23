//! Runs programs of the shipped image as a container runtime does.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use serde_json::Value;

use crate::{
    ShippedImage,
    http::get_succeeds,
    process::{Process, background_command, command},
    server::free_ports,
    wait::eventually,
};

/// As in the manifests: the user of the image, no capabilities, no privilege escalation, and a read-only root file system.
const RUN: &str = r#"
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" "$root" "$@"
"#;

/// The server in the image, on loopback. It is killed on drop.
#[derive(Debug)]
pub struct Container {
    process: Process,
    port: u16,
}

impl Container {
    /// Starts the entry point of the image with these arguments and waits until it is ready.
    pub async fn start(image: &ShippedImage, arguments: &[&str]) -> Result<Self> {
        let (port, admin_port) = free_ports()?;
        let entry_point = image.configuration()["Entrypoint"].as_array().context("there is an entry point")?;
        let mut command = background_command("unshare");
        container(&mut command, image, entry_point.iter().filter_map(Value::as_str).chain(arguments.iter().copied()))?;
        command.env("MIMIC_LISTENPORT", port.to_string()).env("MIMIC_ADMIN_LISTENPORT", admin_port.to_string());
        let mut process = Process::start("the image", command)?;
        eventually("the image is ready", async || {
            process.check_alive()?;
            Ok(get_succeeds(admin_port, "/readyz"))
        })
        .await?;
        Ok(Self { process, port })
    }

    /// Its response to a review.
    pub fn review(&self, review: &[u8]) -> Result<Value> {
        let mut connector = SslConnector::builder(SslMethod::tls_client())?;
        connector.set_verify(SslVerifyMode::NONE);
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let mut stream = connector.build().connect("localhost", stream)?;
        let head = format!(
            "POST /mutate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            review.len()
        );
        stream.write_all(&[head.as_bytes(), review].concat())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("a response has a head")?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        Ok(serde_json::from_str(body)?)
    }

    /// Stops it as the kubelet does, and returns whether it exits successfully.
    pub async fn leave(mut self) -> Result<bool> {
        self.process.terminate()?;
        self.process.ended().await
    }
}

/// Runs a program of the image and returns its output.
///
/// # Errors
/// If it fails.
pub fn run_in_container(image: &ShippedImage, program: &[&str]) -> Result<String> {
    let mut command = command("unshare");
    container(&mut command, image, program.iter().copied())?;
    let output = command.output().context("unshare did not start")?;
    ensure!(output.status.success(), "{program:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn container<'a>(unshare: &mut Command, image: &ShippedImage, program: impl Iterator<Item = &'a str>) -> Result<()> {
    let user = image.configuration()["User"].as_str().context("there is a user")?;
    let variables = image.configuration()["Env"].as_array().context("there are variables")?;
    unshare
        .args(["--mount", "sh", "-euc", RUN, "sh"])
        .args([image.root().as_os_str(), user.as_ref()])
        .args(program)
        .envs(variables.iter().filter_map(|variable| variable.as_str()?.split_once('=')));
    Ok(())
}
