//! What an edit would change, day by day, before it is made.

use ingest::Preview;
use jiff::civil::Date;
use store::reports::ReportFields;

use super::remarks::Remarks;
use crate::format::{self, Chip};
use crate::text::msg;

/// Columns of a report that the table of changes shows.
const SEEN: [&str; 8] = [
    "status",
    "first_in",
    "last_out",
    "worked_min",
    "late_min",
    "early_min",
    "exceptions",
    "pending",
];

/// A day before and after an edit, as a row of a table.
pub(super) struct ChangedDay {
    pub date: String,
    pub now: Option<Chip>,
    pub then: Chip,
    pub first_in: String,
    pub last_out: String,
    pub note: String,
}

/// Whether people would see the difference. A day without a report and without a punch stays as empty as it was.
pub(super) fn worth_showing(one: &Preview) -> bool {
    let Some(after) = &one.after else {
        return false;
    };
    match &one.before {
        None => after.first_in.is_some() || after.last_out.is_some(),
        Some(before) => before
            .differences(after)
            .iter()
            .any(|column| SEEN.contains(&column.as_str())),
    }
}

pub(super) fn changed_day(changed: &Preview, today: Date) -> Option<ChangedDay> {
    let then = changed.after.as_ref()?;
    let mut notes = remarks(then).texts();
    if then.late_min > 0 {
        let late = msg("late-by").with("minutes", format::minutes(then.late_min));
        notes.insert(0, late.to_string());
    }
    Some(ChangedDay {
        date: format::short_date(changed.workday, today).to_string(),
        now: changed.before.as_ref().map(report_chip),
        then: report_chip(then),
        first_in: format::wall_minutes(then.first_in.as_deref().unwrap_or_default()).to_owned(),
        last_out: format::wall_minutes(then.last_out.as_deref().unwrap_or_default()).to_owned(),
        note: notes.join(" · "),
    })
}

fn remarks(report: &ReportFields) -> Remarks<'_> {
    Remarks {
        reason: &report.reason,
        leave_part: &report.leave_part,
        early_min: report.early_min,
        overtime_min: report.overtime_min,
        exceptions: &report.exceptions,
        pending: &report.pending,
    }
}

/// The status of a report, or the side that is missing.
pub(super) fn report_chip(report: &ReportFields) -> Chip {
    let missing = remarks(report).missing();
    Chip::of(&report.status, report.late_min, missing, false)
}
