//! Why a certificate cannot be served.

use std::borrow::Cow;

use mimic_core::Hint;
use openssl::error::ErrorStack;

/// How many names of a certificate an error shows.
const SHOWN_NAMES: usize = 5;

/// Why a certificate and its key cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The certificate is not PEM, or there is none.
    #[error("no certificate found; expected PEM with `-----BEGIN CERTIFICATE-----`{}", reason(.0.as_ref()))]
    NoCertificate(Option<ErrorStack>),
    /// The key is not PEM, or there is none.
    #[error("no private key found; expected PEM with `-----BEGIN PRIVATE KEY-----`{}", reason(Some(.0)))]
    NoKey(ErrorStack),
    /// The key needs a passphrase.
    #[error("encrypted private keys are not supported")]
    EncryptedKey,
    /// The key belongs to another certificate.
    #[error("the private key does not match the certificate for `{0}`")]
    Mismatch(String),
    /// The key belongs to a certificate further down the file.
    #[error("wrong order: the server certificate must come first (the private key matches certificate {0})")]
    LeafNotFirst(usize),
    /// A certificate did not issue the one before it.
    #[error(
        "broken chain: certificate {position} (`{subject}`) is not the issuer of certificate {} (issuer `{issuer}`)",
        .position - 1
    )]
    Chain {
        /// Counted from 1.
        position: usize,
        /// Its subject.
        subject: String,
        /// The issuer that the certificate before it names.
        issuer: String,
    },
    /// It has expired.
    #[error("the certificate for `{subject}` expired at {at}")]
    Expired {
        /// Its subject.
        subject: String,
        /// When.
        at: String,
    },
    /// Its validity has not begun.
    #[error("the certificate for `{subject}` is not valid before {at}")]
    NotYetValid {
        /// Its subject.
        subject: String,
        /// When.
        at: String,
    },
    /// It is for other hosts.
    #[error(
        "the certificate for `{subject}` is not valid for `{wanted}`, which the API server uses \
         (`MIMIC_CERTIFICATE_SERVICE`); {}",
        shown(.names)
    )]
    OtherName {
        /// Its subject.
        subject: String,
        /// The name that it lacks.
        wanted: String,
        /// Its subject alternative names.
        names: Vec<String>,
    },
    /// Reading stopped before the end.
    #[error("reading the certificate was interrupted")]
    Interrupted(#[source] std::io::Error),
    /// A function of OpenSSL failed.
    #[error("OpenSSL failed")]
    OpenSsl(#[from] ErrorStack),
}

impl Hint for CertificateError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::EncryptedKey => Some("decrypt the key, as with `openssl pkey`".into()),
            Self::NotYetValid { .. } => Some("check the clock".into()),
            _ => None,
        }
    }
}

fn reason(error: Option<&ErrorStack>) -> String {
    let reason = error.and_then(|stack| stack.errors().first()).and_then(openssl::error::Error::reason);
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

fn shown(names: &[String]) -> String {
    if names.is_empty() {
        return "it has no subject alternative names, and the common name is ignored".to_owned();
    }
    let listed: Vec<String> = names.iter().take(SHOWN_NAMES).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > SHOWN_NAMES { ", …" } else { "" };
    format!("it is valid for {}{more}", listed.join(", "))
}
