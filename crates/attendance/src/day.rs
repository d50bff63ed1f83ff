//! One workday, from what was found for it to its report: step 5 of rules.md §18.

use std::collections::BTreeMap;

use crate::coverage::{Coverage, Watch, not_arrived_until, stage, unseen};
use crate::evidence::{Evidence, KeptPunch};
use crate::inputs::Inputs;
use crate::lateness::{Thresholds, early_minutes, late_minutes};
use crate::off_days::{Away, DayKind, Remains, remains};
use crate::overtime::{levels, overtime_minutes};
use crate::period::{Period, Rules, Session};
use crate::plan::{Kind, Plan};
use crate::report::{Exception, IgnoredReason, Report, Stage, Status, Waits};
use crate::roll_call::{is_evidence_of_time, session_with_calls};
use crate::time::{SiteZone, Span, minutes, printed, timestamp, total_within};
use crate::window::Own;
use crate::worked::{Work, work};

/// A judged workday with the steps that led to it; the why panel shows them.
#[derive(Debug)]
pub(crate) struct JudgedDay<'p, 'a> {
    pub plan: &'p Plan<'a>,
    pub own: Own<'a>,
    pub coverage: Coverage,
    /// R73, in seconds.
    pub lag: i64,
    pub remains: Remains<'p>,
    pub sessions: Vec<(Period, Session<'a>)>,
    pub superseded: Vec<KeptPunch<'a>>,
    pub work: Work,
    /// Those that were compared (R64).
    pub thresholds: Option<Thresholds>,
    pub report: Report,
}

/// The earliest instant after `now` at which something is compared with it.
struct Recheck {
    now: i64,
    at: Option<i64>,
}

impl Recheck {
    fn consider(&mut self, instant: i64) {
        if instant > self.now {
            self.at = Some(self.at.map_or(instant, |at| at.min(instant)));
        }
    }
}

pub(crate) fn judge_day<'p, 'a>(
    plan: &'p Plan<'a>,
    own: Own<'a>,
    evidence: &Evidence<'_>,
    inputs: &Inputs,
    zone: &SiteZone,
    now: i64,
) -> JudgedDay<'p, 'a> {
    let closing = plan.judged.to;
    let Watch {
        coverage,
        furthest_behind,
        lag,
    } = Watch::of(&inputs.devices, plan);
    let stage = stage(plan, coverage, now);
    let remains = remains(plan, inputs);
    let mut day = JudgedDay {
        plan,
        own,
        coverage,
        lag,
        remains,
        sessions: Vec::new(),
        superseded: Vec::new(),
        work: Work::default(),
        thresholds: None,
        report: Report::empty(plan.date),
    };
    let mut recheck = Recheck { now, at: None };
    evidence
        .changes_at
        .into_iter()
        .for_each(|at| recheck.consider(at));
    recheck.consider(closing);
    if !coverage.reaches(closing) {
        recheck.consider(closing + minutes(plan.policy.final_fallback_min));
    }

    day.report.stage = stage;
    if day.is_undecided() {
        // R103: nothing on the day has a shift to count for.
        let Own {
            punches,
            roll_calls,
            off_shift,
        } = &mut day.own;
        off_shift.append(punches);
        off_shift.append(roll_calls);
    }
    let exceptions = &mut day.report.exceptions;
    let was_there = !(day.own.punches.is_empty() && day.own.roll_calls.is_empty());
    match day.remains.day {
        DayKind::Holiday | DayKind::WeeklyOff if was_there => exceptions.push(Exception::OffShift),
        DayKind::Leave if was_there => exceptions.push(Exception::LeaveConflict),
        _ => {}
    }
    if !day.own.off_shift.is_empty() {
        exceptions.push(Exception::OffShift);
    }
    if day.remains.leave_conflict {
        exceptions.push(Exception::LeaveConflict);
    }

    if was_there {
        day.judge_periods(now);
        day.show_ends(zone);
        day.work = work(plan, &day.remains, &day.sessions, &day.own.punches, zone);
        if day.remains.day == DayKind::Working {
            day.compare_with_plan(now);
            day.flag_missing_sides(now, &mut recheck);
            day.flag_work_in_leave();
        }
        day.flag_sessions();
    }
    day.report.status = day.status(now, was_there, &mut recheck);
    day.fill_minutes(was_there);
    day.fill_texts();
    day.report.waits = day.waits_below(now).and_then(|below| {
        Some(Waits {
            device: furthest_behind?.id.to_string(),
            below: timestamp(below),
        })
    });
    day.report.recheck_at = recheck.at.map(timestamp);
    day
}

impl<'a> JudgedDay<'_, 'a> {
    /// An automatic day without a choice that is judged as a working day.
    fn is_undecided(&self) -> bool {
        self.plan.kind == Kind::Undecided && self.remains.day == DayKind::Working
    }

