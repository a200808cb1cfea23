//! What the Secret holds, as certificates and keys.

use std::collections::BTreeMap;
use std::time::SystemTime;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Ref};

use crate::certificate::clock::Life;
use crate::certificate::pair::{fits, has_issued, read_key};
use crate::certificate::{CertificateError, Pair};

/// Keys of the Secret and what is under them.
pub(crate) type Data = BTreeMap<String, Vec<u8>>;

/// The serving certificate, PEM.
const LEAF: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";
/// Every authority that is trusted, PEM, one after the other.
const AUTHORITIES: &str = "ca.crt";
/// The key of the one among them that signs.
const SIGNING_KEY: &str = "ca.key";
/// The key of the one among them that is to sign next.
const NEXT_KEY: &str = "ca-next.key";

/// An authority that can sign.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
    pub(super) life: Life,
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
    pub(super) life: Life,
}

/// All that can be made use of. What has expired or is damaged is left out.
#[derive(Clone, Default)]
pub(super) struct Contents {
    pub(super) authorities: Vec<X509>,
    pub(super) signing: Option<Signer>,
    pub(super) next: Option<Signer>,
    pub(super) leaf: Option<Leaf>,
}

/// Contents, and what was left out.
pub(super) struct Reading {
    pub(super) contents: Contents,
    /// Why there is no leaf, when there should be one.
    pub(super) unusable: Option<CertificateError>,
    /// What should not be as it is.
    pub(super) damage: Vec<String>,
    /// Whether an authority was left out because its time is over.
    pub(super) outdated: bool,
}

/// Reads what is good at the time `now` for servers that are called as `host`.
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
    let (authorities, signing_key, leaf, leaf_key) = (get(AUTHORITIES), get(SIGNING_KEY), get(LEAF), get(LEAF_KEY));
    let next_key = data.get(NEXT_KEY).map(Vec::as_slice).filter(|value| !value.is_empty());

    let mut trusted = Vec::new();
    let mut outdated = false;
    let parsed = authorities.map(X509::stack_from_pem).transpose();
    for authority in parsed
        .unwrap_or_else(|_| {
            damage.push(format!("`{AUTHORITIES}` is not PEM"));
            None
        })
        .unwrap_or_default()
    {
        if Life::of(&authority)?.has_ended(now) {
            outdated = true;
        } else {
            trusted.push(authority);
        }
    }
    let mut signer = |key: Option<&[u8]>, name: &str| -> Result<Option<Signer>, ErrorStack> {
        let Some(key) = key else { return Ok(None) };
        let Ok(key) = read_key(key) else {
            damage.push(format!("`{name}` is not a private key"));
            return Ok(None);
        };
        let Some(certificate) = trusted.iter().find(|certificate| fits(certificate, &key)) else {
            // That of an authority whose time is over is no damage.
            if !outdated {
                damage.push(format!("`{name}` fits no certificate of `{AUTHORITIES}`"));
            }
            return Ok(None);
        };
        Ok(Some(Signer { life: Life::of(certificate)?, certificate: certificate.clone(), key }))
    };
    let signing = signer(signing_key, SIGNING_KEY)?;
    let next = signer(next_key, NEXT_KEY)?;

    let mut unusable = None;
    let mut good = None;
    if let (Some(leaf), Some(leaf_key)) = (leaf, leaf_key) {
        match check(leaf, leaf_key, host, now) {
            Ok(pair) if trusted.iter().any(|authority| has_issued(authority, pair.leaf())) => {
                good = Some(Leaf { life: Life::of(pair.leaf())?, pair });
            }
            // Its authority has expired, and it has not: authorities outlive what they sign.
            Ok(_) => damage.push(format!("`{LEAF}` was issued by no certificate of `{AUTHORITIES}`")),
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
    let contents = Contents { authorities: trusted, signing, next, leaf: good };
    Ok(Reading { contents, unusable, damage, outdated })
}

fn check(leaf: &[u8], key: &[u8], host: &str, now: SystemTime) -> Result<Pair, CertificateError> {
    let pair = Pair::from_pem(leaf, key, now)?;
    pair.check_names(host)?;
    Ok(pair)
}

impl Contents {
    /// Every authority, as it is written in the Secret and as those who call the webhook need it.
    pub(super) fn bundle(&self) -> Result<Vec<u8>, ErrorStack> {
        let mut bundle = Vec::new();
        for authority in &self.authorities {
            bundle.extend(authority.to_pem()?);
        }
        Ok(bundle)
    }

    /// What to put into the Secret.
    pub(super) fn to_data(&self) -> Result<Data, ErrorStack> {
        let mut data = Data::from([(AUTHORITIES.to_owned(), self.bundle()?)]);
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
