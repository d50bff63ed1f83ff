//! `/people/{code}`: a month of one person, day by day, why the chosen day reads as it does, and the raw punches.

use std::collections::HashMap;

use askama::Template;
use attendance::EmployeeId;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use jiff::{SignedDuration, Span};
use serde::Deserialize;
use store::views::accounts;
use store::views::day::{self, CorrectionRow};
use store::views::people::{self, PersonPunch, PersonRow, PersonUser};
use store::views::why::{self as rows, CalendarDay};

use super::calendar::{Cell, Strip, Totals, weekdays, weeks};
use super::known;
use super::why::Panel;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format::{self, Chip};
use crate::pages::day::correction_note;
use crate::pages::form::filled;
use crate::pages::remarks::Remarks;
use crate::session::{Told, Visitor};
use crate::text::msg;
use crate::ui::{Section, Ui};

/// More than anybody punches in a month.
const PUNCHES: i64 = 500;
/// A punch that took longer than this to reach us is worth noticing: two poll intervals.
const SLOW: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PersonQuery {
    /// `2026-05`.
    month: String,
    /// The day that is explained.
    day: String,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage<'a> {
    ui: &'a Ui,
    told: Option<crate::session::Outcome>,
    person: &'a PersonRow,
    edit_href: String,
    card_href: String,
    add_href: String,
    caption: String,
    facts: Vec<(String, String)>,
    /// With which accounts the person signs in, for whoever may make them; and where one is made.
    accounts: Option<Vec<(String, String)>>,
    new_account_href: String,
    users: Vec<User>,
    month: String,
    /// `2026-05`.
    month_key: String,
    previous: String,
    next: String,
    weekdays: Vec<String>,
    weeks: Vec<Vec<Option<Cell>>>,
    totals: Totals,
    strip: Strip,
    panel: Option<Panel>,
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
    /// What it was used for, or why it was not.
    used: String,
    /// Where what its camera saw is.
    picture: Option<String>,
}

