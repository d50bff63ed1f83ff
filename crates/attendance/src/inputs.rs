//! What a judgement is made from. rules.md §1.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use crate::PunchState;
use crate::policy::Policy;
use crate::report::Report;
use crate::shift::Shift;

/// The person judged.
#[derive(Clone, Debug)]
pub struct Employee {
    /// Zone of the site.
    pub zone: TimeZone,
    /// Both inclusive; `None` is open.
    pub employed_from: Option<Date>,
    pub employed_to: Option<Date>,
}

/// How far the direction of a device's punches is trusted (R40).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    #[default]
    None,
    /// The pressed key counts.
    States,
    In,
    Out,
}

/// A device as far as it matters for one person.
#[derive(Clone, Debug)]
pub struct Device {
    /// Referred to by [`EvidencePunch::device`]; also the text the why panel shows.
    pub id: Arc<str>,
    pub zone: TimeZone,
    pub direction: Direction,
    /// From when to when this device could have seen the person; `None` is never. Both ends may be open.
    pub relevant: Option<Relevance>,
    /// Everything up to this instant has been read; `None` if it was never read.
    pub covered_to: Option<Timestamp>,
    pub gaps: Vec<Gap>,
    /// How old what was read of it usually is, where that is more than `coverage_lag_min` of the policy (R73).
    pub lag_min: u32,
}

/// `from` inclusive, `to` exclusive: the first verified read, the retirement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relevance {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// A time that was not recorded or not read; without `to` it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: Timestamp,
    pub to: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Poll, push, live or import: the way in is not evidence.
    Device,
    RollCall,
}

/// A punch, or a roll call, as evidence.
#[derive(Clone, Debug)]
pub struct EvidencePunch {
    /// Unique among punches and added corrections of the inputs; the smallest in text order stays of equals (R33).
    pub id: Arc<str>,
    /// Index into [`Inputs::devices`]; `None` for a roll call.
    pub device: Option<usize>,
    /// Wall time of the device, or of the site for a roll call.
    pub wall: DateTime,
    pub instant: Timestamp,
    /// `None`: known for ever.
    pub received_at: Option<Timestamp>,
    pub state: PunchState,
    pub source: Source,
    pub suspect: bool,
    /// A person has said when it was made, so it is in no quarantine (R31).
    pub released: bool,
}

#[derive(Clone, Debug)]
pub enum CorrectionKind {
    /// A punch that was not recorded. `state`, if given, is trusted (R32).
    Add {
        wall: DateTime,
        instant: Timestamp,
        state: Option<PunchState>,
    },
    /// Takes out the punch or added punch of that id.
    Void { id: Arc<str> },
}

#[derive(Clone, Debug)]
pub struct Correction {
    pub id: Arc<str>,
    pub kind: CorrectionKind,
    pub author: Arc<str>,
    pub reason: Arc<str>,
    /// `None`: always in effect.
    pub made_at: Option<Timestamp>,
}

/// What a roster says for a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterValue {
    Off,
    /// One or several shifts by name (R13).
    Shifts(Vec<Arc<str>>),
    /// Candidates of the automatic choice (R100).
    Auto(Vec<Arc<str>>),
}

#[derive(Clone, Debug)]
pub struct Cycle {
    pub anchor: Date,
    pub days: Vec<RosterValue>,
}

#[derive(Clone, Debug)]
pub struct WeeklyOff {
    pub weekday: Weekday,
    /// Which of the month, 1 to 5; empty means every one.
    pub nth: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct RosterOverride {
    pub value: RosterValue,
    pub on_holiday: bool,
}

/// Which shift on which day, as long as one plan holds (R14).
#[derive(Clone, Debug, Default)]
pub struct RosterPlan {
    /// Monday first; `None` is off.
    pub week: [Option<RosterValue>; 7],
    pub cycle: Option<Cycle>,
    pub weekly_off: Vec<WeeklyOff>,
}

/// The plans of a person, and the single days that are otherwise (R14).
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// Until the first change.
    pub plan: RosterPlan,
    /// From its date on each holds instead of the one before.
    pub changes: BTreeMap<Date, RosterPlan>,
    pub overrides: BTreeMap<Date, RosterOverride>,
}

impl Roster {
    /// The plan that holds on a date.
    pub fn plan_on(&self, date: Date) -> &RosterPlan {
        let change = self.changes.range(..=date).next_back();
        change.map_or(&self.plan, |(_, plan)| plan)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DayPart {
    #[default]
    Full,
    FirstHalf,
    SecondHalf,
}

/// Approved leave, or duty elsewhere. Both dates inclusive.
#[derive(Clone, Copy, Debug)]
pub struct Absence {
    pub from: Date,
    pub to: Date,
    pub part: DayPart,
}

/// Everything but the person, the policy and the time.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub devices: Vec<Device>,
    pub punches: Vec<EvidencePunch>,
    pub corrections: Vec<Correction>,
    /// By name.
    pub shifts: Arc<BTreeMap<Arc<str>, PlannedShift>>,
    pub roster: Roster,
    pub holidays: Arc<std::collections::BTreeSet<Date>>,
    pub leave: Vec<Absence>,
    pub on_duty: Vec<Absence>,
    /// Stored reports of closed days (R110).
    pub locked: BTreeMap<Date, Report>,
}

/// A shift with the policy that holds on its days, merged once for many judgements.
#[derive(Clone, Debug)]
pub struct PlannedShift {
    pub name: Arc<str>,
    pub shift: Shift,
    pub policy: Arc<Policy>,
}
