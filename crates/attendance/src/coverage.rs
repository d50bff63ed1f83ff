//! What the devices could have seen, and what may be said without a punch: R70–R78.

use crate::inputs::{Device, Relevance};
use crate::plan::Plan;
use crate::report::{Stage, Status, UnknownReason};
use crate::time::{Span, ceil_second, minutes, second_of};

/// Coverage of one workday's window by the devices that matter for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    NoDevice,
    /// Everything from the opening to this instant has been read on every relevant device.
    Until(i64),
}

impl Coverage {
    /// R77, from the opening to `instant`. No caller asks beyond `now`, so `covered_to` needs no limit.
    pub(crate) fn reaches(self, instant: i64) -> bool {
        matches!(self, Self::Until(until) if until >= instant)
    }

    /// R74.
    pub(crate) fn reason(self) -> UnknownReason {
        match self {
            Self::NoDevice => UnknownReason::NoDevice,
            Self::Until(_) => UnknownReason::NotCovered,
        }
    }
}

/// What the devices that matter for a workday have read together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch<'a> {
    pub coverage: Coverage,
    /// The device that has been read least far: before it advances, no other can change anything.
    pub furthest_behind: Option<&'a Device>,
    /// The usual age of what was read, in seconds (R73).
    pub lag: i64,
}

impl<'a> Watch<'a> {
    pub(crate) fn of(devices: &'a [Device], plan: &Plan<'_>) -> Self {
        let mut watch = Self {
            coverage: Coverage::NoDevice,
            furthest_behind: None,
            lag: minutes(plan.policy.coverage_lag_min),
        };
        for device in devices {
            let Some(until) = covered_until(device, plan.judged) else {
                continue;
            };
            watch.lag = watch.lag.max(minutes(device.lag_min));
            if !matches!(watch.coverage, Coverage::Until(least) if least <= until) {
                watch.coverage = Coverage::Until(until);
                watch.furthest_behind = Some(device);
            }
        }
        watch
    }
}

/// Up to when a device has been read without a gap since the window opened; `None` if it does not matter for this window.
/// Only the time in which it is relevant counts: a retired device owes nothing.
pub(crate) fn covered_until(device: &Device, window: Span) -> Option<i64> {
    let relevant = relevant_span(device.relevant?);
    if relevant.from >= window.to || relevant.to <= window.from {
        return None;
    }
    let from = window.from.max(relevant.from);
    let read = device.covered_to.map_or(i64::MIN, second_of);
    let until = device
        .gaps
        .iter()
        .filter(|gap| gap.to.is_none_or(|to| ceil_second(to) > from))
        .map(|gap| second_of(gap.from))
        .fold(read, i64::min);
    if until >= relevant.to {
        return Some(i64::MAX);
    }
    Some(until.max(relevant.from))
}

fn relevant_span(relevance: Relevance) -> Span {
    Span::new(
        relevance.from.map_or(i64::MIN, second_of),
        relevance.to.map_or(i64::MAX, second_of),
    )
}

/// R71.
pub(crate) fn stage(plan: &Plan<'_>, coverage: Coverage, now: i64) -> Stage {
    let closing = plan.judged.to;
    if now < closing {
        Stage::Provisional
    } else if coverage.reaches(closing) {
        Stage::Final
    } else if now < closing + minutes(plan.policy.final_fallback_min) {
        Stage::Provisional
    } else {
        Stage::FinalWithoutCoverage
    }
}

/// R72–R75: a working day without a punch. `due` is the latest instant at which nobody is due.
pub(crate) fn unseen(plan: &Plan<'_>, due: i64, coverage: Coverage, lag: i64, now: i64) -> Status {
    let closing = plan.judged.to;
    if now <= due {
        return Status::NotDue;
    }
    if now < closing {
        let needed = due.max(now - lag);
        if coverage.reaches(needed) {
            return Status::NotArrived;
        }
    } else if coverage.reaches(closing) {
        return Status::Absent;
    }
    Status::Unknown
}

