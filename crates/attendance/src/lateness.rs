//! Late, early, thresholds: R60–R65.

use crate::off_days::Remains;
use crate::policy::{EarlyCountFrom, LateCountFrom, Policy};
use crate::report::Status;
use crate::time::{Span, minutes, printed};

/// Lateness of a first in, in whole minutes; `None` within the grace. R60, R61.
pub(crate) fn late_minutes(plan: Span, first_in: i64, policy: &Policy) -> Option<u32> {
    let grace = minutes(policy.grace_in_min);
    let late = first_in - plan.from;
    (late > grace).then(|| {
        flagged(match policy.late_count_from {
            LateCountFrom::Start => late,
            LateCountFrom::Grace => late - grace,
        })
    })
}

/// Leaving before the end, in whole minutes; `None` within the grace. R62.
pub(crate) fn early_minutes(plan: Span, last_out: i64, policy: &Policy) -> Option<u32> {
    let grace = minutes(policy.grace_out_min);
    let early = plan.to - last_out;
    (early > grace).then(|| {
        flagged(match policy.early_count_from {
            EarlyCountFrom::End => early,
            EarlyCountFrom::Grace => early - grace,
        })
    })
}

/// R9: a flag never shows 0.
fn flagged(seconds: i64) -> u32 {
    printed(seconds).max(1)
}

/// The limits of R64 for one day, in seconds of worked time and in printed minutes of lateness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub absent_below: Option<i64>,
    pub half_day_below: Option<i64>,
    pub absent_if_late_over: Option<u32>,
    pub half_day_if_late_over: Option<u32>,
}

impl Thresholds {
    /// A day of which a half is spent away is no half day again (R94).
    pub(crate) fn of(policy: &Policy, remains: &Remains<'_>) -> Self {
        let planned = remains.planned;
        let below = |fixed: Option<u32>, percent: u32| match fixed {
            Some(fixed) => Some(minutes(fixed)),
            None if percent > 0 => Some(planned * i64::from(percent)).map(|hundredths| {
                // Whole seconds are compared strictly, so a fraction of a second counts as one more.
                (hundredths + 99).div_euclid(100)
            }),
            None => None,
        };
        let whole = remains.away.is_none();
        Self {
            absent_below: below(policy.absent_below_min, policy.absent_below_pct),
            half_day_below: below(policy.half_day_below_min, policy.half_day_below_pct)
                .filter(|_| whole),
            absent_if_late_over: policy.absent_if_late_over_min,
            half_day_if_late_over: policy.half_day_if_late_over_min.filter(|_| whole),
        }
    }

    /// R64; the first match wins.
    pub(crate) fn status(self, worked: i64, late_min: u32) -> Status {
        let below = |limit: Option<i64>| limit.is_some_and(|limit| worked < limit);
        let late_over = |limit: Option<u32>| limit.is_some_and(|limit| late_min > limit);
        if below(self.absent_below) || late_over(self.absent_if_late_over) {
            Status::Absent
        } else if below(self.half_day_below) || late_over(self.half_day_if_late_over) {
            Status::HalfDay
        } else {
            Status::Present
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MINUTE;

    /// A segment 09:00–18:00, in seconds of the day.
    const DAY: Span = Span {
        from: 9 * 60 * MINUTE,
        to: 18 * 60 * MINUTE,
    };

    fn second(time: &str) -> i64 {
        let time: jiff::civil::Time = time.parse().unwrap();
        i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second())
    }

    #[test]
    fn grace_is_not_late() {
        #[track_caller]
        fn check(first_in: &str, from_start: Option<u32>, from_grace: Option<u32>) {
            let mut policy = Policy::default();
            assert_eq!(late_minutes(DAY, second(first_in), &policy), from_start);
            policy.late_count_from = LateCountFrom::Grace;
            assert_eq!(late_minutes(DAY, second(first_in), &policy), from_grace);
        }
        check("08:58:00", None, None);
        check("09:10:00", None, None); // exactly the grace
        check("09:10:01", Some(10), Some(1)); // strictly more; a flag shows at least 1
        check("09:25:59", Some(25), Some(15));
    }

    #[test]
    fn grace_is_not_early() {
        #[track_caller]
        fn check(last_out: &str, from_end: Option<u32>, from_grace: Option<u32>) {
            let mut policy = Policy::default();
            assert_eq!(early_minutes(DAY, second(last_out), &policy), from_end);
            policy.early_count_from = EarlyCountFrom::Grace;
            assert_eq!(early_minutes(DAY, second(last_out), &policy), from_grace);
        }
        check("18:03:00", None, None);
        check("17:50:00", None, None);
        check("17:49:59", Some(10), Some(1));
        check("17:00:01", Some(59), Some(49));
    }

    #[test]
    fn thresholds_are_strict_and_the_first_match_wins() {
        let limits = Thresholds {
            absent_below: Some(100),
            half_day_below: Some(200),
            absent_if_late_over: Some(60),
            half_day_if_late_over: Some(30),
        };
        #[track_caller]
        fn check(limits: Thresholds, worked: i64, late_min: u32, expected: Status) {
            assert_eq!(limits.status(worked, late_min), expected);
        }
        check(limits, 99, 0, Status::Absent);
        check(limits, 100, 0, Status::HalfDay);
        check(limits, 199, 0, Status::HalfDay);
        check(limits, 200, 0, Status::Present);
        check(limits, 900, 30, Status::Present);
        check(limits, 900, 31, Status::HalfDay);
        check(limits, 900, 60, Status::HalfDay);
        check(limits, 900, 61, Status::Absent);
        check(limits, 150, 61, Status::Absent);
    }
}
