//! The algorithm in order: rules.md §18.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::auto_shift;
use crate::day::{JudgedDay, judge_day};
use crate::derivation::Derivation;
use crate::evidence::{Evidence, evidence};
use crate::explain::explain;
use crate::inputs::{Employee, Inputs};
use crate::locked::locked;
use crate::plan::{Kind, Plan, Planner};
use crate::policy::Policy;
use crate::report::{IgnoredReason, Judgement, Report};
use crate::time::{Day, SiteZone, second_of, timestamp};
use crate::window::Neighbourhood;

/// One report per asked day, in the order asked.
///
/// `inputs` must hold the punches, corrections, leave and locked reports from two days before the first asked day to two
/// days after the last one. `policy` is the general one; days with a shift use the policy merged into it. `now` counts as
/// its whole second.
///
/// The side lists of the judgement speak of all punches given, whichever days are asked, sorted by id.
pub fn judge(
    employee: &Employee,
    days: &[Date],
    inputs: &Inputs,
    policy: &Policy,
    now: Timestamp,
) -> Judgement {
    judge_days(employee, days, inputs, policy, now, explain)
}

/// As [`judge`], with empty derivations: several times as fast, for those who only compare or count.
pub fn judge_unexplained(
    employee: &Employee,
    days: &[Date],
    inputs: &Inputs,
    policy: &Policy,
    now: Timestamp,
) -> Judgement {
    judge_days(employee, days, inputs, policy, now, |_, _| {
        Derivation::default()
    })
}

/// The windows (R20) of what is planned on these days, holidays and leave notwithstanding; of an automatic day from the
/// earliest to the latest that could be.
pub fn planned_windows(
    employee: &Employee,
    days: &[Date],
    inputs: &Inputs,
    policy: &Policy,
) -> Vec<(Timestamp, Timestamp)> {
    let evidence = evidence(inputs, policy, 0);
    let zone = zone_around(employee, days, &evidence);
    let planner = Planner {
        zone: &zone,
        inputs,
        policy,
    };
    let plans = days.iter().map(|date| planner.plan(Day::of(*date), *date));
    plans
        .filter(|plan| plan.kind != Kind::Off)
        .map(|plan| (timestamp(plan.judged.from), timestamp(plan.judged.to)))
        .collect()
}

/// What all days of a judgement share.
#[derive(Debug)]
pub(crate) struct Judging<'j, 'a> {
    pub employee: &'a Employee,
    pub inputs: &'a Inputs,
    pub policy: &'a Policy,
    pub zone: &'j SiteZone,
    pub evidence: &'j Evidence<'a>,
    pub now: i64,
}

fn judge_days(
    employee: &Employee,
    days: &[Date],
    inputs: &Inputs,
    policy: &Policy,
    now: Timestamp,
    explain: impl Fn(&Judging<'_, '_>, &Found<'_, '_, '_>) -> Derivation,
) -> Judgement {
    let now = second_of(now);
    let evidence = evidence(inputs, policy, now); // step 1
    let zone = zone_around(employee, days, &evidence);
    let judging = Judging {
        employee,
        inputs,
        policy,
        zone: &zone,
        evidence: &evidence,
        now,
    };
    let plans = judging.plans(days); // step 2
    let reports = days.iter().map(|date| {
        let day = Day::of(*date);
        let judged = judging.report(*date, around(&plans, day), &explain); // steps 3 to 5
        match inputs.locked.get(date) {
            Some(stored) => locked(stored, &judged),
            None => judged,
        }
    });
    Judgement {
        reports: reports.collect(),
        quarantined: judging.quarantined(),
        outside_employment: judging.outside_employment(),
    }
}

/// What was found out about one workday, for its derivation.
#[derive(Debug)]
pub(crate) struct Found<'f, 'p, 'a> {
    pub day: &'f JudgedDay<'p, 'a>,
    pub near: Neighbourhood<'f, 'a>,
}

/// The zone from the first to the last day that anything is about.
fn zone_around(employee: &Employee, days: &[Date], evidence: &Evidence<'_>) -> SiteZone {
    let punches = evidence.kept.iter().chain(&evidence.roll_calls);
    // Far enough for any zone: the wall date is at most a day beside the date in UTC.
    let punched = punches.map(|punch| Day::of_wall(punch.at));
    let near = days.iter().map(|date| Day::of(*date)).chain(punched);
    let (first, last) = near.fold((Day(i64::MAX), Day(i64::MIN)), |(first, last), day| {
        (first.min(day), last.max(day))
    });
    if first > last {
        return SiteZone::new(&employee.zone, Day(0), Day(0));
    }
    SiteZone::new(&employee.zone, first, last)
}

/// The plans at most two days away from a day.
fn around<'p, 'a>(plans: &'p [Plan<'a>], day: Day) -> &'p [Plan<'a>] {
    let from = plans.partition_point(|plan| plan.day < day.plus(-2));
    let to = plans.partition_point(|plan| plan.day <= day.plus(2));
    &plans[from..to]
}

