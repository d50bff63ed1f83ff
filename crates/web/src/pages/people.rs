//! `/people` and `/people/{code}`: the list of employees, and what is known of one of them. The form and the import of a file
//! are in modules of their own.

mod form;
mod import;

use std::collections::HashMap;

use askama::Template;
use attendance::EmployeeId;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde::Deserialize;
use store::views::day::{self, CorrectionRow};
use store::views::people::{self, PeopleFilter, PersonDay, PersonPunch, PersonRow, PersonUser};

use super::day::{Choice, correction_note};
use super::form::filled;
use super::remarks::Remarks;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format::{self, Chip};
use crate::session::Visitor;
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Rows of the list on one page.
const PAGE: i64 = 50;
/// Workdays and punches on the page of a person.
const DAYS: i64 = 31;
const PUNCHES: i64 = 40;
/// A punch that took longer than this to reach us is worth noticing: two poll intervals.
const SLOW: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/people", get(list))
        .route("/people/new", get(form::new).post(form::add))
        .route("/people/import", get(import::show).post(import::take))
        .route("/people/{code}", get(show))
        .route("/people/{code}/pictures/{id}", get(picture))
        .route("/people/{code}/edit", get(form::edit).post(form::save))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PeopleQuery {
    /// Part of a name or code, or a whole number on the terminals.
    q: String,
    /// Empty or an id, as a select sends it.
    department: String,
    page: Option<i64>,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage<'a> {
    ui: &'a Ui,
    query: &'a PeopleQuery,
    departments: Vec<Choice>,
    rows: Vec<Row>,
    /// Whether to say where somebody works.
    several_sites: bool,
    total: i64,
    from: i64,
    previous: Option<String>,
    next: Option<String>,
}

struct Row {
    href: String,
    name: String,
    code: String,
    department: String,
    number: String,
    shift: String,
    site: String,
    employed: String,
}

async fn list(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<PeopleQuery>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().people)?;
    let ui = visitor.ui(&state, Section::People);
    let filter = PeopleFilter {
        search: query.q.clone(),
        department_id: query.department.parse().ok(),
    };
    let total = people::count(&state.store, &filter).await?;
    let last = (total + PAGE - 1) / PAGE;
    let page = query.page.unwrap_or(1).clamp(1, last.max(1));
    let skip = (page - 1) * PAGE;
    let rows = people::list(&state.store, &filter, PAGE, skip).await?;
    let departments = people::departments(&state.store).await?;
    let today = ui.now.to_zoned(ui.zone.clone()).date();
    let link = |page: i64| {
        let (q, department) = (path_part(&query.q), path_part(&query.department));
        format!("/people?q={q}&department={department}&page={page}")
    };
    html(&PeoplePage {
        departments: departments
            .into_iter()
            .map(|one| Choice {
                value: one.id.to_string(),
                chosen: Some(one.id) == filter.department_id,
                name: one.name,
            })
            .collect(),
        rows: rows.into_iter().map(|one| row(one, today)).collect(),
        several_sites: state.boards.frame().sites.len() > 1,
        total,
        from: skip + 1,
        previous: (page > 1).then(|| link(page - 1)),
        next: (page < last).then(|| link(page + 1)),
        query: &query,
        ui: &ui,
    })
}

fn row(person: PersonRow, today: Date) -> Row {
    Row {
        href: format!("/people/{}", path_part(&person.code)),
        name: person.name(),
        employed: employed(&person, today),
        department: person.department.unwrap_or_default(),
        number: person.device_id.unwrap_or_default(),
        shift: person.shift.unwrap_or_default(),
        site: person.site,
        code: person.code,
    }
}