/// When a `not_arrived` becomes unknown by time alone (R73).
pub(crate) fn not_arrived_until(coverage: Coverage, lag: i64) -> Option<i64> {
    match coverage {
        Coverage::NoDevice => None,
        Coverage::Until(until) => until.checked_add(lag + 1),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::inputs::{Direction, Gap};
    use crate::policy::Policy;
    use crate::testing::{at, segments};
    use crate::time::timestamp;

    const WINDOW: Span = Span { from: 100, to: 200 };

    fn device(
        covered_to: i64,
        relevant: (Option<i64>, Option<i64>),
        gaps: &[(i64, Option<i64>)],
    ) -> Device {
        Device {
            id: "gate".into(),
            zone: TimeZone::UTC,
            direction: Direction::None,
            relevant: Some(Relevance {
                from: relevant.0.map(timestamp),
                to: relevant.1.map(timestamp),
            }),
            covered_to: Some(timestamp(covered_to)),
            gaps: gaps
                .iter()
                .map(|(from, to)| Gap {
                    from: timestamp(*from),
                    to: to.map(timestamp),
                })
                .collect(),
            lag_min: 0,
        }
    }

    #[test]
    fn gaps_and_relevance_limit_what_is_covered() {
        #[track_caller]
        fn check(device: &Device, expected: Option<i64>) {
            assert_eq!(covered_until(device, WINDOW), expected);
        }
        let always = (None, None);
        check(&device(150, always, &[]), Some(150));
        check(&device(250, always, &[(120, Some(130))]), Some(120));
        check(&device(250, always, &[(50, Some(100))]), Some(250)); // over before the window opens
        check(&device(250, always, &[(50, Some(101))]), Some(50));
        check(&device(250, always, &[(210, None)]), Some(210));
        check(&device(150, (None, Some(100)), &[]), None); // retired before
        check(&device(150, (Some(200), None), &[]), None); // first read after
        check(&device(150, (None, Some(150)), &[]), Some(i64::MAX)); // read until it was retired
        check(&device(149, (None, Some(150)), &[]), Some(149));
        check(
            &device(250, (Some(120), None), &[(100, Some(110))]),
            Some(250),
        ); // a gap before the first read
    }

    #[test]
    fn all_relevant_devices_must_be_read() {
        let plan = segments(2, "09:00-18:00", &Policy::default());
        let read_to = |id: &str, covered_to: &str| Device {
            id: id.into(),
            ..device(at(covered_to), (None, None), &[])
        };
        let all = ["02 12:00", "02 11:00", "02 11:00", "02 13:00"];
        let all: Vec<_> = ["a", "b", "c", "d"]
            .iter()
            .zip(all)
            .map(|(id, covered_to)| read_to(id, covered_to))
            .collect();
        let watch = Watch::of(&all, &plan);
        assert_eq!(watch.coverage, Coverage::Until(at("02 11:00")));
        assert_eq!(watch.furthest_behind.map(|device| &*device.id), Some("b"));
        let watch = Watch::of(&[], &plan);
        assert_eq!(watch.coverage, Coverage::NoDevice);
        assert!(watch.furthest_behind.is_none());
        assert!(Coverage::Until(180).reaches(180));
        assert!(!Coverage::Until(180).reaches(181));
        assert!(!Coverage::NoDevice.reaches(0));
    }

    #[test]
    fn the_device_that_is_read_least_often_decides_the_lag() {
        let plan = segments(2, "09:00-18:00", &Policy::default());
        let read_every = |lag_min, retired| Device {
            lag_min,
            ..device(at("02 12:00"), (None, retired), &[])
        };
        let lag = |devices: &[Device]| Watch::of(devices, &plan).lag / 60;
        assert_eq!(lag(&[read_every(3, None)]), 15); // the policy's
        assert_eq!(lag(&[read_every(3, None), read_every(45, None)]), 45);
        assert_eq!(lag(&[read_every(45, Some(at("01 12:00")))]), 15); // it does not matter any more
    }

    /// Status and stage of a day without punches; the shift is 09:00–18:00, its window 07:00–22:00.
    #[track_caller]
    fn check_unseen(now: &str, covered_to: &str, expected: &str) {
        let plan = segments(2, "09:00-18:00", &Policy::default());
        let coverage = Coverage::Until(at(covered_to));
        let now = at(now);
        let status = unseen(&plan, plan.due, coverage, Watch::of(&[], &plan).lag, now);
        let stage = stage(&plan, coverage, now);
        assert_eq!(format!("{status} {stage}"), expected);
    }

    #[test]
    fn without_a_punch_time_and_coverage_decide() {
        check_unseen("02 09:10", "02 08:00", "not_due provisional");
        check_unseen("02 09:10:01", "02 09:10", "not_arrived provisional"); // covered to the due time
        check_unseen("02 09:10:01", "02 09:09:59", "unknown provisional");
        check_unseen("02 09:25", "02 09:10", "not_arrived provisional"); // not older than the usual lag
        check_unseen("02 09:25:01", "02 09:10", "unknown provisional");
        check_unseen("02 21:59:59", "02 21:59:59", "not_arrived provisional");
        check_unseen("02 22:00", "02 22:00", "absent final");
        check_unseen("02 22:00", "02 21:59:59", "unknown provisional");
        check_unseen("03 09:59:59", "02 21:59:59", "unknown provisional");
        check_unseen("03 10:00", "02 21:59:59", "unknown final_without_coverage");
        check_unseen("03 10:00", "02 22:00", "absent final"); // a later reading
    }
}
