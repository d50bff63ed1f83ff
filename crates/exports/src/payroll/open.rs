//! What has to be decided before hours are paid.

use std::fmt;

use attendance::Status;
use jiff::ToSpan;
use jiff::civil::Date;
use store::views::sheet::{SheetPerson, SheetReport};

use super::lines::Figures;
use super::{Measure, Profile};

/// A day of a person, and what is open about it. Without a day it is the whole period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDay {
    pub code: String,
    pub name: String,
    pub workday: Option<Date>,
    /// Names of exceptions, `unknown`, `not_final`, `not_judged`, or what has no column or code, e.g. `uncoded overtime:3`.
    pub what: Vec<String>,
}

impl fmt::Display for OpenDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        if let Some(day) = self.workday {
            write!(f, " {day}")?;
        }
        write!(f, " {}", self.what.join(", "))
    }
}

pub(super) fn add(
    open: &mut Vec<OpenDay>,
    profile: &Profile,
    person: &SheetPerson,
    (from, to): (Date, Date),
    reports: &[SheetReport],
    figures: &Figures,
) {
    let mut note = |workday: Option<Date>, what: Vec<String>| {
        if !what.is_empty() {
            open.push(OpenDay {
                code: person.code.clone(),
                name: person.name(),
                workday,
                what,
            });
        }
    };
    let mut left = reports.iter().peekable();
    for day in from.series(1.day()).take_while(|day| *day <= to) {
        let text = day.to_string();
        let what = match left.next_if(|report| report.workday == text) {
            Some(report) => open_about(report),
            None if person.is_employed_on(&text) => vec!["not_judged".to_owned()],
            None => Vec::new(),
        };
        note(Some(day), what);
    }
    note(None, uncoded(profile, figures));
}

/// What is closed was decided, or waived, by whoever closed it.
fn open_about(report: &SheetReport) -> Vec<String> {
    if report.stage == "locked" {
        return Vec::new();
    }
    let words = report.exceptions.split(',').filter(|word| !word.is_empty());
    let mut what: Vec<String> = words.map(str::to_owned).collect();
    if report.status == Status::Unknown {
        what.push("unknown".to_owned());
    }
    if report.stage == "provisional" {
        what.push("not_final".to_owned());
    }
    what
}

/// A profile that tells levels of overtime or kinds of leave apart must know all of them: what it does not know would silently not
/// be paid.
fn uncoded(profile: &Profile, figures: &Figures) -> Vec<String> {
    let levels = profile
        .measures()
        .any(|measure| matches!(measure, Measure::OvertimeLevel(_)));
    let kinds = profile
        .measures()
        .any(|measure| matches!(measure, Measure::Leave(_)));
    let all_overtime = profile
        .measures()
        .any(|measure| *measure == Measure::Overtime);
    let all_leave = profile
        .measures()
        .any(|measure| *measure == Measure::Status(Status::OnLeave));
    let asked = |measure: &Measure| match measure {
        Measure::OvertimeLevel(_) => levels && !all_overtime,
        Measure::Leave(_) => kinds && !all_leave,
        _ => false,
    };
    figures
        .measures()
        .filter(|measure| asked(measure) && !profile.measures().any(|known| known == *measure))
        .map(|measure| format!("uncoded {measure}"))
        .collect()
}
