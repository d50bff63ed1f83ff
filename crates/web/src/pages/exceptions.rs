//! `/exceptions`: the days that need a decision, one at a time. Nothing is accepted here: what decides a day is a correction or
//! leave, and the report follows.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use exports::Month;
use jiff::civil::Date;
use serde::Deserialize;
use store::views::exceptions::{self, QueueFilter, WaitingDay};
use store::views::people;

use super::day::Choice;
use super::people::Panel;
use super::remarks::Remarks;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format::{self, Chip};
use crate::session::{Outcome, Told, Visitor};
use crate::ui::{Section, Ui};

/// Days in the list beside the one that is shown.
const LISTED: i64 = 100;

pub(super) fn routes() -> Router<WebState> {
    Router::new().route("/exceptions", get(show))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct QueueQuery {
    /// `2026-05`, or empty for all.
    month: String,
    /// Empty or an id, as a select sends it.
    department: String,
    /// The day that is shown, `2026-05-12/CT-1001`.
    at: String,
}

impl QueueQuery {
    fn at(&self, at: &str) -> String {
        format!(
            "/exceptions?month={}&department={}&at={}",
            path_part(&self.month),
            path_part(&self.department),
            path_part(at)
        )
    }
}

#[derive(Template)]
#[template(path = "exceptions.html")]
struct QueuePage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    query: &'a QueueQuery,
    departments: Vec<Choice>,
    total: i64,
    /// How many are not in the list.
    more: i64,
    rows: Vec<Row>,
    chosen: Option<Chosen>,
}

struct Row {
    href: String,
    name: String,
    caption: String,
    chip: Chip,
    current: bool,
}

struct Chosen {
    panel: Panel,
    name: String,
    person_href: String,
    caption: String,
    chip: Chip,
    notes: Vec<String>,
    /// The way back, as a part of a query string.
    back: String,
    previous: Option<String>,
    next: Option<String>,
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<QueueQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().decide)?;
    let ui = visitor.ui(&state, Section::Exceptions);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let month: Option<Month> = query.month.parse().ok();
    let filter = QueueFilter {
        days: month.map(|month| (month.first().to_string(), month.last().to_string())),
        department_id: query.department.parse().ok(),
    };
    let text = today.to_string();
    let total = exceptions::count(&state.store, &text, &filter).await?;
    let waiting = exceptions::list(&state.store, &text, &filter, LISTED).await?;
    let at = shown(&waiting, &query.at);
    let chosen = match at {
        Some(at) => chosen(&state, &visitor, &query, &waiting, at, today).await?,
        None => None,
    };
    let departments = people::departments(&state.store).await?;
    html(&QueuePage {
        departments: departments
            .into_iter()
            .map(|one| Choice {
                value: one.id.to_string(),
                chosen: Some(one.id) == filter.department_id,
                name: one.name,
            })
            .collect(),
        more: total - i64::try_from(waiting.len()).unwrap_or(total),
        rows: waiting
            .iter()
            .enumerate()
            .map(|(number, day)| Row {
                href: query.at(&key(day)),
                name: day.name(),
                caption: format!("{} · {}", date(day, today), day.department),
                chip: chip(day),
                current: Some(number) == at,
            })
            .collect(),
        query: &query,
        ui: &ui,
        told,
        total,
        chosen,
    })
}

fn key(day: &WaitingDay) -> String {
    format!("{}/{}", day.workday, day.code)
}

/// The place of the day asked for; when it is decided already, of the next one.
fn shown(waiting: &[WaitingDay], at: &str) -> Option<usize> {
    let day = at.split('/').next().unwrap_or_default();
    let exact = waiting.iter().position(|one| key(one) == at);
    let next = || waiting.iter().position(|one| one.workday.as_str() >= day);
    exact
        .or_else(next)
        .or_else(|| (!waiting.is_empty()).then_some(0))
}

async fn chosen(
    state: &WebState,
    visitor: &Visitor,
    query: &QueueQuery,
    waiting: &[WaitingDay],
    at: usize,
    today: Date,
) -> Result<Option<Chosen>, PageError> {
    let day = &waiting[at];
    let Some(workday) = format::stored_date(&day.workday) else {
        return Ok(None);
    };
    let panel = Panel::of(state, visitor, &day.code, workday, None).await?;
    let beside = |at: usize| waiting.get(at).map(|day| query.at(&key(day)));
    Ok(panel.map(|panel| Chosen {
        panel,
        name: day.name(),
        person_href: format!("/people/{}?day={workday}", path_part(&day.code)),
        caption: format!("{} · {} · {}", day.code, date(day, today), day.department),
        chip: chip(day),
        notes: remarks(day).texts(),
        back: format!("back={}", path_part(&query.at(&key(day)))),
        previous: at.checked_sub(1).and_then(beside),
        next: beside(at + 1),
    }))
}

fn remarks(day: &WaitingDay) -> Remarks<'_> {
    Remarks {
        reason: &day.reason,
        leave_part: &day.leave_part,
        early_min: day.early_min,
        overtime_min: day.overtime_min,
        exceptions: &day.exceptions,
        pending: &day.pending,
    }
}

fn chip(day: &WaitingDay) -> Chip {
    Chip::of(&day.status, day.late_min, remarks(day).missing(), false)
}

fn date(day: &WaitingDay, today: Date) -> String {
    match format::stored_date(&day.workday) {
        Some(date) => format::short_date(date, today).to_string(),
        None => day.workday.clone(),
    }
}
