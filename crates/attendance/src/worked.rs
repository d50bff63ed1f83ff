//! Worked time as a set of real intervals: R50–R58.

use crate::evidence::KeptPunch;
use crate::off_days::{DayKind, Remains};
use crate::period::{Period, Session};
use crate::plan::{Kind, PlacedBreak, Plan};
use crate::policy::{Policy, PunchPolicy, Rounding, UnpunchedBreak};
use crate::shift::HourMinute;
use crate::time::{
    Day, SiteZone, Span, cut_out, minutes, second_of_day, total, total_within, unite,
};

/// Time taken out of the worked time, and the rule that took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deduction {
    pub rule: &'static str,
    pub span: Span,
}

#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Sorted, apart from one another.
    pub spans: Vec<Span>,
    pub deductions: Vec<Deduction>,
    /// Seconds.
    pub worked: i64,
    /// Seconds of it at night (R57).
    pub night: i64,
}

/// In the order of R58. `punches` are all of the day, for punched breaks.
pub(crate) fn work(
    plan: &Plan<'_>,
    remains: &Remains<'_>,
    sessions: &[(Period, Session<'_>)],
    punches: &[KeptPunch<'_>],
    zone: &SiteZone,
) -> Work {
    let policy = plan.policy;
    let mut work = Work::default();
    let keeps_to_plan = plan.kind == Kind::Shift && remains.day == DayKind::Working;
    for (period, session) in sessions {
        for span in session_spans(session) {
            let mut span = rounded(span, policy, zone);
            if let Some(planned) = period.plan.filter(|_| keeps_to_plan) {
                work.keep_to_plan(&mut span, planned, policy);
            }
            work.spans.push(span);
        }
    }
    unite(&mut work.spans);
    if work.spans.is_empty() {
        return work;
    }
    if keeps_to_plan && !plan.punch_each_segment {
        for pair in remains.segments.windows(2) {
            work.deduct("R48", Span::new(pair[0].to, pair[1].from));
        }
    }
    let is_span = policy.punch_policy == PunchPolicy::FirstLast
        || sessions.iter().any(|(_, session)| session.unpaired);
    for rest in &plan.breaks {
        match *rest {
            PlacedBreak::Fixed { span, paid: false } => work.deduct("R51", span),
            PlacedBreak::Punched { span, length } if is_span => {
                if let Some(hole) =
                    punched_break(span, length, &intervals(sessions), punches, policy)
                {
                    work.deduct("R53", hole);
                }
            }
            _ => {}
        }
    }
    let gaps = match policy.punch_policy {
        PunchPolicy::FirstLast => 0,
        PunchPolicy::Pairs => punched_gaps(plan, &intervals(sessions)),
    };
    for rest in &plan.breaks {
        if let PlacedBreak::Auto { after, length } = *rest {
            work.deduct_after(after, length - gaps);
        }
    }
    work.worked = total(&work.spans);
    work.night = night(&work.spans, policy, zone);
    work
}

/// R50.
fn session_spans(session: &Session<'_>) -> impl Iterator<Item = Span> {
    let span = match (&session.pairs, session.first_in, session.last_out) {
        (None, Some(first), Some(last)) => Some(Span::new(first.at, last.at)),
        _ => None,
    };
    session.pairs.iter().flatten().copied().chain(span)
}

fn intervals(sessions: &[(Period, Session<'_>)]) -> Vec<Span> {
    sessions
        .iter()
        .flat_map(|(_, session)| session_spans(session))
        .collect()
}

impl Work {
    fn deduct(&mut self, rule: &'static str, hole: Span) {
        let inside = self.spans.iter().filter_map(|span| span.meet(hole));
        self.deductions
            .extend(inside.map(|span| Deduction { rule, span }));
        cut_out(&mut self.spans, hole);
    }

    /// R54.
    fn keep_to_plan(&mut self, span: &mut Span, planned: Span, policy: &Policy) {
        let mut drop = |part: Span| {
            if part.len() > 0 {
                self.deductions.push(Deduction {
                    rule: "R54",
                    span: part,
                });
            }
        };
        if !policy.count_before_start && span.from < planned.from {
            drop(Span::new(span.from, planned.from.min(span.to)));
            span.from = planned.from;
        }
        if !policy.count_after_end && span.to > planned.to {
            drop(Span::new(planned.to.max(span.from), span.to));
            span.to = planned.to;
        }
    }

    /// R52: takes `length` directly after the first `after` seconds of worked time.
    fn deduct_after(&mut self, after: i64, length: i64) {
        let (mut before, mut length) = (after, length);
        let mut holes = Vec::new();
        for span in &self.spans {
            if length <= 0 {
                break;
            }
            let skipped = before.min(span.len());
            before -= skipped;
            let hole = Span::new(
                span.from + skipped,
                (span.from + skipped + length).min(span.to),
            );
            length -= hole.len();
            holes.push(hole);
        }
        for hole in holes.into_iter().filter(|hole| hole.len() > 0) {
            self.deduct("R52", hole);
        }
    }
}

/// R55: on the site's wall clock; exactly half goes up.
fn rounded(span: Span, policy: &Policy, zone: &SiteZone) -> Span {
    let unit = minutes(policy.round_unit_min);
    if unit == 0 {
        return span;
    }
    let moved = |instant: i64, how: Rounding| {
        let over = second_of_day(zone.wall(instant)) % unit;
        let up = match how {
            Rounding::Down => false,
            Rounding::Up => over > 0,
            Rounding::Nearest => over * 2 >= unit,
        };
        if up {
            instant - over + unit
        } else {
            instant - over
        }
    };
    Span::new(
        moved(span.from, policy.round_in),
        moved(span.to, policy.round_out),
    )
}

/// R53: as taken, or as planned.
fn punched_break(
    window: Span,
    length: i64,
    as_punched: &[Span],
    punches: &[KeptPunch<'_>],
    policy: &Policy,
) -> Option<Span> {
    let within = |at: i64| {
        window.from <= at
            && at <= window.to
            && as_punched.iter().any(|span| span.from < at && at < span.to)
    };
    let mut taken = punches
        .iter()
        .map(|punch| punch.at)
        .filter(|at| within(*at));
    match (taken.next(), taken.next_back()) {
        (Some(first), Some(last)) => Some(Span::new(first, last)),
        _ => match policy.unpunched_break {
            UnpunchedBreak::Planned => Some(Span::new(window.from, window.from + length)),
            UnpunchedBreak::None => None,
        },
    }
}

/// R52: time punched out inside the planned segments; fixed breaks do not count.
fn punched_gaps(plan: &Plan<'_>, as_punched: &[Span]) -> i64 {
    let mut gaps: Vec<Span> = as_punched
        .windows(2)
        .map(|pair| Span::new(pair[0].to, pair[1].from))
        .filter(|gap| gap.len() > 0)
        .collect();
    for rest in &plan.breaks {
        if let PlacedBreak::Fixed { span, .. } = *rest {
            cut_out(&mut gaps, span);
        }
    }
    let inside = |segment: &Span| total_within(&gaps, *segment);
    plan.segments.iter().map(inside).sum()
}

/// R57: `night_start` to `night_end` of every date.
fn night(spans: &[Span], policy: &Policy, zone: &SiteZone) -> i64 {
    let (start, end) = (policy.night_start, policy.night_end);
    if start == end {
        return 0;
    }
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return 0;
    };
    let first = Day::of_wall(zone.wall(first.from)).plus(-1);
    let last = Day::of_wall(zone.wall(last.to));
    (first.0..=last.0)
        .map(|day| total_within(spans, night_of(Day(day), start, end, zone)))
        .sum()
}

fn night_of(day: Day, start: HourMinute, end: HourMinute, zone: &SiteZone) -> Span {
    let ends_on = if end > start { day } else { day.plus(1) };
    Span::new(zone.place(day, start), zone.place(ends_on, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Inputs;
    use crate::off_days::remains;
    use crate::period::{Rules, session};
    use crate::testing::{plan, punches, text, zone};

    /// Worked intervals, worked and night minutes of a day with one period. The shift is on the 2nd.
    #[track_caller]
    fn check_with(policy: &Policy, shift: &str, list: &str, expected: &str) {
        let plan = plan(2, shift, policy);
        let inputs = Inputs::default();
        let remains = remains(&plan, &inputs);
        let punches = punches(list);
        let rules = Rules {
            punch_policy: policy.punch_policy,
            now: i64::MAX,
            closing: plan.judged.to,
        };
        let span = |plan: &Plan<'_>| Some(Span::new(plan.start()?, plan.end()?));
        let period = Period {
            plan: span(&plan),
            end: plan.end().unwrap_or(plan.judged.to),
        };
        let sessions = [(period, session(period, &punches, rules))];
        let work = work(&plan, &remains, &sessions, &punches, &zone());
        let spans = work.spans.iter();
        let spans: Vec<String> = spans
            .map(|span| format!("{}-{}", &text(span.from)[3..], &text(span.to)[3..]))
            .collect();
        let found = format!(
            "{} = {}, night {}",
            spans.join(" "),
            work.worked / 60,
            work.night / 60
        );
        assert_eq!(found, expected);
        let deducted: i64 = work
            .deductions
            .iter()
            .map(|deduction| deduction.span.len())
            .sum();
        let between: i64 = session_spans(&sessions[0].1).map(Span::len).sum();
        if policy.round_unit_min == 0 {
            assert_eq!(between - deducted, work.worked, "every deduction is named");
        }
    }

    #[track_caller]
    fn check(shift: &str, list: &str, expected: &str) {
        check_with(&Policy::default(), shift, list, expected);
    }

    fn pairs() -> Policy {
        Policy {
            punch_policy: PunchPolicy::Pairs,
            ..Policy::default()
        }
    }

    const DAY: &str = "segments = [{ start = '09:00', end = '18:00' }]\n";

    fn with(breaks: &str) -> String {
        format!("{DAY}breaks = [{breaks}]")
    }

    #[test]
    fn fixed_breaks_cost_what_lies_inside() {
        let shift = with("{ kind = 'fixed', start = '13:00', end = '14:00' }");
        check(
            &shift,
            "02 09:00, 02 18:00",
            "09:00-13:00 14:00-18:00 = 480, night 0",
        );
        check(&shift, "02 09:00, 02 13:20", "09:00-13:00 = 240, night 0");
        check(&shift, "02 09:00, 02 13:00", "09:00-13:00 = 240, night 0");
        let paid = with("{ kind = 'fixed', start = '13:00', end = '14:00', paid = true }");
        check(&paid, "02 09:00, 02 18:00", "09:00-18:00 = 540, night 0");
    }

    #[test]
    fn an_auto_break_follows_its_hours() {
        let shift = with("{ kind = 'auto', after_min = 360, minutes = 30 }");
        check(&shift, "02 09:00, 02 15:00", "09:00-15:00 = 360, night 0");
        check(&shift, "02 09:00, 02 15:10", "09:00-15:00 = 360, night 0");
        check(
            &shift,
            "02 09:00, 02 18:00",
            "09:00-15:00 15:30-18:00 = 510, night 0",
        );
        // Under pairs what was punched out inside the plan reduces it.
        let list = "02 09:00, 02 12:00, 02 12:20, 02 18:00";
        check_with(
            &pairs(),
            &shift,
            list,
            "09:00-12:00 12:20-15:20 15:30-18:00 = 510, night 0",
        );
        let both = with(
            "{ kind = 'fixed', start = '12:00', end = '12:20' }, { kind = 'auto', after_min = 360, minutes = 30 }",
        );
        check_with(
            &pairs(),
            &both,
            list,
            "09:00-12:00 12:20-15:20 15:50-18:00 = 490, night 0",
        );
    }

    #[test]
    fn a_punched_break_counts_as_taken() {
        let shift = with("{ kind = 'punched', start = '12:00', end = '15:00', minutes = 60 }");
        let taken = "02 09:00, 02 12:30, 02 12:40, 02 13:10, 02 18:00";
        check(&shift, taken, "09:00-12:30 13:10-18:00 = 500, night 0");
        check(
            &shift,
            "02 09:00, 02 12:30, 02 18:00",
            "09:00-12:00 13:00-18:00 = 480, night 0",
        );
        let forgiving = Policy {
            unpunched_break: UnpunchedBreak::None,
            ..Policy::default()
        };
        check_with(
            &forgiving,
            &shift,
            "02 09:00, 02 18:00",
            "09:00-18:00 = 540, night 0",
        );
        // The ends of the worked time are no break, even inside its window.
        check(
            &shift,
            "02 12:10, 02 12:30, 02 18:00",
            "13:00-18:00 = 300, night 0",
        );
        check_with(
            &pairs(),
            &shift,
            "02 09:00, 02 12:30, 02 13:10, 02 18:00",
            "09:00-12:30 13:10-18:00 = 500, night 0",
        );
    }

    #[test]
    fn ends_are_rounded_on_the_wall_clock() {
        let rounding = |unit, round_in, round_out| Policy {
            round_unit_min: unit,
            round_in,
            round_out,
            ..Policy::default()
        };
        let list = "02 08:55, 02 18:04:59";
        let nearest = rounding(10, Rounding::Nearest, Rounding::Nearest);
        check_with(&nearest, DAY, list, "09:00-18:00 = 540, night 0"); // exactly half goes up
        check_with(
            &rounding(15, Rounding::Up, Rounding::Down),
            DAY,
            list,
            "09:00-18:00 = 540, night 0",
        );
        check_with(
            &rounding(15, Rounding::Down, Rounding::Up),
            DAY,
            list,
            "08:45-18:15 = 570, night 0",
        );
        let nothing = rounding(60, Rounding::Up, Rounding::Down);
        check_with(&nothing, DAY, "02 09:10, 02 09:50", " = 0, night 0");
    }

    #[test]
    fn time_beside_the_plan_may_not_count() {
        let strict = Policy {
            count_before_start: false,
            count_after_end: false,
            ..Policy::default()
        };
        check_with(
            &strict,
            DAY,
            "02 08:00, 02 19:00",
            "09:00-18:00 = 540, night 0",
        );
        check_with(&strict, DAY, "02 07:30, 02 08:30", " = 0, night 0");
        check_with(&strict, DAY, "02 18:30, 02 19:30", " = 0, night 0");
    }

    #[test]
    fn planned_gaps_are_cut_out_of_one_period() {
        let shift = "segments = [{ start = '08:00', end = '12:00' }, { start = '16:00', end = '20:00' }]\npunch_each_segment = false";
        check(
            shift,
            "02 08:00, 02 20:05",
            "08:00-12:00 16:00-20:05 = 485, night 0",
        );
    }

    #[test]
    fn night_minutes_are_worked_minutes() {
        let shift = "segments = [{ start = '18:00', end = '07:00' }]\nbreaks = [{ kind = 'fixed', start = '23:00', end = '23:30' }]";
        check(
            shift,
            "02 18:00, 03 07:00",
            "18:00-23:00 23:30-07:00 = 750, night 450",
        );
        let never = Policy {
            night_start: "06:00".parse().unwrap(),
            night_end: "06:00".parse().unwrap(),
            ..Policy::default()
        };
        check_with(
            &never,
            shift,
            "02 18:00, 03 07:00",
            "18:00-23:00 23:30-07:00 = 750, night 0",
        );
    }
}
