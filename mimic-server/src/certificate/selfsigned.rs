//! The self-signed certificate of `selfsigned` and `--demo`.

use std::time::{Duration, SystemTime};

use super::error::CertificateError;
use super::issue::{self, Request};
use super::pair::Pair;

/// Lifetime of a self-signed certificate. A new one is issued at each startup.
const LIFETIME: Duration = Duration::from_hours(365 * 24);

/// Issues a self-signed certificate with an EC P-256 key for the Service `mimic` and for loopback. `namespace` is Mimic's
/// own namespace, if known.
pub(crate) fn self_signed(namespace: Option<&str>) -> Result<Pair, CertificateError> {
    let now = SystemTime::now();
    let mut names: Vec<String> = ["mimic", "localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if let Some(namespace) = namespace {
        names.extend([format!("mimic.{namespace}"), format!("mimic.{namespace}.svc")]);
    }
    let request = Request { common_name: "mimic", names, from: now, until: now + LIFETIME };
    let (certificate, key) = issue::self_signed(&request)?;
    Pair::new(vec![certificate], key, now)
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_self_signed_certificate_names_the_service_and_loopback() {
        let pair = self_signed(Some("mimic-system")).expect("OpenSSL issues a certificate");
        assert_eq!(
            names::of(pair.leaf()),
            ["mimic", "localhost", "127.0.0.1", "::1", "mimic.mimic-system", "mimic.mimic-system.svc"]
        );
    }
}
