//! Which workday a punch counts for: R20–R28.

use crate::evidence::{Evidence, Facing, KeptPunch};
use crate::plan::{Kind, Plan};
use crate::policy::{Policy, TieBreak};
use crate::time::{Day, SiteZone, Span, minutes};

/// What was found for one workday.
#[derive(Debug, Default)]
pub(crate) struct Own<'a> {
    pub punches: Vec<KeptPunch<'a>>,
    pub roll_calls: Vec<KeptPunch<'a>>,
    /// In no window, but in the workday's `day_start` day (R26).
    pub off_shift: Vec<KeptPunch<'a>>,
}

/// The plans around a judged day, at most two days before and after it: those of employed dates only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbourhood<'p, 'a> {
    pub plans: &'p [Plan<'a>],
    pub zone: &'p SiteZone,
    /// The general one: `day_start` and `tie_break` act before a shift is known.
    pub policy: &'p Policy,
}

/// Two shifts whose windows overlap (R22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overlap {
    pub earlier: usize,
    pub later: usize,
    pub span: Span,
    /// R23.
    pub cut: i64,
}

impl<'p, 'a> Neighbourhood<'p, 'a> {
    /// The part of the evidence that the neighbourhood looks at: the same whether one day is judged or a month.
    pub(crate) fn reach(&self, day: Day) -> Span {
        Span::new(
            self.zone.instant(day.plus(-2).wall(0)),
            self.zone.instant(day.plus(3).wall(0)),
        )
    }

