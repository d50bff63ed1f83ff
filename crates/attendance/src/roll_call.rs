//! Roll calls fill a missing side, after everything else: R35, R36.

use crate::evidence::{Facing, KeptPunch, Origin};
use crate::period::{Period, Rules, Session, session};

/// A period with its roll calls taken into account.
#[derive(Debug, Default)]
pub(crate) struct Called<'a> {
    pub session: Session<'a>,
    pub superseded: Vec<KeptPunch<'a>>,
    pub conflict: bool,
}

/// Judges a period by its punches, fills a missing side from `calls` and judges again. Both lists are in time order.
pub(crate) fn session_with_calls<'a>(
    period: Period,
    punches: &[KeptPunch<'a>],
    calls: &[KeptPunch<'a>],
    rules: Rules,
) -> Called<'a> {
    let by_device = session(period, punches, rules);
    if calls.is_empty() {
        return Called {
            session: by_device,
            ..Called::default()
        };
    }
    let facing = |facing| move |call: &&KeptPunch<'a>| call.facing == facing;
    let first_call = calls.iter().find(facing(Facing::Entering));
    let last_call = calls.iter().rfind(facing(Facing::Leaving));
    let later_in = match (by_device.first_in, first_call) {
        (Some(punch), Some(call)) => punch.at > call.at,
        _ => false,
    };
    let earlier_out = match (by_device.last_out, last_call) {
        (Some(punch), Some(call)) => punch.at < call.at,
        _ => false,
    };
    let fills = [
        first_call.filter(|_| by_device.first_in.is_none()),
        last_call.filter(|_| by_device.last_out.is_none()),
    ];
    let mut all = punches.to_vec();
    all.extend(fills.iter().flatten().copied());
    all.sort_by_key(|punch| (punch.at, punch.origin));
    let is_used = |call: &KeptPunch<'a>| fills.iter().flatten().any(|used| used.id == call.id);
    Called {
        session: session(period, &all, rules),
        superseded: calls
            .iter()
            .filter(|call| !is_used(call))
            .copied()
            .collect(),
        conflict: later_in || earlier_out,
    }
}

/// R36: lateness and early leaving are never taken from a roll call.
pub(crate) fn is_evidence_of_time(punch: &KeptPunch<'_>) -> bool {
    punch.origin != Origin::RollCall
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::PunchPolicy;
    use crate::time::Span;

    /// `calls` like `i900 o1800`; the answer is `first-last`, the superseded calls in brackets, `!` for a conflict.
    #[track_caller]
    fn check(punches: &[i64], calls: &str, expected: &str) {
        let ids: Vec<Arc<str>> = (0..20).map(|n| format!("id{n}").into()).collect();
        let mut ids = ids.iter();
        let mut punch = |at, facing, origin| KeptPunch {
            at,
            facing,
            origin,
            id: ids.next().unwrap(),
            recorded: None,
        };
        let punches: Vec<_> = punches
            .iter()
            .map(|at| punch(*at, Facing::Either, Origin::Device))
            .collect();
        let calls: Vec<_> = calls
            .split_whitespace()
            .map(|call| {
                let facing = if call.starts_with('o') {
                    Facing::Leaving
                } else {
                    Facing::Entering
                };
                punch(call[1..].parse().unwrap(), facing, Origin::RollCall)
            })
            .collect();
        let period = Period {
            plan: Some(Span::new(900, 1800)),
            end: 1800,
        };
        let rules = Rules {
            punch_policy: PunchPolicy::FirstLast,
            now: 9999,
            closing: 2200,
        };
        let called = session_with_calls(period, &punches, &calls, rules);
        let side = |punch: Option<KeptPunch<'_>>| punch.map_or(String::new(), |p| p.at.to_string());
        let (first, last) = (called.session.first_in, called.session.last_out);
        let superseded: Vec<_> = called.superseded.iter().map(|p| p.at.to_string()).collect();
        let conflict = if called.conflict { " !" } else { "" };
        let found = format!(
            "{}-{} [{}]{conflict}",
            side(first),
            side(last),
            superseded.join(" ")
        );
        assert_eq!(found, expected);
    }

    #[test]
    fn only_a_missing_side_is_filled() {
        check(&[], "i930 i1000", "930- [1000]");
        check(&[], "i930 o1700 o1730", "930-1730 [1700]");
        check(&[1800], "i940", "940-1800 []");
        check(&[856], "o1790", "856-1790 []");
        check(&[856, 1800], "i900", "856-1800 [900]");
    }

    #[test]
    fn a_device_that_contradicts_a_call_is_listed() {
        check(&[925, 1800], "i900", "925-1800 [900] !");
        check(&[900, 1700], "o1750", "900-1700 [1750] !");
        check(&[900, 1800], "i900 o1800", "900-1800 [900 1800]");
    }
}
