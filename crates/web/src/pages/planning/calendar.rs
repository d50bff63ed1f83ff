//! `/calendar`: the holidays of a year, leave and duty elsewhere, and the types of leave.

use askama::Template;
use attendance::SiteId;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use serde::Deserialize;
use store::StoreError;
use store::calendar::LeaveType;
use store::views::planning;
use tower_sessions::Session;

use super::super::day::Choice;
use super::super::devices::form::site_choices;
use super::super::form::Errors;
use super::refused;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::pages::away::AwayForm;
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};

/// Entries of leave on the page.
const LISTED: i64 = 200;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CalendarQuery {
    /// Empty is this year.
    year: String,
    /// Of one person.
    code: String,
}

/// What the forms send.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CalendarForm {
    /// Of a holiday.
    day: String,
    holiday: String,
    site: String,
    /// Of leave.
    code: String,
    kind: String,
    from: String,
    to: String,
    part: String,
    leave_type: String,
    reason: String,
    /// Of a type of leave; without an id it is a new one.
    id: String,
    type_name: String,
    type_code: String,
    paid: Option<String>,
    /// What is removed.
    what: String,
}

impl CalendarForm {
    /// A single day has no end.
    fn away(&self) -> AwayForm {
        let to = match self.to.is_empty() {
            true => &self.from,
            false => &self.to,
        };
        AwayForm {
            kind: self.kind.clone(),
            from: self.from.clone(),
            to: to.clone(),
            part: self.part.clone(),
            leave_type: self.leave_type.clone(),
            ..AwayForm::default()
        }
    }
}

#[derive(Template)]
#[template(path = "calendar.html")]
struct CalendarPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    errors: &'a Errors,
    query: &'a CalendarQuery,
    form: &'a CalendarForm,
    year: i16,
    sites: Vec<Choice>,
    holidays: Vec<HolidayRow>,
    types: Vec<LeaveType>,
    leave: Vec<LeaveRow>,
    /// There is more than is listed.
    more: bool,
}

struct HolidayRow {
    id: i64,
    day: Msg,
    name: String,
    site: String,
}

struct LeaveRow {
    id: i64,
    name: String,
    href: String,
    days: String,
    kind: String,
    part: Option<Msg>,
    reason: String,
}

pub(super) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Told(told): Told,
    Query(query): Query<CalendarQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let form = CalendarForm {
        code: query.code.clone(),
        ..CalendarForm::default()
    };
    page(&state, &visitor, told, &query, &form, &Errors::default()).await
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    told: Option<Outcome>,
    query: &CalendarQuery,
    form: &CalendarForm,
    errors: &Errors,
) -> Result<Response, PageError> {
    let ui = visitor.ui(state, Section::Planning);
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let year = match query.year.as_str() {
        "" => today.year(),
        year => year.parse().map_err(|_| PageError::NotFound)?,
    };
    let days = Date::new(year, 1, 1).and_then(|first| Ok((first, Date::new(year, 12, 31)?)));
    let (first, last) = days.map_err(|_| PageError::NotFound)?;
    let holidays = state.store.holidays(first, last).await?;
    let types = state.store.leave_types().await?;
    let code = query.code.trim();
    let (from, to) = (first.to_string(), last.to_string());
    let mut entries = planning::leave(&state.store, code, &from, &to, LISTED + 1).await?;
    let more = i64::try_from(entries.len()).is_ok_and(|found| found > LISTED);
    entries.truncate(usize::try_from(LISTED).unwrap_or(0));
    let sites = site_choices(state, form.site.parse().unwrap_or(0));
    let site_name = |id: Option<SiteId>| match id {
        None => msg("all-sites").to_string(),
        Some(id) => {
            let found = sites.iter().find(|site| site.value == id.to_string());
            found.map(|site| site.name.clone()).unwrap_or_default()
        }
    };
    html(&CalendarPage {
        told,
        errors,
        query,
        form,
        year,
        holidays: holidays
            .into_iter()
            .map(|one| HolidayRow {
                id: one.id,
                day: format::short_date(one.day, today),
                site: site_name(one.site),
                name: one.name,
            })
            .collect(),
        leave: entries
            .into_iter()
            .map(|one| LeaveRow::of(one, today))
            .collect(),
        types,
        more,
        sites,
        ui: &ui,
    })
}

impl LeaveRow {
    fn of(row: planning::LeaveRow, today: Date) -> Self {
        let day = |text: &str| match format::stored_date(text) {
            Some(day) => format::short_date(day, today).to_string(),
            None => text.to_owned(),
        };
        Self {
            id: row.id,
            name: row.name(),
            href: format!("/people/{}", path_part(&row.code)),
            days: match row.from_day == row.to_day {
                true => day(&row.from_day),
                false => msg("from-to")
                    .with("from", day(&row.from_day))
                    .with("to", day(&row.to_day))
                    .to_string(),
            },
            part: match row.part.as_str() {
                "first_half" => Some(msg("leave-first-half")),
                "second_half" => Some(msg("leave-second-half")),
                _ => None,
            },
            kind: match (row.kind.as_str(), row.leave_type) {
                ("on_duty", _) => msg("status-on_duty").to_string(),
                (_, Some(name)) => name,
                _ => msg("leave").to_string(),
            },
            reason: row.reason,
        }
    }
}

