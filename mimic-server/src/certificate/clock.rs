//! The clock's time and that of certificates, which counts whole seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::x509::X509Ref;

/// A time as certificates write it.
pub(super) fn to_asn1(time: SystemTime) -> Result<Asn1Time, ErrorStack> {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Asn1Time::from_unix(seconds.try_into().unwrap_or(i64::MAX))
}

/// From when until when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

impl Life {
    pub(super) fn of(certificate: &X509Ref) -> Result<Self, ErrorStack> {
        Ok(Self { from: from_asn1(certificate.not_before())?, until: from_asn1(certificate.not_after())? })
    }

    /// When this share of it is over.
    pub(super) fn after(self, parts: u32, of: u32) -> SystemTime {
        let length = self.until.duration_since(self.from).unwrap_or_default();
        self.from + length / of * parts
    }

    pub(super) fn has_ended(self, now: SystemTime) -> bool {
        self.until < now
    }
}

fn from_asn1(time: &Asn1TimeRef) -> Result<SystemTime, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    // What began before clocks did has begun.
    Ok(UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_way_there_and_back() {
        for seconds in [0, 1, 86_399, 1_795_000_000, 4_102_444_800, 16_725_225_600] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let there = to_asn1(time).expect("OpenSSL knows the time");
            assert_eq!(from_asn1(&there).expect("OpenSSL knows the time"), time);
        }
    }
}
