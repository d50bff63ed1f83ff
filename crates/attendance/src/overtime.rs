//! Overtime candidates: R80–R87.

use crate::off_days::{DayKind, Remains};
use crate::plan::{Kind, Plan};
use crate::policy::{OvertimeBasis, OvertimeCountFrom, Policy, Rounding};
use crate::time::{Span, minutes, printed, total, total_within};

/// Overtime in printed minutes, after rounding (R83).
pub(crate) fn overtime_minutes(plan: &Plan<'_>, remains: &Remains<'_>, worked: &[Span]) -> u32 {
    let policy = plan.policy;
    if !policy.overtime {
        return 0;
    }
    let seconds = match remains.day {
        DayKind::Leave => 0,
        _ if remains.is_off => {
            if policy.off_day_overtime {
                total(worked) // R86
            } else {
                0
            }
        }
        DayKind::OnDuty | DayKind::Holiday | DayKind::WeeklyOff => 0,
        DayKind::Working => working_day(plan, remains.planned, worked),
    };
    round(
        printed(seconds),
        policy.overtime_round_min,
        policy.overtime_round,
    )
}

fn working_day(plan: &Plan<'_>, planned: i64, worked: &[Span]) -> i64 {
    candidates(plan, planned, worked)
        .map(|candidate| counted(candidate.found, candidate.limit, plan.policy))
        .sum()
}

/// Time of a working day that is overtime if it is more than the limit, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub name: &'static str,
    pub rule: &'static str,
    pub found: i64,
    pub limit: i64,
}

pub(crate) fn candidates(
    plan: &Plan<'_>,
    planned: i64,
    worked: &[Span],
) -> impl Iterator<Item = Candidate> + use<> {
    let policy = plan.policy;
    let limit = minutes(policy.overtime_after_min);
    let found = match (plan.kind, policy.overtime_basis) {
        (Kind::Off | Kind::Undecided, _) => [None, None],
        (Kind::Flexible, _) | (Kind::Shift, OvertimeBasis::OverPlanned) => {
            let over = Candidate {
                name: "overtime_over_planned",
                rule: "R82",
                found: total(worked) - planned,
                limit,
            };
            [Some(over), None]
        }
        (Kind::Shift, OvertimeBasis::AfterEnd) => {
            let after = plan.end().map(|end| Candidate {
                name: "overtime_after_end",
                rule: "R80",
                found: total_within(worked, Span::new(end, i64::MAX)),
                limit,
            });
            let before = policy.overtime_before_min.zip(plan.start());
            let before = before.map(|(limit, start)| Candidate {
                name: "overtime_before_start",
                rule: "R85",
                found: total_within(worked, Span::new(i64::MIN, start)),
                limit: minutes(limit),
            });
            [after, before]
        }
    };
    found.into_iter().flatten()
}

/// R80, R81: what of `seconds` counts when it exceeds the threshold.
fn counted(seconds: i64, threshold: i64, policy: &Policy) -> i64 {
    if seconds <= threshold {
        return 0;
    }
    match policy.overtime_count_from {
        OvertimeCountFrom::End => seconds,
        OvertimeCountFrom::Threshold => seconds - threshold,
    }
}

/// R83; exactly half goes up.
fn round(count: u32, unit: u32, how: Rounding) -> u32 {
    if unit == 0 {
        return count;
    }
    let lower = count - count % unit;
    let up = match how {
        Rounding::Down => false,
        Rounding::Up => lower < count,
        Rounding::Nearest => (count - lower) * 2 >= unit,
    };
    if up { lower + unit } else { lower }
}

/// R84.
pub(crate) fn levels(overtime: u32, limits: &[u32]) -> Vec<u32> {
    if limits.is_empty() {
        return Vec::new();
    }
    let mut below = 0;
    let mut levels: Vec<u32> = limits
        .iter()
        .map(|limit| {
            let part = overtime.min(*limit).saturating_sub(below);
            below = below.max(*limit);
            part
        })
        .collect();
    levels.push(overtime.saturating_sub(below));
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_rounded_to_the_unit() {
        #[track_caller]
        fn check(count: u32, unit: u32, [down, nearest, up]: [u32; 3]) {
            assert_eq!(round(count, unit, Rounding::Down), down);
            assert_eq!(round(count, unit, Rounding::Nearest), nearest);
            assert_eq!(round(count, unit, Rounding::Up), up);
        }
        check(52, 0, [52, 52, 52]);
        check(45, 15, [45, 45, 45]);
        check(52, 15, [45, 45, 60]);
        check(53, 15, [45, 60, 60]);
        check(35, 10, [30, 40, 40]); // exactly half
    }

    #[test]
    fn levels_split_at_their_limits() {
        #[track_caller]
        fn check(overtime: u32, limits: &[u32], expected: &[u32]) {
            assert_eq!(levels(overtime, limits), expected);
        }
        check(105, &[], &[]);
        check(105, &[60], &[60, 45]);
        check(300, &[120, 240], &[120, 120, 60]);
        check(90, &[120, 240], &[90, 0, 0]);
        check(0, &[120], &[0, 0]);
    }

    #[test]
    fn the_threshold_is_strict() {
        #[track_caller]
        fn check(seconds: i64, from_end: i64, from_threshold: i64) {
            let mut policy = Policy::default();
            assert_eq!(counted(seconds, 1800, &policy), from_end);
            policy.overtime_count_from = OvertimeCountFrom::Threshold;
            assert_eq!(counted(seconds, 1800, &policy), from_threshold);
        }
        check(1800, 0, 0);
        check(1801, 1801, 1);
        check(-60, 0, 0);
    }
}
