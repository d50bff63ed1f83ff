//! `/timecard/{code}/{yyyy-mm}` and `/timecards/{yyyy-mm}`: what a person worked in a month, day by day, one person a page of A4, to
//! be signed. Without columns of its own: what is shown are the stored reports, and their sums.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use exports::{Month, Totals};
use jiff::civil::Date;
use store::views::sheet::{self, SheetPerson, SheetReport};

use super::month::{MonthQuery, hours, month_name, printed};
use super::{Remarks, month};
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::session::Visitor;
use crate::sight::Sight;
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// Cards on one page of the browser.
const PAGE: usize = 100;

pub(super) fn routes() -> Router<WebState> {
    Router::new().route("/timecards/{month}", get(of_many))
}

#[derive(Template)]
#[template(path = "timecards.html")]
struct TimecardsPage<'a> {
    ui: &'a Ui,
    /// The page of the person, or the month sheet.
    back: (String, String),
    heading: Msg,
    /// The cards of the months before and after.
    previous: String,
    next: String,
    /// The files of a single card.
    files: Option<String>,
    printed: Msg,
    cards: Vec<Card>,
    /// Number, link, and whether it is this one.
    pages: Vec<(usize, String, bool)>,
}

struct Card {
    name: String,
    code: String,
    /// Department and site.
    place: String,
    state: Msg,
    days: Vec<Line>,
    sums: [String; 5],
    /// How many days of what.
    counts: Vec<(Msg, i64)>,
}

struct Line {
    date: String,
    /// Nobody works then.
    off: bool,
    shift: String,
    first_in: String,
    last_out: String,
    /// Worked, late, early, overtime, night.
    minutes: [String; 5],
    letter: String,
    notes: String,
}

/// `/timecard/0007/2026-05`.
pub(super) async fn of_one(
    state: &WebState,
    visitor: &Visitor,
    person: &SheetPerson,
    month: Month,
) -> Result<Response, PageError> {
    let tx = state.store.begin_read().await?;
    let code = &*person.code;
    let (from, to) = (month.first().to_string(), month.last().to_string());
    let reports = sheet::reports(&tx, &[person.id], &from, &to).await?;
    drop(tx);
    let link = |month: Month| format!("/timecard/{}/{month}", path_part(code));
    let ui = visitor.ui(state, Section::People);
    html(&TimecardsPage {
        back: (
            format!("/people/{}?month={month}", path_part(code)),
            person.name(),
        ),
        heading: msg("timecard").with("month", month_name(month)),
        previous: link(month.previous()),
        next: link(month.next()),
        files: Some(link(month)),
        printed: printed(ui.now, &state.boards.frame().zone()),
        cards: vec![Card::of(person, &reports, month)],
        pages: Vec::new(),
        ui: &ui,
    })
}

/// `/timecards/2026-05?department=3`: everybody that the month sheet shows with the same filters.
async fn of_many(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(month): Path<String>,
    Query(query): Query<MonthQuery>,
) -> Result<Response, PageError> {
    let sight = Sight::of(&state, &visitor, "").await?;
    let month: Month = month.parse().map_err(|_| PageError::NotFound)?;
    let (from, to) = (month.first().to_string(), month.last().to_string());
    let (query, zone) = month::at_site(&state, &sight, query);
    let tx = state.store.begin_read().await?;
    let today = state.clock.now().to_zoned(zone.clone()).date();
    let people = month::people(&tx, &sight, &query, month, today).await?;
    let (page, pages) = query.pages(people.len(), PAGE);
    let people: Vec<SheetPerson> = people
        .into_iter()
        .skip((page - 1) * PAGE)
        .take(PAGE)
        .collect();
    let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
    let reports = sheet::reports(&tx, &ids, &from, &to).await?;
    drop(tx);
    let of_person = |person: &SheetPerson| {
        let own = reports
            .iter()
            .filter(|report| report.employee_id == person.id);
        let own: Vec<SheetReport> = own.cloned().collect();
        Card::of(person, &own, month)
    };
    let ui = visitor.ui(&state, Section::Month);
    let link = |month: Month| format!("/timecards/{month}{}", query.with("", ""));
    html(&TimecardsPage {
        back: (
            format!("/month/{month}{}", query.with("", "")),
            month_name(month).to_string(),
        ),
        heading: msg("timecards").with("month", month_name(month)),
        previous: link(month.previous()),
        next: link(month.next()),
        files: None,
        printed: printed(ui.now, &zone),
        cards: people.iter().map(of_person).collect(),
        pages: pages
            .into_iter()
            .map(|(number, filter, current)| {
                (number, format!("/timecards/{month}{filter}"), current)
            })
            .collect(),
        ui: &ui,
    })
}

