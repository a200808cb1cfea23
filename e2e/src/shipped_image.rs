//! The image that the Dockerfile builds.

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

/// The image, built and unpacked in a folder.
#[derive(Debug)]
pub struct ShippedImage {
    configuration: Value,
    /// The paths in its last layer, as `tar` lists them.
    added: String,
    /// Size of its compressed layers, in bytes.
    size: u64,
    root: PathBuf,
    /// Locks the folder.
    _lock: File,
}

impl ShippedImage {
    /// The image. The first call builds it, which takes minutes, or less if it was built before.
    ///
    /// `None` if a tool is missing; then a line on stderr reports that the test is skipped, and why.
    ///
    /// # Errors
    /// If the build fails or, with `MIMIC_E2E=required`, a tool is missing.
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

    /// Builds it and writes it to an empty folder, as an
    /// [OCI layout](https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md).
    pub(crate) fn write_to(layout: &Path, buildah: &Buildah) -> Result<()> {
        let (builder, base) = (bases::builder(buildah)?, bases::runtime(buildah)?);
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
        buildah.push(IMAGE, layout)
    }

    fn build() -> Result<Self> {
        let (buildah, lock) = locked_storage()?;
        let directory = buildah.directory();
        let layout = TempDir::new_in(directory)?;
        Self::write_to(layout.path(), &buildah)?;
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

    /// The part of its [configuration](https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md) that describes how to
    /// run it.
    pub fn configuration(&self) -> &Value {
        &self.configuration
    }

    /// The last layer, as listed by `tar --list --verbose`.
    pub fn added(&self) -> &str {
        &self.added
    }

    /// Size of a pull, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The folder of its files.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The storage of images, and its lock.
pub(crate) fn locked_storage() -> Result<(Buildah, File)> {
    let buildah = Buildah::new(binaries::kept_directory()?.join("image"))?;
    let lock = File::create(buildah.directory().join("lock"))?;
    lock.lock()?;
    Ok((buildah, lock))
}

/// Whether tests must be skipped.
fn is_skipped() -> Result<bool> {
    let missing = tools::is_skipped(|| {
        if !tools::runs("buildah", &["--version"]) {
            Some("buildah is not installed, and it is needed to build the image")
        } else if !tools::runs("mmdebstrap", &["--version"]) {
            Some("mmdebstrap is not installed, and the image is built on Debian's packages")
        } else {
            None
        }
    })?;
    // This does not depend on installed tools, so `MIMIC_E2E=required` does not apply.
    let is_unsupported = !missing && !tools::runs("unshare", &["--mount", "true"]);
    if is_unsupported {
        tools::announce(
            "skipped: cannot create a mount namespace, which, with root, is needed to build and run an image",
        );
    }
    Ok(missing || is_unsupported)
}

/// The toolchain that built the tests.
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
