//! The hosts that a certificate is valid for.

use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509Ref, X509StoreContext};

use super::openssl_errors;

/// `X509_V_ERR_HOSTNAME_MISMATCH`
/// (<https://docs.openssl.org/3.6/man3/X509_STORE_CTX_get_error/#error-codes>), for which the crate has no name.
const HOSTNAME_MISMATCH: i32 = 62;

/// Whether the certificate is valid for `host`, by the rules of Go's clients: only subject alternative names count, and a
/// wildcard matches exactly one label, the leftmost.
///
/// OpenSSL checks names only when it verifies a chain, so the certificate is verified against itself.
pub(super) fn covers(certificate: &X509Ref, host: &str) -> Result<bool, ErrorStack> {
    let mut wanted = X509VerifyParam::new()?;
    wanted.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
    wanted.set_host(host)?;
    wanted.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(certificate.to_owned())?;
    store.set_param(&wanted)?;
    let mut context = X509StoreContext::new()?;
    let covers = context.init(&store.build(), certificate, &*Stack::new()?, |context| {
        context.verify_cert()?;
        Ok(context.error().as_raw() != HOSTNAME_MISMATCH)
    });
    openssl_errors::clear();
    covers
}

/// The host names and addresses in it.
pub(super) fn of(certificate: &X509Ref) -> Vec<String> {
    let names = certificate.subject_alt_names().into_iter().flatten();
    names.filter_map(|name| name.dnsname().map(str::to_owned).or_else(|| address(name.ipaddress()?))).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from));
    address.ok().map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::issue::{self, Request};
    use super::*;

    #[test]
    fn names_are_compared_as_tls_clients_do() {
        let host = "mimic.mimic.svc";
        for (names, expected) in [
            (&["mimic.mimic.svc"][..], true),
            (&["other.mimic.svc", "MIMIC.mimic.svc"], true),
            (&["*.mimic.svc"], true),
            (&["mimic", "mimic.mimic", "mimic.mimic.svc.cluster.local"], false),
            (&["*.svc"], false),
            (&["m*.mimic.svc"], false),
            (&["mimic.*.svc"], false),
            (&["*"], false),
            (&[], false),
        ] {
            let request = Request {
                common_name: host,
                names: names.iter().copied().map(str::to_owned).collect(),
                from: SystemTime::now(),
                until: SystemTime::now() + Duration::from_hours(1),
            };
            let (certificate, _) = issue::self_signed(&request).expect("OpenSSL issues a certificate");
            assert_eq!(covers(&certificate, host).expect("OpenSSL checks the name"), expected, "{names:?}");
            assert_eq!(of(&certificate), names);
        }
    }
}
