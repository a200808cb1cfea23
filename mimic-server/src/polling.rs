//! Notices that files changed, by asking for their state once a second. `docs/decisions/0003-polling-files.md` says why.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// Files that are read again when they change.
#[derive(Debug)]
pub(crate) struct Watched {
    paths: Vec<PathBuf>,
    noted: Mutex<Vec<Option<State>>>,
}

/// What tells one content of a file from the next. Symbolic links are followed, so a link that is pointed elsewhere,
/// which is how the kubelet replaces mounted files, gives another state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
    changed: (i64, i64),
}

impl Watched {
    pub(crate) fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        let noted = Mutex::new(vec![None; paths.len()]);
        Self { paths, noted }
    }

    /// Remembers the files as they are now. To be called before reading them: what changes meanwhile is then seen as a
    /// change, never missed.
    pub(crate) fn note(&self) {
        *self.noted() = self.states();
    }

    /// Resolves when a file is no longer as it was noted.
    pub(crate) async fn changed(&self) {
        // Bound before the loop, so that the lock is not held while waiting.
        let noted = self.noted().clone();
        while self.states() == noted {
            tokio::time::sleep(PERIOD).await;
        }
    }

    fn states(&self) -> Vec<Option<State>> {
        self.paths.iter().map(|path| State::of(path)).collect()
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Vec<Option<State>>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `None` for a file that is not there or cannot be asked: reading it says why.
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: metadata.modified().ok(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn has_changed(watched: &Watched) -> bool {
        watched.states() != *watched.noted()
    }

    #[test]
    fn every_way_to_replace_a_file_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("mirrors.yaml");
        let watched = Watched::new([path.clone()]);
        watched.note();
        assert!(!has_changed(&watched), "it is not there and was not there");

        fs::write(&path, "a").expect("it can be written");
        assert!(has_changed(&watched), "created");
        watched.note();
        assert!(!has_changed(&watched));

        fs::write(&path, "ab").expect("it can be written");
        assert!(has_changed(&watched), "written in place");
        watched.note();

        let other = folder.path().join("other");
        fs::write(&other, "ab").expect("it can be written");
        fs::rename(&other, &path).expect("it can be renamed");
        assert!(has_changed(&watched), "renamed over");
        watched.note();

        fs::remove_file(&path).expect("it can be removed");
        assert!(has_changed(&watched), "removed");
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
        let watched = Watched::new([path]);
        watched.note();

        symlink("2", folder.path().join("..data_tmp")).expect("a link can be made");
        fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).expect("it can be renamed");
        assert!(has_changed(&watched));
    }
}
