use std::time::{Duration, SystemTime};

use super::issue::{self, Request};
use super::{CertificateError, Pair};

/// How long a self-signed certificate is good for; it is made anew at every start.
const LIFE: Duration = Duration::from_hours(365 * 24);

/// Makes a self-signed certificate with an EC P-256 key for the names of the Service `mimic` and for loopback.
/// `namespace` is the one that Mimic runs in, when it is known.
pub(crate) fn self_signed(namespace: Option<&str>) -> Result<Pair, CertificateError> {
    let now = SystemTime::now();
    let mut names: Vec<String> = ["mimic", "localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if let Some(namespace) = namespace {
        names.extend([format!("mimic.{namespace}"), format!("mimic.{namespace}.svc")]);
    }
    let request = Request { common_name: "mimic", names, from: now, until: now + LIFE };
    let (certificate, key) = issue::self_signed(&request)?;
    Pair::new(vec![certificate], key, now)
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_self_signed_certificate_names_the_service_and_loopback() {
        let pair = self_signed(Some("mimic-system")).expect("OpenSSL makes a certificate");
        assert_eq!(
            names::of(pair.leaf()),
            ["mimic", "localhost", "127.0.0.1", "::1", "mimic.mimic-system", "mimic.mimic-system.svc"]
        );
    }
}
