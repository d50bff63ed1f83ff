//! `/devices/waiting/{serial}` and a card of `/devices`: terminals that call and are not registered, and what to do with them.

use std::collections::BTreeSet;

use askama::Template;
use attendance::SiteId;
use axum::Router;
use axum::extract::{Form, Path};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use store::StoreError;
use store::devices::NewDevice;
use store::entities::held_terminals;

use super::brand;
use super::form::site_choices;
use super::operations::Operator;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format::{self, Ago};
use crate::pages::day::Choice;
use crate::pages::form::{Errors, filled, refusal};
use crate::session::{Outcome, Visitor};
use crate::text::{Msg, msg};
use crate::ui::{Section, Ui};
use crate::{WebConfig, WebState};

/// Terminals that wait, and those that were refused, in the list.
const WAITING: usize = 100;
const REFUSED: usize = 50;
/// The page of the list.
const LIST: &str = "/devices";

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/waiting/{serial}", get(ask).post(approve))
        .route("/devices/waiting/{serial}/refuse", post(refuse))
        .route("/devices/waiting/{serial}/take-back", post(take_back))
}

/// The card, for who may decide.
pub(super) struct Card {
    /// How many wait.
    pub waiting: usize,
    pub lines: Vec<Line>,
    /// Not in the list.
    pub more: usize,
    /// How to have a terminal call.
    pub how: String,
}

pub(super) struct Line {
    pub serial: String,
    pub href: String,
    pub model: String,
    pub address: String,
    pub agent: String,
    pub first: String,
    pub last: Ago,
    pub refused: bool,
}

fn line(held: held_terminals::Model, ui: &Ui) -> Line {
    Line {
        href: format!("{LIST}/waiting/{}", path_part(&held.serial_number)),
        serial: held.serial_number,
        model: format!("{} {}", brand(&held.kind), held.model)
            .trim()
            .to_owned(),
        address: held.address,
        agent: held.agent,
        first: format::moment(format::instant(held.first_ms), ui.now, &ui.zone),
        last: Ago {
            at: format::instant(held.last_ms),
            now: ui.now,
            zone: ui.zone.clone(),
        },
        refused: held.refused,
    }
}

/// `None` for who may not decide, and where no terminal calls as far as this process knows.
pub(super) async fn card(
    state: &WebState,
    visitor: &Visitor,
    ui: &Ui,
) -> Result<Option<Card>, PageError> {
    if !visitor.may().edit_devices {
        return Ok(None);
    }
    let held = state.store.held_terminals().await?;
    if held.is_empty() && state.config.push_addresses.is_empty() {
        return Ok(None);
    }
    let all = held.len();
    let (refused, waiting): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| held.refused);
    let count = waiting.len();
    let shown = waiting.into_iter().take(WAITING);
    let shown = shown.chain(refused.into_iter().take(REFUSED));
    let lines: Vec<_> = shown.map(|held| line(held, ui)).collect();
    Ok(Some(Card {
        waiting: count,
        more: all - lines.len(),
        lines,
        how: how_to_call(&state.config),
    }))
}

/// What to enter in a terminal so that it calls.
pub(super) fn how_to_call(config: &WebConfig) -> String {
    let places: BTreeSet<(bool, String)> = config
        .push_addresses
        .iter()
        .map(|address| {
            let place = match address.ip().is_unspecified() {
                true => msg("call-place-any"),
                false => msg("call-place").with("address", address.ip()),
            };
            let anywhere = address.ip().is_unspecified();
            (!anywhere, place.with("port", address.port()).to_string())
        })
        .collect();
    let either = |first: String, (_, second): (bool, String)| match first.as_str() {
        "" => second,
        _ => msg("call-place-or")
            .with("first", first)
            .with("second", second)
            .to_string(),
    };
    let places = places.into_iter().fold(String::new(), either);
    let how = match places.as_str() {
        "" => msg("call-how-unknown"),
        _ => msg("call-how").with("places", places),
    };
    match config.push_has_path_secret {
        true => format!("{how} {}", msg("call-how-secret")),
        false => how.to_string(),
    }
}

