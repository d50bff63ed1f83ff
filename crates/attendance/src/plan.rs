//! The plan of a workday, placed into instants: R10–R18, and the window around it (R20, R25).
//!
//! Leave, duty and holidays take from a plan later (`off_days`); the plan beneath keeps its window (R28).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use crate::inputs::{Inputs, PlannedShift};
use crate::policy::Policy;
use crate::roster::{Duty, PlanOrigin, duty, is_holiday};
use crate::shift::{Break, HourMinute, SegmentSpec};
use crate::time::{Day, SiteZone, Span, minutes, unite};

type Shifts = BTreeMap<Arc<str>, PlannedShift>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Shift,
    /// R17.
    Flexible,
    Off,
    /// An automatic day without a choice (R103).
    Undecided,
}

/// R15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlacedBreak {
    Fixed { span: Span, paid: bool },
    Auto { after: i64, length: i64 },
    Punched { span: Span, length: i64 },
}

/// How an automatic day got its shift (R101).
#[derive(Clone, Debug)]
pub(crate) struct Choice<'a> {
    pub punch: &'a str,
    /// Seconds from the punch to the start of each candidate in reach.
    pub distances: Vec<(&'a str, i64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    pub day: Day,
    pub date: Date,
    pub kind: Kind,
    pub origin: PlanOrigin,
    pub holiday: bool,
    /// Of an undecided day the candidates.
    pub names: &'a [Arc<str>],
    pub choice: Option<Choice<'a>>,
    pub policy: &'a Policy,
    /// In order; empty unless the plan is a shift.
    pub segments: Vec<Span>,
    pub breaks: Vec<PlacedBreak>,
    pub punch_each_segment: bool,
    /// R17, R67.
    pub core: Option<Span>,
    /// Seconds required of a flexible day.
    pub required: i64,
    /// R20: of a shift. R25: what any other day owns as far as no shift's window takes it.
    pub window: Span,
    /// Opening and closing as far as time and coverage are concerned: those of `window`, but of an undecided day the
    /// earliest and the latest of its candidates (R70, R103).
    pub judged: Span,
    /// The latest instant at which nobody is due yet (R72).
    pub due: i64,
}

/// Places plans of one person.
pub(crate) struct Planner<'j, 'a> {
    pub zone: &'j SiteZone,
    pub inputs: &'a Inputs,
    pub policy: &'a Policy,
}

