//! `/month/{yyyy-mm}`: the month sheet, a letter for every person and day (R121), sums, and how far the month is from being paid.
//!
//! The site and department in the query string narrow it; the files of the same name take the same filters.

use std::collections::HashMap;
use std::fmt::Write as _;

use askama::Template;
use attendance::Status;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Redirect, Response};
use axum::routing::get;
use exports::{Export, Month, Totals, Whose};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use store::ReadTx;
use store::views::closing;
use store::views::sheet::{self, Closing, Scope, SheetPerson, SheetReport};

use super::closing::closed_by;
use super::day::{Choice, sites_seen, words};
use super::exports::{send, split_name};
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::session::Visitor;
use crate::sight::Sight;
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// People on one page.
const PAGE: usize = 1000;
/// Up to so many people fit on A4.
const ON_A4: usize = 25;
/// The filter that leaves the people with something to decide.
const EXCEPTIONS: &str = "exceptions";

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/month", get(this_month))
        .route("/month/{month}", get(show))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MonthQuery {
    site: Option<i64>,
    /// Empty or an id, as a select sends it.
    department: String,
    /// Empty or `exceptions`.
    show: String,
    page: Option<usize>,
    bom: Option<String>,
}

impl MonthQuery {
    fn scope(&self) -> Scope {
        Scope {
            site_id: self.site,
            department_id: self.department.parse().ok(),
        }
    }

    /// The same filters with one of them changed, as a query string. The page starts again.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let site = self.site.map(|site| site.to_string()).unwrap_or_default();
        let mut text = String::new();
        for (key, own) in [
            ("site", site.as_str()),
            ("department", &self.department),
            ("show", &self.show),
            ("page", ""),
        ] {
            let value = if key == name { value } else { own };
            if !value.is_empty() {
                let separator = if text.is_empty() { '?' } else { '&' };
                let _ = write!(text, "{separator}{key}={}", path_part(value));
            }
        }
        text
    }

    /// Which page is shown of so many people, and all pages as number, filters and whether it is this one; none where one is enough.
    pub(super) fn pages(
        &self,
        people: usize,
        on_one: usize,
    ) -> (usize, Vec<(usize, String, bool)>) {
        let last = people.div_ceil(on_one);
        let page = self.page.unwrap_or(1).clamp(1, last.max(1));
        let pages = (1..=last).filter(|_| last > 1).map(|number| {
            let filters = self.with("page", &number.to_string());
            (number, filters, number == page)
        });
        (page, pages.collect())
    }
}

/// The filters with a site that is there to be seen, and its zone.
pub(super) fn at_site(
    state: &WebState,
    sight: &Sight,
    mut query: MonthQuery,
) -> (MonthQuery, TimeZone) {
    let frame = state.boards.frame();
    let site = sight.site(&frame, query.site);
    query.site = site.map(|site| site.id);
    let zone = site.map_or_else(|| frame.zone(), |site| format::zone(&site.zone));
    (query, zone)
}

/// Whom the filters leave.
pub(super) async fn people(
    tx: &ReadTx,
    sight: &Sight,
    query: &MonthQuery,
    month: Month,
    today: Date,
) -> Result<Vec<SheetPerson>, PageError> {
    let (from, to) = (month.first().to_string(), month.last().to_string());
    let mut people = sheet::people(tx, &query.scope(), &from, &to).await?;
    people.retain(|person| sight.sees(person.id));
    if query.show == EXCEPTIONS {
        let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
        let waiting = sheet::waiting_days(tx, &ids, &from, &to, &today.to_string()).await?;
        people.retain(|person| waiting.contains_key(&person.id));
    }
    Ok(people)
}

#[derive(Template)]
#[template(path = "month.html")]
struct MonthPage<'a> {
    ui: &'a Ui,
    query: &'a MonthQuery,
    month: Month,
    heading: Msg,
    site: String,
    scope: Msg,
    previous: String,
    next: Option<String>,
    sites: Vec<Choice>,
    departments: Vec<Choice>,
    /// The files of this view.
    xlsx: String,
    csv: String,
    /// A time card for each of them.
    cards: String,
    steps: Steps,
    days: Vec<DayHead>,
    sums: Vec<Msg>,
    groups: Vec<Group>,
    all_people: Msg,
    /// What all columns add up to, with their headings.
    all: Vec<(Msg, String)>,
    legend: Vec<(&'static str, Msg)>,
    /// How many columns there are.
    width: usize,
    paper: &'static str,
    printed: String,
    pages: Vec<(usize, String, bool)>,
    clear: String,
    /// By whom what is shown was closed.
    closed_by: Vec<Msg>,
}

struct DayHead {
    number: i8,
    letter: Msg,
    class: &'static str,
    /// `6 May`, for the cells' labels.
    name: String,
    /// `2026-05-06`, for the cells' links.
    date: String,
}

