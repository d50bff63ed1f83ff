//! What remains of a plan after holidays, weekly offs, leave and duty elsewhere: R90–R98, and its planned time (R16).

use std::borrow::Cow;

use crate::inputs::{Absence, DayPart, Inputs};
use crate::plan::{Kind, PlacedBreak, Plan};
use crate::time::{Span, cut_out, minutes, total, total_within, unite};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DayKind {
    Holiday,
    WeeklyOff,
    /// Full leave.
    Leave,
    /// Full on duty.
    OnDuty,
    Working,
}

/// Why a half is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Away {
    Leave,
    OnDuty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    First,
    Second,
}

#[derive(Debug)]
pub(crate) struct Remains<'p> {
    pub day: DayKind,
    /// Beneath leave or duty: the day itself is off (R86, R97).
    pub is_off: bool,
    pub away: Option<(Away, Half)>,
    /// The leave contradicts a duty of the same day (R92).
    pub leave_conflict: bool,
    /// What is judged, in order; empty for off days, full leave, full duty and flexible shifts.
    pub segments: Cow<'p, [Span]>,
    /// The half spent away: for R96.
    pub away_segments: Vec<Span>,
    pub core: Option<Span>,
    /// Planned net seconds (R16).
    pub planned: i64,
    /// Net seconds of a half on duty, for those who were seen (R98).
    pub duty_credit: i64,
    /// R72 for the part that is judged.
    pub due: i64,
}

impl Remains<'_> {
    /// `leave_part` of the report.
    pub(crate) fn part_name(&self) -> &'static str {
        match self.away {
            None => "",
            Some((Away::Leave, Half::First)) => "first_half",
            Some((Away::Leave, Half::Second)) => "second_half",
            Some((Away::OnDuty, Half::First)) => "on_duty_first_half",
            Some((Away::OnDuty, Half::Second)) => "on_duty_second_half",
        }
    }
}

/// The parts of a day that entries of one kind cover.
#[derive(Clone, Copy, Debug, Default)]
struct Covers {
    full: bool,
    first: bool,
    second: bool,
}

impl Covers {
    fn of(entries: &[Absence], plan: &Plan<'_>) -> Self {
        let mut covers = Self::default();
        for entry in entries {
            if entry.from <= plan.date && plan.date <= entry.to {
                match entry.part {
                    DayPart::Full => covers.full = true,
                    DayPart::FirstHalf => covers.first = true,
                    DayPart::SecondHalf => covers.second = true,
                }
            }
        }
        covers.full |= covers.first && covers.second;
        covers
    }
}

/// Step 5b of the algorithm.
pub(crate) fn remains<'p>(plan: &'p Plan<'_>, inputs: &Inputs) -> Remains<'p> {
    let policy = plan.policy;
    let leave = Covers::of(&inputs.leave, plan);
    let duty = Covers::of(&inputs.on_duty, plan);
    // R93: one half leave and the other on duty is full leave, unless the duty is a full one.
    let mixed = (leave.first && duty.second) || (leave.second && duty.first);
    let full_leave = leave.full || (mixed && !duty.full);
    let weekly_off = plan.kind == Kind::Off;
    let is_off = plan.holiday || weekly_off;

    let day = if is_off {
        if full_leave && policy.leave_over_off_days {
            DayKind::Leave // R95
        } else if duty.full {
            DayKind::OnDuty // R90
        } else if plan.holiday && (!weekly_off || policy.holiday_over_weekly_off) {
            DayKind::Holiday
        } else {
            DayKind::WeeklyOff
        }
    } else if full_leave {
        DayKind::Leave
    } else if duty.full {
        DayKind::OnDuty
    } else {
        DayKind::Working
    };
    let mut remains = Remains {
        day,
        is_off,
        away: None,
        leave_conflict: day == DayKind::Leave && duty.full,
        segments: Cow::Borrowed(&[]),
        away_segments: Vec::new(),
        core: None,
        planned: 0,
        duty_credit: 0,
        due: plan.due,
    };
    match day {
        DayKind::Holiday | DayKind::WeeklyOff | DayKind::Leave => {}
        DayKind::OnDuty if is_off => {} // R97
        DayKind::OnDuty => remains.planned = planned(plan),
        DayKind::Working => remains.working(plan, leave, duty),
    }
    remains
}

