//! Reads files that users name.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;

/// Reads a regular file of at most `limit` bytes. Blocks on the disk.
///
/// # Errors
/// Those of the disk, and if the file is not regular or too large.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    Ok(read_with_metadata(path, limit)?.1)
}

/// The same, with the metadata of the file that was read.
///
/// # Errors
/// As for [`read`].
pub fn read_with_metadata(path: &Path, limit: u64) -> io::Result<(Metadata, Vec<u8>)> {
    // To open a pipe would wait for a writer, and to open a device can have effects.
    check(&fs::metadata(path)?, limit)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    check(&metadata, limit)?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok((metadata, content))
}

fn check(metadata: &Metadata, limit: u64) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if metadata.len() > limit { Err(too_large(limit)) } else { Ok(()) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB", limit >> 20))
}