struct Group {
    name: String,
    people: Msg,
    rows: Vec<Line>,
}

struct Line {
    name: String,
    code: String,
    href: String,
    cells: Vec<Cell>,
    sums: Vec<String>,
}

struct Cell {
    class: &'static str,
    letter: String,
    /// What a screen reader says after name and day; empty for a cell that leads nowhere.
    words: std::rc::Rc<str>,
}

/// Keys of the sums with their headings, in the order of the columns.
const SUMS: &[(&str, &str)] = &[
    ("present_days", "sheet-p"),
    ("half_days", "sheet-hd"),
    ("absent_days", "sheet-a"),
    ("leave_days", "sheet-lv"),
    ("on_duty_days", "sheet-od"),
    ("weekly_off_days", "sheet-wo"),
    ("holiday_days", "sheet-h"),
    ("unknown_days", "sheet-u"),
    ("late_days", "sheet-late"),
    ("late_min", "sheet-late-min"),
    ("overtime_min", "sheet-overtime"),
];

/// The month's way to payroll.
struct Steps {
    exceptions: i64,
    /// Of how many people.
    people: usize,
    /// Shows only these, or everybody again.
    toggle: String,
    /// Changes after the last export: how many, and when that was.
    changes: Option<(i64, String)>,
    closing: Closing,
    /// Since when all of it is closed, and what has changed after.
    closed: Option<(String, i64)>,
    /// Where it is closed, or what has changed since is listed.
    close: Option<String>,
    payroll: Option<String>,
}

/// `/month`: the month it is at the site.
async fn this_month(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<MonthQuery>,
) -> Result<Redirect, PageError> {
    let sight = Sight::of(&state, &visitor, "").await?;
    let (query, zone) = at_site(&state, &sight, query);
    let month = Month::of(state.clock.now().to_zoned(zone).date());
    Ok(Redirect::to(&format!(
        "/month/{month}{}",
        query.with("", "")
    )))
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(month): Path<String>,
    Query(query): Query<MonthQuery>,
) -> Result<Response, PageError> {
    let sight = Sight::of(&state, &visitor, "").await?;
    let (name, file) = split_name(&month, query.bom.is_some());
    let month: Month = name.parse().map_err(|_| PageError::NotFound)?;
    let ui = visitor.ui(&state, Section::Month);
    let (query, zone) = at_site(&state, &sight, query);
    let frame = state.boards.frame();
    let site = sight.site(&frame, query.site);

    let tx = state.store.begin_read().await?;
    let (from, to) = (month.first().to_string(), month.last().to_string());
    let mut people = sheet::people(&tx, &query.scope(), &from, &to).await?;
    people.retain(|person| sight.sees(person.id));
    let everybody: Vec<i64> = people.iter().map(|person| person.id).collect();
    let today = ui.now.to_zoned(zone.clone()).date();
    let open = sheet::waiting_days(&tx, &everybody, &from, &to, &today.to_string()).await?;
    if query.show == EXCEPTIONS {
        people.retain(|person| open.contains_key(&person.id));
    }
    if let Some(format) = file {
        let whose = match query.show == EXCEPTIONS || sight.team().is_some() {
            true => Whose::Ids(people.iter().map(|person| person.id).collect()),
            false => Whose::Scope(query.scope()),
        };
        return send(&state, &Export::Month { month, whose }, format).await;
    }
    let count = people.len();
    let (page, pages) = query.pages(count, PAGE);
    let people: Vec<SheetPerson> = people
        .into_iter()
        .skip((page - 1) * PAGE)
        .take(PAGE)
        .collect();
    let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
    let reports = sheet::reports(&tx, &ids, &from, &to).await?;
    let mut departments = sheet::departments(&tx, query.site).await?;
    departments.retain(|one| sight.sees_department(Some(one.id)));
    let steps = steps(
        &state, &tx, &visitor, &query, month, &open, &everybody, &zone,
    )
    .await?;
    drop(tx);

    let mut periods = closing::periods(&state.store, &query.scope(), &from, &to).await?;
    periods.retain(|one| sight.sees_department(one.department_id));
    let closed = periods.iter().filter(|one| one.reopened_ms.is_none());
    let days = day_heads(month, &reports);
    let groups = groups(&people, &reports, &days);
    let scope = match departments
        .iter()
        .find(|one| one.id.to_string() == query.department)
    {
        Some(department) => msg("month-scope-department").with("department", &department.name),
        None => msg("month-scope-all"),
    };
    html(&MonthPage {
        closed_by: match steps.closed {
            Some(_) => closed
                .map(|one| closed_by(one, &zone, today))
                .take(1)
                .collect(),
            None => Vec::new(),
        },
        heading: month_name(month),
        site: site.map(|site| site.name.clone()).unwrap_or_default(),
        scope: scope.count("count", count),
        previous: format!("/month/{}{}", month.previous(), query.with("", "")),
        next: (month < Month::of(today))
            .then(|| format!("/month/{}{}", month.next(), query.with("", ""))),
        sites: sites_seen(&state, &sight, query.site),
        departments: departments
            .into_iter()
            .map(|one| Choice {
                chosen: one.id.to_string() == query.department,
                value: one.id.to_string(),
                name: one.name,
            })
            .collect(),
        xlsx: format!("/month/{month}.xlsx{}", query.with("", "")),
        csv: format!("/month/{month}.csv{}", query.with("", "")),
        width: days.len() + SUMS.len() + 1,
        sums: SUMS.iter().map(|(_, heading)| msg(*heading)).collect(),
        all_people: msg("people-count").count("count", people.len()),
        all: SUMS
            .iter()
            .map(|(_, heading)| msg(*heading))
            .zip(sums(&Totals::of(&reports)))
            .filter(|(_, sum)| !sum.is_empty())
            .collect(),
        paper: if people.len() > ON_A4 {
            "paper-a3"
        } else {
            "paper-a4"
        },
        legend: legend(),
        printed: printed(ui.now, &zone).to_string(),
        cards: format!("/timecards/{month}{}", query.with("", "")),
        clear: format!("/month/{month}{}", query.with("show", "")),
        steps,
        days,
        groups,
        pages,
        month,
        query: &query,
        ui: &ui,
    })
}

