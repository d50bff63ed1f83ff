//! Reports as tables that fit a screen: the columns people look at, under short headings.

use exports::{Cell, Column, ExportError, Sink};

use crate::output;

/// Rows in memory.
#[derive(Debug, Default)]
pub struct Rows {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sink for Rows {
    type Done = Self;

    fn head(&mut self, columns: &[Column]) -> Result<(), ExportError> {
        self.headings = columns
            .iter()
            .map(|column| column.heading.clone())
            .collect();
        Ok(())
    }

    fn row(&mut self, row: &[Cell]) -> Result<(), ExportError> {
        self.rows
            .push(row.iter().map(ToString::to_string).collect());
        Ok(())
    }

    fn finish(self) -> Result<Self, ExportError> {
        Ok(self)
    }
}

impl Rows {
    pub fn new(columns: &[Column], rows: &[Vec<Cell>]) -> Self {
        Self {
            headings: columns
                .iter()
                .map(|column| column.heading.clone())
                .collect(),
            rows: rows
                .iter()
                .map(|row| row.iter().map(ToString::to_string).collect())
                .collect(),
        }
    }

    fn value<'a>(&self, row: &'a [String], heading: &str) -> &'a str {
        let at = self.headings.iter().position(|own| own == heading);
        at.and_then(|at| row.get(at)).map_or("", String::as_str)
    }

    /// The columns of these names under other headings, then a line with their number.
    fn table(&self, columns: &[(&str, &str)]) -> String {
        let headings: Vec<_> = columns.iter().map(|(_, heading)| *heading).collect();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                columns
                    .iter()
                    .map(|(name, _)| brief(name, self.value(row, name)))
                    .collect()
            })
            .collect();
        output::table(&headings, &rows) + &self.count("line", "lines")
    }

    fn count(&self, one: &str, many: &str) -> String {
        output::count(self.rows.len() as u64, one, many) + "\n"
    }

    /// All columns as they are.
    pub fn plain(&self) -> String {
        let headings: Vec<_> = self.headings.iter().map(String::as_str).collect();
        output::table(&headings, &self.rows) + &self.count("line", "lines")
    }
}

/// Minutes of nothing are left out, and of a time only the clock is shown.
fn brief(name: &str, value: &str) -> String {
    match name {
        "first_in" | "last_out" => value.get(11..16).unwrap_or(value).to_owned(),
        _ if name.ends_with("_min") && value == "0" => String::new(),
        _ => value.to_owned(),
    }
}

pub fn day(rows: &Rows) -> String {
    rows.table(&[
        ("employee_code", "code"),
        ("name", "name"),
        ("department", "department"),
        ("status", "status"),
        ("first_in", "in"),
        ("last_out", "out"),
        ("worked_min", "worked"),
        ("late_min", "late"),
        ("overtime_min", "overtime"),
        ("exceptions", "exceptions"),
    ])
}

pub fn timecard(rows: &Rows) -> String {
    rows.table(&[
        ("workday", "workday"),
        ("shift", "shift"),
        ("status", "status"),
        ("first_in", "in"),
        ("last_out", "out"),
        ("planned_min", "planned"),
        ("worked_min", "worked"),
        ("late_min", "late"),
        ("early_min", "early"),
        ("overtime_min", "overtime"),
        ("exceptions", "exceptions"),
    ])
}

pub fn punches(rows: &Rows) -> String {
    rows.table(&[
        ("device_serial", "device"),
        ("device_clock", "clock"),
        ("user_id", "user"),
        ("employee_code", "code"),
        ("name", "name"),
        ("way", "way"),
        ("state", "state"),
        ("verify", "verify"),
    ])
}

/// The days as one column, so that a month of letters takes no more room than it needs.
pub fn month(rows: &Rows) -> String {
    let is_day =
        |heading: &String| heading.len() == 10 && heading.starts_with(|c: char| c.is_ascii_digit());
    let days: Vec<usize> = (0..rows.headings.len())
        .filter(|at| is_day(&rows.headings[*at]))
        .collect();
    let letters = rows
        .rows
        .iter()
        .flat_map(|row| days.iter().map(|at| row[*at].chars().count()));
    let width = letters.max().unwrap_or(0).max(2);
    let line = |texts: Vec<&str>| {
        let padded: Vec<String> = texts.iter().map(|text| format!("{text:<width$}")).collect();
        padded.join(" ")
    };
    let numbers = line(days.iter().map(|at| &rows.headings[*at][8..]).collect());
    let sums = [
        ("present_days", "P"),
        ("half_days", "HD"),
        ("absent_days", "A"),
        ("leave_days", "LV"),
        ("on_duty_days", "OD"),
        ("weekly_off_days", "WO"),
        ("holiday_days", "H"),
        ("unknown_days", "U"),
        ("late_min", "late min"),
        ("worked_min", "worked min"),
        ("overtime_min", "overtime min"),
    ];
    let mut headings = vec!["code", "name", numbers.trim_end()];
    headings.extend(sums.map(|(_, heading)| heading));
    let table: Vec<Vec<String>> = rows
        .rows
        .iter()
        .map(|row| {
            let letters = line(days.iter().map(|at| &*row[*at]).collect());
            let mut cells = vec![
                rows.value(row, "employee_code").to_owned(),
                rows.value(row, "name").to_owned(),
                letters.trim_end().to_owned(),
            ];
            cells.extend(sums.map(|(name, _)| match rows.value(row, name) {
                "0" => String::new(),
                value => value.to_owned(),
            }));
            cells
        })
        .collect();
    output::table(&headings, &table) + &rows.count("person", "people")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(headings: &[&str], values: &[&[&str]]) -> Rows {
        Rows {
            headings: headings
                .iter()
                .map(|heading| (*heading).to_owned())
                .collect(),
            rows: values
                .iter()
                .map(|row| row.iter().map(|value| (*value).to_owned()).collect())
                .collect(),
        }
    }

    #[test]
    fn a_month_of_letters_is_one_narrow_column() {
        let headings = [
            "employee_code",
            "name",
            "2026-05-01",
            "2026-05-02",
            "2026-05-03",
            "present_days",
            "late_min",
        ];
        let text = month(&rows(
            &headings,
            &[
                &["7", "Ada", "P*", "WO", "", "1", "25"],
                &["8", "Ben", "–", "P", "A", "1", "0"],
            ],
        ));
        assert_eq!(
            text,
            "code  name  01 02 03  P  HD  A  LV  OD  WO  H  U  late min  worked min  overtime min\n\
             7     Ada   P* WO     1                           25\n\
             8     Ben   –  P  A   1\n2 people\n"
        );
    }

    #[test]
    fn a_day_shows_clocks_and_leaves_out_zeros() {
        let headings = [
            "employee_code",
            "status",
            "first_in",
            "late_min",
            "worked_min",
        ];
        let text = day(&rows(
            &headings,
            &[&["7", "present", "2026-05-12 08:58:30", "0", "485"]],
        ));
        assert!(
            text.contains("present  08:58") && text.contains("485") && !text.contains(" 0 "),
            "{text}"
        );
        assert!(text.ends_with("1 line\n"));
    }
}