#[derive(Template)]
#[template(path = "device_waiting.html")]
struct WaitingPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    held: &'a Line,
    calls: i64,
    form: &'a ApproveForm,
    sites: Vec<Choice>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApproveForm {
    name: String,
    site: i64,
}

async fn held(state: &WebState, serial: &str) -> Result<held_terminals::Model, PageError> {
    let held = state.store.held_terminal(serial).await?;
    held.ok_or(PageError::NotFound)
}

fn page(
    operator: &Operator,
    held: held_terminals::Model,
    form: &ApproveForm,
    errors: &Errors,
) -> Result<Response, PageError> {
    let state = &operator.state;
    let ui = &operator.visitor.ui(state, Section::Devices);
    html(&WaitingPage {
        ui,
        errors,
        calls: held.calls,
        held: &line(held, ui),
        form,
        sites: site_choices(state, form.site),
    })
}

async fn ask(operator: Operator, Path(serial): Path<String>) -> Result<Response, PageError> {
    let held = held(&operator.state, &serial).await?;
    if operator.state.boards.frame().sites.is_empty() {
        return Ok(Redirect::to("/setup/company").into_response());
    }
    page(&operator, held, &ApproveForm::default(), &Errors::default())
}

async fn approve(
    operator: Operator,
    Path(serial): Path<String>,
    Form(form): Form<ApproveForm>,
) -> Result<Response, PageError> {
    let state = &operator.state;
    let held = held(state, &serial).await?;
    let mut new = NewDevice::calling(&held.kind, &held.serial_number, SiteId(form.site));
    if let Some(name) = filled(&form.name) {
        new.fields.name = name;
    }
    let tx = state.store.begin_write().await?;
    match tx.add_device(&new, operator.visitor.author(state)).await {
        Ok(_) => tx.commit().await?,
        Err(error) => {
            tx.rollback().await?;
            let mut errors = Errors::default();
            match &error {
                StoreError::NotFound { .. } => errors.add("site", msg("held-no-site")),
                StoreError::Duplicate { .. } | StoreError::Invalid(_) => {
                    errors.add("name", refusal(&error));
                }
                _ => return Err(error.into()),
            }
            return page(&operator, held, &form, &errors);
        }
    }
    state.engine.edited();
    // Its next call is answered as that of a device.
    state.engine.callers.read_known().await?;
    let device = format!("{LIST}/{}", path_part(&held.serial_number));
    let title = msg("held-approved").with("name", &new.fields.name);
    let outcome = Outcome::done(&device, title, msg("held-approved-text"));
    Ok(operator.tell(&outcome).await?.into_response())
}

async fn refuse(operator: Operator, Path(serial): Path<String>) -> Result<Redirect, PageError> {
    let title = msg("held-refused").with("serial", &serial);
    let told = Outcome::done(LIST, title, msg("held-refused-text"));
    decide(&operator, &serial, true, told).await
}

async fn take_back(operator: Operator, Path(serial): Path<String>) -> Result<Redirect, PageError> {
    let title = msg("held-taken-back").with("serial", &serial);
    let told = Outcome::done(LIST, title, msg("held-taken-back-text"));
    decide(&operator, &serial, false, told).await
}

async fn decide(
    operator: &Operator,
    serial: &str,
    refused: bool,
    done: Outcome,
) -> Result<Redirect, PageError> {
    let state = &operator.state;
    let author = operator.visitor.author(state);
    let tx = state.store.begin_write().await?;
    match tx.refuse_held(serial, refused, author).await {
        Ok(()) => tx.commit().await?,
        Err(StoreError::NotFound { .. }) => {
            tx.rollback().await?;
            let gone = |key: &str| -> Msg { msg(key).with("serial", serial) };
            let told = Outcome::not_done(LIST, gone("held-gone"), msg("held-gone-text"));
            return operator.tell(&told).await;
        }
        Err(error) => return Err(error.into()),
    }
    state.engine.edited();
    state.engine.callers.read_known().await?;
    operator.tell(&done).await
}
