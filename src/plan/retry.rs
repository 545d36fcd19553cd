//! How long a failed reconcile is left alone.
//!
//! Pure: the random part comes in.

use std::time::Duration;

/// The first wait after a failure.
const FIRST: Duration = Duration::from_secs(5);
/// The longest wait, however many failures there were: a cause that goes away is noticed within it.
const LONGEST: Duration = Duration::from_mins(5);

/// The wait after the `failures`-th failure in a row (1 is the first): doubles from 5 s to at most 5 min, never longer
/// than `interval`, so that a failing release is tried at least as often as a good one.
pub fn backoff(failures: u32, interval: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST
        .saturating_mul(1 << doublings)
        .min(LONGEST)
        .min(interval.max(FIRST))
}

/// The longest wait after the retries are used up.
const LONGEST_WHEN_EXHAUSTED: Duration = Duration::from_hours(1);

/// The wait after the `failures`-th failure that no retry was left for (1 is the first), when what failed was undone: doubles from
/// the interval to at most an hour, or to the interval if that is longer. Each attempt disturbs what was restored, so it is long.
pub fn exhausted(failures: u32, interval: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let interval = interval.max(FIRST);
    interval
        .saturating_mul(1 << doublings)
        .min(LONGEST_WHEN_EXHAUSTED.max(interval))
}

/// The wait before the `attempt`-th further attempt (1 is the first) after a conflict that `Retry` decides: begins with
/// `spec.ownership.retry.interval` and doubles, up to 5 min or to the interval if that is longer.
pub fn conflict_wait(attempt: u32, interval: Duration) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    interval.saturating_mul(1 << doublings).min(LONGEST.max(interval))
}

/// By how many percent an interval is spread either way, unless something else is said.
pub const JITTER: u8 = 5;

/// `interval` spread by up to so many percent either way, so that releases made together do not stay in step. `random` is in `0..1`.
pub fn jittered(interval: Duration, percent: u8, random: f64) -> Duration {
    let spread = f64::from(percent.min(100)) / 100.0;
    let seconds = interval.as_secs_f64() * (1.0 + spread * (2.0 * random.clamp(0.0, 1.0) - 1.0));
    // What is no time at all, from a number that is none or an interval near the end of time, is not spread.
    Duration::try_from_secs_f64(seconds).unwrap_or(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_bounds() {
        let hour = Duration::from_hours(1);
        let waits: Vec<u64> = (0..9).map(|failures| backoff(failures, hour).as_secs()).collect();
        assert_eq!(waits, [5, 5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(backoff(u32::MAX, hour), LONGEST);
        assert_eq!(backoff(9, Duration::from_mins(1)).as_secs(), 60);
        assert_eq!(backoff(9, Duration::from_secs(1)), FIRST);
    }

    #[test]
    fn conflicts_are_retried_at_the_interval_that_the_spec_says() {
        let waits = |interval| -> Vec<u64> {
            let interval = Duration::from_secs(interval);
            (1..5)
                .map(|attempt| conflict_wait(attempt, interval).as_secs())
                .collect()
        };
        assert_eq!(waits(10), [10, 20, 40, 80]);
        assert_eq!(waits(100), [100, 200, 300, 300]);
        assert_eq!(waits(3600), [3600, 3600, 3600, 3600]);
    }

    #[test]
    fn what_was_undone_for_good_is_attempted_again_seldom() {
        let waits = |interval| -> Vec<u64> {
            let interval = Duration::from_mins(interval);
            (1..6)
                .map(|failures| exhausted(failures, interval).as_secs() / 60)
                .collect()
        };
        assert_eq!(waits(10), [10, 20, 40, 60, 60]);
        assert_eq!(waits(600), [600, 600, 600, 600, 600]);
        assert_eq!(exhausted(u32::MAX, Duration::ZERO), Duration::from_hours(1));
    }

    #[test]
    fn jitter_stays_within_five_percent() {
        let interval = Duration::from_secs(100);
        assert_eq!(jittered(interval, 5, 0.0).as_secs(), 95);
        assert_eq!(jittered(interval, 0, 0.9), interval);
        assert_eq!(jittered(interval, 100, 1.0).as_secs(), 200);
        assert_eq!(jittered(interval, 5, 1.0).as_millis(), 105_000);
        assert_eq!(jittered(interval, 5, f64::NAN), interval);
        assert_eq!(jittered(Duration::MAX, 5, 1.0), Duration::MAX);
    }
}
