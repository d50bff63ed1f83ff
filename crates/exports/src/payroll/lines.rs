//! The sums of a period, person by person, and the lines they become.

use std::collections::BTreeMap;

use attendance::Status;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use store::payroll::LeaveSpan;
use store::views::sheet::{SheetPerson, SheetReport};

use super::{Field, Measure, Profile, Unit};
use crate::Cell;

/// A line of the file. Person and code are what it is compared by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub person: String,
    /// Empty in a file with a line per person.
    pub code: String,
    pub cells: Vec<Cell>,
}

/// Half of a day, in hundredths of a day.
const HALF: i64 = 50;
/// Leave of which no table says what kind it is.
pub(super) const UNKNOWN_KIND: &str = "leave";

/// What a person's reports of a period add up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    /// Hundredths of days: of a measure of time, days on which there was some.
    days: BTreeMap<Measure, i64>,
    minutes: BTreeMap<Measure, i64>,
}

impl Figures {
    pub fn of(reports: &[SheetReport], leave: &[&LeaveSpan]) -> Self {
        let mut figures = Self::default();
        for report in reports {
            figures.count_day(report, leave);
            for (measure, minutes) in [
                (Measure::Planned, report.planned_min),
                (Measure::Worked, report.worked_min),
                (Measure::Late, report.late_min),
                (Measure::Early, report.early_min),
                (Measure::Night, report.night_min),
                (Measure::Overtime, report.overtime_min),
            ] {
                figures.add_minutes(measure, minutes);
            }
            for (level, minutes) in overtime_levels(report).into_iter().enumerate() {
                figures.add_minutes(Measure::OvertimeLevel(level + 1), minutes);
            }
        }
        figures
    }

    fn count_day(&mut self, report: &SheetReport, leave: &[&LeaveSpan]) {
        let (duty, part) = match report.leave_part.strip_prefix("on_duty_") {
            Some(part) => (true, part),
            None => (false, &*report.leave_part),
        };
        let other = if part.is_empty() { 0 } else { HALF };
        self.add_days(Measure::Status(report.status), 2 * HALF - other);
        match (other, duty) {
            (0, _) if report.status != Status::OnLeave => {}
            (0, _) => {
                for half in ["first_half", "second_half"] {
                    self.add_days(Measure::Leave(kind_of(report, half, leave)), HALF);
                }
            }
            (_, true) => self.add_days(Measure::Status(Status::OnDuty), HALF),
            (_, false) => {
                self.add_days(Measure::Status(Status::OnLeave), HALF);
                self.add_days(Measure::Leave(kind_of(report, part, leave)), HALF);
            }
        }
    }

    fn add_days(&mut self, measure: Measure, hundredths: i64) {
        *self.days.entry(measure).or_default() += hundredths;
    }

    fn add_minutes(&mut self, measure: Measure, minutes: i64) {
        if minutes > 0 {
            self.add_days(measure.clone(), 2 * HALF);
            *self.minutes.entry(measure).or_default() += minutes;
        }
    }

    /// In hundredths of the unit.
    fn amount(&self, unit: Unit, measure: &Measure) -> i64 {
        let of = |sums: &BTreeMap<Measure, i64>| sums.get(measure).copied().unwrap_or_default();
        match unit {
            Unit::Days => of(&self.days),
            Unit::Minutes => of(&self.minutes) * 100,
            Unit::Hours => (of(&self.minutes) * 100 + 30) / 60,
        }
    }

    /// Everything there is some of.
    pub fn measures(&self) -> impl Iterator<Item = &Measure> {
        self.days
            .iter()
            .filter(|(_, days)| **days > 0)
            .map(|(measure, _)| measure)
    }
}

/// R84: without limits all of it is the first level.
fn overtime_levels(report: &SheetReport) -> Vec<i64> {
    let levels: Vec<i64> = serde_json::from_str(&report.overtime_levels).unwrap_or_default();
    match levels.is_empty() {
        true => vec![report.overtime_min],
        false => levels,
    }
}

/// The kind of leave that covers a half of a day: the entry for that half, else one for the whole day.
fn kind_of(report: &SheetReport, half: &str, leave: &[&LeaveSpan]) -> String {
    let covers = |part: &str| {
        leave.iter().find(|entry| {
            entry.part == part
                && entry.kind != "on_duty"
                && entry.from_day <= report.workday
                && report.workday <= entry.to_day
        })
    };
    let found = covers(half).or_else(|| covers("full"));
    found.map_or_else(|| UNKNOWN_KIND.to_owned(), |entry| entry.kind.clone())
}

/// Adds the line of a person, or one for each code of which there is some.
pub(super) fn add(
    lines: &mut Vec<Line>,
    profile: &Profile,
    person: &SheetPerson,
    period: (Date, Date),
    figures: &Figures,
) {
    let mut line = |code: &str, amount: Cell, unit: &str| {
        let cell = |field: &Field| match field {
            Field::EmployeeCode => Cell::text(&*person.code),
            Field::FirstName => Cell::text(&*person.first_name),
            Field::LastName => Cell::text(&*person.last_name),
            Field::Name => Cell::text(person.name()),
            Field::Email => Cell::maybe(person.email.as_deref()),
            Field::Site => Cell::text(&*person.site),
            Field::Department => Cell::maybe(person.department.as_deref()),
            Field::PeriodFrom => Cell::text(period.0.to_string()),
            Field::PeriodTo => Cell::text(period.1.to_string()),
            Field::Code => Cell::text(code),
            Field::Amount => amount.clone(),
            Field::Unit => Cell::text(unit),
            Field::Sum(unit, measure) => amount_cell(*unit, figures.amount(*unit, measure)),
        };
        lines.push(Line {
            person: person.code.clone(),
            code: code.to_owned(),
            cells: profile
                .columns
                .iter()
                .map(|column| cell(&column.field))
                .collect(),
        });
    };
    if !profile.is_by_code() {
        line("", Cell::Empty, "");
        return;
    }
    let mut done = Vec::new();
    for code in &profile.codes {
        if done.contains(&&code.code) {
            continue;
        }
        done.push(&code.code);
        let same = profile.codes.iter().filter(|other| other.code == code.code);
        let amount: i64 = same
            .map(|other| figures.amount(other.unit, &other.of))
            .sum();
        if amount != 0 {
            line(
                &code.code,
                amount_cell(code.unit, amount),
                &code.unit.to_string(),
            );
        }
    }
}

/// Days and hours with two decimals, minutes whole.
fn amount_cell(unit: Unit, hundredths: i64) -> Cell {
    match unit {
        Unit::Minutes => Cell::Int(hundredths / 100),
        Unit::Days | Unit::Hours => Cell::Decimal { hundredths },
    }
}
