//! The server's files: the certificate, which is replaced every second, and a file with mirrors that is there, then not YAML,
//! then gone.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};
use tempfile::TempDir;

use super::counts::add;

/// Time between two changes.
const CHANGE: Duration = Duration::from_secs(1);

const MIRRORS: [Option<&str>; 4] =
    [Some("mirrors: {file.example.org: harbor.example.com/file}"), Some("mirrors: {"), Some("mirrors: {}"), None];

pub(super) struct Files {
    folder: TempDir,
    /// How many certificates there were.
    pub(super) certificates: Cell<u64>,
}

impl Files {
    /// The first certificate, and a file with mirrors.
    pub(super) fn new() -> Result<Self> {
        let files = Self { folder: tempfile::tempdir()?, certificates: Cell::new(0) };
        files.replace_certificate()?;
        files.replace_mirrors(0)?;
        Ok(files)
    }

    pub(super) fn configure(&self, server: &mut Command) {
        let path = |name: &str| self.folder.path().join(name);
        server
            .env("MIMIC_CERTIFICATE_SOURCE", "file")
            .env("MIMIC_CERTIFICATE_CERTFILE", path("current/tls.crt"))
            .env("MIMIC_CERTIFICATE_KEYFILE", path("current/tls.key"))
            .env("MIMIC_FILE_PATH", path("mirrors.yaml"));
    }

    /// Changes both, without an end.
    pub(super) async fn change(&self) -> Result<()> {
        loop {
            tokio::time::sleep(CHANGE).await;
            self.replace_certificate()?;
            self.replace_mirrors(self.certificates.get())?;
        }
    }

    /// Issues a certificate, and swaps it in as the kubelet does: by a link to a folder.
    fn replace_certificate(&self) -> Result<()> {
        add(&self.certificates);
        let serial = self.certificates.get();
        let [old, new, link] = [serial - 1, serial, 0].map(|number| self.folder.path().join(number.to_string()));
        let (certificate, key) = issue(u32::try_from(serial)?)?;
        fs::create_dir(&new)?;
        fs::write(new.join("tls.crt"), certificate)?;
        write_private(new.join("tls.key"), &key)?;
        symlink(&new, &link)?;
        fs::rename(&link, self.folder.path().join("current"))?;
        if serial > 1 {
            fs::remove_dir_all(old)?;
        }
        Ok(())
    }

    fn replace_mirrors(&self, change: u64) -> Result<()> {
        let path = self.folder.path().join("mirrors.yaml");
        // Two changes of the certificate to each of the file, which the server reads once it is unchanged for a second.
        match MIRRORS[usize::try_from(change / 3)? % MIRRORS.len()] {
            Some(text) => {
                let new = path.with_extension("new");
                fs::write(&new, text)?;
                fs::rename(new, path)?;
            }
            None if path.exists() => fs::remove_file(path)?,
            None => {}
        }
        Ok(())
    }
}

fn write_private(path: PathBuf, text: &[u8]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    Ok(fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text)?)
}

/// A self-signed certificate and its key, as PEM.
fn issue(serial: u32) -> Result<(Vec<u8>, Vec<u8>)> {
    let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "mimic")?;
    let name = name.build();
    let mut certificate = X509::builder()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(&*BigNum::from_u32(serial)?.to_asn1_integer()?)?;
    certificate.set_subject_name(&name)?;
    certificate.set_issuer_name(&name)?;
    certificate.set_pubkey(&key)?;
    certificate.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    certificate.set_not_after(&*Asn1Time::days_from_now(30)?)?;
    let names = SubjectAlternativeName::new().dns("localhost").build(&certificate.x509v3_context(None, None))?;
    certificate.append_extension(names)?;
    certificate.sign(&key, MessageDigest::sha256())?;
    Ok((certificate.build().to_pem()?, key.private_key_to_pem_pkcs8()?))
}
