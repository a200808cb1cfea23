//! Base images for the Dockerfile, made on the spot from Debian's packages, so that no registry of images is needed.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use openssl::sha::sha256;
use tempfile::TempDir;

use crate::{buildah::Buildah, tools::announce};

/// The release of Debian that the Dockerfile's own bases are made of.
const SUITE: &str = "trixie";

/// Where the machine's CA certificates are on Debian.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where the builder looks for the machine's own Rust toolchain, which is mounted there.
pub(crate) const TOOLCHAIN: &str = "/usr/local/rust";

/// Stands in for the official image of Rust.
pub(crate) fn builder(buildah: &Buildah) -> Result<String> {
    let recipe = format!(
        "FROM scratch\n\
         ADD packages.tar /\n\
         COPY ca-certificates.crt {AUTHORITIES}\n\
         ENV CARGO_HOME=/usr/local/cargo PATH={TOOLCHAIN}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    );
    base(
        buildah,
        "builder",
        &["--variant=minbase", "--include=ca-certificates,gcc,libc6-dev,make,perl"],
        &recipe,
        |context| {
            // The machine's own, in case that something between it and crates.io has a certificate of its own.
            fs::copy(AUTHORITIES, context.join("ca-certificates.crt"))?;
            Ok(())
        },
    )
}

/// Stands in for the image that the shipped one is based on: its C library and CA certificates, without the rest. No script of
/// a package is run, so it can be made for a machine that this one is not.
pub(crate) fn runtime(buildah: &Buildah) -> Result<String> {
    let recipe = format!("FROM scratch\nADD packages.tar /\nCOPY ca-certificates.crt {AUTHORITIES}\n");
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

/// Makes an image of packages and returns its name. One that was made before, in the same way, is used again.
fn base(
    buildah: &Buildah,
    name: &str,
    packages: &[&str],
    recipe: &str,
    add: impl FnOnce(&Path) -> Result<()>,
) -> Result<String> {
    let key = sha256(format!("{SUITE} {packages:?} {recipe}").as_bytes());
    // Eight of its bytes tell the few ways apart.
    let key = u64::from_be_bytes(key[..8].try_into()?);
    let image = format!("localhost/mimic-e2e-{name}:{key:016x}");
    if buildah.has(&image)? {
        return Ok(image);
    }
    announce(&format!("making the base image `{name}` of Debian's packages"));
    let context = TempDir::new_in(buildah.directory())?;
    let made = Command::new("mmdebstrap")
        .args(packages)
        .arg(SUITE)
        .arg(context.path().join("packages.tar"))
        .output()
        .context("mmdebstrap did not start")?;
    ensure!(made.status.success(), "mmdebstrap failed:\n{}", String::from_utf8_lossy(&made.stderr));
    add(context.path())?;
    fs::write(context.path().join("Dockerfile"), recipe)?;
    buildah.build(&image, context.path(), &["--layers=false"])?;
    Ok(image)
}