impl<'p> Remains<'p> {
    fn working(&mut self, plan: &'p Plan<'_>, leave: Covers, duty: Covers) {
        self.away = match (leave, duty) {
            (Covers { first: true, .. }, _) => Some((Away::Leave, Half::First)),
            (Covers { second: true, .. }, _) => Some((Away::Leave, Half::Second)),
            (_, Covers { first: true, .. }) => Some((Away::OnDuty, Half::First)),
            (_, Covers { second: true, .. }) => Some((Away::OnDuty, Half::Second)),
            _ => None,
        };
        let full = planned(plan);
        let Some((away, half)) = self.away else {
            self.segments = Cow::Borrowed(&plan.segments);
            self.core = plan.core;
            self.planned = full;
            return;
        };
        match plan.kind {
            Kind::Shift => {
                let (first, second) = halves(plan);
                let (gone, judged) = match half {
                    Half::First => (first, second),
                    Half::Second => (second, first),
                };
                self.planned = net(&judged, &plan.breaks);
                if away == Away::OnDuty {
                    self.duty_credit = net(&gone, &plan.breaks);
                }
                if let Some(start) = judged.first() {
                    self.due = start.from + minutes(plan.policy.grace_in_min);
                }
                self.segments = Cow::Owned(judged);
                self.away_segments = gone;
            }
            // R67, R94: the core is not judged.
            Kind::Flexible => {
                self.planned = full / 2;
                if away == Away::OnDuty {
                    self.duty_credit = full - self.planned;
                }
                self.due = plan.window.to;
            }
            Kind::Off | Kind::Undecided => {}
        }
    }
}

/// R16 for the whole plan.
fn planned(plan: &Plan<'_>) -> i64 {
    match plan.kind {
        Kind::Shift => {
            let punched = plan.breaks.iter().map(|rest| match *rest {
                PlacedBreak::Punched { length, .. } => length,
                _ => 0,
            });
            (after_auto_breaks(&plan.segments, &plan.breaks) - punched.sum::<i64>()).max(0)
        }
        Kind::Flexible => plan.required,
        Kind::Off | Kind::Undecided => 0,
    }
}

/// R16 for a half: of a punched break what lies in the half when it is taken as early as it may be.
fn net(segments: &[Span], breaks: &[PlacedBreak]) -> i64 {
    let punched = breaks.iter().map(|rest| match *rest {
        PlacedBreak::Punched { span, length } => {
            total_within(segments, Span::new(span.from, span.from + length))
        }
        _ => 0,
    });
    (after_auto_breaks(segments, breaks) - punched.sum::<i64>()).max(0)
}

/// Segments minus unpaid fixed breaks, minus auto breaks as far as the rest exceeds their limit.
fn after_auto_breaks(segments: &[Span], breaks: &[PlacedBreak]) -> i64 {
    let mut unpaid = unpaid_fixed(breaks);
    let mut net = match (segments, unpaid.next(), unpaid.next()) {
        (_, None, _) => total(segments),
        ([only], Some(span), None) => only.len() - only.meet(span).map_or(0, Span::len),
        _ => {
            let mut rest = segments.to_vec();
            unite(&mut rest);
            unpaid_fixed(breaks).for_each(|span| cut_out(&mut rest, span));
            total(&rest)
        }
    };
    for rest in breaks {
        if let PlacedBreak::Auto { after, length } = *rest {
            net -= length.min((net - after).max(0));
        }
    }
    net
}

fn unpaid_fixed(breaks: &[PlacedBreak]) -> impl Iterator<Item = Span> {
    breaks.iter().filter_map(|rest| match *rest {
        PlacedBreak::Fixed { span, paid: false } => Some(span),
        _ => None,
    })
}

