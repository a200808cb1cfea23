//! Debian's `docker-registry` as a child process.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, background_command};

/// The kernel chooses the port, and the log shows it.
const LOOPBACK: &str = "127.0.0.1:0";

/// The user `user` with the password `secret`, as Apache's htpasswd writes it.
const USERS: &str = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// An empty registry with plain HTTP on loopback. It is killed on drop.
#[derive(Debug)]
pub struct Registry {
    _process: Process,
    _directory: TempDir,
    host: String,
}

impl Registry {
    /// Starts one to push to, and waits until it serves.
    pub async fn start() -> Result<Self> {
        Self::serving(LOOPBACK, None).await
    }

    /// The same at an address that nodes reach, such as `10.123.0.1:5000`.
    pub(crate) async fn at(address: &str) -> Result<Self> {
        Self::serving(address, None).await
    }

    /// The same for the user `user` with the password `secret` only.
    pub(crate) async fn with_password_at(address: &str) -> Result<Self> {
        Self::started(address, None, true).await
    }

    /// Starts a pull-through cache of another registry, as most mirrors are.
    pub async fn pulling_through(upstream: &Self) -> Result<Self> {
        Self::serving(LOOPBACK, Some(json!({"remoteurl": format!("http://{}", upstream.host)}))).await
    }

    async fn serving(address: &str, proxy: Option<Value>) -> Result<Self> {
        Self::started(address, proxy, false).await
    }

    async fn started(address: &str, proxy: Option<Value>, has_password: bool) -> Result<Self> {
        let directory = TempDir::with_prefix("mimic-e2e-registry-")?;
        let file = directory.path().join("config.yml");
        let mut configuration = json!({
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": directory.path().join("storage")}},
            "http": {"addr": address, "secret": "of a registry that lives for a test"},
        });
        if let Some(proxy) = proxy {
            configuration["proxy"] = proxy;
        }
        if has_password {
            let path = directory.path().join("users");
            fs::write(&path, USERS)?;
            configuration["auth"] = json!({"htpasswd": {"realm": "tests", "path": path}});
        }
        // JSON is YAML.
        fs::write(&file, configuration.to_string())?;
        let mut command = background_command("docker-registry");
        command.arg("serve").arg(file);
        let mut process = Process::start("docker-registry", command)?;
        let line = process.started("listening on ").await?;
        if address != LOOPBACK {
            return Ok(Self { _process: process, _directory: directory, host: address.to_owned() });
        }
        let port = line.split("listening on 127.0.0.1:").nth(1).unwrap_or_default();
        let port = port.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
        let port: u16 = port.parse().with_context(|| format!("no port in `{line}`"))?;
        Ok(Self { _process: process, _directory: directory, host: format!("localhost:{port}") })
    }

    /// Its host in image references, such as `localhost:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }
}
