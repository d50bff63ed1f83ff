//! The automatic choice of a shift: R100–R104.

use crate::evidence::{Facing, KeptPunch};
use crate::plan::{Choice, Kind, Plan, Planner};
use crate::time::minutes;

/// Decides the undecided plans in order of date; the chain begins with the first plan given. Step 3 of the algorithm.
pub(crate) fn decide<'a>(
    planner: &Planner<'_, 'a>,
    plans: &mut [Plan<'a>],
    kept: &[KeptPunch<'a>],
) {
    let rostered: Vec<_> = plans
        .iter()
        .filter(|plan| plan.kind == Kind::Shift)
        .map(|plan| plan.window)
        .collect();
    // R102: not in the window of a fixed rostered shift.
    let mut free: Vec<KeptPunch<'a>> = kept
        .iter()
        .filter(|punch| !rostered.iter().any(|window| window.contains(punch.at)))
        .copied()
        .collect();
    for plan in plans.iter_mut().filter(|plan| plan.kind == Kind::Undecided) {
        if let Some(chosen) = choose(planner, plan, &free) {
            take(&chosen, &mut free);
            *plan = chosen;
        }
    }
}

/// R101.
fn choose<'a>(
    planner: &Planner<'_, 'a>,
    undecided: &Plan<'a>,
    free: &[KeptPunch<'a>],
) -> Option<Plan<'a>> {
    let reach = minutes(planner.policy.auto_shift_max_min);
    let candidates: Vec<Plan<'a>> = undecided
        .names
        .iter()
        .filter_map(|name| planner.candidate(undecided.day, name))
        .collect();
    for punch in free.iter().filter(|punch| punch.facing != Facing::Leaving) {
        let distance = |plan: &Plan<'_>| {
            let away = (punch.at - plan.start()?).abs();
            (away <= reach && plan.window.contains(punch.at)).then_some(away)
        };
        // Of equals the earlier start, then the first in the list.
        let nearest = candidates
            .iter()
            .filter_map(|plan| Some((distance(plan)?, plan.start(), plan)))
            .min_by_key(|(away, start, _)| (*away, *start));
        let Some((_, _, chosen)) = nearest else {
            continue;
        };
        let distances = candidates
            .iter()
            .filter_map(|plan| Some((&**plan.names.first()?, distance(plan)?)))
            .collect();
        return Some(Plan {
            date: undecided.date,
            origin: undecided.origin,
            holiday: undecided.holiday,
            choice: Some(Choice {
                punch: punch.id,
                distances,
            }),
            ..chosen.clone()
        });
    }
    None
}

/// R102: what the chosen shift takes from the days after it.
fn take(chosen: &Plan<'_>, free: &mut Vec<KeptPunch<'_>>) {
    let Some(end) = chosen.end() else {
        return;
    };
    let mut taken = 0_usize;
    free.retain(|punch| {
        let takes = chosen.window.contains(punch.at) && (punch.at <= end || taken % 2 == 1);
        taken += usize::from(takes);
        !takes
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::inputs::{Inputs, PlannedShift, Roster, RosterOverride, RosterValue};
    use crate::policy::Policy;
    use crate::testing::{day, punches, zone};

    /// The shifts of the 2nd to the 4th: candidates in order, `=` before a shift that the roster fixes.
    #[track_caller]
    fn check(days: [&str; 3], list: &str, expected: &str) {
        let times = [
            ("E", "06:00-14:00"),
            ("D", "08:00-16:00"),
            ("L", "14:00-22:00"),
            ("N", "22:00-06:00"),
        ];
        let shifts = times.map(|(name, segment)| {
            let (start, end) = segment.split_once('-').unwrap();
            let text = format!("segments = [{{ start = '{start}', end = '{end}' }}]");
            let planned = PlannedShift {
                name: name.into(),
                shift: toml::from_str(&text).unwrap(),
                policy: Arc::new(Policy::default()),
            };
            (Arc::from(name), planned)
        });
        let value = |names: &str| match names.strip_prefix('=') {
            Some(name) => RosterValue::Shifts(vec![name.into()]),
            None => RosterValue::Auto(names.split(' ').map(Arc::from).collect()),
        };
        let overrides = (2..).zip(days).map(|(of_march, names)| {
            let value = value(names);
            (
                day(of_march).date(),
                RosterOverride {
                    value,
                    on_holiday: false,
                },
            )
        });
        let inputs = Inputs {
            shifts: Arc::new(BTreeMap::from(shifts)),
            roster: Roster {
                overrides: overrides.collect(),
                ..Roster::default()
            },
            ..Inputs::default()
        };
        let (zone, policy) = (zone(), Policy::default());
        let planner = Planner {
            zone: &zone,
            inputs: &inputs,
            policy: &policy,
        };
        let mut plans: Vec<Plan<'_>> = (2..5)
            .map(|of_march| planner.plan(day(of_march), day(of_march).date()))
            .collect();
        let punches = punches(list);
        decide(&planner, &mut plans, &punches);
        let chosen = plans.iter().map(|plan| match plan.kind {
            Kind::Shift => plan.names.join("+"),
            _ => "-".to_owned(),
        });
        assert_eq!(chosen.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn the_first_punch_in_reach_chooses_the_nearest_start() {
        check(["E D L", "E", "E"], "02 07:50, 02 14:05", "D - -");
        check(["E D L", "E", "E"], "02 07:00", "E - -"); // a tie goes to the earlier start
        check(["L", "E", "E"], "02 07:50, 02 14:05", "L - -"); // the first one is out of reach
        check(["L", "E", "E"], "02 07:50", "- - -");
        check(["E L", "E", "E"], "o02 06:05, 02 13:50", "L - -"); // an exit chooses nothing
    }

    #[test]
    fn what_an_earlier_day_took_is_not_free() {
        check(["E N", "E N", "E"], "02 21:50, 03 06:05, 03 21:52", "N N -");
        check(["E N", "E N", "E"], "02 21:50, 03 02:00, 03 06:05", "N E -"); // the night is closed already
        check(["=N", "E N", "E"], "02 21:50, 03 06:05", "N - -"); // nor what a fixed shift owns
    }
}
