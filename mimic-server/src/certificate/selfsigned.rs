use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

use super::Pair;

/// How long a self-signed certificate is good for; it is made anew at every start.
const DAYS: u32 = 365;

/// Makes a self-signed certificate with an EC P-256 key for the names of the Service `mimic` and for loopback.
/// `namespace` is the one that Mimic runs in, when it is known.
pub(crate) fn self_signed(namespace: Option<&str>) -> Result<Pair, ErrorStack> {
    let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;

    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "mimic")?;
    let name = name.build();

    let mut names = SubjectAlternativeName::new();
    names.dns("mimic").dns("localhost").ip("127.0.0.1").ip("::1");
    if let Some(namespace) = namespace {
        names.dns(&format!("mimic.{namespace}")).dns(&format!("mimic.{namespace}.svc"));
    }

    let mut serial = BigNum::new()?;
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;

    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(DAYS)?)?;
    let names = names.build(&builder.x509v3_context(None, None))?;
    builder.append_extension(names)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok(Pair { chain: vec![builder.build()], key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_certificate_names_the_service_and_loopback() {
        let pair = self_signed(Some("mimic-system")).expect("OpenSSL makes a certificate");
        let names = pair.leaf().subject_alt_names().expect("it has names");
        let dns: Vec<&str> = names.iter().filter_map(|name| name.dnsname()).collect();
        let ips: Vec<&[u8]> = names.iter().filter_map(|name| name.ipaddress()).collect();
        assert_eq!(dns, ["mimic", "localhost", "mimic.mimic-system", "mimic.mimic-system.svc"]);
        assert_eq!(ips, [&[127, 0, 0, 1][..], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]);
    }
}
