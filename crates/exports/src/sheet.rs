//! Reports as rows: a workday, a month, a time card.

use std::collections::HashMap;

use jiff::civil::Date;
use store::ReadTx;
use store::views::sheet::{self, Scope, SheetPerson, SheetReport};
use tokio::sync::mpsc;

use crate::{Cell, Column, ExportError, Month, Rows, Totals, Whose, hand_over};

/// People whose reports are in memory at the same time.
const TOGETHER: usize = 250;

pub(crate) fn day_columns() -> Vec<Column> {
    let mut columns = vec![
        Column::fixed("workday", 11),
        Column::fixed("employee_code", 14),
        Column::fixed("name", 24),
        Column::new("site", 18),
        Column::new("department", 18),
        Column::new("shift", 16),
        Column::new("status", 12),
        Column::new("letter", 7),
        Column::new("stage", 12),
        Column::new("unknown_because", 16),
        Column::new("first_in", 19),
        Column::new("last_out", 19),
    ];
    for minutes in [
        "planned_min",
        "worked_min",
        "late_min",
        "early_min",
        "overtime_min",
        "night_min",
    ] {
        columns.push(Column::new(minutes, 13));
    }
    columns.push(Column::new("leave_part", 13));
    columns.push(Column::new("exceptions", 24));
    columns.push(Column::new("pending", 16));
    columns
}

fn day_row(person: &SheetPerson, day: &str, report: Option<&SheetReport>) -> Vec<Cell> {
    let mut row = vec![
        Cell::text(day),
        Cell::text(&*person.code),
        Cell::text(person.name()),
        Cell::text(&*person.site),
        Cell::maybe(person.department.as_deref()),
    ];
    let Some(report) = report else {
        row.resize(day_columns().len(), Cell::Empty);
        return row;
    };
    let words = |list: &str| Cell::text(list.replace(',', " "));
    row.extend([
        Cell::text(&*report.shift),
        Cell::text(report.status.as_str()),
        Cell::text(&*report.letter),
        Cell::text(&*report.stage),
        Cell::text(&*report.reason),
        Cell::maybe(report.first_in.as_deref()),
        Cell::maybe(report.last_out.as_deref()),
        Cell::Int(report.planned_min),
        Cell::Int(report.worked_min),
        Cell::Int(report.late_min),
        Cell::Int(report.early_min),
        Cell::Int(report.overtime_min),
        Cell::Int(report.night_min),
        Cell::text(&*report.leave_part),
        words(&report.exceptions),
        words(&report.pending),
    ]);
    row
}

pub(crate) fn month_columns(month: Month) -> Vec<Column> {
    let mut columns = vec![
        Column::fixed("employee_code", 14),
        Column::fixed("name", 24),
        Column::new("site", 18),
        Column::new("department", 18),
    ];
    columns.extend(month.days().map(|day| Column::new(day.to_string(), 10)));
    let totals = Totals::default().named();
    columns.extend(totals.map(|(name, _)| Column::new(name, 13)));
    columns
}

/// Letters of the days in order, `–` outside the employment (R18, R121), nothing where no report is stored.
fn month_row(person: &SheetPerson, days: &[String], reports: &[SheetReport]) -> Vec<Cell> {
    let mut row = vec![
        Cell::text(&*person.code),
        Cell::text(person.name()),
        Cell::text(&*person.site),
        Cell::maybe(person.department.as_deref()),
    ];
    let mut left = reports.iter().peekable();
    for day in days {
        let report = left.next_if(|report| report.workday == *day);
        row.push(match report {
            Some(report) => Cell::text(&*report.letter),
            None if person.is_employed_on(day) => Cell::Empty,
            None => Cell::text("–"),
        });
    }
    let totals = Totals::of(reports).named();
    row.extend(totals.map(|(_, value)| Cell::Int(value)));
    row
}

/// The people in their order. With ids those who are left out by the days too: the page has shown them.
async fn people(
    tx: &ReadTx,
    whose: &Whose,
    from: &str,
    to: &str,
) -> Result<Vec<SheetPerson>, ExportError> {
    match whose {
        Whose::Scope(scope) => Ok(sheet::people(tx, scope, from, to).await?),
        Whose::Ids(ids) => {
            let all = sheet::people(tx, &Scope::default(), from, to).await?;
            let mut known: HashMap<i64, SheetPerson> =
                all.into_iter().map(|person| (person.id, person)).collect();
            Ok(ids.iter().filter_map(|id| known.remove(id)).collect())
        }
    }
}

/// The reports of some people from one day to another, by person.
pub(crate) async fn reports_by_person(
    tx: &ReadTx,
    people: &[SheetPerson],
    from: &str,
    to: &str,
) -> Result<HashMap<i64, Vec<SheetReport>>, ExportError> {
    let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
    let mut by_person: HashMap<i64, Vec<SheetReport>> = HashMap::new();
    for report in sheet::reports(tx, &ids, from, to).await? {
        by_person
            .entry(report.employee_id)
            .or_default()
            .push(report);
    }
    Ok(by_person)
}

pub(crate) async fn read_day(
    tx: &ReadTx,
    day: Date,
    whose: &Whose,
    to: &mpsc::Sender<Rows>,
) -> Result<(), ExportError> {
    let day = day.to_string();
    for people in people(tx, whose, &day, &day).await?.chunks(TOGETHER) {
        let reports = reports_by_person(tx, people, &day, &day).await?;
        let row = |person: &SheetPerson| {
            let report = reports.get(&person.id).and_then(|reports| reports.first());
            day_row(person, &day, report)
        };
        hand_over(to, people.iter().map(row).collect()).await?;
    }
    Ok(())
}

pub(crate) async fn read_month(
    tx: &ReadTx,
    month: Month,
    whose: &Whose,
    to: &mpsc::Sender<Rows>,
) -> Result<(), ExportError> {
    let days: Vec<String> = month.days().map(|day| day.to_string()).collect();
    let (from, last) = (month.first().to_string(), month.last().to_string());
    for people in people(tx, whose, &from, &last).await?.chunks(TOGETHER) {
        let reports = reports_by_person(tx, people, &from, &last).await?;
        let row = |person: &SheetPerson| {
            let reports = reports.get(&person.id).map_or(&[][..], Vec::as_slice);
            month_row(person, &days, reports)
        };
        hand_over(to, people.iter().map(row).collect()).await?;
    }
    Ok(())
}

/// Every employed day of the month, also those without a report.
pub(crate) async fn read_timecard(
    tx: &ReadTx,
    code: &str,
    month: Month,
    to: &mpsc::Sender<Rows>,
) -> Result<(), ExportError> {
    let person = sheet::person(tx, code).await?;
    let person = person.ok_or_else(|| ExportError::NobodyWithCode(code.to_owned()))?;
    let (from, last) = (month.first().to_string(), month.last().to_string());
    let reports = sheet::reports(tx, &[person.id], &from, &last).await?;
    let by_day: HashMap<&str, &SheetReport> = reports
        .iter()
        .map(|report| (&*report.workday, report))
        .collect();
    let days = month.days().map(|day| day.to_string());
    let employed = days.filter(|day| person.is_employed_on(day));
    let rows = employed.map(|day| day_row(&person, &day, by_day.get(&*day).copied()));
    hand_over(to, rows.collect()).await
}
