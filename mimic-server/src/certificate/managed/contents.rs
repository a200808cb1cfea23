//! The contents of the Secret, as certificates and keys.

use std::collections::BTreeMap;
use std::time::SystemTime;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Ref};

use crate::certificate::error::CertificateError;
use crate::certificate::pair::{Pair, has_issued, matches_key, read_key};
use crate::certificate::validity::Validity;

/// The data of the Secret.
pub(crate) type Data = BTreeMap<String, Vec<u8>>;

/// The serving certificate, PEM.
const LEAF: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";
/// All trusted CAs, PEM, one after the other.
const CAS: &str = "ca.crt";
/// The key of the CA that signs.
const SIGNING_KEY: &str = "ca.key";
/// The key of the CA that signs next.
const NEXT_KEY: &str = "ca-next.key";

/// A CA with its key.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
    pub(super) validity: Validity,
}

impl Signer {
    pub(super) fn has_issued(&self, certificate: &X509Ref) -> bool {
        has_issued(&self.certificate, certificate)
    }
}

/// The serving certificate.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) pair: Pair,
    pub(super) validity: Validity,
}

/// The valid contents, without what has expired or is damaged.
#[derive(Clone, Default)]
pub(super) struct Contents {
    pub(super) cas: Vec<X509>,
    pub(super) signing: Option<Signer>,
    pub(super) next: Option<Signer>,
    pub(super) leaf: Option<Leaf>,
}

/// The valid contents, and what was dropped.
pub(super) struct Reading {
    pub(super) contents: Contents,
    /// Why the stored leaf cannot be served.
    pub(super) unusable: Option<CertificateError>,
    /// Invalid data.
    pub(super) damage: Vec<String>,
    /// Whether an expired CA was dropped.
    pub(super) outdated: bool,
}

/// Reads what is valid at the time `now` for the host name `host`.
pub(super) fn read(data: &Data, host: &str, now: SystemTime) -> Result<Reading, ErrorStack> {
    let mut damage = Vec::new();
    let is_empty = data.values().all(Vec::is_empty);
    let mut get = |key: &str| {
        let value = data.get(key).filter(|value| !value.is_empty());
        if value.is_none() && !is_empty {
            damage.push(format!("`{key}` is missing"));
        }
        value.map(Vec::as_slice)
    };
    let (cas, signing_key, leaf, leaf_key) = (get(CAS), get(SIGNING_KEY), get(LEAF), get(LEAF_KEY));
    let next_key = data.get(NEXT_KEY).map(Vec::as_slice).filter(|value| !value.is_empty());

    let mut trusted = Vec::new();
    let mut outdated = false;
    let parsed = cas.map(X509::stack_from_pem).transpose();
    for ca in parsed
        .unwrap_or_else(|_| {
            damage.push(format!("`{CAS}` is not PEM"));
            None
        })
        .unwrap_or_default()
    {
        if Validity::of(&ca)?.has_ended(now) {
            outdated = true;
        } else {
            trusted.push(ca);
        }
    }
    let mut signer = |key: Option<&[u8]>, name: &str| -> Result<Option<Signer>, ErrorStack> {
        let Some(key) = key else { return Ok(None) };
        let Ok(key) = read_key(key) else {
            damage.push(format!("`{name}` is not a private key"));
            return Ok(None);
        };
        let Some(certificate) = trusted.iter().find(|certificate| matches_key(certificate, &key)) else {
            // The key of an expired CA is not damage.
            if !outdated {
                damage.push(format!("`{name}` matches no certificate in `{CAS}`"));
            }
            return Ok(None);
        };
        Ok(Some(Signer { validity: Validity::of(certificate)?, certificate: certificate.clone(), key }))
    };
    let signing = signer(signing_key, SIGNING_KEY)?;
    let next = signer(next_key, NEXT_KEY)?;

    let mut unusable = None;
    let mut good = None;
    if let (Some(leaf), Some(leaf_key)) = (leaf, leaf_key) {
        match check(leaf, leaf_key, host, now) {
            Ok(pair) if trusted.iter().any(|ca| has_issued(ca, pair.leaf())) => {
                good = Some(Leaf { validity: Validity::of(pair.leaf())?, pair });
            }
            // Not an expired CA: a CA outlives what it signs.
            Ok(_) => damage.push(format!("`{LEAF}` was not issued by any CA in `{CAS}`")),
            Err(error) => {
                if !matches!(
                    error,
                    CertificateError::Expired { .. }
                        | CertificateError::NotYetValid { .. }
                        | CertificateError::OtherName { .. }
                ) {
                    damage.push(format!("`{LEAF}` and `{LEAF_KEY}`: {error}"));
                }
                unusable = Some(error);
            }
        }
    }
    let contents = Contents { cas: trusted, signing, next, leaf: good };
    Ok(Reading { contents, unusable, damage, outdated })
}

fn check(leaf: &[u8], key: &[u8], host: &str, now: SystemTime) -> Result<Pair, CertificateError> {
    let pair = Pair::from_pem(leaf, key, now)?;
    pair.check_names(host)?;
    Ok(pair)
}

impl Contents {
    /// All CAs in PEM form, for the Secret and for caBundle.
    pub(super) fn bundle(&self) -> Result<Vec<u8>, ErrorStack> {
        let mut bundle = Vec::new();
        for ca in &self.cas {
            bundle.extend(ca.to_pem()?);
        }
        Ok(bundle)
    }

    /// The data to write to the Secret.
    pub(super) fn to_data(&self) -> Result<Data, ErrorStack> {
        let mut data = Data::from([(CAS.to_owned(), self.bundle()?)]);
        for (name, signer) in [(SIGNING_KEY, &self.signing), (NEXT_KEY, &self.next)] {
            if let Some(signer) = signer {
                data.insert(name.to_owned(), signer.key.private_key_to_pem_pkcs8()?);
            }
        }
        if let Some(Leaf { pair, .. }) = &self.leaf {
            data.insert(LEAF.to_owned(), pair.leaf().to_pem()?);
            data.insert(LEAF_KEY.to_owned(), pair.key().private_key_to_pem_pkcs8()?);
        }
        Ok(data)
    }
}