impl<'a> Judging<'_, 'a> {
    fn planner(&self) -> Planner<'_, 'a> {
        Planner {
            zone: self.zone,
            inputs: self.inputs,
            policy: self.policy,
        }
    }

    /// R18.
    fn is_employed(&self, date: Date) -> bool {
        let Employee {
            employed_from,
            employed_to,
            ..
        } = self.employee;
        employed_from.is_none_or(|from| from <= date) && employed_to.is_none_or(|to| date <= to)
    }

    /// The plans of the asked days and two days around each, in order, of employed dates only.
    fn plans(&self, days: &[Date]) -> Vec<Plan<'a>> {
        let mut asked: Vec<Day> = days.iter().map(|date| Day::of(*date)).collect();
        asked.sort_unstable();
        let mut near: Vec<Day> = Vec::with_capacity(asked.len() + 4);
        for day in asked {
            let first = day.plus(-2);
            let first = near.last().map_or(first, |last| first.max(last.plus(1)));
            near.extend((first.0..=day.0 + 2).map(Day));
        }
        let planner = self.planner();
        let dated = near.into_iter().map(|day| (day, day.date()));
        dated
            .filter(|(_, date)| self.is_employed(*date))
            .map(|(day, date)| planner.plan(day, date))
            .collect()
    }

    fn neighbourhood<'p>(&'p self, plans: &'p [Plan<'a>]) -> Neighbourhood<'p, 'a> {
        Neighbourhood {
            plans,
            zone: self.zone,
            policy: self.policy,
        }
    }

    fn report(
        &self,
        date: Date,
        plans: &[Plan<'a>],
        explain: impl Fn(&Judging<'_, '_>, &Found<'_, '_, '_>) -> Derivation,
    ) -> Report {
        let decided;
        let plans = if plans.iter().any(|plan| plan.kind == Kind::Undecided) {
            decided = self.decided(plans, Day::of(date));
            &decided
        } else {
            plans
        };
        let near = self.neighbourhood(plans);
        let day = Day::of(date);
        let own = near.own(day, self.evidence); // step 4
        let Some(plan) = plans.iter().find(|plan| plan.day == day) else {
            let mut report = Report::empty(date);
            let outside = own.off_shift.iter().map(|punch| punch.id.to_string());
            report
                .ignored
                .extend(outside.map(|id| (id, IgnoredReason::OutsideEmployment)));
            self.list_ignored(&mut report, near);
            report.recheck_at = self.evidence.changes_at.map(timestamp);
            return report;
        };
        let mut judged = judge_day(plan, own, self.evidence, self.inputs, self.zone, self.now);
        self.list_ignored(&mut judged.report, near);
        judged.report.derivation = explain(self, &Found { day: &judged, near });
        judged.report
    }

    /// Step 3, afresh for each judged day (R100).
    fn decided(&self, plans: &[Plan<'a>], day: Day) -> Vec<Plan<'a>> {
        let mut plans = plans.to_vec();
        let reach = self.neighbourhood(&[]).reach(day);
        auto_shift::decide(
            &self.planner(),
            &mut plans,
            self.evidence.kept_within(reach),
        );
        plans
    }

    /// What the evidence itself left out is listed under the workday it would have counted for.
    fn list_ignored(&self, report: &mut Report, near: Neighbourhood<'_, 'a>) {
        let day = Day::of(report.workday);
        let reach = near.reach(day);
        for ignored in &self.evidence.ignored {
            let punch = &ignored.punch;
            if reach.contains(punch.at) && near.home(punch.at) == day {
                report.ignored.insert(punch.id.to_string(), ignored.reason);
            }
        }
    }

    /// R31.
    fn quarantined(&self) -> Vec<String> {
        let ignored = self.evidence.ignored.iter();
        let quarantined = ignored.filter(|ignored| ignored.reason == IgnoredReason::Quarantined);
        let mut ids: Vec<String> = quarantined
            .map(|ignored| ignored.punch.id.to_string())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// R27: in no window of an employed day, on a workday that is not employed.
    fn outside_employment(&self) -> Vec<String> {
        let Employee {
            employed_from,
            employed_to,
            ..
        } = self.employee;
        if employed_from.is_none() && employed_to.is_none() {
            return Vec::new();
        }
        let punches = self.evidence.kept.iter().chain(&self.evidence.roll_calls);
        let outside = punches.filter(|punch| {
            let day = self.zone.day_containing(punch.at, self.policy.day_start);
            if self.is_employed(day.date()) {
                return false;
            }
            let plans = self.plans(&[day.date()]);
            let plans = self.decided(&plans, day);
            !self.neighbourhood(&plans).has_owner(punch.at)
        });
        let mut ids: Vec<String> = outside.map(|punch| punch.id.to_string()).collect();
        ids.sort_unstable();
        ids
    }
}