/// When a page is printed, with the year.
pub(super) fn printed(now: Timestamp, zone: &TimeZone) -> Msg {
    let today = now.to_zoned(zone.clone()).date();
    let date = format::short_date(today, today.yesterday().unwrap_or(today));
    let time = msg("moment-date")
        .with("date", date)
        .with("time", format::clock_time(now, zone));
    msg("month-printed").with("time", time)
}

/// `May 2026`.
pub(super) fn month_name(month: Month) -> Msg {
    let first = month.first();
    msg("month-year")
        .with("month", msg(format!("month-{}", first.month())))
        .with("year", first.year())
}

#[expect(clippy::too_many_arguments, reason = "what a page has at hand, once")]
async fn steps(
    state: &WebState,
    tx: &ReadTx,
    visitor: &Visitor,
    query: &MonthQuery,
    month: Month,
    open: &HashMap<i64, i64>,
    people: &[i64],
    zone: &TimeZone,
) -> Result<Steps, PageError> {
    let (from, to) = (month.first().to_string(), month.last().to_string());
    let on = |ms: i64| {
        let today = state.clock.now().to_zoned(zone.clone()).date();
        let day = format::instant(ms).to_zoned(zone.clone()).date();
        format::day_and_month(day, today).to_string()
    };
    let last = state.store.last_payroll_export_between(&from, &to).await?;
    let changes = match last {
        Some(last) => {
            let count = sheet::changed_since(tx, people, &from, &to, last.made_ms).await?;
            Some((count, on(last.made_ms)))
        }
        None => None,
    };
    let closing = sheet::closing(tx, &query.scope(), &from, &to).await?;
    let closed = match closing.locked_ms {
        Some(ms) if closing.locked == closing.sheets => {
            let changed = sheet::changes_after_close(tx, people, &from, &to).await?;
            Some((on(ms), changed))
        }
        _ => None,
    };
    let toggle = if query.show == EXCEPTIONS {
        ""
    } else {
        EXCEPTIONS
    };
    let mut close = query.clone();
    close.show.clear();
    if state.boards.frame().sites.len() < 2 {
        close.site = None;
    }
    Ok(Steps {
        close: visitor
            .may()
            .close
            .then(|| format!("/month/{month}/close{}", close.with("", ""))),
        exceptions: open.values().sum(),
        people: open.len(),
        toggle: format!("/month/{month}{}", query.with("show", toggle)),
        changes,
        closing,
        closed,
        payroll: visitor
            .may()
            .reports
            .then(|| format!("/reports?month={month}")),
    })
}

/// A day on which most are off or on holiday is shaded in the heading too.
fn day_heads(month: Month, reports: &[SheetReport]) -> Vec<DayHead> {
    let mut counts: HashMap<&str, [usize; 3]> = HashMap::new();
    for report in reports {
        let [off, holiday, all] = counts.entry(&report.workday).or_default();
        *off += usize::from(report.status == Status::WeeklyOff);
        *holiday += usize::from(report.status == Status::Holiday);
        *all += 1;
    }
    month
        .days()
        .map(|day| {
            let date = day.to_string();
            let class = match counts.get(&*date) {
                Some([off, _, all]) if off * 2 > *all => "d x-WO",
                Some([_, holiday, all]) if holiday * 2 > *all => "d x-H",
                _ => "d",
            };
            DayHead {
                number: day.day(),
                letter: msg(format!(
                    "weekday-letter-{}",
                    day.weekday().to_monday_one_offset()
                )),
                class,
                name: format::day_and_month(day, day).to_string(),
                date,
            }
        })
        .collect()
}

