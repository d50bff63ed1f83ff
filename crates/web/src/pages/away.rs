//! The form of leave and of duty elsewhere, wherever it is entered or asked for.

use attendance::{DayPart, EmployeeId};
use jiff::civil::Date;
use serde::Deserialize;
use store::calendar::{LeaveKind, LeaveType, NewLeave};

use crate::pages::day::Choice;
use crate::pages::form::Errors;
use crate::text::msg;

/// Nobody is away for longer at once by one entry.
const LONGEST: i32 = 366;

/// What a form sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AwayForm {
    /// `leave` or `on_duty`.
    pub kind: String,
    pub from: String,
    pub to: String,
    /// `full`, `first_half` or `second_half`.
    pub part: String,
    /// Empty or an id.
    pub leave_type: String,
    pub reason: String,
    /// Where to go on; a path of ours.
    pub back: String,
    /// `save`, or only a look at what would change.
    pub step: String,
}

/// The days of leave that somebody entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Away {
    pub kind: LeaveKind,
    pub from: Date,
    pub to: Date,
    pub part: DayPart,
    pub leave_type: Option<i64>,
}

impl Away {
    pub fn of(self, employee: EmployeeId, reason: String) -> NewLeave {
        NewLeave {
            employee,
            kind: self.kind,
            from: self.from,
            to: self.to,
            part: self.part,
            leave_type: self.leave_type,
            reason,
        }
    }
}

impl AwayForm {
    pub fn kind(&self) -> LeaveKind {
        match self.kind.as_str() {
            "on_duty" => LeaveKind::OnDuty,
            _ => LeaveKind::Leave,
        }
    }

    /// What it says, with errors beside the fields that say nothing useful.
    pub fn read(&self, types: &[LeaveType], errors: &mut Errors) -> Option<Away> {
        let mut date = |field: &'static str, text: &str| {
            let date: Option<Date> = text.parse().ok();
            if date.is_none() {
                errors.add(field, msg("date-wrong"));
            }
            date
        };
        let (from, to) = (date("from", &self.from), date("to", &self.to));
        let (from, to) = (from?, to?);
        let days = (to - from).get_days();
        if days < 0 {
            errors.add("to", msg("leave-ends-before"));
            return None;
        }
        if days >= LONGEST {
            errors.add("to", msg("away-days-wrong"));
            return None;
        }
        let kind = self.kind();
        let leave_type = types
            .iter()
            .map(|one| one.id)
            .find(|id| id.to_string() == self.leave_type)
            .filter(|_| kind == LeaveKind::Leave);
        Some(Away {
            kind,
            from,
            to,
            part: match self.part.as_str() {
                "first_half" => DayPart::FirstHalf,
                "second_half" => DayPart::SecondHalf,
                _ => DayPart::Full,
            },
            leave_type,
        })
    }

    pub fn parts(&self) -> Vec<Choice> {
        ["full", "first_half", "second_half"]
            .into_iter()
            .map(|part| Choice {
                name: msg(format!("away-part-{part}")).to_string(),
                chosen: self.part == part,
                value: part.to_owned(),
            })
            .collect()
    }

    pub fn types(&self, types: &[LeaveType]) -> Vec<Choice> {
        let of_leave = types.iter().filter(|_| self.kind() == LeaveKind::Leave);
        of_leave
            .map(|one| Choice {
                value: one.id.to_string(),
                name: one.name.clone(),
                chosen: self.leave_type == one.id.to_string(),
            })
            .collect()
    }
}
