//! Replaces a file: the new content is written beside it and then renamed, so the file is never incomplete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mimic_manifests::Rewritten;
use tempfile::NamedTempFile;

/// A file that is being rewritten. Without changes, nothing is written.
#[derive(Debug)]
pub(crate) struct Replacement {
    path: PathBuf,
    /// Bytes before the first change.
    unchanged: u64,
    new: Option<BufWriter<NamedTempFile>>,
    images: usize,
}

impl Replacement {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), unchanged: 0, new: None, images: 0 }
    }

    /// The file, for messages.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Adds the next document.
    pub(crate) fn add(&mut self, bytes: &[u8], rewritten: &Rewritten) -> anyhow::Result<()> {
        self.images += rewritten.changes.len();
        if self.new.is_none() && rewritten.changes.is_empty() {
            self.unchanged += bytes.len() as u64;
            return Ok(());
        }
        let context = || format!("cannot write beside `{}`", self.path.display());
        if self.new.is_none() {
            self.new = Some(self.begin().with_context(context)?);
        }
        if let Some(new) = &mut self.new {
            new.write_all(&rewritten.apply(bytes)).with_context(context)?;
        }
        Ok(())
    }

    /// Creates the new file with the bytes before the first change.
    fn begin(&self) -> io::Result<BufWriter<NamedTempFile>> {
        // Through a symbolic link, which stays.
        let target = fs::canonicalize(&self.path)?;
        let folder = target.parent().unwrap_or(Path::new("."));
        let new = tempfile::Builder::new().prefix(".mimic-").tempfile_in(folder)?;
        let mut new = BufWriter::new(new);
        io::copy(&mut File::open(&target)?.take(self.unchanged), &mut new)?;
        Ok(new)
    }

    /// Replaces the file, and returns how many images changed.
    pub(crate) fn finish(self) -> anyhow::Result<usize> {
        let Some(new) = self.new else { return Ok(0) };
        let replace = || {
            let target = fs::canonicalize(&self.path)?;
            let new = new.into_inner().map_err(io::IntoInnerError::into_error)?;
            let metadata = fs::metadata(&target)?;
            keep_owner(new.as_file(), &metadata)?;
            // After the owner, whose change can clear bits of the mode.
            new.as_file().set_permissions(metadata.permissions())?;
            new.as_file().sync_all()?;
            new.persist(&target).map_err(|error| error.error)?;
            io::Result::Ok(())
        };
        replace().with_context(|| format!("cannot replace `{}`", self.path.display()))?;
        Ok(self.images)
    }
}

/// Gives the new file the owner and group of the old one.
#[cfg(unix)]
fn keep_owner(new: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let created = new.metadata()?;
    if (created.uid(), created.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
