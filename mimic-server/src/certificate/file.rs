use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{CertificateError, Keeper, Pair};
use crate::polling::{self, Watched};

/// A certificate and its key in two PEM files that may be replaced at any time.
#[derive(Debug)]
pub(crate) struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    /// The name that clients will look for, where it is known.
    host: Option<String>,
    watched: Watched,
}

impl CertificateFiles {
    pub(crate) fn new(certificate: &Path, key: &Path, host: Option<String>) -> Self {
        let watched = Watched::new([certificate.to_owned(), key.to_owned()]);
        Self { certificate: certificate.to_owned(), key: key.to_owned(), host, watched }
    }

    /// Reads and checks the pair as it is now.
    pub(crate) fn load(&self) -> Result<Pair, CertificateError> {
        self.watched.note();
        let pair = Pair::from_pem(&read(&self.certificate)?, &read(&self.key)?, SystemTime::now())?;
        if let Some(host) = &self.host {
            pair.check_names(host)?;
        }
        Ok(pair)
    }

    /// Keeps the served certificate in step with the files.
    pub(crate) async fn follow(self, keeper: Keeper) {
        loop {
            match self.next().await.and_then(|pair| keeper.take_up(&pair)) {
                Ok(()) => keeper.all_well(),
                Err(error) => keeper.complain(&error),
            }
        }
    }

    /// Waits until the files changed and reads them.
    async fn next(&self) -> Result<Pair, CertificateError> {
        self.watched.changed().await;
        let pair = self.load();
        if pair.is_ok() {
            return pair;
        }
        // Two files are seldom replaced at one moment; the other half may be on its way.
        tokio::time::sleep(polling::PERIOD).await;
        self.load()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|error| CertificateError::Read { path: path.display().to_string(), error })
}

#[cfg(test)]
mod tests {
    use super::super::self_signed;
    use super::*;

    #[test]
    fn where_the_service_is_known_it_has_to_be_named() {
        let pair = self_signed(Some("system")).expect("OpenSSL makes a certificate");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        std::fs::write(&certificate, pair.leaf().to_pem().expect("it is PEM")).expect("it can be written");
        std::fs::write(&key, pair.key().private_key_to_pem_pkcs8().expect("it is PEM")).expect("it can be written");
        let load = |host: Option<&str>| CertificateFiles::new(&certificate, &key, host.map(str::to_owned)).load();
        assert!(load(None).is_ok() && load(Some("mimic.system.svc")).is_ok());
        let error = load(Some("mimic.other.svc")).expect_err("it has another name").to_string();
        assert_eq!(
            error,
            "the certificate of `mimic` does not name `mimic.other.svc`, by which the API server calls the Service of \
             `MIMIC_CERTIFICATE_SERVICE`; it names `mimic`, `localhost`, `127.0.0.1`, `::1`, `mimic.system`, …"
        );
    }
}
