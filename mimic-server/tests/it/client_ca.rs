//! Only clients with a certificate of the configured CA are served.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion};

use crate::common::client::{Connection, plain_get};
use crate::common::pki::Identity;
use crate::common::process::run;
use crate::common::{REVIEW, TestServer, eventually, replace};

const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    fn new(content: &str) -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        replace(&authority.path(), content);
        authority
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    fn start(&self) -> TestServer {
        TestServer::start(&[
            ("MIMIC_CLIENTCA", self.path().to_str().unwrap()),
            ("MIMIC_MIRRORS", "docker.io=harbor.example.com/dockerhub"),
        ])
    }
}

/// The settings of a client with this certificate.
fn client(identity: Option<&Identity>, version: SslVersion) -> Ssl {
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    context.set_verify(SslVerifyMode::NONE);
    context.set_max_proto_version(Some(version)).unwrap();
    if let Some(identity) = identity {
        context.set_certificate(&identity.certificate).unwrap();
        context.set_private_key(&identity.key).unwrap();
    }
    Ssl::new(&context.build()).unwrap()
}

/// Whether a review is answered, with each version of TLS.
fn answers(server: &TestServer, identity: Option<&Identity>) -> [bool; 2] {
    VERSIONS.map(|version| {
        let response =
            Connection::with(server.address, client(identity, version)).and_then(|mut client| client.review(REVIEW));
        response.is_ok_and(|response| response.status == 200)
    })
}

fn is_served(server: &TestServer, identity: Option<&Identity>) -> bool {
    answers(server, identity) == [true; 2]
}

fn is_refused(server: &TestServer, identity: Option<&Identity>) -> bool {
    answers(server, identity) == [false; 2]
}

#[test]
fn only_clients_with_a_certificate_of_the_ca_are_served() {
    let (ca, other) = (Identity::new("ca"), Identity::new("other"));
    let server = Authority::new(&ca.certificate_pem()).start();
    assert!(is_served(&server, Some(&Identity::issued_by("apiserver", &ca))));
    assert!(is_refused(&server, None), "without a certificate");
    assert!(is_refused(&server, Some(&Identity::issued_by("apiserver", &other))), "of another CA");
    let expired = Identity::valid("apiserver", -3, -1, Some(&ca));
    assert!(is_refused(&server, Some(&expired)), "expired");
    // Probes and Prometheus have no certificate.
    assert_eq!(plain_get(server.admin, "/healthz").0, 200);
    assert_eq!(plain_get(server.admin, "/readyz").0, 200);
}

#[test]
fn a_new_client_ca_is_used_and_an_invalid_one_is_reported() {
    let (old, new) = (Identity::new("old"), Identity::new("new"));
    let [of_old, of_new] = [&old, &new].map(|ca| Identity::issued_by("apiserver", ca));
    let authority = Authority::new(&old.certificate_pem());
    let server = authority.start();
    assert!(is_served(&server, Some(&of_old)));

    // Both, as during a rotation.
    replace(&authority.path(), old.certificate_pem() + &new.certificate_pem());
    eventually("both CAs are used", || is_served(&server, Some(&of_new)).then_some(()));
    assert!(is_served(&server, Some(&of_old)));

    replace(&authority.path(), "no PEM");
    let report = eventually("the invalid file is reported", || {
        let (status, report) = server.readiness();
        assert_eq!(status, 200);
        report.contains("new client CA rejected: no certificate found").then_some(report)
    });
    assert!(report.contains("[!] certificate: "), "{report}");
    assert!(is_served(&server, Some(&of_old)) && is_served(&server, Some(&of_new)) && is_refused(&server, None));

    replace(&authority.path(), new.certificate_pem());
    eventually("the old CA is not used", || is_refused(&server, Some(&of_old)).then_some(()));
    assert!(is_served(&server, Some(&of_new)));
    eventually("the report is withdrawn", || (!server.readiness().1.contains("rejected")).then_some(()));
}

#[test]
fn a_session_does_not_outlive_the_client_ca() {
    let Ok(version) = Command::new("openssl").arg("version").output() else {
        eprintln!("skipped: the command `openssl` is not here, and the library has no safe way to resume a session");
        return;
    };
    assert!(version.status.success());
    let authority = Authority::new("");
    let (certificate, key) = (authority.folder.path().join("tls.crt"), authority.folder.path().join("tls.key"));
    let session = authority.folder.path().join("session");
    for protocol in ["-tls1_3", "-tls1_2"] {
        let (old, new) = (Identity::new("old"), Identity::new("new"));
        let of_old = Identity::issued_by("apiserver", &old);
        replace(&authority.path(), old.certificate_pem());
        replace(&certificate, of_old.certificate_pem());
        replace(&key, of_old.key_pem());
        let server = authority.start();
        let address = server.address.to_string();
        let connect = |option: &str| {
            let mut command = Command::new("openssl");
            command.args(["s_client", "-connect", &address, "-ign_eof", protocol]);
            command.arg("-cert").arg(&certificate).arg("-key").arg(&key).arg(option).arg(&session);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut client = command.spawn().unwrap();
            // If the server refused the client, nothing reads this.
            let _ =
                client.stdin.take().unwrap().write_all(b"GET / HTTP/1.1\r\nHost: mimic\r\nConnection: close\r\n\r\n");
            String::from_utf8_lossy(&client.wait_with_output().unwrap().stdout).into_owned()
        };
        assert!(connect("-sess_out").contains("404 Not Found"));
        let output = connect("-sess_in");
        assert!(output.contains("Reused, TLSv1.") && output.contains("404 Not Found"), "{output}");

        replace(&authority.path(), new.certificate_pem());
        let of_new = Identity::issued_by("apiserver", &new);
        eventually("the new CA is used", || is_served(&server, Some(&of_new)).then_some(()));
        let output = connect("-sess_in");
        assert!(!output.contains("404 Not Found"), "the server accepted a session of the old CA: {output}");
    }
}

#[test]
fn an_invalid_client_ca_prevents_the_start() {
    let expired = Identity::valid("old", -3, -1, None).certificate_pem();
    for (content, error) in [
        ("", "client CA: no certificate found"),
        ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "client CA: no certificate found"),
        (expired.as_str(), "client CA: the certificate for `old` expired at"),
    ] {
        let authority = Authority::new(content);
        let path = authority.path();
        let variables = [
            ("MIMIC_CLIENTCA", path.to_str().unwrap()),
            ("MIMIC_CERTIFICATE_SOURCE", "selfsigned"),
            ("MIMIC_KUBERNETES_ENABLED", "false"),
            ("MIMIC_LISTENHOST", "127.0.0.1"),
            ("MIMIC_LISTENPORT", "0"),
            ("MIMIC_ADMIN_LISTENPORT", "0"),
        ];
        for args in [&["--check"][..], &[]] {
            let output = run(args, &variables);
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && log.contains(error), "{args:?}: {log}");
        }
    }
}
