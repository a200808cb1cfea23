//! Names and lifetimes of managed certificates.

use std::time::{Duration, SystemTime};

use openssl::error::ErrorStack;

use super::contents::{Leaf, Signer};
use crate::certificate::error::CertificateError;
use crate::certificate::issue::{self, Request};
use crate::certificate::pair::Pair;
use crate::certificate::validity::Validity;

/// The longest time for which a new CA must have been in caBundle before it signs.
const LONGEST_PROPAGATION: Duration = Duration::from_mins(10);

/// How far in the past certificates begin, for clients whose clocks are behind.
const BACKDATING: Duration = Duration::from_mins(5);

/// Properties of the certificates to issue.
#[derive(Debug, Clone)]
pub(crate) struct CertificatePolicy {
    pub(crate) service: String,
    pub(crate) namespace: String,
    /// Lifetime of the serving certificate.
    pub(crate) leaf: Duration,
    /// Lifetime of a CA.
    pub(crate) ca: Duration,
}

impl CertificatePolicy {
    /// The host name that the API server uses for the Service.
    pub(super) fn host(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    fn names(&self) -> Vec<String> {
        let Self { service, namespace, .. } = self;
        let short = [service.clone(), format!("{service}.{namespace}")];
        short.into_iter().chain([self.host(), format!("{}.cluster.local", self.host())]).collect()
    }

    /// How long a new CA must have been in caBundle before it signs.
    pub(super) fn propagation(&self) -> Duration {
        (self.ca / 60).min(LONGEST_PROPAGATION)
    }

    pub(super) fn new_ca(&self, now: SystemTime) -> Result<Signer, ErrorStack> {
        let from = now - BACKDATING.min(self.ca / 10);
        let request = Request { common_name: "mimic CA", names: Vec::new(), from, until: now + self.ca };
        let (certificate, key) = issue::ca(&request)?;
        Ok(Signer { validity: Validity::of(&certificate)?, certificate, key })
    }

    pub(super) fn new_leaf(&self, signer: &Signer, now: SystemTime) -> Result<Leaf, CertificateError> {
        let from = (now - BACKDATING.min(self.leaf / 10)).max(signer.validity.from);
        // A leaf's lifetime is capped by its CA's.
        let until = (now + self.leaf).min(signer.validity.until);
        let request = Request { common_name: "mimic", names: self.names(), from, until };
        let (certificate, key) = issue::signed(&request, &signer.certificate, &signer.key)?;
        Ok(Leaf { validity: Validity::of(&certificate)?, pair: Pair::new(vec![certificate], key, now)? })
    }
}