    /// Steps 5c and 5d.
    fn judge_periods(&mut self, now: i64) {
        let rules = Rules {
            punch_policy: self.plan.policy.punch_policy,
            now,
            closing: self.plan.judged.to,
        };
        let segments = &self.remains.segments;
        let of_plan = |plan: Span| Period {
            plan: Some(plan),
            end: plan.to,
        };
        if segments.len() > 1 && self.plan.punch_each_segment {
            // R47: exactly in the middle of a gap belongs to the later segment.
            let (mut punches, mut calls) = (&self.own.punches[..], &self.own.roll_calls[..]);
            for (index, segment) in segments.iter().enumerate() {
                let until = segments
                    .get(index + 1)
                    .map_or(i64::MAX, |next| Span::new(segment.to, next.from).middle());
                let (here, rest) = split_at(punches, until);
                let (calls_here, calls_rest) = split_at(calls, until);
                (punches, calls) = (rest, calls_rest);
                let period = of_plan(*segment);
                let called = session_with_calls(period, here, calls_here, rules);
                self.sessions.push((period, called.session));
                self.superseded.extend(called.superseded);
                if called.conflict {
                    self.report.exceptions.push(Exception::RollCallConflict);
                }
            }
            return;
        }
        let period = match (&segments[..], self.remains.core) {
            ([first, .., last], _) => of_plan(Span::new(first.from, last.to)), // R48
            ([only], _) => of_plan(*only),
            ([], Some(core)) => of_plan(core), // R67
            ([], None) => Period {
                plan: None,
                end: rules.closing,
            },
        };
        let called = session_with_calls(period, &self.own.punches, &self.own.roll_calls, rules);
        self.sessions = vec![(period, called.session)];
        self.superseded = called.superseded;
        if called.conflict {
            self.report.exceptions.push(Exception::RollCallConflict);
        }
    }

    /// R48: the first and the last judged period with punches, even if that side is missing there.
    fn show_ends(&mut self, zone: &SiteZone) {
        let mut seen = self
            .sessions
            .iter()
            .map(|(_, session)| session)
            .filter(|s| s.is_seen());
        let first = seen.next();
        let last = seen.next_back().or(first);
        let moment = |punch: KeptPunch<'_>| zone.moment(punch.at);
        self.report.first_in = first.and_then(|session| session.first_in).map(moment);
        self.report.last_out = last.and_then(|session| session.last_out).map(moment);
    }

    /// R60–R63, R67.
    fn compare_with_plan(&mut self, now: i64) {
        for (period, session) in &self.sessions {
            let Some(plan) = period.plan else {
                continue;
            };
            if let Some(first) = session.first_in.filter(is_evidence_of_time)
                && let Some(late) = late_minutes(plan, first.at, self.plan.policy)
            {
                self.report.late_min += late;
            }
            if let Some(early) = self.early(plan, session)
                && now >= plan.to
                && self.coverage.reaches(plan.to)
            {
                self.report.early_min += early;
            }
        }
    }

    /// Early leaving as it looks, before R63 asks for time and coverage.
    fn early(&self, plan: Span, session: &Session<'_>) -> Option<u32> {
        let last = session.last_out.filter(is_evidence_of_time)?;
        early_minutes(plan, last.at, self.plan.policy)
    }

    /// R66, R67.
    fn flag_missing_sides(&mut self, now: i64, recheck: &mut Recheck) {
        let report = &mut self.report;
        for (period, session) in self.sessions.iter().filter(|(_, s)| s.is_seen()) {
            recheck.consider(period.end); // R43, R63, R66
            let missing = match (session.first_in, session.last_out) {
                (None, _) => Exception::MissingIn,
                (_, None) => Exception::MissingOut,
                _ => continue,
            };
            if report.stage != Stage::Provisional {
                report.exceptions.push(missing);
            } else if missing == Exception::MissingIn || now >= period.end {
                report.pending.push(missing);
            }
        }
    }

    /// R96.
    fn flag_work_in_leave(&mut self) {
        let on_leave = matches!(self.remains.away, Some((Away::Leave, _)));
        let inside: i64 = self
            .remains
            .away_segments
            .iter()
            .map(|half| total_within(&self.work.spans, *half))
            .sum();
        if on_leave && inside > minutes(self.plan.policy.half_leave_conflict_min) {
            self.report.exceptions.push(Exception::LeaveConflict);
        }
    }

