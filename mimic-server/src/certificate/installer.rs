//! Puts new certificates into service.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mimic_core::{Hint as _, Problem};
use openssl::x509::X509;
use tokio::sync::watch;

use super::error::CertificateError;
use super::expiry;
use super::pair::Pair;
use super::validity::Validity;
use crate::health::Health;
use crate::tls::Serving;

/// Installs certificates from any source in the TLS server, and reports success and failure. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CertificateInstaller {
    serving: Arc<Serving>,
    health: Arc<Health>,
    /// The validity of the certificate in use.
    validity: Arc<watch::Sender<Option<Validity>>>,
    last: Arc<Mutex<LastReports>>,
}

/// The last reports, so that none is repeated.
#[derive(Default)]
struct LastReports {
    fingerprint: String,
    error: Option<String>,
    distrust: Option<String>,
}

impl CertificateInstaller {
    pub(crate) fn new(serving: Arc<Serving>, health: Arc<Health>) -> Self {
        Self { serving, health, validity: Arc::new(watch::Sender::new(None)), last: Arc::default() }
    }

    /// Serves this pair from now on.
    pub(crate) fn install(&self, pair: &Pair) -> Result<(), CertificateError> {
        let (fingerprint, until) = (pair.fingerprint()?, pair.leaf().not_after().to_string());
        let mut last = self.last();
        if last.fingerprint != fingerprint {
            self.serving.install(pair.leaf(), pair.intermediates(), pair.key())?;
            self.validity.send_replace(Some(Validity::of(pair.leaf())?));
            self.health.certificate_served(pair.leaf().to_owned());
            log::info!(sha256 = fingerprint.as_str(), until = until.as_str(); "certificate in use");
            last.fingerprint = fingerprint;
        }
        Ok(())
    }

    /// From now on serves only clients with a certificate of these CAs.
    pub(crate) fn install_client_ca(&self, authorities: Vec<X509>) -> Result<(), CertificateError> {
        let count = authorities.len();
        self.serving.require_clients_of(authorities)?;
        log::info!(certificates = count; "client CA in use");
        Ok(())
    }

    /// Reports why a newer client CA is not used; `None` when there is no such reason.
    pub(crate) fn report_client_ca(&self, error: Option<String>) {
        if let Some(error) = &error {
            log::warn!(error:%; "new client CA rejected; keeping the current one");
        }
        self.health.client_ca_failed(error);
    }

    /// Withdraws the last reported error.
    pub(crate) fn clear_error(&self) {
        self.last().error = None;
        self.health.certificate_failed(None);
    }

    /// Reports why the current content of the source cannot be served. The certificate in use stays.
    pub(crate) fn report_rejected(&self, error: &impl Display) {
        self.report(error, true);
    }

    /// Reports why the source cannot be read. The certificate in use stays.
    pub(crate) fn report_unreadable(&self, error: &impl Display) {
        self.report(error, false);
    }

    fn report(&self, error: &impl Display, is_read: bool) {
        let mut last = self.last();
        let text = match (last.fingerprint.is_empty(), is_read) {
            (true, _) => error.to_string(),
            (false, true) => format!("new certificate rejected: {error}"),
            (false, false) => format!("cannot watch the certificate: {error}"),
        };
        if last.error.as_ref() == Some(&text) {
            return;
        }
        match (last.fingerprint.is_empty(), is_read) {
            (true, _) => log::warn!(error:%; "no certificate available yet"),
            (false, true) => log::warn!(error:%; "new certificate rejected; keeping the current one"),
            (false, false) => log::warn!(error:%; "cannot watch the certificate; keeping the current one"),
        }
        self.health.certificate_failed(Some(text.clone()));
        last.error = Some(text);
    }

    /// Reports why the API server probably does not trust the certificate; `None` when it does.
    pub(crate) fn report_distrust(&self, problem: Option<&Problem>) {
        let distrust = problem.map(|problem| problem.full_message().to_string());
        let mut last = self.last();
        if last.distrust == distrust {
            return;
        }
        if let Some(reason) = &distrust {
            log::warn!(reason = reason.as_str(); "the API server probably does not trust the certificate");
        }
        self.health.certificate_distrusted(distrust.clone());
        last.distrust = distrust;
    }

    fn last(&self) -> MutexGuard<'_, LastReports> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs the approaching expiry of the certificate in use, for as long as the server runs.
    pub(crate) async fn announce_expiry(self) {
        expiry::announce(self.validity.subscribe()).await;
    }
}

#[cfg(test)]
mod tests {
    use mimic_core::Catalog;

    use super::super::self_signed;
    use super::*;

    #[test]
    fn an_error_is_reported_until_it_is_cleared() {
        let health = Arc::new(Health::new(Arc::new(Catalog::new([""; 0])), std::time::Duration::ZERO));
        let installer = CertificateInstaller::new(Arc::default(), Arc::clone(&health));
        let detail = || health.report().checks[0].detail.clone();
        installer.report_rejected(&"no key");
        assert_eq!(detail(), "no certificate loaded: no key");
        installer.install(&self_signed(None).expect("OpenSSL issues a certificate")).expect("it can be served");
        installer.clear_error();
        let good = detail();
        assert!(good.starts_with("valid for 36"), "{good}");
        installer.report_rejected(&"no key");
        assert_eq!(detail(), format!("{good}; new certificate rejected: no key"));
        installer.report_unreadable(&"away");
        assert_eq!(detail(), format!("{good}; cannot watch the certificate: away"));
        installer.report_distrust(Some(&Problem::new("webhook", "absent")));
        installer.clear_error();
        assert_eq!(detail(), format!("{good}; possibly not trusted by the API server: webhook: absent"));
        installer.report_distrust(None);
        assert_eq!(detail(), good);
    }
}