/// R93.
fn halves(plan: &Plan<'_>) -> (Vec<Span>, Vec<Span>) {
    let [only] = plan.segments[..] else {
        let (first, rest) = plan.segments.split_at(1);
        return (first.to_vec(), rest.to_vec());
    };
    let mut unpaid = unpaid_fixed(&plan.breaks);
    let (first_to, second_from) = match (unpaid.next(), unpaid.next()) {
        (Some(span), None) => (
            span.from.clamp(only.from, only.to),
            span.to.clamp(only.from, only.to),
        ),
        _ => (only.middle(), only.middle()),
    };
    (
        vec![Span::new(only.from, first_to)],
        vec![Span::new(second_from, only.to)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::testing::{plan, text};

    const DAY: &str = "segments = [{ start = '09:00', end = '18:00' }]\nbreaks = [{ kind = 'fixed', start = '13:00', end = '14:00' }]";

    /// `entries` like `leave first, duty full`; the answer is the kind of day, the half away, what is judged and planned.
    #[track_caller]
    fn check_plan(plan: &Plan<'_>, entries: &str, expected: &str) {
        let mut inputs = Inputs::default();
        for entry in entries.split(", ").filter(|entry| !entry.is_empty()) {
            let (kind, part) = entry.split_once(' ').unwrap();
            let list = match kind {
                "leave" => &mut inputs.leave,
                _ => &mut inputs.on_duty,
            };
            list.push(Absence {
                from: plan.date,
                to: plan.date,
                part: match part {
                    "full" => DayPart::Full,
                    "first" => DayPart::FirstHalf,
                    _ => DayPart::SecondHalf,
                },
            });
        }
        let found = remains(plan, &inputs);
        let segments = found.segments.iter();
        let segments: Vec<String> = segments
            .map(|span| format!("{}-{}", &text(span.from)[3..], &text(span.to)[3..]))
            .collect();
        let conflict = if found.leave_conflict { " !" } else { "" };
        let credit = match found.duty_credit {
            0 => String::new(),
            seconds => format!(" + {}", seconds / 60),
        };
        let found = format!(
            "{:?} {} [{}] {}{credit}{conflict}",
            found.day,
            found.part_name(),
            segments.join(" "),
            found.planned / 60,
        );
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check(entries: &str, expected: &str) {
        check_plan(&plan(2, DAY, &Policy::default()), entries, expected);
    }

    #[test]
    fn leave_and_duty_take_from_the_plan() {
        check("", "Working  [09:00-18:00] 480");
        check("leave full", "Leave  [] 0");
        check("leave first", "Working first_half [14:00-18:00] 240");
        check("leave second", "Working second_half [09:00-13:00] 240");
        check("duty full", "OnDuty  [] 480");
        check(
            "duty first",
            "Working on_duty_first_half [14:00-18:00] 240 + 240",
        );
    }

    #[test]
    fn halves_add_up_and_leave_comes_first() {
        check("leave first, leave second", "Leave  [] 0");
        check("leave first, duty second", "Leave  [] 0");
        check("duty first, duty second", "OnDuty  [] 480");
        check("leave full, duty full", "Leave  [] 0 !");
        check("leave first, duty full", "OnDuty  [] 480"); // full duty beats half leave
        check(
            "leave first, duty first",
            "Working first_half [14:00-18:00] 240",
        );
    }

    #[test]
    fn the_middle_is_the_break_or_the_gap_or_half_the_span() {
        #[track_caller]
        fn check_shift(shift: &str, first: &str, second: &str) {
            let plan = plan(2, shift, &Policy::default());
            check_plan(&plan, "leave second", first);
            check_plan(&plan, "leave first", second);
        }
        check_shift(
            "segments = [{ start = '09:00', end = '12:00' }, { start = '13:00', end = '15:00' }, { start = '16:00', end = '18:00' }]",
            "Working second_half [09:00-12:00] 180",
            "Working first_half [13:00-15:00 16:00-18:00] 240",
        );
        check_shift(
            "segments = [{ start = '09:00', end = '18:00' }]\nbreaks = [{ kind = 'fixed', start = '11:00', end = '11:15' }, { kind = 'fixed', start = '13:00', end = '14:00' }]",
            "Working second_half [09:00-13:30] 225",
            "Working first_half [13:30-18:00] 240",
        );
        check_shift(
            "segments = [{ start = '09:00', end = '18:00' }]\nbreaks = [{ kind = 'punched', start = '12:00', end = '15:00', minutes = 60 }]",
            "Working second_half [09:00-13:30] 210",
            "Working first_half [13:30-18:00] 270",
        );
        check_shift(
            "flexible = true\nrequired_min = 480",
            "Working second_half [] 240",
            "Working first_half [] 240",
        );
    }

    #[test]
    fn planned_time_is_net() {
        #[track_caller]
        fn check_breaks(breaks: &str, expected: &str) {
            let shift =
                format!("segments = [{{ start = '09:00', end = '18:00' }}]\nbreaks = [{breaks}]");
            check_plan(&plan(2, &shift, &Policy::default()), "", expected);
        }
        check_breaks(
            "{ kind = 'fixed', start = '13:00', end = '14:00', paid = true }",
            "Working  [09:00-18:00] 540",
        );
        check_breaks(
            "{ kind = 'fixed', start = '17:30', end = '19:00' }",
            "Working  [09:00-18:00] 510",
        );
        check_breaks(
            "{ kind = 'auto', after_min = 360, minutes = 30 }",
            "Working  [09:00-18:00] 510",
        );
        check_breaks(
            "{ kind = 'auto', after_min = 520, minutes = 30 }",
            "Working  [09:00-18:00] 520",
        );
        check_breaks(
            "{ kind = 'punched', start = '12:00', end = '15:00', minutes = 45 }",
            "Working  [09:00-18:00] 495",
        );
    }

    #[test]
    fn off_days_come_before_leave_but_not_before_duty() {
        #[track_caller]
        fn check_off(policy: &Policy, shift: &str, holiday: bool, entries: &str, expected: &str) {
            let mut plan = plan(7, shift, policy);
            plan.holiday = holiday;
            check_plan(&plan, entries, expected);
        }
        let usual = Policy::default();
        check_off(&usual, "", true, "", "Holiday  [] 0");
        check_off(&usual, DAY, true, "", "Holiday  [] 0");
        check_off(&usual, "", false, "leave full", "WeeklyOff  [] 0");
        check_off(&usual, DAY, true, "leave full", "Holiday  [] 0");
        check_off(&usual, DAY, true, "duty full", "OnDuty  [] 0");
        check_off(&usual, DAY, true, "leave first", "Holiday  [] 0");
        let policy = Policy {
            leave_over_off_days: true,
            holiday_over_weekly_off: false,
            ..usual
        };
        check_off(&policy, "", true, "", "WeeklyOff  [] 0");
        check_off(&policy, DAY, true, "", "Holiday  [] 0");
        check_off(&policy, "", false, "leave full", "Leave  [] 0");
        check_off(&policy, "", false, "leave first", "WeeklyOff  [] 0");
    }
}
