//! Making certificates: EC P-256 keys, SHA-256.

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

use super::clock;

/// What a certificate is to say.
#[derive(Debug, Clone)]
pub(super) struct Request<'a> {
    pub(super) common_name: &'a str,
    /// Subject alternative names: hosts, or addresses.
    pub(super) names: Vec<String>,
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

/// Makes a server's certificate that nobody vouches for.
pub(super) fn self_signed(request: &Request<'_>) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let mut builder = begin(request, &key)?;
    for_a_server(&mut builder, request, None)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

/// Makes a server's certificate that an authority signs.
pub(super) fn signed(
    request: &Request<'_>,
    authority: &X509Ref,
    authority_key: &PKeyRef<Private>,
) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let mut builder = begin(request, &key)?;
    builder.set_issuer_name(authority.subject_name())?;
    for_a_server(&mut builder, request, Some(authority))?;
    // Two authorities of the same name follow each other: this tells clients which of them signed.
    let context = builder.x509v3_context(Some(authority), None);
    let issuer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
    builder.append_extension(issuer)?;
    builder.sign(authority_key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

/// Makes an authority that signs servers' certificates and no further authorities.
pub(super) fn authority(request: &Request<'_>) -> Result<(X509, PKey<Private>), ErrorStack> {
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

/// All that does not depend on who signs; issued by itself until something else is said.
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
    builder.set_not_before(&*clock::to_asn1(request.from)?)?;
    builder.set_not_after(&*clock::to_asn1(request.until)?)?;
    Ok(builder)
}

fn for_a_server(
    builder: &mut X509Builder,
    request: &Request<'_>,
    authority: Option<&X509Ref>,
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
        let names = names.build(&builder.x509v3_context(authority, None))?;
        builder.append_extension(names)?;
    }
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)
}
