//! A month as a calendar with one letter a day, its totals, and twelve months as a strip.

use jiff::Span;
use jiff::civil::Date;
use store::views::why::CalendarDay;

use crate::format;
use crate::pages::{Remarks, words};
use crate::text::msg;
use crate::why::Summary;

/// A day of the calendar.
pub(super) struct Cell {
    pub date: Date,
    pub day: i8,
    pub letter: String,
    /// Of the letter; see the style sheet.
    pub class: &'static str,
    /// Times, or the word of a day off.
    pub text: String,
    /// All of it for a screen reader.
    pub label: String,
    pub href: String,
    pub chosen: bool,
}

/// The heads of its columns, from Monday on.
pub(super) fn weekdays() -> Vec<String> {
    let monday = Date::constant(2026, 5, 4);
    let days = monday.series(Span::new().days(1)).take(7);
    days.map(|day| format::short_weekday(day).to_string())
        .collect()
}

/// The weeks of a month from Monday on; days of other months are empty.
pub(super) fn weeks(
    month: Date,
    days: &[CalendarDay],
    chosen: Option<Date>,
    base: &str,
) -> Vec<Vec<Option<Cell>>> {
    let skipped = usize::from(month.weekday().to_monday_zero_offset().unsigned_abs());
    let mut cells: Vec<Option<Cell>> = Vec::new();
    cells.resize_with(skipped, || None);
    cells.extend((0..i64::from(month.days_in_month())).map(|ahead| {
        let date = month.saturating_add(Span::new().days(ahead));
        let text = date.to_string();
        let day = days.iter().find(|day| day.workday == text);
        Some(cell(date, day, chosen == Some(date), base))
    }));
    let last = cells.len().next_multiple_of(7);
    cells.resize_with(last, || None);
    let mut weeks = Vec::new();
    while !cells.is_empty() {
        let rest = cells.split_off(7);
        weeks.push(cells);
        cells = rest;
    }
    weeks
}

fn cell(date: Date, day: Option<&CalendarDay>, chosen: bool, base: &str) -> Cell {
    let label = match day {
        None => format::long_date(date).to_string(),
        Some(day) => format!("{}, {}", format::long_date(date), told(day)),
    };
    Cell {
        date,
        day: date.day(),
        letter: day.map_or_else(String::new, |day| day.letter.clone()),
        class: day.map_or("", class),
        text: day.map_or_else(String::new, short),
        label,
        href: format!("{base}?month={}&day={date}#why", date.strftime("%Y-%m")),
        chosen,
    }
}

/// The class of a letter (R121); what is still open has none.
fn class(day: &CalendarDay) -> &'static str {
    let letter = day.letter.split('/').next().unwrap_or_default();
    match letter {
        "P" => "c-P",
        "P*" => "c-L",
        "HD" => "c-HD",
        "A" => "c-A",
        "LV" => "c-LV",
        "WO" => "c-WO",
        "H" => "c-H",
        "OD" => "c-OD",
        "U" => "c-U",
        "MI" => "c-MI",
        "MO" => "c-MO",
        _ => "c-ND",
    }
}

fn sides(day: &CalendarDay) -> (&str, &str) {
    (
        format::wall_minutes(day.first_in.as_deref().unwrap_or_default()),
        format::wall_minutes(day.last_out.as_deref().unwrap_or_default()),
    )
}

fn short(day: &CalendarDay) -> String {
    match (sides(day), day.status.as_str()) {
        (("", ""), "on_leave" | "holiday" | "on_duty") => {
            msg(format!("status-{}", day.status)).to_string()
        }
        (("", ""), _) => String::new(),
        ((first, ""), _) => msg("calendar-in").with("time", first).to_string(),
        (("", last), _) => msg("calendar-out").with("time", last).to_string(),
        ((first, last), _) => format!("{first}–{last}"),
    }
}

