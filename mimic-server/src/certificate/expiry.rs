//! Logs that the certificate in use expires soon or has expired: its owner should have replaced it.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::validity::Validity;

/// A certificate expires soon when less than a tenth of its lifetime is left, but never earlier than this.
const NOTICE: Duration = Duration::from_hours(30 * 24);

/// The longest sleep: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// How close a certificate is to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Valid,
    ExpiresSoon,
    Expired,
}

/// Logs each stage of each certificate once.
pub(super) async fn announce(mut validities: watch::Receiver<Option<Validity>>) {
    let mut logged = None;
    loop {
        let validity = *validities.borrow_and_update();
        let now = SystemTime::now();
        let mut sleep = LONGEST_SLEEP;
        if let Some(validity) = validity {
            let (stage, next) = stage(validity, now);
            if logged != Some((validity, stage)) {
                logged = Some((validity, stage));
                log_stage(stage, validity, now);
            }
            if let Some(next) = next {
                // Certificates count whole seconds and are still valid in the last one.
                let left = next.duration_since(now).unwrap_or_default() + Duration::from_secs(1);
                sleep = left.min(LONGEST_SLEEP);
            }
        }
        tokio::select! {
            changed = validities.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

/// The stage, and when the next one begins.
fn stage(validity: Validity, now: SystemTime) -> (Stage, Option<SystemTime>) {
    let soon = validity.until.checked_sub((validity.length() / 10).min(NOTICE)).unwrap_or(validity.until);
    if validity.has_ended(now) {
        (Stage::Expired, None)
    } else if now >= soon {
        (Stage::ExpiresSoon, Some(validity.until))
    } else {
        (Stage::Valid, Some(soon))
    }
}

fn log_stage(stage: Stage, validity: Validity, now: SystemTime) {
    match stage {
        Stage::Valid => {}
        Stage::ExpiresSoon => {
            let left = validity.until.duration_since(now).unwrap_or_default();
            let left = Duration::from_secs(left.as_secs());
            log::warn!(left:?; "certificate expires soon and has not been replaced");
        }
        Stage::Expired => log::error!("certificate has expired: the API server rejects it"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn expiry_is_announced_at_a_tenth_of_the_lifetime_and_never_too_early() {
        let at = |hours: u64| UNIX_EPOCH + Duration::from_hours(hours);
        let ninety_days = Validity { from: at(0), until: at(90 * 24) };
        assert_eq!(stage(ninety_days, at(81 * 24 - 1)), (Stage::Valid, Some(at(81 * 24))));
        assert_eq!(stage(ninety_days, at(81 * 24)), (Stage::ExpiresSoon, Some(at(90 * 24))));
        assert_eq!(stage(ninety_days, at(90 * 24)), (Stage::ExpiresSoon, Some(at(90 * 24))));
        assert_eq!(stage(ninety_days, at(90 * 24) + Duration::from_secs(1)), (Stage::Expired, None));
        let ten_years = Validity { from: at(0), until: at(10 * 365 * 24) };
        assert_eq!(stage(ten_years, at(0)), (Stage::Valid, Some(at((10 * 365 - 30) * 24))));
    }
}
