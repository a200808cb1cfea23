//! Validity periods of certificates, which count whole seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::x509::X509Ref;

/// A time in the form that certificates use.
pub(super) fn to_asn1(time: SystemTime) -> Result<Asn1Time, ErrorStack> {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Asn1Time::from_unix(seconds.try_into().unwrap_or(i64::MAX))
}

/// The period in which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

impl Validity {
    pub(super) fn of(certificate: &X509Ref) -> Result<Self, ErrorStack> {
        Ok(Self { from: from_asn1(certificate.not_before())?, until: from_asn1(certificate.not_after())? })
    }

    pub(super) fn length(self) -> Duration {
        self.until.duration_since(self.from).unwrap_or_default()
    }

    /// The moment at which `parts` out of `of` equal parts of the period have passed.
    pub(super) fn after(self, parts: u32, of: u32) -> SystemTime {
        self.from + self.length() / of * parts
    }

    pub(super) fn has_ended(self, now: SystemTime) -> bool {
        self.until < now
    }
}

fn from_asn1(time: &Asn1TimeRef) -> Result<SystemTime, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    // Times before 1970 count as 1970.
    Ok(UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_conversion_to_asn1_and_back() {
        for seconds in [0, 1, 86_399, 1_795_000_000, 4_102_444_800, 16_725_225_600] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let converted = to_asn1(time).expect("OpenSSL knows the time");
            assert_eq!(from_asn1(&converted).expect("OpenSSL knows the time"), time);
        }
    }
}