impl<'a> Planner<'_, 'a> {
    /// R10. The day must be an employed one; `date` is its date.
    pub(crate) fn plan(&self, day: Day, date: Date) -> Plan<'a> {
        let (duty, origin) = duty(&self.inputs.roster, date, day);
        let mut plan = match duty {
            Duty::Off => self.off(day),
            Duty::Shifts(names) => self.shifts(day, names),
            Duty::Auto(names) => self.undecided(day, names),
        };
        plan.date = date;
        plan.origin = origin;
        plan.holiday = is_holiday(self.inputs, date);
        plan
    }

    fn find(&self, name: &str) -> Option<&'a PlannedShift> {
        let shifts: &'a Shifts = &self.inputs.shifts;
        shifts.get(name)
    }

    /// A day that owns `day_start` … `day_start` of the next date.
    fn off(&self, day: Day) -> Plan<'a> {
        let window = self.civil_day(day, self.policy.day_start);
        Plan {
            window,
            judged: window,
            due: window.to,
            ..self.blank(day)
        }
    }

    /// A day of which only the place is known.
    fn blank(&self, day: Day) -> Plan<'a> {
        let nothing = Span::new(0, 0);
        Plan {
            day,
            date: Date::ZERO,
            kind: Kind::Off,
            origin: PlanOrigin::Nothing,
            holiday: false,
            names: &[],
            choice: None,
            policy: self.policy,
            segments: Vec::new(),
            breaks: Vec::new(),
            punch_each_segment: true,
            core: None,
            required: 0,
            window: nothing,
            judged: nothing,
            due: 0,
        }
    }

    fn civil_day(&self, day: Day, start: HourMinute) -> Span {
        Span::new(
            self.zone.place(day, start),
            self.zone.place(day.plus(1), start),
        )
    }

    /// R13, R17: a flexible shift is alone on its day.
    pub(crate) fn shifts(&self, day: Day, names: &'a [Arc<str>]) -> Plan<'a> {
        let Some(first) = names.first().and_then(|name| self.find(name)) else {
            return self.off(day);
        };
        if first.shift.flexible {
            return self.flexible(day, &names[..1], first);
        }
        let mut plan = Plan {
            kind: Kind::Shift,
            names,
            policy: &first.policy,
            punch_each_segment: first.shift.punch_each_segment.unwrap_or(true),
            ..self.blank(day)
        };
        let found = names.iter().filter_map(|name| self.find(name));
        for shift in found.filter(|planned| !planned.shift.flexible) {
            self.place(day, shift, &mut plan);
        }
        if names.len() > 1 {
            unite(&mut plan.segments);
        }
        let (Some(start), Some(end)) = (plan.start(), plan.end()) else {
            return self.off(day);
        };
        plan.window = Span::new(
            start - minutes(plan.policy.window_before_min),
            end + minutes(plan.policy.window_after_min),
        );
        plan.judged = plan.window;
        plan.due = start + minutes(plan.policy.grace_in_min);
        plan
    }

    /// R12: each time is the first one not before the preceding one. R15.
    fn place(&self, day: Day, planned: &PlannedShift, plan: &mut Plan<'a>) {
        let at = |minutes: i64| self.zone.instant(day.wall(minutes));
        let mut last = None;
        plan.segments.reserve_exact(planned.shift.segments.len());
        for segment in &planned.shift.segments {
            let start = not_before(segment.start, last.unwrap_or(0));
            let end = later_than(segment.end, start);
            plan.segments.push(Span::new(at(start), at(end)));
            last = Some(end);
        }
        let first = planned.shift.segments.first();
        let first = first.map_or(0, |segment| i64::from(segment.start.minutes()));
        let placed = |start: HourMinute, end: HourMinute| {
            let start = not_before(start, first);
            Span::new(at(start), at(not_before(end, start)))
        };
        plan.breaks.reserve_exact(planned.shift.breaks.len());
        for spec in &planned.shift.breaks {
            plan.breaks.push(match *spec {
                Break::Fixed { start, end, paid } => {
                    let span = placed(start, end);
                    PlacedBreak::Fixed { span, paid }
                }
                Break::Punched {
                    start,
                    end,
                    minutes: length,
                } => {
                    let (span, length) = (placed(start, end), minutes(length));
                    PlacedBreak::Punched { span, length }
                }
                Break::Auto {
                    after_min,
                    minutes: length,
                } => PlacedBreak::Auto {
                    after: minutes(after_min),
                    length: minutes(length),
                },
            });
        }
    }

    /// R17.
    fn flexible(&self, day: Day, names: &'a [Arc<str>], planned: &'a PlannedShift) -> Plan<'a> {
        let shift = &planned.shift;
        let start = shift.day_start.unwrap_or(self.policy.day_start);
        let mut plan = Plan {
            kind: Kind::Flexible,
            names,
            policy: &planned.policy,
            required: minutes(shift.required_min.unwrap_or(0)),
            ..self.blank(day)
        };
        self.place(day, planned, &mut plan);
        plan.segments.clear();
        plan.window = self.civil_day(day, start);
        plan.judged = plan.window;
        plan.core = shift.core.map(|core| self.core(day, core, start));
        plan.due = match plan.core {
            Some(core) => core.from + minutes(plan.policy.grace_in_min),
            None => plan.window.to,
        };
        plan
    }

    /// A core before the day begins is on the next date.
    fn core(&self, day: Day, core: SegmentSpec, day_start: HourMinute) -> Span {
        let start = not_before(core.start, i64::from(day_start.minutes()));
        let end = later_than(core.end, start);
        let at = |minutes: i64| self.zone.instant(day.wall(minutes));
        Span::new(at(start), at(end))
    }

    /// R103: the earliest opening, the latest closing, the latest start.
    fn undecided(&self, day: Day, names: &'a [Arc<str>]) -> Plan<'a> {
        let candidates = || names.iter().filter_map(|name| self.candidate(day, name));
        let judged = candidates()
            .map(|plan| plan.window)
            .reduce(|all, one| Span::new(all.from.min(one.from), all.to.max(one.to)));
        let Some(judged) = judged else {
            return self.off(day);
        };
        let latest = candidates().max_by_key(|plan| plan.start());
        Plan {
            kind: Kind::Undecided,
            names,
            judged,
            due: latest.map_or(judged.to, |plan| plan.due),
            ..self.off(day)
        }
    }

    /// A shift as a candidate of an automatic day; flexible ones cannot be.
    pub(crate) fn candidate(&self, day: Day, name: &'a Arc<str>) -> Option<Plan<'a>> {
        let plan = self.shifts(day, std::slice::from_ref(name));
        (plan.kind == Kind::Shift).then_some(plan)
    }
}

impl Plan<'_> {
    /// The planned start of a shift, before leave takes of it.
    pub(crate) fn start(&self) -> Option<i64> {
        self.segments.first().map(|segment| segment.from)
    }

    pub(crate) fn end(&self) -> Option<i64> {
        self.segments.last().map(|segment| segment.to)
    }
}