fn groups(people: &[SheetPerson], reports: &[SheetReport], days: &[DayHead]) -> Vec<Group> {
    let mut by_person: HashMap<i64, &[SheetReport]> = HashMap::new();
    for own in reports.chunk_by(|a, b| a.employee_id == b.employee_id) {
        by_person.insert(own[0].employee_id, own);
    }
    let mut spoken = Spoken::default();
    people
        .chunk_by(|a, b| a.department_id == b.department_id)
        .map(|people| Group {
            name: people[0].department.clone().unwrap_or_default(),
            people: msg("people-count").count("count", people.len()),
            rows: people
                .iter()
                .map(|person| {
                    let own = by_person.get(&person.id).copied().unwrap_or_default();
                    line(person, own, days, &mut spoken)
                })
                .collect(),
        })
        .collect()
}

fn line(
    person: &SheetPerson,
    reports: &[SheetReport],
    days: &[DayHead],
    spoken: &mut Spoken,
) -> Line {
    let mut left = reports.iter().peekable();
    let cell = |day: &DayHead| match left.next_if(|report| report.workday == day.date) {
        Some(report) => Cell {
            class: class_of(report),
            letter: report.letter.clone(),
            words: spoken.words(report),
        },
        None => {
            let employed = person.is_employed_on(&day.date);
            Cell {
                class: if employed { "d" } else { "d x-N" },
                letter: if employed { "" } else { "–" }.to_owned(),
                words: "".into(),
            }
        }
    };
    Line {
        name: person.name(),
        href: format!("/people/{}", path_part(&person.code)),
        code: person.code.clone(),
        cells: days.iter().map(cell).collect(),
        sums: sums(&Totals::of(reports)),
    }
}

fn class_of(report: &SheetReport) -> &'static str {
    match report.letter.split('/').next().unwrap_or_default() {
        "MI" | "MO" => "d x-MO",
        // Something else to decide has no letter of its own.
        _ if !report.exceptions.is_empty() => "d x-MO",
        "P" => "d",
        "P*" => "d x-L",
        "HD" => "d x-HD",
        "A" => "d x-A",
        "LV" => "d x-LV",
        "WO" => "d x-WO",
        "H" => "d x-H",
        "OD" => "d x-OD",
        "U" => "d x-U",
        _ => "d",
    }
}

/// What the letters mean, in words; the same words again and again, so they are made once.
#[derive(Default)]
struct Spoken {
    known: HashMap<(Status, i64, String, String), std::rc::Rc<str>>,
}

impl Spoken {
    fn words(&mut self, report: &SheetReport) -> std::rc::Rc<str> {
        let key = (
            report.status,
            report.late_min,
            report.exceptions.clone(),
            report.leave_part.clone(),
        );
        let made = self.known.entry(key).or_insert_with(|| {
            let mut all = vec![msg(format!("status-{}", report.status)).to_string()];
            if report.late_min > 0 {
                let minutes = format::minutes(report.late_min);
                all.push(msg("late-by").with("minutes", minutes).to_string());
            }
            if !report.leave_part.is_empty() {
                all.push(msg(format!("leave-part-{}", report.leave_part)).to_string());
            }
            let exceptions = words(&report.exceptions);
            all.extend(exceptions.map(|word| msg(format!("exception-{word}")).to_string()));
            all.join(", ").into()
        });
        made.clone()
    }
}

/// In the order of [`SUMS`]; nothing for 0.
fn sums(totals: &Totals) -> Vec<String> {
    let named: HashMap<&str, i64> = totals.named().into();
    SUMS.iter()
        .map(|(key, _)| match (*key, named[key]) {
            (_, 0) => String::new(),
            // To the minute: a sheet adds up by hand (R9).
            ("overtime_min", minutes) => hours(minutes),
            (_, value) => value.to_string(),
        })
        .collect()
}

/// `7:49`.
pub(super) fn hours(minutes: i64) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

fn legend() -> Vec<(&'static str, Msg)> {
    [
        ("P", "present"),
        ("P*", "late"),
        ("HD", "half_day"),
        ("A", "absent"),
        ("LV", "on_leave"),
        ("OD", "on_duty"),
        ("WO", "weekly_off"),
        ("H", "holiday"),
        ("MI MO", "missing"),
        ("/LV /OD", "half"),
        ("U", "unknown"),
        ("–", "not_employed"),
    ]
    .map(|(letter, word)| (letter, msg(format!("legend-{word}"))))
    .into()
}