pub(super) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(code): Path<String>,
    Query(query): Query<PersonQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    let person = known(&state, &code).await?;
    visitor.require_sight(&state, EmployeeId(person.id)).await?;
    let ui = visitor.ui(&state, Section::People);
    let zone = format::zone(&person.zone);
    let today = ui.now.to_zoned(zone.clone()).date();
    let asked: Option<Date> = query.day.parse().ok();
    let month = month_of(&query.month)
        .or(asked)
        .unwrap_or(today)
        .first_of_month();
    let after = month.saturating_add(Span::new().months(1));

    let (from, before) = (month.to_string(), after.to_string());
    let mut days = rows::calendar(&state.store, person.id, &from, &before).await?;
    // Tomorrow has a report already where its shift begins before midnight; there is nothing to see in it yet.
    days.retain(|day| day.first_in.is_some() || day.workday <= today.to_string());
    let newest = days
        .last()
        .and_then(|day| format::stored_date(&day.workday));
    let chosen = asked.filter(|day| month <= *day && *day < after).or(newest);
    let panel = match chosen {
        Some(day) => Panel::of(&state, &visitor, &person.code, day, None).await?,
        None => None,
    };

    let midnight = |date: Date| {
        let start = zone
            .to_timestamp(date.at(0, 0, 0, 0))
            .map_err(|_| PageError::NotFound)?;
        Ok::<_, PageError>(start.as_millisecond())
    };
    let punches = rows::punches(
        &state.store,
        person.id,
        midnight(month)?,
        midnight(after)?,
        PUNCHES,
    )
    .await?;
    let uses = uses(&state, &person, month, after).await?;
    let said = day::corrections(&state.store, &[person.id], &from, &before).await?;
    let users = people::users_of(&state.store, person.id).await?;
    let year = Strip::first_day(month);
    let year_days = rows::calendar(&state.store, person.id, &year.to_string(), &before).await?;
    let base = format!("/people/{}", path_part(&person.code));
    let link = |month: Date| format!("{base}?month={}", month.strftime("%Y-%m"));
    let pictures = match ui.may.edit_people {
        true => pictures(&state, &person).await?,
        false => HashMap::new(),
    };
    let accounts = match ui.may.users {
        true => Some(accounts_of(&state, &person).await?),
        false => None,
    };
    let managers = accounts::managers_of(&state.store, EmployeeId(person.id)).await?;
    html(&PersonPage {
        told,
        accounts,
        new_account_href: format!("/users?code={}#new", path_part(&person.code)),
        edit_href: format!("{base}/edit"),
        card_href: format!(
            "/timecard/{}/{}",
            path_part(&person.code),
            month.strftime("%Y-%m")
        ),
        add_href: format!("{base}/{}/add", chosen.unwrap_or(today)),
        caption: format::caption([Some(&*person.code), person.shift.as_deref()]),
        facts: facts(&person, &managers.join(", "), today),
        users: users.into_iter().map(user).collect(),
        month: format::month(month).to_string(),
        month_key: month.strftime("%Y-%m").to_string(),
        previous: link(month.saturating_sub(Span::new().months(1))),
        next: link(after),
        weekdays: weekdays(),
        weeks: weeks(month, &days, chosen, &base),
        totals: Totals::of(&days),
        strip: Strip::of(month, &year_days, &base),
        panel,
        days: days
            .iter()
            .rev()
            .map(|one| {
                let href = match ui.may.people {
                    true => format!("/day/{}?site={}", one.workday, person.site_id),
                    false => format!("{base}/{}", one.workday),
                };
                day_line(one, href, &said, today)
            })
            .collect(),
        punches: punches
            .into_iter()
            .map(|one| {
                let used = uses.get(&one.id.to_string()).cloned().unwrap_or_default();
                let picture = pictures.get(&one.id).cloned();
                punch(one, used, picture, today)
            })
            .collect(),
        person: &person,
        ui: &ui,
    })
}

/// Addresses with the pages of their accounts.
async fn accounts_of(
    state: &WebState,
    person: &PersonRow,
) -> Result<Vec<(String, String)>, PageError> {
    let accounts = accounts::of_employee(&state.store, EmployeeId(person.id)).await?;
    let page = |(id, email)| (email, format!("/users/{id}"));
    Ok(accounts.into_iter().map(page).collect())
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
pub(super) async fn picture(
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

pub(super) fn month_of(text: &str) -> Option<Date> {
    format!("{text}-01").parse().ok()
}

/// By punch id what it was used for. A punch at the edge of the month may count for the day beside it.
async fn uses(
    state: &WebState,
    person: &PersonRow,
    month: Date,
    after: Date,
) -> Result<HashMap<String, String>, PageError> {
    let first = month.yesterday().unwrap_or(month);
    let dates: Vec<Date> = first
        .series(Span::new().days(1))
        .take_while(|day| *day <= after)
        .collect();
    let judge = &state.engine.judge;
    let explained = judge.explain(EmployeeId(person.id), &dates, None).await?;
    let facts = explained
        .iter()
        .flat_map(|one| &one.report.derivation.facts);
    let punches = facts.filter(|fact| fact.topic == "punch");
    Ok(punches
        .filter_map(|fact| {
            let id = fact.values["id"].as_str()?.to_owned();
            Some((id, crate::why::short_use(&fact.values)))
        })
        .collect())
}

fn facts(person: &PersonRow, managers: &str, today: Date) -> Vec<(String, String)> {
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
    fact("managers", Some(managers.to_owned()));
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

fn day_line(day: &CalendarDay, href: String, said: &[CorrectionRow], today: Date) -> Day {
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
        href,
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
fn punch(punch: PersonPunch, used: String, picture: Option<String>, today: Date) -> Punch {
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
        used,
        picture,
    }
}
