//! Certificates from files: checked when they are read, reloaded while serving.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mimic_core::Hint as _;

use crate::common::client::{Connection, common_name};
use crate::common::pki::Identity;
use crate::common::{REVIEW, TestServer, eventually, replace};

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(identity: &Identity) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write(identity);
        files
    }

    fn write(&self, identity: &Identity) {
        replace(&self.certificate(), identity.certificate_pem());
        replace(&self.key(), identity.key_pem());
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }

    fn start(&self) -> TestServer {
        start(&self.certificate(), &self.key())
    }
}

fn start(certificate: &Path, key: &Path) -> TestServer {
    TestServer::start(&[
        ("MIMIC_CERTIFICATE_SOURCE", "file"),
        ("MIMIC_CERTIFICATE_CERTFILE", certificate.to_str().unwrap()),
        ("MIMIC_CERTIFICATE_KEYFILE", key.to_str().unwrap()),
        ("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub"),
    ])
}

fn served(server: &TestServer) -> String {
    common_name(&Connection::open(server.address).expect("the server listens").peer())
}

fn wait_for(server: &TestServer, name: &str) {
    eventually("the new certificate is served", || (served(server) == name).then_some(()));
}

#[test]
fn a_new_certificate_is_served_while_open_connections_live_on_and_no_request_fails() {
    let files = Files::new(&Identity::new("first"));
    let server = files.start();
    let done = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let address = server.address;

    // One client keeps its connection, one makes a new one each time.
    let clients: Vec<_> = [true, false]
        .into_iter()
        .map(|keep| {
            let (done, count) = (Arc::clone(&done), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut connection = Connection::open(address).unwrap();
                while !done.load(Ordering::Relaxed) {
                    if !keep {
                        connection = Connection::open(address).expect("a new connection succeeds");
                    }
                    let response = connection.review(REVIEW).expect("no request fails");
                    assert_eq!(response.status, 200);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                common_name(&connection.peer())
            })
        })
        .collect();
    eventually("requests are made", || (count.load(Ordering::Relaxed) > 100).then_some(()));

    files.write(&Identity::new("second"));
    wait_for(&server, "second");
    files.write(&Identity::new("third"));
    wait_for(&server, "third");
    let seen = count.load(Ordering::Relaxed);
    eventually("requests go on", || (count.load(Ordering::Relaxed) > seen + 100).then_some(()));

    done.store(true, Ordering::Relaxed);
    let names: Vec<String> = clients.into_iter().map(|client| client.join().expect("no request failed")).collect();
    assert_eq!(names, ["first", "third"]);
}

#[test]
fn the_swap_of_the_kubelets_link_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |version: &str, identity: &Identity| {
        let path = folder.path().join(version);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("tls.crt"), identity.certificate_pem()).unwrap();
        fs::write(path.join("tls.key"), identity.key_pem()).unwrap();
    };
    // As the kubelet lays out a Secret: names → ..data/names, ..data → a folder per version.
    write("..2026_11_01", &Identity::new("first"));
    symlink("..2026_11_01", folder.path().join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
    }
    let server = start(&folder.path().join("tls.crt"), &folder.path().join("tls.key"));
    assert_eq!(served(&server), "first");

    write("..2026_11_02", &Identity::new("second"));
    symlink("..2026_11_02", folder.path().join("..data_tmp")).unwrap();
    fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    fs::remove_dir_all(folder.path().join("..2026_11_01")).unwrap();
    wait_for(&server, "second");
}

#[test]
fn a_bad_pair_keeps_the_last_good_one_and_is_reported() {
    let files = Files::new(&Identity::new("good"));
    let server = files.start();
    let reported = |words: &str| {
        eventually(words, || server.readiness().1.contains(words).then_some(()));
        assert_eq!(server.readiness().0, 200, "the good one still serves");
        assert_eq!(served(&server), "good");
    };
    fs::write(files.key(), Identity::new("other").key_pem()).unwrap();
    reported("new certificate rejected: the private key does not match the certificate for `good`");
    fs::write(files.certificate(), "rubbish").unwrap();
    reported("new certificate rejected: no certificate found");
    fs::remove_file(files.certificate()).unwrap();
    reported("tls.crt`: No such file or directory");

    files.write(&Identity::new("better"));
    wait_for(&server, "better");
    eventually("the report is withdrawn", || (!server.readiness().1.contains("rejected")).then_some(()));
}

