use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mimic_core::{Hint as _, Problem};
use tokio::sync::watch;

use super::clock::Life;
use super::{CertificateError, Pair, expiry};
use crate::health::Health;
use crate::tls::Serving;

/// Takes up certificates, whatever their source, and says how that went. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keeper {
    serving: Arc<Serving>,
    health: Arc<Health>,
    /// The life of the certificate in use.
    life: Arc<watch::Sender<Option<Life>>>,
    last: Arc<Mutex<Last>>,
}

/// What was said last, so that it is not said again and again.
#[derive(Default)]
struct Last {
    fingerprint: String,
    complaint: Option<String>,
    distrust: Option<String>,
}

impl Keeper {
    pub(crate) fn new(serving: Arc<Serving>, health: Arc<Health>) -> Self {
        Self { serving, health, life: Arc::new(watch::Sender::new(None)), last: Arc::default() }
    }

    /// Serves this pair from now on.
    pub(crate) fn take_up(&self, pair: &Pair) -> Result<(), CertificateError> {
        let (fingerprint, until) = (pair.fingerprint()?, pair.leaf().not_after().to_string());
        let mut last = self.last();
        if last.fingerprint != fingerprint {
            self.serving.install(pair.leaf(), pair.intermediates(), pair.key())?;
            self.life.send_replace(Some(Life::of(pair.leaf())?));
            self.health.certificate_served(pair.leaf().to_owned());
            log::info!(sha256 = fingerprint.as_str(), until = until.as_str(); "certificate in use");
            last.fingerprint = fingerprint;
        }
        Ok(())
    }

    /// Takes back what was last complained about.
    pub(crate) fn all_well(&self) {
        self.last().complaint = None;
        self.health.certificate_failed(None);
    }

    /// Reports why what there is now cannot be served. The last good certificate, if there was one, stays in use.
    pub(crate) fn complain(&self, error: &impl Display) {
        self.report(error, true);
    }

    /// Reports why nobody knows what there is now. The certificate in use stays.
    pub(crate) fn lose_sight(&self, error: &impl Display) {
        self.report(error, false);
    }

    fn report(&self, error: &impl Display, is_seen: bool) {
        let mut last = self.last();
        let complaint = match (last.fingerprint.is_empty(), is_seen) {
            (true, _) => error.to_string(),
            (false, true) => format!("a newer one is not used: {error}"),
            (false, false) => format!("whether there is a newer one is not known: {error}"),
        };
        if last.complaint.as_ref() == Some(&complaint) {
            return;
        }
        match (last.fingerprint.is_empty(), is_seen) {
            (true, _) => log::warn!(error:%; "there is no certificate to serve yet"),
            (false, true) => log::warn!(error:%; "the new certificate cannot be used, the last good one stays"),
            (false, false) => log::warn!(error:%; "the certificate cannot be followed now, the one in use stays"),
        }
        self.health.certificate_failed(Some(complaint.clone()));
        last.complaint = Some(complaint);
    }

    /// Reports why those who call the webhook may not trust the certificate, or that they do.
    pub(crate) fn trust(&self, distrust: Option<&Problem>) {
        let distrust = distrust.map(|problem| problem.full_message().to_string());
        let mut last = self.last();
        if last.distrust == distrust {
            return;
        }
        if let Some(reason) = &distrust {
            log::warn!(reason = reason.as_str(); "the API server may not trust the certificate");
        }
        self.health.certificate_distrusted(distrust.clone());
        last.distrust = distrust;
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says, for as long as the server runs, when the certificate in use comes to its end.
    pub(crate) async fn announce_end(self) {
        expiry::announce(self.life.subscribe()).await;
    }
}

#[cfg(test)]
mod tests {
    use mimic_core::Catalog;

    use super::super::self_signed;
    use super::*;

    #[test]
    fn what_is_wrong_is_reported_until_all_is_well() {
        let health = Arc::new(Health::new(Arc::new(Catalog::new([""; 0])), std::time::Duration::ZERO));
        let keeper = Keeper::new(Arc::default(), Arc::clone(&health));
        let detail = || health.report().checks[0].detail.clone();
        keeper.complain(&"no key");
        assert_eq!(detail(), "no certificate loaded: no key");
        keeper.take_up(&self_signed(None).expect("OpenSSL makes a certificate")).expect("it can be served");
        keeper.all_well();
        let good = detail();
        assert!(good.starts_with("valid for 36"), "{good}");
        keeper.complain(&"no key");
        assert_eq!(detail(), format!("{good}; a newer one is not used: no key"));
        keeper.lose_sight(&"away");
        assert_eq!(detail(), format!("{good}; whether there is a newer one is not known: away"));
        keeper.trust(Some(&Problem::new("webhook", "absent")));
        keeper.all_well();
        assert_eq!(detail(), format!("{good}; possibly not trusted by the API server: webhook: absent"));
        keeper.trust(None);
        assert_eq!(detail(), good);
    }
}
