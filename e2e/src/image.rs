//! Images, and how to compare them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use openssl::sha::sha256;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::command;

/// A program with many commands, which must be statically linked.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIGURATION: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The content of an image. Equal values are the same image, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The manifest, or the index of a multi-platform image.
    manifest: String,
    /// Digests of the other blobs: layers, configurations, and the manifests of an index.
    blobs: BTreeSet<String>,
}

impl Content {
    /// Reads a manifest and the blobs in a directory. Digests are computed from the content, not taken from file names.
    pub(crate) fn read(manifest: &Path, blobs: &Path) -> Result<Self> {
        let manifest = fs::read_to_string(manifest)?;
        let digests = fs::read_dir(blobs)?.map(|entry| anyhow::Ok(digest(&fs::read(entry?.path())?)));
        let mut blobs: BTreeSet<String> = digests.collect::<Result<_>>()?;
        blobs.remove(&digest(manifest.as_bytes()));
        Ok(Self { manifest, blobs })
    }

    /// The digest by which the image is pulled.
    pub fn digest(&self) -> String {
        digest(self.manifest.as_bytes())
    }
}

/// An image in an [OCI layout](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md) in its own directory.
#[derive(Debug)]
pub struct Image {
    directory: TempDir,
    content: Content,
}

impl Image {
    /// Creates an image with one layer that holds a file with this text.
    pub fn new(text: &str) -> Result<Self> {
        Self::build(|layout| layout.add_manifest(text, "amd64"))
    }

    /// Creates an image whose containers run until they are killed, with the commands of busybox in `/bin/busybox`.
    ///
    /// The text makes it different from others.
    pub fn running(text: &str) -> Result<Self> {
        let command = json!({
            "Cmd": ["/bin/busybox", "sleep", "1000000"],
            // The first process of a container ignores SIGTERM.
            "StopSignal": "SIGKILL",
        });
        Self::build(|layout| layout.add_image(&tar(text, Some(Path::new(BUSYBOX)))?, "amd64", &command))
    }

    /// Creates a multi-platform image.
    pub fn for_platforms(text: &str, architectures: &[&str]) -> Result<Self> {
        Self::build(|layout| {
            let mut manifests = Vec::new();
            for architecture in architectures {
                let mut manifest = layout.add_manifest(&format!("{text} for {architecture}"), architecture)?;
                manifest["platform"] = json!({"os": "linux", "architecture": architecture});
                manifests.push(manifest);
            }
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
            layout.add(INDEX, index.to_string().as_bytes())
        })
    }

    fn build(add_to: impl FnOnce(&Layout) -> Result<Value>) -> Result<Self> {
        let directory = TempDir::with_prefix("mimic-e2e-image-")?;
        let layout = Layout { blobs: directory.path().join("blobs/sha256") };
        fs::create_dir_all(&layout.blobs)?;
        let top = add_to(&layout)?;
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]});
        fs::write(directory.path().join("index.json"), index.to_string())?;
        fs::write(directory.path().join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#)?;
        let top = top["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        let top = layout.blobs.join(top.context("a descriptor has a digest")?);
        let content = Content::read(&top, &layout.blobs)?;
        Ok(Self { directory, content })
    }

    /// Its content.
    pub fn content(&self) -> &Content {
        &self.content
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// Blobs, stored under their digests.
struct Layout {
    blobs: PathBuf,
}

impl Layout {
    /// Adds a blob and returns its descriptor.
    fn add(&self, media_type: &str, blob: &[u8]) -> Result<Value> {
        let digest = digest(blob);
        fs::write(self.blobs.join(&digest["sha256:".len()..]), blob)?;
        Ok(json!({"mediaType": media_type, "digest": digest, "size": blob.len()}))
    }

    fn add_manifest(&self, text: &str, architecture: &str) -> Result<Value> {
        self.add_image(&tar(text, None)?, architecture, &json!({"Cmd": ["/text"]}))
    }

    fn add_image(&self, layer: &[u8], architecture: &str, how_to_run: &Value) -> Result<Value> {
        let layer = self.add(LAYER, layer)?;
        let configuration = json!({
            "os": "linux",
            "architecture": architecture,
            "config": how_to_run,
            // The layer is not compressed.
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add(CONFIGURATION, configuration.to_string().as_bytes())?,
            "layers": [layer],
        });
        self.add(MANIFEST, manifest.to_string().as_bytes())
    }
}

/// A layer with a file with this text, and a program in `/bin`.
fn tar(text: &str, program: Option<&Path>) -> Result<Vec<u8>> {
    let directory = TempDir::with_prefix("mimic-e2e-layer-")?;
    fs::write(directory.path().join("text"), text)?;
    if let Some(program) = program {
        fs::create_dir(directory.path().join("bin"))?;
        fs::copy(program, directory.path().join("bin").join(program.file_name().context("a program has a name")?))?;
    }
    let files = if program.is_some() { &["text", "bin"][..] } else { &["text"] };
    let output = command("tar").arg("-C").arg(directory.path()).args(["-cf", "-"]).args(files).output()?;
    ensure!(output.status.success(), "tar failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

fn digest(bytes: &[u8]) -> String {
    sha256(bytes).iter().fold("sha256:".to_owned(), |digest, byte| digest + &format!("{byte:02x}"))
}
