//! `buildah`, which builds images without a daemon.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// buildah with a storage of its own.
pub(crate) struct Buildah {
    directory: PathBuf,
}

impl Buildah {
    /// Keeps all that it stores in this directory.
    pub(crate) fn new(directory: PathBuf) -> Result<Self> {
        // What `RUN --mount=type=cache` keeps lies below it too.
        fs::create_dir_all(directory.join("tmp"))?;
        Ok(Self { directory })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn has(&self, image: &str) -> Result<bool> {
        let output = self.command().args(["images", "--quiet", image]).output().context("buildah did not start")?;
        Ok(output.status.success() && !output.stdout.is_empty())
    }

    /// Builds an image of the Dockerfile in a folder.
    pub(crate) fn build(&self, image: &str, folder: &Path, arguments: &[&str]) -> Result<()> {
        // What needs the least of the kernel: neither a container runtime nor a network of its own.
        let build: [&OsStr; 4] = ["build".as_ref(), "--isolation=chroot".as_ref(), "--tag".as_ref(), image.as_ref()];
        self.run(build.into_iter().chain(arguments.iter().map(AsRef::as_ref)).chain([folder.as_ref()]))
    }

    /// Writes an image as it would be pushed into an OCI layout.
    pub(crate) fn push(&self, image: &str, layout: &Path) -> Result<()> {
        self.run(["push".as_ref(), image.as_ref(), format!("oci:{}", layout.display()).as_ref()])
    }

    fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<()> {
        let mut command = self.command();
        command.args(arguments);
        let output = command.output().context("buildah did not start")?;
        let log = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&log));
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("buildah");
        let path = |name: &str| self.directory.join(name);
        command.arg("--root").arg(path("storage")).arg("--runroot").arg(path("run")).env("TMPDIR", path("tmp"));
        command
    }
}