impl Card {
    fn of(person: &SheetPerson, reports: &[SheetReport], month: Month) -> Self {
        let totals = Totals::of(reports);
        let closed = !reports.is_empty() && reports.iter().all(|one| one.stage == "locked");
        let place = [person.department.as_deref(), Some(&*person.site)];
        let place: Vec<&str> = place.into_iter().flatten().collect();
        let counts = [
            ("status-present", totals.present),
            ("status-half_day", totals.half_day),
            ("status-absent", totals.absent),
            ("status-on_leave", totals.leave),
            ("status-on_duty", totals.on_duty),
            ("status-weekly_off", totals.weekly_off),
            ("status-holiday", totals.holiday),
            ("status-unknown", totals.unknown),
            ("timecard-late-days", totals.late_days),
        ];
        Self {
            name: person.name(),
            code: person.code.clone(),
            place: place.join(", "),
            state: match closed {
                true => msg("timecard-closed"),
                false => msg("month-draft").count("count", totals.exceptions),
            },
            days: month
                .days()
                .map(|day| {
                    let text = day.to_string();
                    let report = reports.iter().find(|report| report.workday == text);
                    Line::of(day, report, person.is_employed_on(&text))
                })
                .collect(),
            sums: minutes([
                totals.worked_min,
                totals.late_min,
                totals.early_min,
                totals.overtime_min,
                totals.night_min,
            ]),
            counts: counts
                .into_iter()
                .filter(|(_, days)| *days > 0)
                .map(|(key, days)| (msg(key), days))
                .collect(),
        }
    }
}

impl Line {
    fn of(day: Date, report: Option<&SheetReport>, employed: bool) -> Self {
        let weekday = format::short_weekday(day).to_string();
        let blank = Self {
            date: format!("{} {weekday}", day.day()),
            off: false,
            shift: String::new(),
            first_in: String::new(),
            last_out: String::new(),
            minutes: Default::default(),
            letter: if employed { "" } else { "–" }.to_owned(),
            notes: String::new(),
        };
        let Some(report) = report else {
            return blank;
        };
        // Early leaving and overtime have columns.
        let remarks = Remarks {
            reason: &report.reason,
            leave_part: &report.leave_part,
            exceptions: &report.exceptions,
            pending: &report.pending,
            ..Remarks::default()
        };
        let mut notes = vec![msg(format!("status-{}", report.status)).to_string()];
        if let Some(missing) = remarks.missing() {
            notes.push(msg(format!("exception-{missing}")).to_string());
        }
        notes.extend(remarks.texts());
        let side = |wall: &Option<String>| {
            let wall = wall.as_deref().unwrap_or_default();
            format::wall_minutes(wall).to_owned()
        };
        Self {
            off: matches!(&*report.letter, "WO" | "H"),
            shift: report.shift.clone(),
            first_in: side(&report.first_in),
            last_out: side(&report.last_out),
            minutes: minutes([
                report.worked_min,
                report.late_min,
                report.early_min,
                report.overtime_min,
                report.night_min,
            ]),
            letter: report.letter.clone(),
            notes: notes.join(", "),
            ..blank
        }
    }
}

/// Worked, late, early, overtime, night; nothing for 0.
fn minutes(of: [i64; 5]) -> [String; 5] {
    of.map(|minutes| match minutes {
        0 => String::new(),
        minutes => hours(minutes),
    })
}
