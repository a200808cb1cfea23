//! A disk that hangs, such as a network mount whose server is down, does not delay SIGTERM.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::common::pki::Identity;
use crate::common::process::Process;

/// A file that hangs: to open it waits for as long as this lives (or for 45 s, Linux' default for leases).
struct Hang {
    holder: Child,
    output: BufReader<ChildStdout>,
}

/// Holds a lease on a file, and says when another process wants to open it.
const HOLDER: &str = r#"
    use Fcntl qw(F_SETLEASE F_WRLCK);
    $| = 1;
    $SIG{IO} = sub { print "wanted\n" };
    open(my $file, "+<", $ARGV[0]) or exit 1;
    fcntl($file, F_SETLEASE, F_WRLCK) or exit 1;
    print "held\n";
    sleep 60 while 1;
"#;

impl Hang {
    /// Replaces a file with a copy that hangs. `None` if the file system has no leases.
    fn at(path: &Path) -> Option<Self> {
        let copy = path.with_extension("copy");
        fs::copy(path, &copy).expect("the file can be copied");
        let mut holder = Command::new("perl");
        let mut holder = holder.args(["-e", HOLDER]).arg(&copy).stdout(Stdio::piped()).spawn().expect("perl runs");
        let output = BufReader::new(holder.stdout.take().expect("it is piped"));
        let mut hang = Self { holder, output };
        if hang.line() != "held\n" {
            eprintln!("skipped: no leases on `{}`", path.display());
            return None;
        }
        fs::rename(&copy, path).expect("the file can be replaced");
        Some(hang)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it is text");
        line
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn start(variables: &[(&str, &str)]) -> Process {
    let mut all = vec![
        ("MIMIC_LISTENHOST", "127.0.0.1"),
        ("MIMIC_ADMIN_LISTENPORT", "0"),
        ("MIMIC_KUBERNETES_ENABLED", "false"),
        ("MIMIC_DRAIN", "0s"),
    ];
    all.extend(variables);
    Process::start(&[], &all)
}

/// Ends the server while a file hangs.
#[track_caller]
fn end(server: Process, mut hang: Hang, message: &str) {
    assert_eq!(hang.line(), "wanted\n", "the server opens the file");
    server.signal("TERM");
    let (status, _, log) = server.wait();
    assert!(status.success(), "{status}");
    assert!(log.iter().any(|line| line["message"] == message), "{log:#?}");
    drop(hang);
}

#[test]
fn sigterm_ends_the_server_while_a_file_with_mirrors_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirrors.yaml");
    fs::write(&path, "mirrors: {}").unwrap();
    let server = start(&[("MIMIC_CERTIFICATE_SOURCE", "selfsigned"), ("MIMIC_FILE_PATH", path.to_str().unwrap())]);
    server.line("webhook listening");
    let Some(hang) = Hang::at(&path) else { return };
    end(server, hang, "shutdown complete");
}

#[test]
fn sigterm_ends_the_server_while_a_certificate_file_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let identity = Identity::new("mimic");
    fs::write(&certificate, identity.certificate_pem()).unwrap();
    fs::write(&key, identity.key_pem()).unwrap();
    let server = start(&[
        ("MIMIC_CERTIFICATE_SOURCE", "file"),
        ("MIMIC_CERTIFICATE_CERTFILE", certificate.to_str().unwrap()),
        ("MIMIC_CERTIFICATE_KEYFILE", key.to_str().unwrap()),
        ("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub"),
    ]);
    server.line("webhook listening");
    let Some(hang) = Hang::at(&certificate) else { return };
    end(server, hang, "shutdown complete");
}

#[test]
fn sigterm_ends_the_server_while_a_password_file_of_a_harbor_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, fake_harbor::PASSWORD).unwrap();
    let harbor = fake_harbor::Fake::start();
    let server = start(&[
        ("MIMIC_CERTIFICATE_SOURCE", "selfsigned"),
        ("MIMIC_HARBOR_ENABLED", "true"),
        ("MIMIC_HARBOR_API_HOST", &harbor.url()),
        ("MIMIC_HARBOR_ROBOT_USERNAME", "robot$mimic"),
        ("MIMIC_HARBOR_ROBOT_PASSWORDFILE", password.to_str().unwrap()),
    ]);
    server.line("webhook listening");
    server.line("mirrors loaded");
    let Some(hang) = Hang::at(&password) else { return };
    end(server, hang, "shutdown complete");
}

#[test]
fn sigterm_ends_the_server_while_a_file_hangs_at_startup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirrors.yaml");
    fs::write(&path, "").unwrap();
    let Some(hang) = Hang::at(&path) else { return };
    let server = start(&[("MIMIC_CERTIFICATE_SOURCE", "selfsigned"), ("MIMIC_FILE_PATH", path.to_str().unwrap())]);
    end(server, hang, "stopped during startup");
}
