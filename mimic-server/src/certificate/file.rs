//! A certificate in two PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use mimic_core::{Hint as _, Problem};

use super::error::CertificateError;
use super::installer::CertificateInstaller;
use super::pair::Pair;
use crate::files;
use crate::polling::{self, PolledFiles};

/// Largest file in bytes.
const LARGEST: u64 = 1 << 20;

/// A certificate and its key in two PEM files that can be replaced at any time.
#[derive(Debug)]
pub(crate) struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    /// The host name that the certificate must be valid for, if known.
    host: Option<String>,
    files: PolledFiles,
}

impl CertificateFiles {
    pub(crate) fn new(certificate: &Path, key: &Path, host: Option<String>) -> Self {
        let files = PolledFiles::new([certificate.to_owned(), key.to_owned()]);
        Self { certificate: certificate.to_owned(), key: key.to_owned(), host, files }
    }

    /// Reads and checks the current pair. Blocks on the disk.
    pub(crate) fn load_blocking(&self) -> Result<Pair, CertificateError> {
        self.files.note_blocking();
        let pair = Pair::from_pem(&read(&self.certificate)?, &read(&self.key)?, SystemTime::now())?;
        if let Some(host) = &self.host {
            pair.check_names(host)?;
        }
        Ok(pair)
    }

    /// A warning about the permissions of the key's file. Blocks on the disk.
    pub(crate) fn exposure(&self) -> Option<Problem> {
        let mode = files::readable_by_all(&self.key)?;
        let message = format!("the private key is readable by every user (mode {mode:04o})");
        let hint = "remove the permission, for example with `chmod o-r`, or `defaultMode: 0440` of a mounted Secret";
        Some(Problem::new(&self.key.display().to_string(), message).with_hint(hint))
    }

    /// The same without blocking the caller's thread.
    pub(crate) async fn load(self: &Arc<Self>) -> Result<Pair, CertificateError> {
        let files = Arc::clone(self);
        let load = tokio::task::spawn_blocking(move || {
            if let Some(problem) = files.exposure() {
                log::warn!(problem:% = problem.full_message(); "private key exposed");
            }
            files.load_blocking()
        });
        load.await.unwrap_or_else(|error| Err(CertificateError::Interrupted(error.into())))
    }

    /// Serves the new pair whenever the files change.
    pub(crate) async fn watch(self: Arc<Self>, installer: CertificateInstaller) {
        loop {
            match self.next().await.and_then(|pair| installer.install(&pair)) {
                Ok(()) => installer.clear_error(),
                Err(error) => installer.report_rejected(&error.full_message()),
            }
        }
    }

    /// Waits until the files change and reads them.
    async fn next(self: &Arc<Self>) -> Result<Pair, CertificateError> {
        self.files.changed().await;
        let pair = self.load().await;
        if pair.is_ok() {
            return pair;
        }
        // Two files are rarely replaced at the same moment: the other one may follow shortly.
        tokio::time::sleep(polling::PERIOD).await;
        self.load().await
    }
}

/// Reads a PEM file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    mimic_config::files::read(path, LARGEST)
        .map_err(|error| CertificateError::Read { path: path.display().to_string(), error })
}

#[cfg(test)]
mod tests {
    use super::super::self_signed;
    use super::*;

    #[test]
    fn a_known_service_must_be_among_the_names() {
        let pair = self_signed(Some("system")).expect("OpenSSL issues a certificate");
        let folder = tempfile::tempdir().expect("a folder can be created");
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        std::fs::write(&certificate, pair.leaf().to_pem().expect("it is PEM")).expect("it can be written");
        std::fs::write(&key, pair.key().private_key_to_pem_pkcs8().expect("it is PEM")).expect("it can be written");
        let load =
            |host: Option<&str>| CertificateFiles::new(&certificate, &key, host.map(str::to_owned)).load_blocking();
        assert!(load(None).is_ok() && load(Some("mimic.system.svc")).is_ok());
        let error = load(Some("mimic.other.svc")).expect_err("it has another name").to_string();
        assert_eq!(
            error,
            "the certificate for `mimic` is not valid for `mimic.other.svc`, which the API server uses \
             (`MIMIC_CERTIFICATE_SERVICE`); it is valid for `mimic`, `localhost`, `127.0.0.1`, `::1`, `mimic.system`, …"
        );
    }
}
