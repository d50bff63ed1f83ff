//! From stored rows to the engine's inputs, and through the engine.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use attendance::{
    Absence, Correction, CorrectionKind, Cycle, Device, DeviceId, Employee, EmployeeId,
    EvidencePunch, Gap, Inputs, PlannedShift, Policy, PunchState, Relevance, Report, Roster,
    RosterOverride, RosterPlan, RosterValue, ShiftId, SiteId, Source, WeeklyOff,
};
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use store::evidence::{CorrectionEvidenceKind, Declared, DeviceEvidence, Evidence, Person};
use store::policies::{Policies, PolicyScope};
use store::roster::{DayPlan, WorkPlan};

use crate::IngestError;
use crate::judge::PlannedDay;

/// A device is relevant for who punched on it within so many days.
const RELEVANT_DAYS: i32 = 60;
/// Evidence so many days around a day takes part in its judgement; one more than the rules ask for, because zones differ.
const DAYS_AROUND: i32 = 3;

/// Whether reports get derivations, which are larger and cost more than the judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Explained {
    Yes,
    No,
}

/// Judges these days, each person's in order. People who no longer exist are left out.
pub(crate) fn judge_days(
    evidence: &Evidence,
    days: &[(EmployeeId, Date)],
    now: Timestamp,
    explained: Explained,
) -> Result<Vec<(EmployeeId, Report)>, IngestError> {
    let plans = Plans::of(evidence, now)?;
    let mut asked: BTreeMap<EmployeeId, BTreeSet<Date>> = BTreeMap::new();
    for &(employee, day) in days {
        asked.entry(employee).or_default().insert(day);
    }
    let asked: Vec<_> = asked.into_iter().collect();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let judge = |asked: &[(EmployeeId, BTreeSet<Date>)]| {
        let mut reports = Vec::new();
        for (employee, days) in asked {
            if let Some(person) = evidence.people.get(employee) {
                judge_person(
                    evidence,
                    &plans,
                    (*employee, person),
                    days,
                    now,
                    explained,
                    &mut |report| {
                        reports.push((*employee, report));
                    },
                );
            }
        }
        reports
    };
    let share = asked.len().div_ceil(workers).max(1);
    if days.len() < WORTH_SHARING || share == asked.len() {
        return Ok(judge(&asked));
    }
    let judge = &judge;
    Ok(std::thread::scope(|scope| {
        let threads: Vec<_> = asked
            .chunks(share)
            .map(|asked| scope.spawn(move || judge(asked)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| match thread.join() {
                Ok(reports) => reports,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    }))
}

/// What these people are planned to do on these days, holidays and leave over it. Days outside of the employment are left out.
pub(crate) fn planned_days(
    evidence: &Evidence,
    days: &[(EmployeeId, Date)],
) -> Result<BTreeMap<(EmployeeId, Date), PlannedDay>, IngestError> {
    // A plan has nothing to do with what is covered.
    let plans = Plans::of(evidence, Timestamp::MAX)?;
    let mut rosters: BTreeMap<EmployeeId, Roster> = BTreeMap::new();
    let mut planned = BTreeMap::new();
    for &(employee, day) in days {
        let Some(person) = evidence.people.get(&employee) else {
            continue;
        };
        let begun = person.employed_from.is_none_or(|from| from <= day);
        let left = person.employed_to.is_some_and(|to| to < day);
        if !begun || left {
            continue;
        }
        let roster = rosters
            .entry(employee)
            .or_insert_with(|| plans.roster(evidence, person));
        let (value, origin) = attendance::planned(roster, day);
        let single = roster.overrides.get(&day);
        let absences = person.absences.iter();
        planned.insert(
            (employee, day),
            PlannedDay {
                value,
                origin,
                holiday: plans.holidays(person.site).contains(&day)
                    && !single.is_some_and(|single| single.on_holiday),
                away: absences
                    .filter(|one| one.from <= day && day <= one.to)
                    .map(|one| (one.on_duty, one.part))
                    .collect(),
            },
        );
    }
    Ok(planned)
}

/// The windows around `day` in which the people of the evidence are planned to come or go.
pub(crate) fn windows(
    evidence: &Evidence,
    day: Date,
) -> Result<Vec<(Timestamp, Timestamp)>, IngestError> {
    // Windows have nothing to do with what is covered.
    let plans = Plans::of(evidence, Timestamp::MAX)?;
    // A night shift of the day before, and the window before the first shift of the day after.
    let days = [-1, 0, 1].map(|away| after(day, away));
    let mut windows = Vec::new();
    for (id, person) in &evidence.people {
        let rules = plans.rules(evidence, *id, person);
        let employee = Employee {
            zone: person.zone.clone(),
            employed_from: None,
            employed_to: None,
        };
        let inputs = Inputs {
            shifts: Arc::clone(&rules.shifts),
            roster: plans.roster(evidence, person),
            ..Inputs::default()
        };
        windows.extend(attendance::planned_windows(
            &employee,
            &days,
            &inputs,
            &rules.policy,
        ));
    }
    Ok(windows)
}

/// Below so many days a thread costs more than it saves.
const WORTH_SHARING: usize = 64;

/// What is the same for all people of a batch.
struct Plans {
    /// By what is set for the people of the batch, one for all who have the same.
    rules: HashMap<Scopes, Rules>,
    /// In order of id.
    devices: Vec<PlannedDevice>,
    names: HashMap<ShiftId, Arc<str>>,
    /// By site; `None` is a site without holidays of its own.
    holidays: HashMap<Option<SiteId>, Arc<BTreeSet<Date>>>,
}

/// The levels at which something is set for a person, from the widest to the narrowest.
type Scopes = Vec<PolicyScope>;

fn scopes(policies: &Policies, id: EmployeeId, person: &Person) -> Scopes {
    let levels = [
        PolicyScope::Company,
        PolicyScope::Site(person.site),
        PolicyScope::Department(person.department),
        PolicyScope::Employee(id),
    ];
    let set = levels
        .into_iter()
        .filter(|level| policies.contains_key(level));
    set.collect()
}

/// The policy of some people, and the shifts with their own values over it.
struct Rules {
    policy: Policy,
    shifts: Arc<BTreeMap<Arc<str>, PlannedShift>>,
}

impl Rules {
    fn of(evidence: &Evidence, scopes: &Scopes) -> Result<Self, IngestError> {
        let mut policy = Policy::default();
        for scope in scopes {
            if let Some(values) = evidence.policies.get(scope) {
                let with = policy.with(values);
                policy = with.map_err(|error| IngestError::Policy(Box::new(error)))?;
            }
        }
        let mut shifts = BTreeMap::new();
        for (_, name, shift) in &evidence.shifts {
            match PlannedShift::new(name, shift.clone(), &policy) {
                Ok(planned) => {
                    shifts.insert(Arc::clone(&planned.name), planned);
                }
                // Checked when it was entered. One that is wrong all the same must not stop everybody's judgement.
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "shift {name} cannot be used; its days are off"
                ),
            }
        }
        Ok(Self {
            policy,
            shifts: Arc::new(shifts),
        })
    }
}

struct PlannedDevice {
    id: DeviceId,
    site: SiteId,
    /// From where its log begins; `None` if it was never read.
    since: Option<Timestamp>,
    retired: Option<Timestamp>,
    /// Relevant to nobody yet.
    device: Device,
}

impl PlannedDevice {
    fn in_service(&self, start: Timestamp, end: Timestamp) -> bool {
        self.since.is_some_and(|since| since < end)
            && self.retired.is_none_or(|retired| retired > start)
    }
}

impl Plans {
    /// `now` is when is judged: what was declared later is not known yet (R7).
    fn of(evidence: &Evidence, now: Timestamp) -> Result<Self, IngestError> {
        let mut rules = HashMap::new();
        for (id, person) in &evidence.people {
            let scopes = scopes(&evidence.policies, *id, person);
            if let Entry::Vacant(vacant) = rules.entry(scopes) {
                let of_these = Rules::of(evidence, vacant.key())?;
                vacant.insert(of_these);
            }
        }
        let names = evidence.shifts.iter();
        let names = names.map(|(id, name, _)| (*id, name.as_str().into()));
        let mut holidays: HashMap<Option<SiteId>, BTreeSet<Date>> = HashMap::new();
        let everywhere: BTreeSet<Date> = evidence
            .holidays
            .iter()
            .filter(|(site, _)| site.is_none())
            .map(|(_, day)| *day)
            .collect();
        for (site, day) in &evidence.holidays {
            holidays
                .entry(*site)
                .or_insert_with(|| everywhere.clone())
                .insert(*day);
        }
        holidays.insert(None, everywhere);
        let devices = evidence.devices.iter().map(|(id, row)| {
            let (covered_to, gaps) = declared(row, now);
            let device = Device {
                id: row.serial.as_str().into(),
                zone: row.zone.clone(),
                direction: row.direction,
                relevant: None,
                covered_to,
                gaps,
                lag_min: lag_min(row.poll_interval_s),
            };
            PlannedDevice {
                id: *id,
                site: row.site,
                since: row.covered.map(|(from, _)| from),
                retired: row.retired,
                device,
            }
        });
        Ok(Self {
            rules,
            devices: devices.collect(),
            names: names.collect(),
            holidays: holidays
                .into_iter()
                .map(|(site, days)| (site, Arc::new(days)))
                .collect(),
        })
    }

    /// Where a device is in `devices`.
    fn place(&self, id: DeviceId) -> Option<usize> {
        self.devices
            .binary_search_by_key(&id, |device| device.id)
            .ok()
    }

    fn holidays(&self, site: SiteId) -> Arc<BTreeSet<Date>> {
        self.holidays
            .get(&Some(site))
            .or_else(|| self.holidays.get(&None))
            .cloned()
            .unwrap_or_default()
    }

    /// The rules of somebody of the batch.
    fn rules(&self, evidence: &Evidence, id: EmployeeId, person: &Person) -> &Rules {
        &self.rules[&scopes(&evidence.policies, id, person)]
    }

    fn roster(&self, evidence: &Evidence, person: &Person) -> Roster {
        let changes = person.plan_changes.iter();
        let overrides = person.overrides.iter();
        Roster {
            plan: self.plan(evidence, &person.plan),
            changes: changes
                .map(|change| (change.from, self.plan(evidence, &change.plan)))
                .collect(),
            overrides: overrides
                .map(|(day, single)| {
                    let value = RosterOverride {
                        value: self.value(&single.plan),
                        on_holiday: single.on_holiday,
                    };
                    (*day, value)
                })
                .collect(),
        }
    }

    /// A week pattern says what is worked on which weekday; without one the shift is worked every day that the weekly off does
    /// not take out.
    fn plan(&self, evidence: &Evidence, plan: &WorkPlan) -> RosterPlan {
        let week = match plan.week_pattern {
            Some(pattern) => evidence
                .week_patterns
                .get(&pattern)
                .cloned()
                .unwrap_or_default(),
            None => std::array::from_fn(|_| DayPlan::from(plan.shift)),
        };
        let cycle = plan.cycle.and_then(|(id, anchor)| {
            let days = evidence.cycles.get(&id)?;
            Some(Cycle {
                anchor,
                days: days.iter().map(|day| self.value(day)).collect(),
            })
        });
        let offs = plan
            .weekly_off
            .and_then(|pattern| evidence.weekly_offs.get(&pattern));
        RosterPlan {
            week: week.map(|day| (day != DayPlan::Off).then(|| self.value(&day))),
            cycle,
            weekly_off: offs.map(|offs| weekly_offs(offs)).unwrap_or_default(),
        }
    }

    fn value(&self, plan: &DayPlan) -> RosterValue {
        let names = plan.shifts().iter();
        let names = names.filter_map(|id| self.names.get(id).cloned()).collect();
        match plan {
            DayPlan::Off => RosterValue::Off,
            DayPlan::Shifts(_) => RosterValue::Shifts(names),
            DayPlan::Auto(_) => RosterValue::Auto(names),
        }
    }
}

/// Up to when a device is covered and where it is not, with what people have declared until `now` (R76).
fn declared(row: &DeviceEvidence, now: Timestamp) -> (Option<Timestamp>, Vec<Gap>) {
    let mut covered_to = row.covered.map(|(_, to)| to);
    let mut gaps: Vec<Gap> = row
        .gaps
        .iter()
        .map(|&(from, to)| Gap { from, to })
        .collect();
    let known = |one: &&Declared| one.made <= now && one.withdrawn.is_none_or(|at| at > now);
    // In order of their beginnings, so that each may go on where the one before ended.
    for one in row.declared.iter().filter(known) {
        if covered_to.is_some_and(|to| one.from <= to) {
            covered_to = covered_to.max(Some(one.to));
        }
        gaps = gaps
            .into_iter()
            .flat_map(|gap| without(gap, one.from, one.to))
            .collect();
    }
    (covered_to, gaps)
}

/// What is left of a gap before and after a time.
fn without(gap: Gap, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Gap> {
    let before = Gap {
        from: gap.from,
        to: Some(gap.to.map_or(from, |end| end.min(from))),
    };
    let after = Gap {
        from: gap.from.max(to),
        to: gap.to,
    };
    [before, after]
        .into_iter()
        .filter(|gap| gap.to.is_none_or(|to| gap.from < to))
}

fn weekly_offs(days: &[(Weekday, Option<u8>)]) -> Vec<WeeklyOff> {
    days.iter()
        .map(|&(weekday, nth)| WeeklyOff {
            weekday,
            nth: nth.into_iter().collect(),
        })
        .collect()
}

fn judge_person(
    evidence: &Evidence,
    plans: &Plans,
    (id, person): (EmployeeId, &Person),
    days: &BTreeSet<Date>,
    now: Timestamp,
    explained: Explained,
    each: &mut dyn FnMut(Report),
) {
    let rules = plans.rules(evidence, id, person);
    let employee = Employee {
        zone: person.zone.clone(),
        employed_from: person.employed_from,
        employed_to: person.employed_to,
    };
    let known = Known::of(plans, person);
    let runs = alike(plans, person, &known, days);
    let punched = person.punches.iter();
    let mut places: Vec<usize> = punched
        .filter_map(|punch| plans.place(punch.device))
        .chain(runs.iter().flat_map(|(_, relevant)| relevant).copied())
        .collect();
    places.sort_unstable();
    places.dedup();
    let happened = Happened::of(plans, person, &places);
    let mut inputs = inputs_of_all_runs(evidence, plans, rules, person, &known, &places);
    for (days, relevant) in runs {
        let mut relevant = relevant.iter();
        let mut next = relevant.next();
        for (place, device) in places.iter().zip(&mut inputs.devices) {
            let is_relevant = next == Some(place);
            device.relevant = is_relevant.then_some(Relevance {
                from: None,
                to: plans.devices[*place].retired,
            });
            if is_relevant {
                next = relevant.next();
            }
        }
        happened.around(&days, &mut inputs);
        let judge = match explained {
            Explained::Yes => attendance::judge,
            Explained::No => attendance::judge_unexplained,
        };
        let judgement = judge(&employee, &days, &inputs, &rules.policy, now);
        judgement.reports.into_iter().for_each(&mut *each);
    }
}

/// What somebody's days are judged from, as the engine takes it, in order of the dates on which it happened there.
struct Happened {
    punches: Vec<(Date, EvidencePunch)>,
    corrections: Vec<(Date, Correction)>,
}

impl Happened {
    /// `places` are the devices of the inputs.
    fn of(plans: &Plans, person: &Person, places: &[usize]) -> Self {
        let date = |instant: Timestamp| person.zone.to_datetime(instant).date();
        let mut punches: Vec<_> = person
            .punches
            .iter()
            .map(|punch| {
                let device = plans
                    .place(punch.device)
                    .and_then(|place| places.binary_search(&place).ok());
                let punch = EvidencePunch {
                    id: punch.id.to_string().into(),
                    device,
                    wall: punch.clock,
                    instant: punch.instant,
                    received_at: Some(punch.received),
                    state: punch.state,
                    source: Source::Device,
                    suspect: punch.suspect,
                    released: punch.released,
                };
                (date(punch.instant), punch)
            })
            .collect();
        let mut corrections = Vec::new();
        for correction in &person.corrections {
            let on = date(correction.instant);
            let id: Arc<str> = correction_id(correction.id);
            let kind = match correction.kind {
                CorrectionEvidenceKind::RollCall { out } => {
                    let called = EvidencePunch {
                        id,
                        device: None,
                        wall: correction.at,
                        instant: correction.instant,
                        received_at: Some(correction.made),
                        state: if out { PunchState::Out } else { PunchState::In },
                        source: Source::RollCall,
                        suspect: false,
                        released: false,
                    };
                    punches.push((on, called));
                    continue;
                }
                CorrectionEvidenceKind::Add { state } => CorrectionKind::Add {
                    wall: correction.at,
                    instant: correction.instant,
                    state,
                },
                CorrectionEvidenceKind::VoidPunch(punch) => CorrectionKind::Void {
                    id: punch.to_string().into(),
                },
                CorrectionEvidenceKind::VoidCorrection(voided) => CorrectionKind::Void {
                    id: correction_id(voided),
                },
            };
            let correction = Correction {
                id,
                kind,
                author: correction.author.as_deref().unwrap_or_default().into(),
                reason: correction.reason.as_str().into(),
                made_at: Some(correction.made),
            };
            corrections.push((on, correction));
        }
        punches.sort_by_key(|(date, _)| *date);
        corrections.sort_by_key(|(date, _)| *date);
        Self {
            punches,
            corrections,
        }
    }

    /// Gives the engine what happened around a run of days.
    fn around(&self, days: &[Date], inputs: &mut Inputs) {
        fn copy<T: Clone>(from: &[(Date, T)], first: Date, last: Date, to: &mut Vec<T>) {
            let begin = from.partition_point(|(date, _)| *date < first);
            let end = from.partition_point(|(date, _)| *date <= last);
            to.clear();
            to.extend(from[begin..end].iter().map(|(_, value)| value.clone()));
        }
        if let (Some(first), Some(last)) = (days.first(), days.last()) {
            let (first, last) = (after(*first, -DAYS_AROUND), after(*last, DAYS_AROUND));
            copy(&self.punches, first, last, &mut inputs.punches);
            copy(&self.corrections, first, last, &mut inputs.corrections);
        }
    }
}

/// What ties a person to devices, these by their places in [`Plans::devices`].
struct Known {
    /// From when to when they list the person.
    listed: Vec<(usize, Timestamp, Option<Timestamp>)>,
    /// In order.
    punched_on: Vec<(Date, usize)>,
    /// Punches that may be the person's.
    contested: Vec<(usize, Timestamp)>,
}

impl Known {
    fn of(plans: &Plans, person: &Person) -> Self {
        let listed = person.enrolments.iter().filter_map(|listed| {
            let device = plans.place(listed.device)?;
            Some((device, listed.from, listed.to))
        });
        let punched_on = person.punched_on.iter();
        let contested = person.contested.iter();
        Self {
            listed: listed.collect(),
            punched_on: punched_on
                .filter_map(|(date, device)| Some((*date, plans.place(*device)?)))
                .collect(),
            contested: contested
                .filter_map(|(device, at)| Some((plans.place(*device)?, *at)))
                .collect(),
        }
    }
}

/// The days in runs of neighbours for which the same devices are relevant: the engine is given one set.
fn alike(
    plans: &Plans,
    person: &Person,
    known: &Known,
    days: &BTreeSet<Date>,
) -> Vec<(Vec<Date>, Vec<usize>)> {
    let mut runs: Vec<(Vec<Date>, Vec<usize>)> = Vec::new();
    let mut own = vec![false; plans.devices.len()];
    for &day in days {
        let relevant = relevant_devices(plans, person, known, day, &mut own);
        match runs.last_mut() {
            Some((run, same))
                if *same == relevant
                    && run
                        .last()
                        .is_some_and(|last| day <= after(*last, DAYS_AROUND)) =>
            {
                run.push(day);
            }
            _ => runs.push((vec![day], relevant)),
        }
    }
    runs
}

/// The devices that could have seen a person on a day, in order: where the person is listed or punched within 60 days, else all
/// of the site; of those in service on that day, which is from where their log begins to their retirement. `own` has room for a
/// word on each device.
fn relevant_devices(
    plans: &Plans,
    person: &Person,
    known: &Known,
    day: Date,
    own: &mut [bool],
) -> Vec<usize> {
    let midnight = |day: Date| {
        let start = person.zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0));
        start.compatible().unwrap_or(Timestamp::MAX)
    };
    let (start, end) = (midnight(day), midnight(after(day, 1)));
    let listed = known
        .listed
        .iter()
        .filter(|(_, from, to)| *from < end && to.is_none_or(|to| to >= start))
        .map(|(device, ..)| *device);
    // Dates in UTC, in which they are loaded; a day of a site touches one or two of them.
    let utc = |instant: Timestamp| TimeZone::UTC.to_datetime(instant).date();
    let first = after(utc(start), -RELEVANT_DAYS);
    let last = utc(end - SignedDuration::from_secs(1));
    let from = known.punched_on.partition_point(|(date, _)| *date < first);
    let punched = known.punched_on[from..]
        .iter()
        .take_while(|(date, _)| *date <= last)
        .map(|(_, device)| *device);
    let contested = known
        .contested
        .iter()
        .filter(|(_, at)| start <= *at && *at < end)
        .map(|(device, _)| *device);
    own.fill(false);
    for device in listed.chain(punched).chain(contested) {
        own[device] = true;
    }
    let in_service = || {
        let all = plans.devices.iter().enumerate();
        all.filter(|(_, device)| device.in_service(start, end))
    };
    let own: Vec<usize> = in_service()
        .filter(|(place, _)| own[*place])
        .map(|(place, _)| place)
        .collect();
    if !own.is_empty() {
        return own;
    }
    in_service()
        .filter(|(_, device)| device.site == person.site)
        .map(|(place, _)| place)
        .collect()
}

/// What is the same for all runs, made once: a device counts its owners, and two threads counting wait for each other.
fn inputs_of_all_runs(
    evidence: &Evidence,
    plans: &Plans,
    rules: &Rules,
    person: &Person,
    known: &Known,
    places: &[usize],
) -> Inputs {
    let devices = places.iter().map(|place| {
        let mut device = plans.devices[*place].device.clone();
        // A punch that may be this person's counts as not read: without it the day is unknown, never absent.
        let undecided = known.contested.iter().filter(|(on, _)| on == place);
        device.gaps.extend(undecided.map(|(_, at)| Gap {
            from: *at,
            to: Some(*at + SignedDuration::from_secs(1)),
        }));
        device
    });
    let absences = |on_duty: bool| -> Vec<Absence> {
        let absences = person.absences.iter();
        absences
            .filter(|absence| absence.on_duty == on_duty)
            .map(|absence| Absence {
                from: absence.from,
                to: absence.to,
                part: absence.part,
            })
            .collect()
    };
    Inputs {
        devices: devices.collect(),
        shifts: Arc::clone(&rules.shifts),
        roster: plans.roster(evidence, person),
        holidays: plans.holidays(person.site),
        leave: absences(false),
        on_duty: absences(true),
        locked: person.locked.clone(),
        ..Inputs::default()
    }
}

/// One or two reads may fail or come late without anybody's day becoming unknown.
fn lag_min(poll_interval_s: i64) -> u32 {
    let minutes = poll_interval_s.saturating_mul(3).div_euclid(60);
    u32::try_from(minutes).unwrap_or(if minutes < 0 { 0 } else { u32::MAX })
}

/// How a correction is called among punches: `c` and its number.
fn correction_id(id: i64) -> Arc<str> {
    format!("c{id}").into()
}

fn after(day: Date, days: i32) -> Date {
    day.saturating_add(Span::new().days(days))
}
