//! Base images for the Dockerfile, built from Debian packages, so that no image registry is needed.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use openssl::sha::sha256;
use tempfile::TempDir;

use crate::{buildah::Buildah, tools::announce};

/// The Debian release of the Dockerfile's base images.
const SUITE: &str = "trixie";

/// The host's CA certificates on Debian.
const CA_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Mount point of the host's Rust toolchain in the builder.
pub(crate) const TOOLCHAIN: &str = "/usr/local/rust";

/// Replaces the official Rust image.
pub(crate) fn builder(buildah: &Buildah) -> Result<String> {
    let recipe = format!(
        "FROM scratch\n\
         ADD packages.tar /\n\
         COPY ca-certificates.crt {CA_CERTIFICATES}\n\
         ENV CARGO_HOME=/usr/local/cargo PATH={TOOLCHAIN}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    );
    base(
        buildah,
        "builder",
        &["--variant=minbase", "--include=ca-certificates,gcc,libc6-dev,make,perl"],
        &recipe,
        |context| {
            // Those of the host, in case a proxy before crates.io has a private CA.
            fs::copy(CA_CERTIFICATES, context.join("ca-certificates.crt"))?;
            Ok(())
        },
    )
}

/// Replaces the base of the shipped image: its C library and CA certificates only. It runs no package scripts, so it can be built
/// for other architectures.
pub(crate) fn runtime(buildah: &Buildah) -> Result<String> {
    let recipe = format!("FROM scratch\nADD packages.tar /\nCOPY ca-certificates.crt {CA_CERTIFICATES}\n");
    base(
        buildah,
        "base",
        &["--variant=extract", "--include=base-files,ca-certificates,libc6,libgcc-s1"],
        &recipe,
        |context| {
            let bundle = Command::new("tar")
                .args([
                    "--extract",
                    "--to-stdout",
                    "--wildcards",
                    "./usr/share/ca-certificates/mozilla/*.crt",
                    "--file",
                ])
                .arg(context.join("packages.tar"))
                .output()?;
            ensure!(bundle.status.success(), "tar failed:\n{}", String::from_utf8_lossy(&bundle.stderr));
            Ok(fs::write(context.join("ca-certificates.crt"), bundle.stdout)?)
        },
    )
}

/// Builds an image from packages and returns its name. Reuses an image that was built in the same way.
fn base(
    buildah: &Buildah,
    name: &str,
    packages: &[&str],
    recipe: &str,
    add: impl FnOnce(&Path) -> Result<()>,
) -> Result<String> {
    let key = sha256(format!("{SUITE} {packages:?} {recipe}").as_bytes());
    // Eight bytes distinguish the few variants.
    let key = u64::from_be_bytes(key[..8].try_into()?);
    let image = format!("localhost/mimic-e2e-{name}:{key:016x}");
    if buildah.has(&image)? {
        return Ok(image);
    }
    announce(&format!("building the base image `{name}` from Debian packages"));
    let context = TempDir::new_in(buildah.directory())?;
    let output = Command::new("mmdebstrap")
        .args(packages)
        .arg(SUITE)
        .arg(context.path().join("packages.tar"))
        .output()
        .context("mmdebstrap did not start")?;
    ensure!(output.status.success(), "mmdebstrap failed:\n{}", String::from_utf8_lossy(&output.stderr));
    add(context.path())?;
    fs::write(context.path().join("Dockerfile"), recipe)?;
    buildah.build(&image, context.path(), &["--layers=false"])?;
    Ok(image)
}
