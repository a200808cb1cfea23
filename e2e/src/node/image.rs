//! Mimic's image for the nodes.

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    ShippedImage, bases,
    binaries::{MIMIC, MIMIC_SERVER},
    buildah::Buildah,
    shipped_image::locked_storage,
    skopeo::Skopeo,
    tools,
};

const DOCKERFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../Dockerfile");
const IMAGE: &str = "localhost/mimic-e2e-tested:latest";

/// Pushes Mimic's image.
///
/// It has the binaries of the tests, because a release build takes minutes. With `MIMIC_E2E_IMAGE=dockerfile`, it is the one that
/// the Dockerfile builds.
pub(super) fn push(skopeo: &Skopeo, reference: &str) -> Result<()> {
    let (buildah, _lock) = locked_storage()?;
    let layout = TempDir::new_in(buildah.directory())?;
    match env::var("MIMIC_E2E_IMAGE").as_deref() {
        Err(_) | Ok("") => write_tested(layout.path(), &buildah)?,
        Ok("dockerfile") => ShippedImage::write_to(layout.path(), &buildah)?,
        Ok(other) => bail!("invalid MIMIC_E2E_IMAGE `{other}`: must be `dockerfile` or unset"),
    }
    skopeo.push_layout(layout.path(), reference)
}

/// The Dockerfile's last stage, with other binaries.
fn write_tested(layout: &Path, buildah: &Buildah) -> Result<()> {
    let base = bases::runtime(buildah)?;
    tools::announce("building an image with the binaries of the tests");
    let context = TempDir::new_in(buildah.directory())?;
    let out = context.path().join("out");
    fs::create_dir(&out)?;
    for (name, binary) in [("mimic", &MIMIC), ("mimic-server", &MIMIC_SERVER)] {
        let binary = binary.path()?;
        // Most of a binary for tests is for debuggers.
        let status = Command::new("strip").arg("-o").arg(out.join(name)).arg(binary).status();
        if !status.is_ok_and(|status| status.success()) {
            fs::copy(binary, out.join(name))?;
        }
    }
    let dockerfile = fs::read_to_string(DOCKERFILE)?;
    let (_, stage) = dockerfile.rsplit_once("\nFROM ${BASE}\n").context("the Dockerfile ends with a stage on BASE")?;
    let copy = "COPY --from=build /out/ ";
    ensure!(stage.contains(copy), "the Dockerfile's last stage has `{copy}`");
    let stage = stage.replace(copy, "COPY out/ ");
    fs::write(context.path().join("Dockerfile"), format!("FROM {base}\n{stage}"))?;
    buildah.build(IMAGE, context.path(), &["--layers"])?;
    buildah.push(IMAGE, layout)
}
