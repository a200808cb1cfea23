//! What the system allows the process: memory and open files, and the limits that follow.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::Limits;

/// What an idle connection costs, at most. `benches/README.md` has the measurement.
const IDLE_CONNECTION: usize = 32 << 10;

/// Connections and memory for bodies if the system sets no limit.
const UNLIMITED: (usize, usize) = (10_000, 256 << 20);

/// Open files that are not for connections of the webhook: the admin port, the log, mirrors, certificates, and connections to
/// the cluster and to Harbor.
const OTHER_FILES: usize = 128;

/// Connections that the admin port accepts.
pub(crate) const ADMIN_CONNECTIONS: usize = 64;

/// The limits that apply, computed where the configuration leaves them open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Concurrent connections.
    pub(crate) connections: usize,
    /// Bytes of all bodies that are being received and all responses that are being sent.
    pub(crate) memory: usize,
}

impl Allowance {
    /// Raises the limit of open files to the highest value that the process can set, and computes the limits. `extra` is how
    /// many connections beyond the limit the server can accept.
    pub(crate) fn of_process(limits: &Limits, extra: usize) -> io::Result<Self> {
        let files = raise_open_files()?;
        let memory = memory_limit(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"));
        let wanted = Self::new(limits, memory);
        let possible = files.saturating_sub(OTHER_FILES + extra).max(1);
        if wanted.connections > possible && limits.connections.is_some() {
            let connections = wanted.connections;
            log::warn!(connections, possible, open_files = files; "fewer connections than configured: too few open files");
        }
        let allowance = Self { connections: wanted.connections.min(possible), ..wanted };
        let Self { connections, memory: bodies } = allowance;
        log::info!(connections, bodies, memory_limit = memory.unwrap_or_default(), open_files = files; "limits");
        Ok(allowance)
    }

    /// A quarter of the memory is for idle connections, a quarter for bodies and responses. The rest is for rules, of which
    /// there are two sets during a reload, and for processing.
    fn new(limits: &Limits, memory: Option<usize>) -> Self {
        let computed = memory.map_or(UNLIMITED, |memory| {
            let quarter = memory / 4;
            ((quarter / IDLE_CONNECTION).clamp(100, UNLIMITED.0), quarter.clamp(limits.least_memory(), UNLIMITED.1))
        });
        Self {
            connections: limits.connections.unwrap_or(computed.0),
            memory: limits.memory.unwrap_or(computed.1.max(limits.least_memory())),
        }
    }
}

/// Gives memory that is free back to the system. glibc keeps what lies below the last allocation in use.
#[cfg(target_env = "gnu")]
pub(crate) fn give_memory_back() {
    #[expect(unsafe_code, reason = "no crate has a safe function for it")]
    // SAFETY: it takes no pointer, and glibc allows it at any time on any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators than glibc's give memory back on their own.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_memory_back() {}

fn raise_open_files() -> io::Result<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(maximum.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX)))
}

/// The smallest memory limit of the process's control groups and those above them; `None` if there is none. `groups` is
/// `/proc/self/cgroup`, `root` is where control groups are mounted.
///
/// A container usually sees its own group as the root, while `groups` may name the path that the host uses, so groups that do
/// not exist are skipped.
fn memory_limit(groups: &Path, root: &Path) -> Option<usize> {
    let groups = fs::read_to_string(groups).ok()?;
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            controllers if controllers.split(',').any(|controller| controller == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let path = PathBuf::from(path.trim_start_matches('/'));
        let limit = |group: &Path| fs::read_to_string(root.join(group).join(file)).ok()?.trim().parse().ok();
        // Version 1 has no word for "no limit" but a number close to the largest one.
        path.ancestors().filter_map(limit).filter(|limit: &u64| *limit < 1 << 62).min()
    };
    let least = groups.lines().filter_map(of_line).min()?;
    Some(usize::try_from(least).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits =
        Limits { body: 8 << 20, connections: None, memory: None, request_time: Duration::from_secs(10) };

    #[test]
    fn the_default_limits_fit_into_the_memory_limit() {
        for (memory, connections, bodies) in [
            (Some(256 << 20), 2048, 64 << 20),
            (Some(512 << 20), 4096, 128 << 20),
            (Some(1 << 30), 8192, 256 << 20),
            (Some(16 << 20), 128, 12 << 20),
            (Some(1 << 20), 100, 12 << 20),
            (Some(1 << 40), 10_000, 256 << 20),
            (None, 10_000, 256 << 20),
        ] {
            assert_eq!(Allowance::new(&LIMITS, memory), Allowance { connections, memory: bodies }, "{memory:?}");
        }
        let limits = Limits { connections: Some(7), memory: Some(5), ..LIMITS };
        assert_eq!(Allowance::new(&limits, Some(256 << 20)), Allowance { connections: 7, memory: 5 });
    }

    #[test]
    fn the_limit_of_open_files_is_raised() {
        let files = raise_open_files().expect("a process can raise its limit to the hard one");
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum);
        assert_eq!(now.current.map_or(usize::MAX, |files| usize::try_from(files).expect("it fits")), files);
    }

    /// Writes files below a folder, and returns the limit that they define.
    fn limit(groups: &str, files: &[(&str, &str)]) -> Option<usize> {
        let folder = tempfile::tempdir().expect("a folder can be created");
        let root = folder.path().join("cgroup");
        for (file, content) in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be created");
            fs::write(path, content).expect("it can be written");
        }
        fs::write(folder.path().join("groups"), groups).expect("it can be written");
        memory_limit(&folder.path().join("groups"), &root)
    }

    #[test]
    fn control_groups_of_both_versions_are_read() {
        let max = |value| [("memory.max", value)];
        assert_eq!(limit("0::/\n", &max("268435456\n")), Some(256 << 20));
        assert_eq!(limit("0::/\n", &max("max\n")), None);
        assert_eq!(limit("0::/\n", &[]), None);
        // A container that sees the host's path, but only its own group.
        assert_eq!(limit("0::/kubepods.slice/pod1/c1\n", &max("1000\n")), Some(1000));
        // The smallest of a group and those above it.
        let nested = [("a/b/memory.max", "3000\n"), ("a/memory.max", "2000\n"), ("memory.max", "max\n")];
        assert_eq!(limit("0::/a/b\n", &nested), Some(2000));

        let first = "12:cpu,cpuacct:/a\n5:memory:/a\n0::/a\n";
        assert_eq!(limit(first, &[("memory/a/memory.limit_in_bytes", "4096\n")]), Some(4096));
        assert_eq!(limit(first, &[("memory/memory.limit_in_bytes", "9223372036854771712\n")]), None);
        assert_eq!(limit("", &max("1000\n")), None);
    }
}
