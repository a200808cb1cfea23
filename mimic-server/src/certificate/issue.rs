//! Issues certificates: EC P-256 keys, SHA-256.

use std::net::IpAddr;
use std::time::SystemTime;

use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509NameBuilder, X509Ref};

use super::validity;

/// The contents of a certificate to issue.
#[derive(Debug, Clone)]
pub(super) struct Request<'a> {
    pub(super) common_name: &'a str,
    /// Subject alternative names: host names or addresses.
    pub(super) names: Vec<String>,
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

/// Issues a self-signed server certificate.
pub(super) fn self_signed(request: &Request<'_>) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let mut builder = begin(request, &key)?;
    add_server_extensions(&mut builder, request, None)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

/// Issues a server certificate signed by a CA.
pub(super) fn signed(
    request: &Request<'_>,
    ca: &X509Ref,
    ca_key: &PKeyRef<Private>,
) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let mut builder = begin(request, &key)?;
    builder.set_issuer_name(ca.subject_name())?;
    add_server_extensions(&mut builder, request, Some(ca))?;
    // A CA and its successor have the same name: this identifies the one that signed.
    let context = builder.x509v3_context(Some(ca), None);
    let issuer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
    builder.append_extension(issuer)?;
    builder.sign(ca_key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

/// Issues a CA certificate that can sign server certificates but no further CAs.
pub(super) fn ca(request: &Request<'_>) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let mut builder = begin(request, &key)?;
    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(identifier)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)
}

/// What does not depend on the issuer. The issuer is the certificate itself until another one is set.
fn begin(request: &Request<'_>, key: &PKeyRef<Private>) -> Result<X509Builder, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, request.common_name)?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;

    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*validity::to_asn1(request.from)?)?;
    builder.set_not_after(&*validity::to_asn1(request.until)?)?;
    Ok(builder)
}

fn add_server_extensions(
    builder: &mut X509Builder,
    request: &Request<'_>,
    ca: Option<&X509Ref>,
) -> Result<(), ErrorStack> {
    if !request.names.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for name in &request.names {
            if name.parse::<IpAddr>().is_ok() {
                names.ip(name)
            } else {
                names.dns(name)
            };
        }
        let names = names.build(&builder.x509v3_context(ca, None))?;
        builder.append_extension(names)?;
    }
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)
}
