//! A disk that hangs, such as a network mount whose server is down, does not delay SIGTERM.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::common::eventually;
use crate::common::pki::Identity;
use crate::common::process::Process;

/// Replaces a file with a pipe: reading it waits for a writer.
fn make_hang(path: &Path) {
    let pipe = path.with_extension("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    fs::rename(&pipe, path).expect("the file can be replaced");
}

/// Waits until the server reads the pipe. The reader waits for content until the result is dropped.
fn wait_for_reader(path: &Path) -> File {
    let path = path.to_owned();
    let open = std::thread::spawn(move || File::options().write(true).open(path).expect("the pipe can be opened"));
    eventually("the server reads the file", || open.is_finished().then_some(()));
    open.join().expect("the pipe was opened")
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

/// Ends the server while the file at `path` hangs.
#[track_caller]
fn end(server: Process, path: &Path, message: &str) {
    let reader_waits = wait_for_reader(path);
    server.signal("TERM");
    let (status, _, log) = server.wait();
    assert!(status.success(), "{status}");
    assert!(log.iter().any(|line| line["message"] == message), "{log:#?}");
    drop(reader_waits);
}

#[test]
fn sigterm_ends_the_server_while_a_file_with_mirrors_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirrors.yaml");
    fs::write(&path, "mirrors: {}").unwrap();
    let server = start(&[("MIMIC_CERTIFICATE_SOURCE", "selfsigned"), ("MIMIC_FILE_PATH", path.to_str().unwrap())]);
    server.line("webhook listening");
    make_hang(&path);
    end(server, &path, "shutdown complete");
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
    make_hang(&certificate);
    end(server, &certificate, "shutdown complete");
}

#[test]
fn sigterm_ends_the_server_while_a_file_hangs_at_startup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirrors.yaml");
    fs::write(&path, "").unwrap();
    make_hang(&path);
    let server = start(&[("MIMIC_CERTIFICATE_SOURCE", "selfsigned"), ("MIMIC_FILE_PATH", path.to_str().unwrap())]);
    end(server, &path, "stopped during startup");
}