#[test]
fn a_chain_is_served_with_its_intermediate() {
    let root = Identity::new("root");
    let intermediate = Identity::issued_by("intermediate", &root);
    let leaf = Identity::issued_by("leaf", &intermediate);
    let files = Files::new(&leaf);
    fs::write(files.certificate(), leaf.certificate_pem() + &intermediate.certificate_pem()).unwrap();
    let server = files.start();
    let connection = Connection::open(server.address).unwrap();
    let chain: Vec<String> = connection
        .stream
        .get_ref()
        .ssl()
        .peer_cert_chain()
        .expect("there is a chain")
        .iter()
        .map(|certificate| common_name(&certificate.to_owned()))
        .collect();
    assert_eq!(chain, ["leaf", "intermediate"]);
}

#[test]
fn sessions_resume_although_the_certificate_was_replaced() {
    let Ok(version) = Command::new("openssl").arg("version").output() else {
        eprintln!("skipped: the command `openssl` is not here, and the library has no safe way to resume a session");
        return;
    };
    assert!(version.status.success());
    let files = Files::new(&Identity::new("first"));
    let server = files.start();
    let session = files.folder.path().join("session");
    let address = server.address.to_string();
    for protocol in ["-tls1_3", "-tls1_2"] {
        let connect = |option: &str| {
            let mut command = Command::new("openssl");
            command.args(["s_client", "-connect", &address, "-ign_eof", protocol, option]).arg(&session);
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            let mut client = command.stderr(std::process::Stdio::null()).spawn().unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: mimic\r\nConnection: close\r\n\r\n";
            std::io::Write::write_all(&mut client.stdin.take().unwrap(), request).unwrap();
            String::from_utf8_lossy(&client.wait_with_output().unwrap().stdout).into_owned()
        };
        assert!(connect("-sess_out").contains("New, TLSv1."));
        let name = format!("after{protocol}");
        files.write(&Identity::new(&name));
        wait_for(&server, &name);
        let output = connect("-sess_in");
        assert!(output.contains("Reused, TLSv1."), "{output}");
        assert!(output.contains("404 Not Found"), "{output}");
    }
}

/// Starts with these files and returns why that fails.
fn refusal(certificate: &str, key: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = (folder.path().join("crt"), folder.path().join("key"));
    fs::write(&certificate_file, certificate).unwrap();
    fs::write(&key_file, key).unwrap();
    let settings = crate::common::settings(&[
        ("MIMIC_CERTIFICATE_SOURCE", "file"),
        ("MIMIC_CERTIFICATE_CERTFILE", certificate_file.to_str().unwrap()),
        ("MIMIC_CERTIFICATE_KEYFILE", key_file.to_str().unwrap()),
    ]);
    let server = mimic_server::Server::new(settings);
    let problems: Vec<String> = server.check().iter().map(|problem| problem.full_message().to_string()).collect();
    let [problem] = &problems[..] else { panic!("one problem, not {problems:?}") };
    let started = actix_web::rt::System::new().block_on(async { server.start().await.map(|_| ()) });
    let error = started.expect_err("it does not start").full_message().to_string();
    assert_eq!(*problem, error, "the check reports the same");
    problem.clone()
}

#[test]
fn each_error_has_its_message() {
    let root = Identity::new("root");
    let leaf = Identity::issued_by("leaf", &root);
    let other = Identity::new("other");
    let expired = Identity::valid("expired", -10, -5, None);
    let early = Identity::valid("early", 5, 10, None);
    let encrypted = root
        .key
        .private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"secret")
        .map(|pem| String::from_utf8(pem).unwrap())
        .unwrap();

    for (certificate, key, words) in [
        (other.certificate_pem(), leaf.key_pem(), "the private key does not match the certificate for `other`"),
        (
            root.certificate_pem() + &leaf.certificate_pem(),
            leaf.key_pem(),
            "wrong order: the server certificate must come first (the private key matches certificate 2)",
        ),
        (
            leaf.certificate_pem() + &other.certificate_pem(),
            leaf.key_pem(),
            "broken chain: certificate 2 (`other`) is not the issuer of certificate 1 (issuer `root`)",
        ),
        (expired.certificate_pem(), expired.key_pem(), "the certificate for `expired` expired at "),
        (early.certificate_pem(), early.key_pem(), "the certificate for `early` is not valid before "),
        (root.certificate_pem(), encrypted, "encrypted private keys are not supported"),
        (root.key_pem(), root.key_pem(), "no certificate found; expected PEM with `-----BEGIN CERTIFICATE-----`"),
        (root.certificate_pem(), String::new(), "no private key found; expected PEM with"),
        (root.certificate_pem(), root.certificate_pem(), "no private key found; expected PEM with"),
        (String::new(), root.key_pem(), "no certificate found"),
    ] {
        let problem = refusal(&certificate, &key);
        assert!(problem.starts_with(&format!("certificate: {words}")), "{problem}");
    }
}
