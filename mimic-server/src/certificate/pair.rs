//! Checks of a certificate chain and its private key.

use std::fmt::Write as _;
use std::time::SystemTime;

use openssl::asn1::Asn1TimeRef;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509NameRef, X509Ref};

use super::error::CertificateError;
use super::{names, openssl_errors, validity};

/// A certificate chain and its private key, checked.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    chain: Vec<X509>,
    key: PKey<Private>,
}

impl Pair {
    /// Reads a chain, leaf first, and the leaf's key, both PEM, and checks them at the time `now`.
    pub(crate) fn from_pem(chain: &[u8], key: &[u8], now: SystemTime) -> Result<Self, CertificateError> {
        let chain = X509::stack_from_pem(chain).map_err(|error| CertificateError::NoCertificate(Some(error)))?;
        Self::new(chain, read_key(key)?, now)
    }

    /// Checks a chain, leaf first, and the leaf's key at the time `now`.
    pub(crate) fn new(chain: Vec<X509>, key: PKey<Private>, now: SystemTime) -> Result<Self, CertificateError> {
        let Some(leaf) = chain.first() else { return Err(CertificateError::NoCertificate(None)) };
        if let Some(position) = chain.iter().position(|certificate| matches_key(certificate, &key)) {
            if position > 0 {
                return Err(CertificateError::LeafNotFirst(position + 1));
            }
        } else {
            return Err(CertificateError::Mismatch(name(leaf.subject_name())));
        }
        for (index, pair) in chain.windows(2).enumerate() {
            if !has_issued(&pair[1], &pair[0]) {
                return Err(CertificateError::Chain {
                    position: index + 2,
                    subject: name(pair[1].subject_name()),
                    issuer: name(pair[0].issuer_name()),
                });
            }
        }
        check_validity(&chain, now)?;
        Ok(Self { chain, key })
    }

    /// Checks that the certificate is valid for clients that connect to `host`.
    pub(crate) fn check_names(&self, host: &str) -> Result<(), CertificateError> {
        if names::covers(self.leaf(), host)? {
            return Ok(());
        }
        let (subject, wanted) = (name(self.leaf().subject_name()), host.to_owned());
        Err(CertificateError::OtherName { subject, wanted, names: names::of(self.leaf()) })
    }

    /// The server's own certificate.
    pub(crate) fn leaf(&self) -> &X509Ref {
        &self.chain[0]
    }

    /// Its intermediates, in order.
    pub(crate) fn intermediates(&self) -> &[X509] {
        &self.chain[1..]
    }

    /// The leaf's private key.
    pub(crate) fn key(&self) -> &PKey<Private> {
        &self.key
    }

    /// SHA-256 of the leaf in the usual form, `AB:CD:…`.
    pub(crate) fn fingerprint(&self) -> Result<String, ErrorStack> {
        let digest = self.leaf().digest(MessageDigest::sha256())?;
        Ok(digest.iter().enumerate().fold(String::new(), |mut text, (index, byte)| {
            let _ = write!(text, "{}{byte:02X}", if index == 0 { "" } else { ":" });
            text
        }))
    }
}

/// Checks that all certificates are valid at the time `now`.
pub(super) fn check_validity(certificates: &[X509], now: SystemTime) -> Result<(), CertificateError> {
    let now = validity::to_asn1(now)?;
    for certificate in certificates {
        let subject = || name(certificate.subject_name());
        if is_before(certificate.not_after(), &now) {
            return Err(CertificateError::Expired { subject: subject(), at: certificate.not_after().to_string() });
        }
        if is_before(&now, certificate.not_before()) {
            let at = certificate.not_before().to_string();
            return Err(CertificateError::NotYetValid { subject: subject(), at });
        }
    }
    Ok(())
}

/// Reads a private key that is PEM and not encrypted.
pub(super) fn read_key(pem: &[u8]) -> Result<PKey<Private>, CertificateError> {
    let mut asked = false;
    // Without a callback OpenSSL would ask for the passphrase on the terminal.
    let key = PKey::private_key_from_pem_callback(pem, |_| {
        asked = true;
        Ok(0)
    });
    key.map_err(|error| if asked { CertificateError::EncryptedKey } else { CertificateError::NoKey(error) })
}

/// Whether a private key matches a certificate.
pub(super) fn matches_key(certificate: &X509Ref, key: &PKey<Private>) -> bool {
    let matches = certificate.public_key().is_ok_and(|public| key.public_eq(&public));
    openssl_errors::clear();
    matches
}

/// Whether `issuer` signed a certificate. A signature that cannot be checked counts as a wrong one.
pub(super) fn has_issued(issuer: &X509Ref, certificate: &X509Ref) -> bool {
    let has_issued = issuer.public_key().and_then(|key| certificate.verify(&key)).unwrap_or(false);
    openssl_errors::clear();
    has_issued
}

fn is_before(a: &Asn1TimeRef, b: &Asn1TimeRef) -> bool {
    a.compare(b).is_ok_and(std::cmp::Ordering::is_lt)
}

/// The common name, or else the whole name.
fn name(name: &X509NameRef) -> String {
    let common = name.entries_by_nid(openssl::nid::Nid::COMMONNAME).next();
    common.and_then(|entry| entry.data().to_string().ok()).unwrap_or_else(|| format!("{name:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::self_signed;
    use super::*;

    /// Rotation broke the connections to the API server, which the same thread reads.
    #[test]
    fn a_failed_check_leaves_no_error_behind() {
        let pair = self_signed(None).expect("OpenSSL makes a certificate");
        let other = self_signed(None).expect("OpenSSL makes a certificate");
        let left_behind = |check: bool| {
            assert!(!check);
            ErrorStack::get().errors().len()
        };
        assert_eq!(left_behind(has_issued(other.leaf(), pair.leaf())), 0);
        assert_eq!(left_behind(matches_key(pair.leaf(), other.key())), 0);
        assert_eq!(left_behind(pair.check_names("elsewhere").is_ok()), 0);
    }
}
