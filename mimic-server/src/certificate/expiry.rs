//! Says when the certificate in use comes to its end: whoever should have replaced it has not.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::clock::Life;

/// A certificate is about to expire when less than a tenth of its life is left, but never earlier than this.
const NOTICE: Duration = Duration::from_hours(30 * 24);

/// The longest sleep: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// How near a certificate is to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Good,
    Ending,
    Ended,
}

/// Logs each stage of each certificate once.
pub(super) async fn announce(mut lives: watch::Receiver<Option<Life>>) {
    let mut said = None;
    loop {
        let life = *lives.borrow_and_update();
        let now = SystemTime::now();
        let mut sleep = LONGEST_SLEEP;
        if let Some(life) = life {
            let (stage, next) = stage(life, now);
            if said != Some((life, stage)) {
                said = Some((life, stage));
                say(stage, life, now);
            }
            if let Some(next) = next {
                // Certificates count whole seconds, and the last one is still theirs.
                let left = next.duration_since(now).unwrap_or_default() + Duration::from_secs(1);
                sleep = left.min(LONGEST_SLEEP);
            }
        }
        tokio::select! {
            changed = lives.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

/// The stage, and when the next begins.
fn stage(life: Life, now: SystemTime) -> (Stage, Option<SystemTime>) {
    let length = life.until.duration_since(life.from).unwrap_or_default();
    let ending = life.until.checked_sub((length / 10).min(NOTICE)).unwrap_or(life.until);
    if life.has_ended(now) {
        (Stage::Ended, None)
    } else if now >= ending {
        (Stage::Ending, Some(life.until))
    } else {
        (Stage::Good, Some(ending))
    }
}

fn say(stage: Stage, life: Life, now: SystemTime) {
    match stage {
        Stage::Good => {}
        Stage::Ending => {
            let left = life.until.duration_since(now).unwrap_or_default();
            let left = Duration::from_secs(left.as_secs());
            log::warn!(left:?; "the certificate in use is about to expire and has not been replaced");
        }
        Stage::Ended => log::error!("the certificate in use has expired: the API server refuses it"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn notice_is_given_at_a_tenth_of_the_life_and_never_too_early() {
        let at = |hours: u64| UNIX_EPOCH + Duration::from_hours(hours);
        let ninety_days = Life { from: at(0), until: at(90 * 24) };
        assert_eq!(stage(ninety_days, at(81 * 24 - 1)), (Stage::Good, Some(at(81 * 24))));
        assert_eq!(stage(ninety_days, at(81 * 24)), (Stage::Ending, Some(at(90 * 24))));
        assert_eq!(stage(ninety_days, at(90 * 24)), (Stage::Ending, Some(at(90 * 24))));
        assert_eq!(stage(ninety_days, at(90 * 24) + Duration::from_secs(1)), (Stage::Ended, None));
        let ten_years = Life { from: at(0), until: at(10 * 365 * 24) };
        assert_eq!(stage(ten_years, at(0)), (Stage::Good, Some(at((10 * 365 - 30) * 24))));
    }
}