/// Keeps what a transaction has done and leads back, or shows the page with what is wrong.
async fn finish(
    state: &WebState,
    visitor: &Visitor,
    session: &Session,
    form: &CalendarForm,
    (tx, done): (store::WriteTx, Result<(), StoreError>),
    (field, title, text): (&'static str, &'static str, Msg),
) -> Result<Response, PageError> {
    match done {
        Ok(()) => {
            tx.commit().await?;
            state.engine.edited();
            let outcome = Outcome::done("/calendar", msg(title), text);
            leave(session, &outcome).await?;
            Ok(Redirect::to("/calendar").into_response())
        }
        Err(error) => {
            tx.rollback().await?;
            let mut errors = Errors::default();
            errors.add(field, refused(error)?);
            let query = CalendarQuery::default();
            page(state, visitor, None, &query, form, &errors).await
        }
    }
}

/// What becomes of the days, of which so many reports are closed.
fn effect(closed: u64) -> Msg {
    match closed {
        0 => msg("rules-saved-text"),
        _ => msg("calendar-closed-stayed").count("count", closed),
    }
}

pub(super) async fn add_holiday(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(form): Form<CalendarForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let mut errors = Errors::default();
    let day: Option<Date> = form.day.parse().ok();
    if day.is_none() {
        errors.add("day", msg("date-wrong"));
    }
    if form.holiday.trim().is_empty() {
        errors.add("holiday", msg("shift-needs-name"));
    }
    let (Some(day), true) = (day, errors.is_empty()) else {
        let query = CalendarQuery::default();
        return page(&state, &visitor, None, &query, &form, &errors).await;
    };
    let site = form.site.parse().ok().map(SiteId);
    let tx = state.store.begin_write().await?;
    let author = visitor.author(&state);
    let done = tx.add_holiday(site, day, &form.holiday, author).await;
    let text = effect(done.as_ref().map_or(0, |change| change.closed));
    let done = (tx, done.map(drop));
    let said = ("holiday", "calendar-holiday-added", text);
    finish(&state, &visitor, &session, &form, done, said).await
}

pub(super) async fn add_leave(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(form): Form<CalendarForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let mut errors = Errors::default();
    let employee = state.store.employee_by_code(form.code.trim()).await?;
    if employee.is_none() {
        errors.add("code", msg("rules-nobody").with("code", form.code.trim()));
    }
    let types = state.store.leave_types().await?;
    let away = form.away().read(&types, &mut errors);
    let (Some(employee), Some(away), true) = (employee, away, errors.is_empty()) else {
        let query = CalendarQuery::default();
        return page(&state, &visitor, None, &query, &form, &errors).await;
    };
    let new = away.of(employee.id, form.reason.clone());
    let tx = state.store.begin_write().await?;
    let done = tx.add_leave(&new, visitor.author(&state)).await;
    let done = (tx, done.map(drop));
    let said = ("from", "calendar-leave-added", effect(0));
    finish(&state, &visitor, &session, &form, done, said).await
}

/// Adds a type of leave, or changes one.
pub(super) async fn save_type(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(form): Form<CalendarForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let (name, code, paid) = (&form.type_name, &form.type_code, form.paid.is_some());
    let tx = state.store.begin_write().await?;
    let author = visitor.author(&state);
    let done = match form.id.parse() {
        Ok(id) => {
            let kind = LeaveType {
                id,
                name: name.clone(),
                code: code.clone(),
                paid,
            };
            tx.edit_leave_type(&kind, author).await
        }
        Err(_) => tx.add_leave_type(name, code, paid, author).await.map(drop),
    };
    let said = ("type_name", "calendar-type-saved", effect(0));
    finish(&state, &visitor, &session, &form, (tx, done), said).await
}

/// Removes a holiday or an entry of leave.
pub(super) async fn remove(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Form(form): Form<CalendarForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().plan)?;
    let id = form.id.parse().map_err(|_| PageError::NotFound)?;
    let tx = state.store.begin_write().await?;
    let author = visitor.author(&state);
    let (done, said) = match form.what.as_str() {
        "holiday" => {
            let done = tx.remove_holiday(id, author).await;
            let text = effect(done.as_ref().map_or(0, |change| change.closed));
            let said = ("holiday", "calendar-holiday-removed", text);
            (done.map(drop), said)
        }
        _ => {
            let done = tx.remove_leave(id, author).await;
            (done, ("leave", "calendar-leave-removed", effect(0)))
        }
    };
    finish(&state, &visitor, &session, &form, (tx, done), said).await
}
