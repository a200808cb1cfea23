//! Detects file changes by a query of each file's metadata once a second. `docs/decisions/0003-polling-files.md` explains
//! why.
//!
//! A file may be on a network mount that hangs, so metadata and contents are read on the runtime's pool of blocking
//! threads: the thread that handles signals never waits for a disk.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time between two queries.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// Files that are polled for changes.
#[derive(Debug)]
pub(crate) struct PolledFiles {
    paths: Arc<[PathBuf]>,
    noted: Mutex<Vec<Option<State>>>,
}

/// Distinguishes one content of a file from the next. Symbolic links are followed: the kubelet replaces mounted files by
/// a new target of a link, which is another state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    device: u64,
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
    changed: (i64, i64),
}

impl PolledFiles {
    pub(crate) fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let paths: Arc<[PathBuf]> = paths.into_iter().collect();
        let noted = Mutex::new(vec![None; paths.len()]);
        Self { paths, noted }
    }

    /// Notes the state of the files. To be called before they are read: a change in between then counts as a change and
    /// is never missed. Blocks on the disk.
    pub(crate) fn note_blocking(&self) {
        *self.noted() = states(&self.paths);
    }

    /// The same without blocking the caller's thread.
    pub(crate) async fn note(&self) {
        if let Some(states) = self.states().await {
            *self.noted() = states;
        }
    }

    /// Resolves when the state of a file differs from the noted one.
    pub(crate) async fn changed(&self) {
        // Bound before the loop, so that the lock is not held while waiting.
        let noted = self.noted().clone();
        while self.states().await.is_none_or(|states| states == noted) {
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// `None` when the runtime shuts down.
    async fn states(&self) -> Option<Vec<Option<State>>> {
        let paths = Arc::clone(&self.paths);
        tokio::task::spawn_blocking(move || states(&paths)).await.ok()
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Vec<Option<State>>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn states(paths: &[PathBuf]) -> Vec<Option<State>> {
    paths.iter().map(|path| State::of(path)).collect()
}

impl State {
    /// `None` for a file that does not exist or cannot be queried: reading it returns the reason.
    fn of(path: &Path) -> Option<Self> {
        Some(Self::new(&std::fs::metadata(path).ok()?))
    }

    pub(crate) fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: metadata.modified().ok(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// How long ago, at the time `now`, the file was last changed; zero for a time in the future.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        let since = |time: Duration| now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(time);
        let (seconds, nanoseconds) = self.changed;
        since(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
            .saturating_sub(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn has_changed(files: &PolledFiles) -> bool {
        states(&files.paths) != *files.noted()
    }

    #[test]
    fn every_way_to_replace_a_file_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("mirrors.yaml");
        let files = PolledFiles::new([path.clone()]);
        files.note_blocking();
        assert!(!has_changed(&files), "it does not exist and did not exist");

        fs::write(&path, "a").expect("it can be written");
        assert!(has_changed(&files), "created");
        files.note_blocking();
        assert!(!has_changed(&files));

        fs::write(&path, "ab").expect("it can be written");
        assert!(has_changed(&files), "written in place");
        files.note_blocking();

        let other = folder.path().join("other");
        fs::write(&other, "ab").expect("it can be written");
        fs::rename(&other, &path).expect("it can be renamed");
        assert!(has_changed(&files), "renamed over");
        files.note_blocking();

        fs::remove_file(&path).expect("it can be removed");
        assert!(has_changed(&files), "removed");
    }

    #[test]
    fn the_swap_of_a_link_above_the_file_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for version in ["1", "2"] {
            fs::create_dir(folder.path().join(version)).expect("a folder can be made");
            fs::write(folder.path().join(version).join("mirrors.yaml"), "same").expect("it can be written");
        }
        // As the kubelet lays out a ConfigMap: mirrors.yaml → ..data/mirrors.yaml, ..data → a folder per version.
        symlink("1", folder.path().join("..data")).expect("a link can be made");
        let path = folder.path().join("mirrors.yaml");
        symlink("..data/mirrors.yaml", &path).expect("a link can be made");
        let files = PolledFiles::new([path]);
        files.note_blocking();

        symlink("2", folder.path().join("..data_tmp")).expect("a link can be made");
        fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).expect("it can be renamed");
        assert!(has_changed(&files));
    }
}
