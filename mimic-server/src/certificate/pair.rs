use std::fmt::Write as _;
use std::time::SystemTime;

use openssl::asn1::Asn1TimeRef;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509NameRef, X509Ref};

use super::{clock, names};

/// How many names of a certificate an error shows.
const SHOWN_NAMES: usize = 5;

/// A certificate chain and its private key that passed every check made here.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    chain: Vec<X509>,
    key: PKey<Private>,
}

/// Why a certificate and its key cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("`{path}` cannot be read: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The certificate is not PEM, or there is none.
    #[error("no certificate found; expected PEM with `-----BEGIN CERTIFICATE-----`{}", because(.0.as_ref()))]
    NoCertificate(Option<ErrorStack>),
    /// The key is not PEM, or there is none.
    #[error("no private key found; expected PEM with `-----BEGIN PRIVATE KEY-----`{}", because(Some(.0)))]
    NoKey(ErrorStack),
    /// The key needs a passphrase.
    #[error("the private key is encrypted; a server cannot ask for the passphrase")]
    EncryptedKey,
    /// The key belongs to another certificate.
    #[error("the private key does not fit the certificate of `{0}`")]
    Mismatch(String),
    /// The key belongs to a certificate further down the file.
    #[error("the private key fits certificate {0} of the file; the server's own certificate has to come first")]
    LeafNotFirst(usize),
    /// A certificate did not issue the one before it.
    #[error(
        "certificate {position} (`{subject}`) did not issue the one before it, which names `{issuer}` as its issuer"
    )]
    Chain {
        /// Counted from 1.
        position: usize,
        /// Whom it is for.
        subject: String,
        /// Whom the one before it names.
        issuer: String,
    },
    /// Its time is over.
    #[error("the certificate of `{subject}` expired at {at}")]
    Expired {
        /// Whom it is for.
        subject: String,
        /// When.
        at: String,
    },
    /// Its time has not come.
    #[error("the certificate of `{subject}` is not valid before {at}; is the clock right?")]
    NotYetValid {
        /// Whom it is for.
        subject: String,
        /// When.
        at: String,
    },
    /// It is for other hosts.
    #[error("the certificate of `{subject}` does not name `{wanted}`, by which the API server calls the Service of `MIMIC_CERTIFICATE_SERVICE`; {}", theirs(.names))]
    OtherName {
        /// Whom it is for.
        subject: String,
        /// The name that it lacks.
        wanted: String,
        /// Its subject alternative names.
        names: Vec<String>,
    },
    /// OpenSSL refused something.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
}

fn because(error: Option<&ErrorStack>) -> String {
    let reason = error.and_then(|stack| stack.errors().first()).and_then(openssl::error::Error::reason);
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

fn theirs(names: &[String]) -> String {
    if names.is_empty() {
        return "it has no subject alternative names, and a common name does not count".to_owned();
    }
    let listed: Vec<String> = names.iter().take(SHOWN_NAMES).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > SHOWN_NAMES { ", …" } else { "" };
    format!("it names {}{more}", listed.join(", "))
}

impl Pair {
    /// Reads a chain, leaf first, and the leaf's key, both PEM, and checks that they belong together at the time `now`.
    pub(crate) fn from_pem(chain: &[u8], key: &[u8], now: SystemTime) -> Result<Self, CertificateError> {
        let chain = X509::stack_from_pem(chain).map_err(|error| CertificateError::NoCertificate(Some(error)))?;
        Self::new(chain, read_key(key)?, now)
    }

    /// Checks that a chain, leaf first, and a key belong together at the time `now`.
    pub(crate) fn new(chain: Vec<X509>, key: PKey<Private>, now: SystemTime) -> Result<Self, CertificateError> {
        let Some(leaf) = chain.first() else { return Err(CertificateError::NoCertificate(None)) };
        if let Some(position) = chain.iter().position(|certificate| fits(certificate, &key)) {
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
        let now = clock::to_asn1(now)?;
        for certificate in &chain {
            let subject = || name(certificate.subject_name());
            if is_before(certificate.not_after(), &now) {
                return Err(CertificateError::Expired { subject: subject(), at: certificate.not_after().to_string() });
            }
            if is_before(&now, certificate.not_before()) {
                let at = certificate.not_before().to_string();
                return Err(CertificateError::NotYetValid { subject: subject(), at });
            }
        }
        Ok(Self { chain, key })
    }

    /// Checks that clients which call `host` will take the certificate for its own.
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

    /// SHA-256 of the leaf, as other tools write it: `AB:CD:…`.
    pub(crate) fn fingerprint(&self) -> Result<String, ErrorStack> {
        let digest = self.leaf().digest(MessageDigest::sha256())?;
        Ok(digest.iter().enumerate().fold(String::new(), |mut text, (index, byte)| {
            let _ = write!(text, "{}{byte:02X}", if index == 0 { "" } else { ":" });
            text
        }))
    }
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

/// Whether a key is that of a certificate.
pub(super) fn fits(certificate: &X509Ref, key: &PKey<Private>) -> bool {
    let fits = certificate.public_key().is_ok_and(|public| key.public_eq(&public));
    forget_errors();
    fits
}

/// Whether `issuer` signed a certificate. A signature that cannot be checked at all counts as a wrong one.
pub(super) fn has_issued(issuer: &X509Ref, certificate: &X509Ref) -> bool {
    let has_issued = issuer.public_key().and_then(|key| certificate.verify(&key)).unwrap_or(false);
    forget_errors();
    has_issued
}

/// Empties OpenSSL's queue of errors, which belongs to the thread. An answer of "no" leaves its reason there, and the next
/// TLS connection that this thread reads from would take that for an error of its own.
pub(super) fn forget_errors() {
    drop(ErrorStack::get());
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

    /// Rotation broke the connections to the API server, which the same thread reads from.
    #[test]
    fn an_answer_of_no_leaves_no_error_behind() {
        let pair = self_signed(None).expect("OpenSSL makes a certificate");
        let other = self_signed(None).expect("OpenSSL makes a certificate");
        let left_behind = |answer: bool| {
            assert!(!answer);
            ErrorStack::get().errors().len()
        };
        assert_eq!(left_behind(has_issued(other.leaf(), pair.leaf())), 0);
        assert_eq!(left_behind(fits(pair.leaf(), other.key())), 0);
        assert_eq!(left_behind(pair.check_names("elsewhere").is_ok()), 0);
    }
}