/// `left 3 May`, `from 1 June`, or nothing for somebody who is employed now.
fn employed(person: &PersonRow, today: Date) -> String {
    let date = |text: &Option<String>| text.as_deref().and_then(format::stored_date);
    if let Some(to) = date(&person.employed_to).filter(|to| *to < today) {
        msg("employed-left")
            .with("date", format::day_and_month(to, today))
            .to_string()
    } else if let Some(from) = date(&person.employed_from).filter(|from| *from > today) {
        msg("employed-joins")
            .with("date", format::day_and_month(from, today))
            .to_string()
    } else {
        String::new()
    }
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage<'a> {
    ui: &'a Ui,
    person: &'a PersonRow,
    edit_href: String,
    caption: String,
    facts: Vec<(String, String)>,
    users: Vec<User>,
    days: Vec<Day>,
    punches: Vec<Punch>,
}

struct User {
    device: String,
    href: String,
    user_id: String,
    by: String,
}

struct Day {
    href: String,
    date: String,
    chip: Chip,
    first_in: String,
    last_out: String,
    worked: String,
    late: String,
    notes: Vec<String>,
}

struct Punch {
    id: i64,
    clock: String,
    device: String,
    user_id: String,
    method: String,
    key: String,
    way: String,
    after: String,
    slow: bool,
    suspect: bool,
    /// What the device said, where a person has shifted it.
    shifted: Option<String>,
    /// Where what its camera saw is.
    picture: Option<String>,
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(code): Path<String>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().people)?;
    let person = known(&state, &code).await?;
    let ui = visitor.ui(&state, Section::People);
    let zone = format::zone(&person.zone);
    let today = ui.now.to_zoned(zone.clone()).date();
    let mut days = people::days(&state.store, person.id, DAYS).await?;
    // Tomorrow has a report already where its shift begins before midnight; there is nothing to see in it yet.
    days.retain(|day| day.first_in.is_some() || day.workday <= today.to_string());
    // A correction of the night after the newest day still speaks of it.
    let from = days
        .last()
        .map_or_else(|| today.to_string(), |day| day.workday.clone());
    let before = days
        .first()
        .and_then(|day| format::stored_date(&day.workday))
        .unwrap_or(today);
    let before = before.tomorrow().unwrap_or(before).to_string();
    let said = day::corrections(&state.store, &[person.id], &from, &before).await?;
    let users = people::users_of(&state.store, person.id).await?;
    let punches = people::punches(&state.store, person.id, PUNCHES).await?;
    let pictures = match ui.may.edit_people {
        true => pictures(&state, &person).await?,
        false => HashMap::new(),
    };
    html(&PersonPage {
        edit_href: format!("/people/{}/edit", path_part(&person.code)),
        caption: [Some(person.code.clone()), person.shift.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · "),
        facts: facts(&person, today),
        users: users.into_iter().map(user).collect(),
        days: days
            .iter()
            .map(|one| day_line(one, person.site_id, &said, today))
            .collect(),
        punches: punches
            .into_iter()
            .map(|one| {
                let picture = pictures.get(&one.id).cloned();
                punch(one, picture, today)
            })
            .collect(),
        person: &person,
        ui: &ui,
    })
}

/// By punch, where its picture is.
async fn pictures(state: &WebState, person: &PersonRow) -> Result<HashMap<i64, String>, PageError> {
    let employee = EmployeeId(person.id);
    let kept = state.store.kept_of_punches(ingest::PICTURE, employee);
    let code = path_part(&person.code);
    let href = |id: i64| format!("/people/{code}/pictures/{id}");
    let kept = kept.await?.into_iter();
    Ok(kept.map(|of| (of.punch_id, href(of.kept_id))).collect())
}

/// What the camera of a terminal saw at a punch. Only for those who keep the records of people, and never kept by a browser.
async fn picture(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((code, id)): Path<(String, i64)>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_people)?;
    let person = known(&state, &code).await?;
    let employee = EmployeeId(person.id);
    let kept = state.store.kept_of_person(ingest::PICTURE, id, employee);
    let kept = kept.await?.ok_or(PageError::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, state.store.kept_bytes(&kept)?).into_response())
}

