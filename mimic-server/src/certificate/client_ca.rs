//! The CA of the clients that may use the webhook, in a PEM file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use mimic_core::Hint as _;
use openssl::x509::X509;

use super::error::CertificateError;
use super::file::read;
use super::installer::CertificateInstaller;
use super::pair::check_validity;
use crate::polling::PolledFiles;

/// A PEM file with one or more CA certificates, which can be replaced at any time.
#[derive(Debug)]
pub(crate) struct ClientCaFile {
    path: PathBuf,
    files: PolledFiles,
}

impl ClientCaFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), files: PolledFiles::new([path.to_owned()]) }
    }

    /// Reads and checks the current certificates. Blocks on the disk.
    pub(crate) fn load_blocking(&self) -> Result<Vec<X509>, CertificateError> {
        self.files.note_blocking();
        let pem = read(&self.path)?;
        let certificates = X509::stack_from_pem(&pem).map_err(|error| CertificateError::NoCertificate(Some(error)))?;
        if certificates.is_empty() {
            return Err(CertificateError::NoCertificate(None));
        }
        check_validity(&certificates, SystemTime::now())?;
        Ok(certificates)
    }

    /// The same without blocking the caller's thread.
    pub(crate) async fn load(self: &Arc<Self>) -> Result<Vec<X509>, CertificateError> {
        let file = Arc::clone(self);
        let load = tokio::task::spawn_blocking(move || file.load_blocking());
        load.await.unwrap_or_else(|error| Err(CertificateError::Interrupted(error.into())))
    }

    /// Uses the new certificates whenever the file changes. Invalid ones are reported, and the last valid ones stay.
    pub(crate) async fn watch(self: Arc<Self>, installer: CertificateInstaller) {
        loop {
            self.files.changed().await;
            let used = self.load().await.and_then(|authorities| installer.install_client_ca(authorities));
            installer.report_client_ca(used.err().map(|error| error.full_message().to_string()));
        }
    }
}
