//! `buildah`, which builds images without a daemon.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// buildah with its own storage.
pub(crate) struct Buildah {
    directory: PathBuf,
}

impl Buildah {
    /// Stores everything in this directory.
    pub(crate) fn new(directory: PathBuf) -> Result<Self> {
        // Includes the caches of `RUN --mount=type=cache`.
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

    /// Builds an image from the Dockerfile in a folder.
    pub(crate) fn build(&self, image: &str, folder: &Path, arguments: &[&str]) -> Result<()> {
        // Needs the fewest kernel features: no container runtime, no separate network.
        let build: [&OsStr; 4] = ["build".as_ref(), "--isolation=chroot".as_ref(), "--tag".as_ref(), image.as_ref()];
        self.run(build.into_iter().chain(arguments.iter().map(AsRef::as_ref)).chain([folder.as_ref()]))
    }

    /// Writes an image to an OCI layout, as it would be pushed.
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
