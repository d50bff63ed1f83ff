//! The result of a judgement. rules.md §2.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

use crate::derivation::Derivation;
use crate::punch::named_set;

named_set! {
    Status {
        #[default]
        NotDue = "not_due",
        NotArrived = "not_arrived",
        Present = "present",
        HalfDay = "half_day",
        Absent = "absent",
        OnLeave = "on_leave",
        WeeklyOff = "weekly_off",
        Holiday = "holiday",
        OnDuty = "on_duty",
        Unknown = "unknown",
        /// The empty report outside the employment (R18).
        NotEmployed = "not_employed",
    }
}

named_set! {
    /// Why a status is unknown.
    UnknownReason {
        #[default]
        NotCovered = "not_covered",
        NoDevice = "no_device",
    }
}

named_set! {
    /// R71, R110.
    Stage {
        #[default]
        Provisional = "provisional",
        Final = "final",
        FinalWithoutCoverage = "final_without_coverage",
        Locked = "locked",
    }
}

named_set! {
    /// What waits for a person.
    Exception {
        #[default]
        MissingIn = "missing_in",
        MissingOut = "missing_out",
        OffShift = "off_shift",
        LeaveConflict = "leave_conflict",
        DirectionConflict = "direction_conflict",
        RollCallConflict = "roll_call_conflict",
        Unpaired = "unpaired",
        LongSession = "long_session",
    }
}

named_set! {
    /// Why a punch did not count.
    IgnoredReason {
        #[default]
        Voided = "voided",
        Quarantined = "quarantined",
        Duplicate = "duplicate",
        Debounced = "debounced",
        OffShift = "off_shift",
        Superseded = "superseded",
        OutsideEmployment = "outside_employment",
    }
}

/// One employee, one workday. Two judgements are the same when all fields but `recheck_at`, `waits` and the
/// derivation are. Serialized without what is empty: each version of each report is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub workday: Date,
    pub status: Status,
    /// Only with [`Status::Unknown`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: Option<UnknownReason>,
    pub stage: Stage,
    /// Name of the shift judged by; several joined with `+`; empty on off days.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shift: String,
    /// Wall time of the site, seconds kept, with its instant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub first_in: Option<Moment>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_out: Option<Moment>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub planned_min: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub worked_min: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub late_min: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub early_min: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub overtime_min: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub overtime_levels: Vec<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub night_min: u32,
    /// Sorted by name, without repetition.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exceptions: Vec<Exception>,
    /// Missing sides shown amber while provisional (R66).
    #[serde(default, skip_serializing_if = "is_default")]
    pub pending: Vec<Exception>,
    /// `first_half`, `second_half`, `on_duty_first_half`, `on_duty_second_half` or empty.
    #[serde(default, skip_serializing_if = "is_default")]
    pub leave_part: String,
    /// Punch id to the reason it did not count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignored: BTreeMap<String, IgnoredReason>,
    /// Fields in which a locked report differs from the evidence, sorted (R111).
    #[serde(default, skip_serializing_if = "is_default")]
    pub changes_after_close: Vec<String>,
    /// The earliest instant at which a judgement with the same inputs could differ; `None`: never by time alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recheck_at: Option<Timestamp>,
    /// What coverage could change; `None`: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waits: Option<Waits>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub derivation: Derivation,
}

/// A report may change when this device is read further, as long as it is covered to less than `below`. It is the one read
/// least far: what others bring says nothing before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// As in [`crate::Device::id`].
    pub device: String,
    pub below: Timestamp,
}

/// A wall time of the site and its instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    pub wall: DateTime,
    pub instant: Timestamp,
}

/// The reports of the asked days, in their order, and what belongs to none.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub reports: Vec<Report>,
    /// R31.
    pub quarantined: Vec<String>,
    /// R27.
    pub outside_employment: Vec<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Report {
    /// The report of a day of which nothing is known yet; also the one outside the employment (R18).
    pub(crate) fn empty(workday: Date) -> Self {
        Self {
            workday,
            status: Status::NotEmployed,
            reason: None,
            stage: Stage::Final,
            shift: String::new(),
            first_in: None,
            last_out: None,
            planned_min: 0,
            worked_min: 0,
            late_min: 0,
            early_min: 0,
            overtime_min: 0,
            overtime_levels: Vec::new(),
            night_min: 0,
            exceptions: Vec::new(),
            pending: Vec::new(),
            leave_part: String::new(),
            ignored: BTreeMap::new(),
            changes_after_close: Vec::new(),
            recheck_at: None,
            waits: None,
            derivation: Derivation::default(),
        }
    }

    /// The entry of the month sheet (R121). Empty while the day is open, `–` outside the employment.
    pub fn letter(&self) -> String {
        let plain = match self.status {
            Status::NotDue | Status::NotArrived => "",
            Status::Present if self.exceptions.contains(&Exception::MissingIn) => "MI",
            Status::Present if self.exceptions.contains(&Exception::MissingOut) => "MO",
            Status::Present if self.late_min > 0 => "P*",
            Status::Present => "P",
            Status::HalfDay => "HD",
            Status::Absent => "A",
            Status::OnLeave => "LV",
            Status::WeeklyOff => "WO",
            Status::Holiday => "H",
            Status::OnDuty => "OD",
            Status::Unknown => "U",
            Status::NotEmployed => "–",
        };
        let half = match self.leave_part.as_str() {
            "" => "",
            part if part.starts_with("on_duty") => "/OD",
            _ => "/LV",
        };
        if plain.is_empty() {
            String::new()
        } else {
            format!("{plain}{half}")
        }
    }

    /// The simple view of a report (R122): present, absent, or neither.
    pub fn seen_as(&self) -> Option<Presence> {
        match self.status {
            Status::Present | Status::HalfDay | Status::OnDuty => Some(Presence::Present),
            Status::Absent => Some(Presence::Absent),
            _ => None,
        }
    }
}

/// R122.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Present,
    Absent,
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn what_is_empty_is_not_written_and_read_as_empty() {
        let mut report = Report::empty(date(2026, 3, 2));
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            r#"{"workday":"2026-03-02","status":"not_employed","stage":"final"}"#
        );
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);

        report.late_min = 25;
        report.exceptions.push(Exception::MissingOut);
        report
            .ignored
            .insert("7".to_owned(), IgnoredReason::Duplicate);
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
