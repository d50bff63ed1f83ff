//! `/people/{code}/{date}`, also `.json`, and the same as a panel on the page of the person: why the day reads as it does.

use askama::Template;
use attendance::EmployeeId;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::known;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::session::{Outcome, Told, Visitor};
use crate::text::msg;
use crate::ui::{Section, Ui};
use crate::why::{Story, Why, read_instant};

/// The panel. It is the same on both pages.
pub(in crate::pages) struct Panel {
    pub story: Story,
    /// The page of the day.
    pub href: String,
    /// Nothing can be corrected: no right to, a closed period, the day as it was, or the own one.
    pub may_correct: bool,
    /// The way to the mapping inbox and to devices is open.
    pub why: Why,
}

impl Panel {
    /// `None`: nobody has that code.
    pub(in crate::pages) async fn of(
        state: &WebState,
        visitor: &Visitor,
        code: &str,
        day: Date,
        at: Option<Timestamp>,
    ) -> Result<Option<Self>, PageError> {
        let Some(why) = Why::of(&state.engine, code, day, at).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            story: Story::of(&why),
            href: format!("/people/{}/{day}", path_part(code)),
            may_correct: visitor.may().correct
                && at.is_none()
                && why.employed()
                && !why.is_closed(),
            why,
        }))
    }

    /// The same for whose day it is: there is nothing to correct, only to ask for.
    pub(super) async fn of_own(
        state: &WebState,
        visitor: &Visitor,
        code: &str,
        day: Date,
    ) -> Result<Option<Self>, PageError> {
        let panel = Self::of(state, visitor, code, day, None).await?;
        Ok(panel.map(|panel| Self {
            may_correct: false,
            ..panel
        }))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WhyQuery {
    /// As known at that instant.
    at: String,
    /// An entry just made, which can be undone.
    added: Option<i64>,
}

#[derive(Template)]
#[template(path = "person_day.html")]
struct DayPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    panel: Panel,
    name: String,
    person_href: String,
    caption: String,
    previous: String,
    next: Option<String>,
    at: String,
    at_wrong: bool,
    /// The entry that can be taken back with one click.
    undo: Option<i64>,
}

pub(super) async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path((code, date)): Path<(String, String)>,
    Query(query): Query<WhyQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    let (date, as_json) = match date.strip_suffix(".json") {
        Some(date) => (date, true),
        None => (date.as_str(), false),
    };
    let day: Date = date.parse().map_err(|_| PageError::NotFound)?;
    let person = known(&state, &code).await?;
    visitor.require_sight(&state, EmployeeId(person.id)).await?;
    let zone = format::zone(&person.zone);
    let at = asked(&query.at, &zone);
    if as_json {
        let at = at.map_err(|()| PageError::BadRequest(msg("why-known-wrong").to_string()))?;
        let why = Why::of(&state.engine, &code, day, at).await?;
        let why = why.ok_or(PageError::NotFound)?;
        return Ok(([(header::CACHE_CONTROL, "no-store")], Json(why.json())).into_response());
    }
    let panel = Panel::of(&state, &visitor, &code, day, at.unwrap_or_default()).await?;
    let panel = panel.ok_or(PageError::NotFound)?;
    let ui = visitor.ui(&state, Section::People);
    let today = ui.now.to_zoned(zone).date();
    let base = format!("/people/{}", path_part(&code));
    let neighbour =
        |date: Result<Date, jiff::Error>| date.ok().map(|date| format!("{base}/{date}"));
    html(&DayPage {
        undo: query
            .added
            .filter(|id| panel.may_correct && panel.why.can_be_undone(*id, visitor.person.account)),
        name: person.name(),
        person_href: format!("{base}?month={}&day={day}", day.strftime("%Y-%m")),
        caption: person.code.clone(),
        previous: neighbour(day.yesterday()).unwrap_or_else(|| base.clone()),
        next: neighbour(day.tomorrow()).filter(|_| day < today),
        at_wrong: at.is_err(),
        at: query.at,
        told,
        panel,
        ui: &ui,
    })
}

fn asked(text: &str, zone: &TimeZone) -> Result<Option<Timestamp>, ()> {
    match text.trim() {
        "" => Ok(None),
        text => read_instant(text, zone).map(Some).ok_or(()),
    }
}
