//! Certificates for servers on loopback.

use anyhow::Result;
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{
        X509, X509Builder, X509NameBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName},
    },
};

/// A CA for one test.
#[derive(Debug)]
pub struct TestCa {
    certificate: X509,
    key: PKey<Private>,
}

impl TestCa {
    /// Creates a new CA.
    pub fn new() -> Result<Self> {
        let key = new_key()?;
        let mut builder = new_builder("mimic-e2e CA", &key)?;
        let name = builder_name("mimic-e2e CA")?;
        builder.set_issuer_name(&name)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// The CA's certificate in PEM, for a `caBundle`.
    pub fn pem(&self) -> Result<Vec<u8>> {
        Ok(self.certificate.to_pem()?)
    }

    /// Creates a key, and a certificate for a server on loopback and for the shipped Service.
    pub fn issue(&self) -> Result<(X509, PKey<Private>)> {
        self.issue_for("mimic.mimic.svc")
    }

    /// Creates a key, and a certificate for a client.
    pub fn issue_for_client(&self) -> Result<(X509, PKey<Private>)> {
        let key = new_key()?;
        let mut builder = new_builder("mimic-e2e client", &key)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        builder.append_extension(ExtendedKeyUsage::new().client_auth().build()?)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok((builder.build(), key))
    }

    /// As [`TestCa::issue`], for another host name.
    pub fn issue_for(&self, host: &str) -> Result<(X509, PKey<Private>)> {
        let key = new_key()?;
        let mut builder = new_builder("mimic-e2e server", &key)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        let names = SubjectAlternativeName::new()
            .ip("127.0.0.1")
            .dns(host)
            .build(&builder.x509v3_context(Some(&self.certificate), None))?;
        builder.append_extension(names)?;
        builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok((builder.build(), key))
    }
}

fn new_key() -> Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

fn builder_name(common_name: &str) -> Result<openssl::x509::X509Name> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    Ok(name.build())
}

fn new_builder(common_name: &str, key: &PKey<Private>) -> Result<X509Builder> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
    builder.set_subject_name(builder_name(common_name)?.as_ref())?;
    builder.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
    builder.set_not_after(Asn1Time::days_from_now(1)?.as_ref())?;
    builder.set_pubkey(key)?;
    Ok(builder)
}
