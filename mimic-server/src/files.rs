//! Reads files that other programs write.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

use mimic_config::files;

use crate::polling::{self, State};

/// How often a file is looked at again while it changes.
const LOOKS: usize = 10;

/// The state and the content of a file at one moment.
#[derive(PartialEq, Eq)]
struct Look {
    state: State,
    content: Vec<u8>,
}

/// Reads a regular file of at most `limit` bytes that is possibly being written: waits until it has not changed for a
/// second. Blocks on the disk.
pub(crate) fn read_settled(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut last = Look::at(path, limit)?;
    for _ in 0..LOOKS {
        if last.state.age(SystemTime::now()) >= 2 * polling::PERIOD {
            return Ok(last.content);
        }
        thread::sleep(polling::PERIOD);
        let next = Look::at(path, limit)?;
        if next == last {
            return Ok(next.content);
        }
        last = next;
    }
    Err(io::Error::other("it changes all the time"))
}

/// The permissions of a file, if every user of the system can read it.
pub(crate) fn readable_by_all(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.mode() & 0o7777;
    (mode & 0o004 != 0).then_some(mode)
}

impl Look {
    fn at(path: &Path, limit: u64) -> io::Result<Self> {
        let (metadata, content) = files::read_with_metadata(path, limit)?;
        Ok(Self { state: State::new(&metadata), content })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn error(path: &Path, limit: u64) -> String {
        let errors =
            [files::read(path, limit), read_settled(path, limit)].map(|result| result.expect_err("it is refused"));
        assert_eq!(errors[0].to_string(), errors[1].to_string());
        errors[0].to_string()
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().expect("a folder can be created");
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        // To open it would wait for ever.
        assert_eq!(error(&pipe, MIB), "it is not a regular file");
        assert_eq!(error(Path::new("/dev/zero"), MIB), "it is not a regular file");
        assert_eq!(error(folder.path(), MIB), "is a directory");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).expect("a link can be created");
        assert_eq!(error(&link, MIB), "it is not a regular file");
    }

    #[test]
    fn a_file_of_the_largest_size_is_read_and_no_larger_one() {
        let folder = tempfile::tempdir().expect("a folder can be created");
        let path = folder.path().join("file");
        // Without blocks on the disk, as an attacker would write it.
        let file = File::create(&path).expect("it can be created");
        file.set_len(MIB).expect("it can be extended");
        assert_eq!(files::read(&path, MIB).expect("it is read").len(), 1 << 20);
        file.set_len(1 << 40).expect("it can be extended");
        assert_eq!(error(&path, MIB), "it is larger than 1 MiB");
        // A file without a size, whose content only reading shows.
        assert_eq!(
            files::read(Path::new("/proc/self/status"), 4).expect_err("it is longer").kind(),
            io::ErrorKind::FileTooLarge
        );
    }

    #[test]
    fn a_file_that_is_being_written_is_read_when_it_is_complete() {
        let folder = tempfile::tempdir().expect("a folder can be created");
        let path = folder.path().join("file");
        let mut file = File::create(&path).expect("it can be created");
        file.write_all(b"mirrors: {quay.io: harbor.e").expect("it can be written");
        let reader = thread::spawn({
            let path = path.clone();
            move || read_settled(&path, MIB)
        });
        // Each pause is shorter than the time that a file must stay the same.
        for part in ["xample", ".com", "/quay}"] {
            thread::sleep(Duration::from_millis(300));
            file.write_all(part.as_bytes()).expect("it can be written");
        }
        let content = reader.join().expect("it does not panic").expect("it is read");
        assert_eq!(content, b"mirrors: {quay.io: harbor.example.com/quay}");
    }

    #[test]
    fn only_what_every_user_can_read_is_reported() {
        let file = tempfile::NamedTempFile::new().expect("a file can be created");
        for (mode, expected) in [(0o600, None), (0o640, None), (0o644, Some(0o644)), (0o604, Some(0o604))] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("it can be changed");
            assert_eq!(readable_by_all(file.path()), expected, "{mode:o}");
        }
    }
}
