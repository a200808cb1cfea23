//! `skopeo`, which pushes and pulls images without a container runtime.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{Content, Image, Registry, process::command, tools, wait::DEADLINE};

/// A client for registries without TLS.
#[derive(Debug)]
pub struct Skopeo {
    directory: TempDir,
}

impl Skopeo {
    /// `None` if skopeo or docker-registry is missing; then a line on stderr reports that the test is skipped, and why.
    ///
    /// # Errors
    /// With `MIMIC_E2E=required`, if one of them is missing.
    pub fn available() -> Result<Option<Self>> {
        let skipped = tools::is_skipped(|| {
            if !tools::runs("docker-registry", &["--version"]) {
                Some("docker-registry is not installed, and these tests pull images from it")
            } else if !tools::runs("skopeo", &["--version"]) {
                Some("skopeo is not installed, and these tests pull images with it")
            } else {
                None
            }
        })?;
        if skipped { Ok(None) } else { Self::new().map(Some) }
    }

    pub(crate) fn new() -> Result<Self> {
        let directory = TempDir::with_prefix("mimic-e2e-skopeo-")?;
        let skopeo = Self { directory };
        fs::write(skopeo.registries(), "")?;
        Ok(skopeo)
    }

    /// The registry configuration, a [registries.conf](https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md).
    fn registries(&self) -> PathBuf {
        self.directory.path().join("registries.conf")
    }

    /// Redirects `docker.io` to a registry: skopeo pulls images of `docker.io` from there.
    pub fn take_for_docker_hub(&self, registry: &Registry) -> Result<()> {
        self.configure(&format!("[[registry]]\nprefix = \"docker.io\"\nlocation = \"{}\"\n", registry.host()))
    }

    /// Replaces the registry configuration.
    pub fn configure(&self, text: &str) -> Result<()> {
        Ok(fs::write(self.registries(), text)?)
    }

    /// Pushes an image unchanged.
    pub fn push(&self, image: &Image, reference: &str) -> Result<()> {
        self.push_layout(image.directory(), reference)
    }

    /// Pushes an image in an [OCI layout](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md).
    pub(crate) fn push_layout(&self, layout: &Path, reference: &str) -> Result<()> {
        self.copy(&format!("oci:{}", layout.display()), &format!("docker://{reference}"))
    }

    /// Copies an image from registry to registry.
    pub fn mirror(&self, from: &str, to: &str) -> Result<()> {
        self.copy(&format!("docker://{from}"), &format!("docker://{to}"))
    }

    /// Pulls an image, for all its platforms.
    pub fn pull(&self, reference: &str) -> Result<Content> {
        let directory = TempDir::new_in(self.directory.path())?;
        self.copy(
            &format!("docker://{}", as_runtimes_pull(reference)),
            &format!("dir:{}", directory.path().display()),
        )?;
        // Part of the directory format, not of the image.
        fs::remove_file(directory.path().join("version"))?;
        Content::read(&directory.path().join("manifest.json"), directory.path())
    }

    fn copy(&self, from: &str, to: &str) -> Result<()> {
        self.copy_with(&[], from, to)
    }

    /// Pushes an image unchanged to a registry that [`Registry::with_password_at`] started.
    pub(crate) fn push_with_password(&self, image: &Image, reference: &str) -> Result<()> {
        let from = format!("oci:{}", image.directory().display());
        self.copy_with(&["--dest-creds=user:secret"], &from, &format!("docker://{reference}"))
    }

    fn copy_with(&self, options: &[&str], from: &str, to: &str) -> Result<()> {
        let output = command("skopeo")
            .env("HOME", self.directory.path())
            .arg("--insecure-policy")
            .arg(format!("--command-timeout={}s", DEADLINE.as_secs()))
            .arg("--tmpdir")
            .arg(self.directory.path())
            .arg("--registries-conf")
            .arg(self.registries())
            .args(["copy", "--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"])
            .args(options)
            .args([from, to])
            .output()
            .context("skopeo did not start")?;
        ensure!(
            output.status.success(),
            "skopeo could not copy {from} to {to}:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

/// Without the tag, if there is a digest: container runtimes then pull by digest, but skopeo rejects both.
fn as_runtimes_pull(reference: &str) -> String {
    let Some((name, digest)) = reference.split_once('@') else { return reference.to_owned() };
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => format!("{name}@{digest}"),
        _ => reference.to_owned(),
    }
}
