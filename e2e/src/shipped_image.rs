//! The image that the Dockerfile makes.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{bases, binaries, buildah::Buildah, tools};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const IMAGE: &str = "localhost/mimic-e2e:latest";

/// The image, built and laid out in a folder.
#[derive(Debug)]
pub struct ShippedImage {
    configuration: Value,
    /// The paths in its last layer, as `tar` lists them.
    added: String,
    /// Of its layers, compressed, as they are pulled.
    size: u64,
    root: PathBuf,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl ShippedImage {
    /// The image, built by the first test that asks: that takes minutes, but less of them when it was built before.
    ///
    /// `None` where something is missing: then a line on stderr says that the test is skipped, and why.
    ///
    /// # Errors
    /// When it cannot be built, and under `MIMIC_E2E=required` when a tool is missing.
    pub fn shared() -> Result<Option<&'static Self>> {
        static SHARED: OnceLock<Result<ShippedImage, String>> = OnceLock::new();
        if is_skipped()? {
            return Ok(None);
        }
        match SHARED.get_or_init(|| Self::build().map_err(|error| format!("{error:#}"))) {
            Ok(image) => Ok(Some(image)),
            Err(error) => bail!("no image: {error}"),
        }
    }

    fn build() -> Result<Self> {
        let directory = binaries::kept_directory()?.join("image");
        let buildah = Buildah::new(directory.clone())?;
        let lock = File::create(directory.join("lock"))?;
        lock.lock()?;
        let (builder, base) = (bases::builder(&buildah)?, bases::runtime(&buildah)?);
        let toolchain = toolchain()?;
        tools::announce("building the image; the first time takes 5 to 10 minutes");
        buildah.build(
            IMAGE,
            Path::new(REPOSITORY),
            &[
                &format!("--volume={toolchain}:{}:ro", bases::TOOLCHAIN),
                &format!("--build-arg=BUILDER={builder}"),
                &format!("--build-arg=BASE={base}"),
                "--layers",
            ],
        )?;
        let layout = TempDir::new_in(&directory)?;
        buildah.push(IMAGE, layout.path())?;
        let root = directory.join("root");
        match fs::remove_dir_all(&root) {
            Err(error) if error.kind() != ErrorKind::NotFound => bail!("{}: {error}", root.display()),
            _ => fs::create_dir(&root)?,
        }
        Self::unpack(layout.path(), root, lock)
    }

    /// Reads an [OCI layout](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md) of one image.
    fn unpack(layout: &Path, root: PathBuf, lock: File) -> Result<Self> {
        let blob = |descriptor: &Value| -> Result<PathBuf> {
            let digest = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
            Ok(layout.join("blobs/sha256").join(digest.context("a descriptor has a digest")?))
        };
        let json = |path: PathBuf| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
        let index = json(layout.join("index.json"))?;
        let manifest = json(blob(&index["manifests"][0])?)?;
        let layers = manifest["layers"].as_array().context("a manifest has layers")?;
        let mut size = 0;
        let mut added = String::new();
        for layer in layers {
            let archive = blob(layer)?;
            size += fs::metadata(&archive)?.len();
            tar(&["--extract", "--directory", &root.to_string_lossy()], &archive)?;
            added = tar(&["--list", "--verbose", "--numeric-owner"], &archive)?;
        }
        let mut configuration = json(blob(&manifest["config"])?)?;
        Ok(Self { configuration: configuration["config"].take(), added, size, root, _lock: lock })
    }

    /// The part of its [configuration](https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md) that says how it is
    /// run.
    pub fn configuration(&self) -> &Value {
        &self.configuration
    }

    /// What its last layer has, as `tar --list --verbose` says it.
    pub fn added(&self) -> &str {
        &self.added
    }

    /// How many bytes are pulled.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where its files lie.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Tells whether tests have to be skipped.
fn is_skipped() -> Result<bool> {
    let missing = tools::is_skipped(|| {
        if !tools::runs("buildah", &["--version"]) {
            Some("buildah is not installed, and it takes buildah to build the image")
        } else if !tools::runs("mmdebstrap", &["--version"]) {
            Some("mmdebstrap is not installed, and the image is built on Debian's packages")
        } else {
            None
        }
    })?;
    // Not a matter of what is installed, so `MIMIC_E2E=required` does not help.
    let is_refused = !missing && !tools::runs("unshare", &["--mount", "true"]);
    if is_refused {
        tools::announce(
            "skipped: the kernel refuses a mount namespace, and it takes one, and root, to build and run an image",
        );
    }
    Ok(missing || is_refused)
}

/// Where the toolchain is with which the tests were built.
fn toolchain() -> Result<String> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(REPOSITORY).output()?;
    ensure!(output.status.success(), "rustc failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

fn tar(arguments: &[&str], archive: &Path) -> Result<String> {
    let output = Command::new("tar").args(arguments).arg("--file").arg(archive).output()?;
    ensure!(output.status.success(), "tar failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