/// The first time of that name not before `earliest`, in minutes from the workday's midnight.
fn not_before(time: HourMinute, earliest: i64) -> i64 {
    let time = i64::from(time.minutes());
    let days = (earliest - time + 1439).div_euclid(1440).max(0);
    time + days * 1440
}

/// As [`not_before`], but an end equal to its start is 24 hours later.
fn later_than(time: HourMinute, start: i64) -> i64 {
    not_before(time, start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{plan, text};

    #[test]
    fn times_follow_one_another() {
        #[track_caller]
        fn check(time: &str, earliest: i64, expected: i64) {
            assert_eq!(not_before(time.parse().unwrap(), earliest), expected);
        }
        check("22:00", 0, 1320);
        check("06:00", 1320, 1800);
        check("06:00", 360, 360);
        check("30:00", 1320, 1800);
        check("06:00", 1801, 3240);
        assert_eq!(later_than("08:00".parse().unwrap(), 480), 1920);
    }

    /// Segments, breaks in brackets and the window of a shift on the 2nd.
    #[track_caller]
    fn check(shift: &str, expected: &str) {
        let plan = plan(2, shift, &Policy::default());
        let span = |span: &Span| format!("{}-{}", text(span.from), text(span.to));
        let segments: Vec<String> = plan.segments.iter().map(span).collect();
        let breaks = plan.breaks.iter().filter_map(|rest| match rest {
            PlacedBreak::Fixed { span, .. } | PlacedBreak::Punched { span, .. } => Some(span),
            PlacedBreak::Auto { .. } => None,
        });
        let breaks: Vec<String> = breaks.map(span).collect();
        let core: Vec<String> = plan.core.iter().map(span).collect();
        let found = format!(
            "{} [{}] {} due {}",
            [segments, core].concat().join(", "),
            breaks.join(", "),
            span(&plan.window),
            text(plan.due),
        );
        assert_eq!(found, expected);
    }

    #[test]
    fn shifts_are_placed_on_their_date() {
        check(
            "segments = [{ start = '22:00', end = '06:00' }]\nbreaks = [{ kind = 'fixed', start = '01:30', end = '02:00' }]",
            "02 22:00-03 06:00 [03 01:30-03 02:00] 02 20:00-03 10:00 due 02 22:10",
        );
        check(
            "segments = [{ start = '20:00', end = '23:00' }, { start = '01:00', end = '05:00' }]",
            "02 20:00-02 23:00, 03 01:00-03 05:00 [] 02 18:00-03 09:00 due 02 20:10",
        );
        check(
            "segments = [{ start = '08:00', end = '08:00' }]\nbreaks = [{ kind = 'punched', start = '23:30', end = '00:30', minutes = 30 }]",
            "02 08:00-03 08:00 [02 23:30-03 00:30] 02 06:00-03 12:00 due 02 08:10",
        );
        check(
            "segments = [{ start = '24:30', end = '30:00' }]",
            "03 00:30-03 06:00 [] 02 22:30-03 10:00 due 03 00:40",
        );
    }

    #[test]
    fn flexible_days_run_for_one_civil_day() {
        check(
            "flexible = true\nrequired_min = 480\ncore = { start = '10:00', end = '15:00' }\nday_start = '06:00'",
            "02 10:00-02 15:00 [] 02 06:00-03 06:00 due 02 10:10",
        );
        check(
            "flexible = true\nrequired_min = 480\ncore = { start = '23:00', end = '02:00' }",
            "02 23:00-03 02:00 [] 02 04:00-03 04:00 due 02 23:10",
        );
        check(
            "flexible = true\nrequired_min = 480",
            " [] 02 04:00-03 04:00 due 03 04:00",
        );
    }
}
