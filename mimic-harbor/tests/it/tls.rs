//! TLS: which certificates are accepted, and the errors for others.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use mimic_core::Hint as _;
use mimic_harbor::{Address, HarborError, HarborSettings};
use native_tls::{Identity, TlsAcceptor};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameRef};

use super::{ROBOT, harbor, message, mirrors, settings};
use fake_harbor::Fake;

/// A certificate with its key.
struct Pair {
    certificate: X509,
    key: PKey<Private>,
}

fn name(common: &str) -> X509Name {
    let mut name = X509Name::builder().expect("a name");
    name.append_entry_by_nid(Nid::COMMONNAME, common).expect("a name");
    name.build()
}

/// Creates a certificate; without an issuer, a self-signed CA.
fn make(common: &str, issuer: Option<&Pair>, days: i64) -> Pair {
    let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
    let mut builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("version 3");
    let number = BigNum::from_u32(u32::from(issuer.is_some()) + 1).expect("a number");
    builder.set_serial_number(&number.to_asn1_integer().expect("a number")).expect("a number");
    builder.set_subject_name(&name(common)).expect("a subject");
    let own = name(common);
    let issuer_name: &X509NameRef = issuer.map_or(&own, |issuer| issuer.certificate.subject_name());
    builder.set_issuer_name(issuer_name).expect("an issuer");
    builder.set_pubkey(&key).expect("a key");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    let now = i64::try_from(now).expect("a clock of this age");
    let time = |days: i64| Asn1Time::from_unix(now + days * 86_400).expect("a time");
    builder.set_not_before(&time(-10)).expect("a time");
    builder.set_not_after(&time(days)).expect("a time");
    if issuer.is_none() {
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().expect("an extension"))
            .expect("a valid extension");
    } else {
        let names = SubjectAlternativeName::new().dns(common).build(&builder.x509v3_context(None, None));
        builder.append_extension(names.expect("an extension")).expect("a valid extension");
    }
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), MessageDigest::sha256()).expect("a signature");
    Pair { certificate: builder.build(), key }
}

/// The PEM of a CA that no server uses.
pub(crate) fn some_ca() -> Vec<u8> {
    pem(&make("some CA", None, 1))
}

fn serve(pair: &Pair) -> Fake {
    let (chain, key) = (pair.certificate.to_pem().expect("PEM"), pair.key.private_key_to_pem_pkcs8().expect("PEM"));
    let acceptor = TlsAcceptor::new(Identity::from_pkcs8(&chain, &key).expect("an identity")).expect("an acceptor");
    Fake::start_with(move |stream| Some(Box::new(acceptor.accept(stream).ok()?)))
}

fn pem(pair: &Pair) -> Vec<u8> {
    pair.certificate.to_pem().expect("PEM")
}

/// `localhost` resolves to the loopback, where the fake listens.
fn over_tls(fake: &Fake, ca_file: Option<PathBuf>) -> HarborSettings {
    let port = fake.host().rsplit_once(':').map(|(_, port)| port.to_owned()).expect("an address has a port");
    let mut settings = settings(fake, ROBOT);
    settings.address = Address::parse(&format!("localhost:{port}")).expect("an address");
    settings.ca_file = ca_file;
    settings
}

async fn rejected(settings: HarborSettings) -> String {
    match harbor(settings).discover().await {
        Err(HarborError::Tls { cause, .. }) => cause.to_string(),
        other => panic!("the certificate was not rejected: {other:?}"),
    }
}

#[tokio::test]
async fn a_harbor_is_trusted_by_the_ca_in_the_file() {
    let ca = make("A CA", None, 10);
    let fake = serve(&make("localhost", Some(&ca), 10));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem(&ca)).expect("the file can be written");
    let report = harbor(over_tls(&fake, Some(file))).discover().await.expect("the CA is trusted");
    assert_eq!(mirrors(&report).len(), 16);
}

#[tokio::test]
async fn an_invalid_certificate_is_an_error_with_the_reason() {
    let ca = make("A CA", None, 10);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem(&ca)).expect("the file can be written");

    let good = serve(&make("localhost", Some(&ca), 10));
    let unknown = "certificate verification failed: unable to get local issuer certificate";
    assert_eq!(rejected(over_tls(&good, None)).await, unknown);
    let other = serve(&make("harbor.example.com", Some(&ca), 10));
    assert_eq!(
        rejected(over_tls(&other, Some(file.clone()))).await,
        "certificate verification failed: hostname mismatch"
    );
    let old = serve(&make("localhost", Some(&ca), -1));
    assert_eq!(
        rejected(over_tls(&old, Some(file.clone()))).await,
        "certificate verification failed: certificate has expired"
    );
}

#[tokio::test]
async fn the_error_for_a_port_without_tls_advises_http() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("the client reads");
        // Until the client disconnects, so that it reads the whole response.
        stream.read_to_end(&mut Vec::new())
    });
    let mut settings = settings(&Fake::start(), ROBOT);
    settings.address = Address::parse(&address.to_string()).expect("an address");
    let error = harbor(settings).discover().await.expect_err("there is no TLS");
    assert!(matches!(&error, HarborError::Tls { .. }), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("`http://`")), "{error}");
}

#[tokio::test]
async fn a_new_ca_in_the_file_is_trusted_at_the_next_discovery() {
    let (old, new) = (make("A CA", None, 10), make("Another CA", None, 10));
    let fake = serve(&make("localhost", Some(&new), 10));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem(&old)).expect("the file can be written");
    let harbor = harbor(over_tls(&fake, Some(file.clone())));
    assert!(matches!(harbor.discover().await, Err(HarborError::Tls { .. })));
    std::fs::write(&file, pem(&new)).expect("the file can be written");
    assert_eq!(mirrors(&harbor.discover().await.expect("the new CA is trusted")).len(), 16);
}

#[test]
fn a_file_without_ca_certificates_is_an_error() {
    let fake = Fake::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    for (content, reason) in [
        (None, "No such file or directory"),
        (Some("nonsense"), "it holds no certificate"),
        (Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), ""),
    ] {
        if let Some(content) = content {
            std::fs::write(&file, content).expect("the file can be written");
        }
        let error = mimic_harbor::Harbor::new(over_tls(&fake, Some(file.clone()))).expect_err("the file has no CA");
        assert!(matches!(&error, HarborError::CaFile { .. }), "{error:?}");
        let message = message(&error);
        assert!(message.starts_with("cannot use the CA file ") && message.contains(reason), "{message}");
    }
}