/// For somebody who does not see the letter.
fn told(day: &CalendarDay) -> String {
    let summary = Summary {
        status: &day.status,
        late_min: day.late_min,
        first_in: day.first_in.as_deref(),
        last_out: day.last_out.as_deref(),
        remarks: Remarks {
            exceptions: &day.exceptions,
            pending: &day.pending,
            leave_part: &day.leave_part,
            ..Remarks::default()
        },
    };
    summary.text()
}

/// Sums of a month: of the printed minutes, so that they add up by hand (R9).
pub(super) struct Totals {
    /// `present 6, late 2 (30 min) · half day 1`.
    pub line: String,
    /// Names and values of the sums.
    pub sums: Vec<(String, String)>,
}

impl Totals {
    pub(super) fn of(days: &[CalendarDay]) -> Self {
        let count = |status: &str| days.iter().filter(|day| day.status == status).count();
        let sum = |minutes: fn(&CalendarDay) -> i64| -> i64 { days.iter().map(minutes).sum() };
        let mut parts = Vec::new();
        let late = days.iter().filter(|day| day.late_min > 0).count();
        let late_min = sum(|day| day.late_min);
        for status in [
            "present",
            "half_day",
            "absent",
            "on_leave",
            "on_duty",
            "holiday",
            "weekly_off",
            "unknown",
        ] {
            let number = count(status);
            if number > 0 {
                let word = msg(format!("status-{status}")).to_string().to_lowercase();
                parts.push(format!("{word} {number}"));
            }
            if status == "present" && late > 0 {
                let late = msg("totals-late")
                    .count("days", late)
                    .with("minutes", format::minutes(late_min));
                match parts.last_mut() {
                    Some(present) => present.push_str(&format!(", {late}")),
                    None => parts.push(late.to_string()),
                }
            }
        }
        for missing in ["missing_in", "missing_out"] {
            let number = days
                .iter()
                .filter(|day| words(&day.exceptions).any(|word| word == missing))
                .count();
            if number > 0 {
                let word = msg(format!("exception-{missing}"))
                    .to_string()
                    .to_lowercase();
                parts.push(format!("{word} {number}"));
            }
        }
        let sums = [
            ("worked_min", sum(|day| day.worked_min)),
            ("late_min", late_min),
            ("early_min", sum(|day| day.early_min)),
            ("overtime_min", sum(|day| day.overtime_min)),
            ("night_min", sum(|day| day.night_min)),
        ];
        Self {
            line: parts.join(" · "),
            sums: sums
                .into_iter()
                .filter(|(_, minutes)| *minutes > 0)
                .map(|(name, minutes)| {
                    (
                        msg(format!("total-{name}")).to_string(),
                        format::minutes(minutes),
                    )
                })
                .collect(),
        }
    }
}

/// Twelve months, a column a week, a square a day.
pub(super) struct Strip {
    pub squares: Vec<Square>,
    pub months: Vec<MonthMark>,
    pub width: i64,
    /// `19 late days, 1 absent`.
    pub caption: String,
}

pub(super) struct Square {
    pub x: i64,
    pub y: i64,
    pub class: &'static str,
}

/// The name of a month below its first week, and the way to it.
pub(super) struct MonthMark {
    pub x: i64,
    pub name: String,
    pub href: String,
}

/// From the left side of one week to that of the next.
const WEEK: i64 = 13;

impl Strip {
    /// The first day of the strip that ends with a month.
    pub(super) fn first_day(month: Date) -> Date {
        month.saturating_sub(Span::new().months(11))
    }

    pub(super) fn of(month: Date, days: &[CalendarDay], base: &str) -> Self {
        let first = Self::first_day(month);
        let monday =
            first.saturating_sub(Span::new().days(first.weekday().to_monday_zero_offset()));
        let week = |date: Date| i64::from((date - monday).get_days()) / 7;
        let squares = days.iter().filter_map(|day| {
            let date = format::stored_date(&day.workday)?;
            Some(Square {
                x: week(date) * WEEK,
                y: i64::from(date.weekday().to_monday_zero_offset()) * WEEK,
                class: square_class(day)?,
            })
        });
        let months = (0..12).map(|ahead| {
            let start = first.saturating_add(Span::new().months(ahead));
            MonthMark {
                x: week(start) * WEEK,
                name: msg(format!("month-short-{}", start.month())).to_string(),
                href: format!("{base}?month={}", start.strftime("%Y-%m")),
            }
        });
        let last = month.last_of_month();
        let late = days.iter().filter(|day| day.late_min > 0).count();
        let absent = days.iter().filter(|day| day.status == "absent").count();
        Self {
            squares: squares.collect(),
            months: months.collect(),
            width: (week(last) + 1) * WEEK,
            caption: msg("strip-caption")
                .count("late", late)
                .count("absent", absent)
                .to_string(),
        }
    }
}