    /// R44–R46, R56.
    fn flag_sessions(&mut self) {
        let limit = minutes(self.plan.policy.long_session_min);
        for (_, session) in &self.sessions {
            if session.direction_conflict {
                self.report.exceptions.push(Exception::DirectionConflict);
            }
            if session.unpaired {
                self.report.exceptions.push(Exception::Unpaired);
            }
            if let (Some(first), Some(last)) = (session.first_in, session.last_out)
                && last.at - first.at > limit
            {
                self.report.exceptions.push(Exception::LongSession);
            }
        }
    }

    /// Step 5g.
    fn status(&mut self, now: i64, was_there: bool, recheck: &mut Recheck) -> Status {
        match self.remains.day {
            DayKind::Holiday => Status::Holiday,
            DayKind::WeeklyOff => Status::WeeklyOff,
            DayKind::Leave => Status::OnLeave,
            DayKind::OnDuty => Status::OnDuty,
            DayKind::Working if was_there => self.seen(),
            DayKind::Working => {
                recheck.consider(self.remains.due + 1);
                let status = unseen(self.plan, self.remains.due, self.coverage, self.lag, now);
                if status == Status::Unknown {
                    self.report.reason = Some(self.coverage.reason());
                }
                if status == Status::NotArrived
                    && let Some(until) = not_arrived_until(self.coverage, self.lag)
                {
                    recheck.consider(until);
                }
                status
            }
        }
    }

    /// R64, R65.
    fn seen(&mut self) -> Status {
        let complete = self
            .sessions
            .iter()
            .filter(|(_, session)| session.is_seen())
            .all(|(_, session)| session.first_in.is_some() && session.last_out.is_some());
        if self.report.stage != Stage::Final || !complete {
            return Status::Present;
        }
        let thresholds = Thresholds::of(self.plan.policy, &self.remains);
        self.thresholds = Some(thresholds);
        thresholds.status(self.work.worked, self.report.late_min)
    }

    fn fill_minutes(&mut self, was_there: bool) {
        let worked = match self.remains.day {
            DayKind::OnDuty => self.work.worked.max(self.remains.planned), // R97
            _ if was_there => self.work.worked + self.remains.duty_credit, // R98
            _ => 0,
        };
        let report = &mut self.report;
        report.planned_min = printed(self.remains.planned);
        report.worked_min = printed(worked);
        report.night_min = printed(self.work.night);
        report.overtime_min = overtime_minutes(self.plan, &self.remains, &self.work.spans);
        report.overtime_levels = levels(report.overtime_min, &self.plan.policy.overtime_levels_min);
    }

    fn fill_texts(&mut self) {
        let report = &mut self.report;
        for list in [&mut report.exceptions, &mut report.pending] {
            list.sort_unstable_by_key(|exception| exception.as_str());
            list.dedup();
        }
        self.remains.part_name().clone_into(&mut report.leave_part);
        if !self.remains.is_off && self.plan.kind != Kind::Undecided {
            report.shift = self.plan.names.join("+");
        }
        self.report.ignored = self.ignored();
    }

    fn ignored(&self) -> BTreeMap<String, IgnoredReason> {
        let off_shift = self.own.off_shift.iter();
        let superseded = self.superseded.iter();
        off_shift
            .map(|punch| (punch, IgnoredReason::OffShift))
            .chain(superseded.map(|call| (call, IgnoredReason::Superseded)))
            .map(|(punch, reason)| (punch.id.to_string(), reason))
            .collect()
    }

    /// What the report waits for: an instant that the coverage has yet to pass before something else can be said.
    fn waits_below(&self, now: i64) -> Option<i64> {
        let closing = self.plan.judged.to;
        if self.coverage == Coverage::NoDevice || self.coverage.reaches(closing) {
            return None;
        }
        let working = self.remains.day == DayKind::Working;
        // R71, R75; before the closing an unknown day waits for whatever shows that nobody came (R73).
        if now >= closing || self.report.status == Status::Unknown {
            return Some(closing);
        }
        let early_end = |(period, session): &(Period, Session<'a>)| {
            let plan = period.plan.filter(|plan| now >= plan.to)?;
            let waits = !self.coverage.reaches(plan.to) && self.early(plan, session).is_some();
            waits.then_some(plan.to)
        };
        let ends = self.sessions.iter().filter_map(early_end);
        ends.max().filter(|_| working)
    }
}

/// The punches before an instant, and the rest.
fn split_at<'s, 'a>(
    punches: &'s [KeptPunch<'a>],
    until: i64,
) -> (&'s [KeptPunch<'a>], &'s [KeptPunch<'a>]) {
    punches.split_at(punches.partition_point(|punch| punch.at < until))
}