    /// Step 4 of the algorithm, as far as `day` is concerned.
    pub(crate) fn own(&self, day: Day, evidence: &Evidence<'a>) -> Own<'a> {
        let mut own = Own::default();
        let reach = self.reach(day);
        let kept = evidence.kept_within(reach);
        let mut held = [0_usize; 5];
        for (place, punch) in kept.iter().enumerate() {
            let owner = self.owner(punch.at, punch.facing, |overlap| {
                self.closes_open_session(overlap, place, kept, held[overlap.earlier])
            });
            match owner {
                Some(plan) => {
                    held[plan] += 1;
                    if self.plans[plan].day == day {
                        own.punches.push(*punch);
                    }
                }
                None if self.listed_under(punch.at) == day => own.off_shift.push(*punch),
                None => {}
            }
        }
        for call in evidence.calls_within(reach) {
            match self.owner(call.at, call.facing, |_| false) {
                Some(plan) if self.plans[plan].day == day => own.roll_calls.push(*call),
                None if self.listed_under(call.at) == day => own.off_shift.push(*call),
                _ => {}
            }
        }
        own
    }

    /// The workday under which a punch that counts for nothing is listed: the one it would have counted for.
    pub(crate) fn home(&self, instant: i64) -> Day {
        match self.owner(instant, Facing::Either, |_| false) {
            Some(plan) => self.plans[plan].day,
            None => self.listed_under(instant),
        }
    }

    /// Whether some plan's window or day holds the instant.
    pub(crate) fn has_owner(&self, instant: i64) -> bool {
        self.owner(instant, Facing::Either, |_| false).is_some()
    }

    /// R26.
    fn listed_under(&self, instant: i64) -> Day {
        self.zone.day_containing(instant, self.policy.day_start)
    }

    /// R21–R25. `stays` decides R24 for an undirected punch after the cut.
    fn owner(
        &self,
        instant: i64,
        facing: Facing,
        stays: impl FnOnce(Overlap) -> bool,
    ) -> Option<usize> {
        let mut latest: Option<usize> = None;
        let mut before: Option<usize> = None;
        for (index, plan) in self.plans.iter().enumerate() {
            if plan.kind != Kind::Shift || !plan.window.contains(instant) {
                continue;
            }
            if latest.is_some_and(|other| self.plans[other].start() > plan.start()) {
                before = before
                    .filter(|other| self.plans[*other].start() > plan.start())
                    .or(Some(index));
            } else {
                before = latest.replace(index);
            }
        }
        let Some(later) = latest else {
            let owns = |plan: &Plan<'_>| plan.kind != Kind::Shift && plan.window.contains(instant);
            return self.plans.iter().rposition(owns); // R25: the later one wins
        };
        let Some(overlap) = before.and_then(|earlier| self.overlap(earlier, later)) else {
            return Some(later);
        };
        let is_earlier = match facing {
            Facing::Entering => false,
            Facing::Leaving => true,
            Facing::Either => instant < overlap.cut || stays(overlap),
        };
        Some(if is_earlier {
            overlap.earlier
        } else {
            overlap.later
        })
    }

    /// R22, R23.
    fn overlap(&self, earlier: usize, later: usize) -> Option<Overlap> {
        let (a, b) = (&self.plans[earlier], &self.plans[later]);
        let span = a.window.meet(b.window)?;
        let halfway = Span::new(a.end()?, b.start()?).middle();
        Some(Overlap {
            earlier,
            later,
            span,
            cut: halfway.clamp(span.from, span.to),
        })
    }

    /// R24.
    fn closes_open_session(
        &self,
        overlap: Overlap,
        place: usize,
        kept: &[KeptPunch<'_>],
        held: usize,
    ) -> bool {
        if self.policy.tie_break == TieBreak::Cut || held.is_multiple_of(2) {
            return false;
        }
        let (a, b) = (&self.plans[overlap.earlier], &self.plans[overlap.later]);
        let (Some(a_end), Some(b_start)) = (a.end(), b.start()) else {
            return false;
        };
        if a_end > b_start {
            return true;
        }
        let arrival_by = b_start + minutes(b.policy.grace_in_min);
        let in_question =
            |punch: &&KeptPunch<'_>| overlap.span.contains(punch.at) && punch.at <= arrival_by;
        in_question(&&kept[place]) && kept.iter().filter(in_question).take(2).count() == 2
    }

    /// The window of a shift after clipping, for the why panel.
    pub(crate) fn clipped(&self, day: Day) -> Option<Span> {
        let index = self.plans.iter().position(|plan| plan.day == day)?;
        let mut span = self.plans[index].window;
        if self.plans[index].kind != Kind::Shift {
            return Some(span);
        }
        for (other, plan) in self.plans.iter().enumerate() {
            if other == index || plan.kind != Kind::Shift {
                continue;
            }
            if plan.start() < self.plans[index].start() {
                let cut = self.overlap(other, index).map(|overlap| overlap.cut);
                span.from = span.from.max(cut.unwrap_or(span.from));
            } else {
                let cut = self.overlap(index, other).map(|overlap| overlap.cut);
                span.to = span.to.min(cut.unwrap_or(span.to));
            }
        }
        Some(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{day, punches, segments, text, zone};

    /// `shifts` are `day segments` (`off` for an off day); the answer is what day 3 gets, what is off-shift after `|`.
    #[track_caller]
    fn check_with(policy: &Policy, shifts: &[(i8, &str)], list: &str, expected: &str) {
        let plans: Vec<Plan<'_>> = shifts
            .iter()
            .map(|(of_march, list)| segments(*of_march, list, policy))
            .collect();
        let evidence = Evidence {
            kept: punches(list),
            ..Evidence::default()
        };
        let near = Neighbourhood {
            plans: &plans,
            zone: &zone(),
            policy,
        };
        let own = near.own(day(3), &evidence);
        let texts = |punches: &[KeptPunch<'_>]| {
            let texts: Vec<String> = punches.iter().map(|punch| text(punch.at)).collect();
            texts.join(", ")
        };
        let found = format!("{} | {}", texts(&own.punches), texts(&own.off_shift));
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check(shifts: &[(i8, &str)], list: &str, expected: &str) {
        check_with(&Policy::default(), shifts, list, expected);
    }

    #[test]
    fn windows_are_half_open() {
        let shift = [(3, "09:00-18:00")];
        check(&shift, "03 06:59:59, 03 07:00", "03 07:00 | 03 06:59:59");
        check(&shift, "03 21:59:59, 03 22:00", "03 21:59:59 | 03 22:00");
        check(&shift, "04 03:59:59, 04 04:00", " | 04 03:59:59"); // listed until the next day starts
    }

    #[test]
    fn days_without_a_shift_own_their_civil_day() {
        let night_before = [(2, "22:00-06:00"), (3, "off")];
        check(
            &night_before,
            "03 09:59, 03 10:00, 04 03:59, 04 04:00",
            "03 10:00, 04 03:59 | ",
        );
    }

    /// 18:00–02:00, then 04:00–12:00: windows overlap from 02:00 to 06:00, the cut is 03:00.
    const CLOSE: [(i8, &str); 2] = [(2, "18:00-02:00"), (3, "04:00-12:00")];

    #[test]
    fn the_cut_is_halfway_between_two_shifts() {
        check(&CLOSE, "02 18:00, 03 02:00, 03 02:59:59", " | ");
        check(&CLOSE, "02 18:00, 03 02:00, 03 03:00", "03 03:00 | ");
        check(&CLOSE, "i03 02:30, o03 03:30", "03 02:30 | "); // trusted punches ignore the cut
    }

    #[test]
    fn an_open_session_is_closed_after_the_cut() {
        check(&CLOSE, "02 18:00, 03 03:10, 03 03:50", "03 03:50 | ");
        check(&CLOSE, "02 18:00, 03 03:10, 03 04:10", "03 04:10 | "); // at the end of the grace
        check(
            &CLOSE,
            "02 18:00, 03 03:10, 03 04:11",
            "03 03:10, 03 04:11 | ",
        ); // only one before it
        check(
            &CLOSE,
            "02 18:00, 02 23:00, 03 03:10, 03 03:50",
            "03 03:10, 03 03:50 | ",
        ); // nothing open
        check(&CLOSE, "02 18:00, i03 02:10, 03 03:50", "03 02:10 | "); // an entry and the exit after it
        let cut = Policy {
            tie_break: TieBreak::Cut,
            ..Policy::default()
        };
        check_with(
            &cut,
            &CLOSE,
            "02 18:00, 03 03:10, 03 03:50",
            "03 03:10, 03 03:50 | ",
        );
    }

    #[test]
    fn a_shift_that_ends_after_the_next_begins_keeps_its_exit() {
        let overlapping = [(2, "18:00-05:00"), (3, "04:00-12:00")]; // cut at 04:30
        check(&overlapping, "02 18:00, 03 05:05, 03 12:00", "03 12:00 | ");
        check(&overlapping, "03 05:05, 03 12:00", "03 05:05, 03 12:00 | ");
    }

    #[test]
    fn of_three_windows_the_two_latest_compete() {
        let dense = [(2, "30:00-47:30"), (3, "18:00-23:00"), (4, "04:00-12:00")];
        check(&dense, "o04 02:50", "04 02:50 | ");
    }

    #[test]
    fn the_cut_is_moved_into_the_overlap() {
        let policy = Policy {
            window_before_min: 30,
            ..Policy::default()
        };
        // The overlap begins at 05:30, half-way would be 04:00.
        let shifts = [(2, "18:00-02:00"), (3, "06:00-12:00")];
        check_with(
            &policy,
            &shifts,
            "02 18:00, 03 05:29, 03 05:30",
            "03 05:30 | ",
        );
    }
}