async fn known(state: &WebState, code: &str) -> Result<PersonRow, PageError> {
    people::by_code(&state.store, code)
        .await?
        .ok_or(PageError::NotFound)
}

fn facts(person: &PersonRow, today: Date) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |key: &str, value: Option<String>| {
        if let Some(value) = value.as_deref().and_then(filled) {
            facts.push((msg(format!("person-{key}")).to_string(), value));
        }
    };
    let date = |text: &Option<String>| {
        let date = text.as_deref().and_then(format::stored_date)?;
        Some(format::day_and_month(date, today).to_string())
    };
    fact("code", Some(person.code.clone()));
    fact("number", person.device_id.clone());
    fact("username", person.username.clone());
    fact("email", person.email.clone());
    fact("site", Some(format!("{}, {}", person.site, person.zone)));
    fact("department", person.department.clone());
    fact("shift", person.shift.clone());
    fact("from", date(&person.employed_from));
    fact("to", date(&person.employed_to));
    facts
}

fn user(row: PersonUser) -> User {
    User {
        device: row.device,
        href: format!("/devices/{}", path_part(&row.serial_number)),
        user_id: row.user_id,
        by: match row.match_by.as_deref() {
            Some(by @ ("link" | "device_id" | "code" | "username")) => {
                msg(format!("match-by-{by}")).to_string()
            }
            _ => String::new(),
        },
    }
}

fn day_line(day: &PersonDay, site: i64, said: &[CorrectionRow], today: Date) -> Day {
    let remarks = Remarks {
        reason: &day.reason,
        leave_part: &day.leave_part,
        early_min: day.early_min,
        overtime_min: day.overtime_min,
        exceptions: &day.exceptions,
        pending: &day.pending,
    };
    let positive = |minutes: i64| (minutes > 0).then(|| format::minutes(minutes));
    let mut notes = remarks.texts();
    let of_day = said
        .iter()
        .filter(|entry| entry.at.starts_with(&day.workday));
    notes.extend(of_day.map(correction_note));
    let date = format::stored_date(&day.workday);
    Day {
        href: format!("/day/{}?site={site}", day.workday),
        date: date.map_or_else(
            || day.workday.clone(),
            |date| format::short_date(date, today).to_string(),
        ),
        chip: Chip::of(&day.status, day.late_min, remarks.missing(), false),
        first_in: format::wall_minutes(day.first_in.as_deref().unwrap_or_default()).to_owned(),
        last_out: format::wall_minutes(day.last_out.as_deref().unwrap_or_default()).to_owned(),
        worked: positive(day.worked_min).unwrap_or_default(),
        late: positive(day.late_min).unwrap_or_default(),
        notes,
    }
}

/// On the device's own wall time, not that of the site: as it recorded it, or as it was shifted.
fn punch(punch: PersonPunch, picture: Option<String>, today: Date) -> Punch {
    let after =
        format::instant(punch.received_ms).duration_since(format::instant(punch.instant_ms));
    let shifted = punch.shifted.as_ref().map(|_| {
        msg("punch-shifted")
            .with("shift", format::shift(punch.shift_s.unwrap_or_default()))
            .with("clock", format::short_wall(&punch.clock, today))
            .to_string()
    });
    let clock = punch.shifted.as_ref().unwrap_or(&punch.clock);
    let clock = format::short_wall(clock, today);
    Punch {
        id: punch.id,
        clock,
        device: punch.device,
        user_id: punch.user_id,
        method: msg(format!("verify-{}", punch.verify)).to_string(),
        key: match punch.state.as_str() {
            "none" => String::new(),
            state => msg(format!("state-{state}")).to_string(),
        },
        way: msg(format!("way-{}", punch.source)).to_string(),
        after: format::duration(after),
        slow: after > SLOW,
        suspect: punch.suspect && shifted.is_none(),
        shifted,
        picture,
    }
}