fn square_class(day: &CalendarDay) -> Option<&'static str> {
    Some(match day.status.as_str() {
        "present" if day.late_min > 0 => "f-late",
        "present" => "y-present",
        "half_day" => "f-half",
        "absent" => "f-absent",
        "on_leave" => "f-leave",
        "holiday" => "f-holiday",
        "weekly_off" => "y-off",
        "on_duty" => "y-duty",
        "unknown" => "y-unknown",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(
        workday: &str,
        status: &str,
        letter: &str,
        late_min: i64,
        worked_min: i64,
    ) -> CalendarDay {
        CalendarDay {
            workday: workday.to_owned(),
            status: status.to_owned(),
            stage: "final".to_owned(),
            reason: String::new(),
            shift: "General".to_owned(),
            letter: letter.to_owned(),
            first_in: None,
            last_out: None,
            worked_min,
            late_min,
            early_min: 0,
            overtime_min: 0,
            night_min: 0,
            exceptions: String::new(),
            pending: String::new(),
            leave_part: String::new(),
        }
    }

    fn may() -> Date {
        Date::constant(2026, 5, 1)
    }

    #[test]
    fn every_day_of_a_month_is_in_its_column() {
        let weeks = weeks(
            may(),
            &[day("2026-05-06", "present", "P*", 14, 469)],
            None,
            "/people/7",
        );
        assert_eq!(weeks.len(), 5);
        assert!(weeks.iter().all(|week| week.len() == 7));
        let cells: Vec<&Cell> = weeks.iter().flatten().flatten().collect();
        assert_eq!((cells.len(), cells[30].day), (31, 31));
        let sixth = weeks[1][2].as_ref().expect("a Wednesday");
        assert_eq!((sixth.day, sixth.class, &*sixth.letter), (6, "c-L", "P*"));
        assert!(
            sixth
                .label
                .replace('\u{a0}', " ")
                .ends_with("Present, late 14 min"),
            "{}",
            sixth.label
        );
    }

    #[test]
    fn totals_add_the_printed_minutes() {
        let days = [
            day("2026-05-05", "present", "P", 0, 485),
            day("2026-05-06", "present", "P*", 14, 469),
            day("2026-05-07", "half_day", "HD", 20, 200),
            day("2026-05-08", "holiday", "H", 0, 0),
        ];
        let totals = Totals::of(&days);
        let line = totals.line.replace('\u{a0}', " ");
        assert_eq!(line, "present 2, late 2 (34 min) · half day 1 · holiday 1");
        let sums: Vec<_> = totals
            .sums
            .iter()
            .map(|(_, value)| value.replace('\u{a0}', " "))
            .collect();
        assert_eq!(sums, ["19 h 14", "34 min"]);
    }

    #[test]
    fn a_strip_ends_with_its_month() {
        let days = [
            day("2025-06-01", "absent", "A", 0, 0),
            day("2026-05-31", "present", "P", 0, 480),
        ];
        let strip = Strip::of(may(), &days, "/people/7");
        assert_eq!(strip.months.len(), 12);
        assert_eq!(strip.months[0].href, "/people/7?month=2025-06");
        assert_eq!((strip.squares[0].x, strip.squares[0].y), (0, 6 * WEEK)); // a Sunday
        assert_eq!(strip.squares[1].x + WEEK, strip.width);
        assert_eq!(strip.caption, "no late day, 1 absent");
    }
}
