//! What people have a terminal do from its page: door, voice, screen and restart here, its users and its log in modules of
//! their own. What came of it is told on the page to which the browser is sent then.

use std::time::Duration;

use attendance::{AccountId, DeviceId};
use axum::extract::{Path, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use ingest::{DeviceKind, Done, Effect, Operation, PollFailure, Privilege, UserDetails, Written};
use serde::Deserialize;
use store::views::devices::DeviceRow;
use tower_sessions::Session;

use super::{clear_log, doctor, in_use, users};
use crate::WebState;
use crate::board::path_part;
use crate::error::PageError;
use crate::pages::form::{filled, sentence};
use crate::session::{self, Outcome, Visitor};
use crate::text::{Msg, msg};

/// A door can be opened for so long, in seconds.
const LONGEST_UNLOCK: u64 = 3600;

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{serial}/unlock", post(unlock))
        .route("/devices/{serial}/voice", post(voice))
        .route("/devices/{serial}/screen", post(screen))
        .route("/devices/{serial}/restart", post(restart))
        .route("/devices/{serial}/users", get(users::list))
        .route("/devices/{serial}/user", get(users::edit).post(users::save))
        .route("/devices/{serial}/user/delete", post(users::delete))
        .route(
            "/devices/{serial}/clear-log",
            get(clear_log::ask).post(clear_log::clear),
        )
}

/// Whether this person may change something at the terminal.
pub(super) fn can_change(visitor: &Visitor, device: &DeviceRow) -> bool {
    let kind = DeviceKind::from_name(&device.kind);
    visitor.may().edit_devices
        && device.retired_ms.is_none()
        && kind.is_some_and(DeviceKind::can_be_changed)
}

/// A device that this person may change something at.
pub(super) async fn changeable(
    state: &WebState,
    visitor: &Visitor,
    serial: &str,
) -> Result<DeviceRow, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(state, serial).await?;
    visitor.require(can_change(visitor, &device))?;
    Ok(device)
}

pub(super) async fn operate(
    state: &WebState,
    visitor: &Visitor,
    device: &DeviceRow,
    operation: Operation,
) -> Result<Result<Done, PollFailure>, PageError> {
    let by = Some(AccountId(visitor.person.account));
    let poller = &state.engine.poller;
    Ok(poller.operate(DeviceId(device.id), operation, by).await?)
}

/// Has the terminal do it and goes back to its page, which tells what came of it; `said` is for what cannot be read back.
async fn operate_and_tell(
    state: &WebState,
    visitor: &Visitor,
    session: &Session,
    serial: &str,
    operation: Operation,
    said: Msg,
) -> Result<Redirect, PageError> {
    let device = changeable(state, visitor, serial).await?;
    let done = operate(state, visitor, &device, operation).await?;
    let page = page_of(&device);
    let outcome = match done {
        Ok(_) => Outcome {
            page: page.clone(),
            done: true,
            title: said.to_string(),
            text: msg("operation-not-read-back").to_string(),
        },
        Err(failure) => failed(&page, &failure),
    };
    session::leave(session, &outcome).await?;
    Ok(Redirect::to(&page))
}

/// The path of a device's page.
pub(super) fn page_of(device: &DeviceRow) -> String {
    format!("/devices/{}", path_part(&device.serial_number))
}

/// Why it was not done, and what to do.
pub(super) fn failed(page: &str, failure: &PollFailure) -> Outcome {
    let title = match failure.reason {
        "write_unsure" => "operation-unsure",
        _ => "operation-failed",
    };
    let advice = doctor::advice(failure.reason).map(|advice| advice.to_string());
    let text = [Some(sentence(&failure.message)), advice];
    Outcome {
        page: page.to_owned(),
        done: false,
        title: msg(title).to_string(),
        text: text.into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

/// What was done to a user, or to the log, and what was read back.
pub(super) fn done(page: &str, done: &Done) -> Outcome {
    let (title, text) = match done {
        Done::Said => (msg("operation-said"), msg("operation-not-read-back")),
        Done::User(Written { effect, user }) => {
            let title = match effect {
                Effect::Created => "user-created",
                Effect::Changed => "user-changed",
                Effect::AlreadySo => "user-already-so",
            };
            (msg(title).with("user", user.id.as_str()), read_back(user))
        }
        Done::UserDeleted(user) => {
            let title = msg("user-deleted").with("user", user.id.as_str());
            let name = filled(&user.name).unwrap_or_else(|| user.id.to_string());
            let text = msg("user-deleted-text").with("name", name);
            (title, text)
        }
        Done::LogCleared { records, left } => {
            let title = msg("log-cleared").count("records", *records);
            (title, msg("log-cleared-text").count("left", *left))
        }
        Done::FingerprintsKept { users, fingers } => {
            let title = msg("fingerprints-kept")
                .count("users", *users)
                .count("fingers", *fingers);
            (title, msg("fingerprints-kept-text"))
        }
        Done::FingerprintsCopied { written, fingers } => {
            let title = msg("fingerprints-copied")
                .with("user", &written.user.id)
                .count("fingers", *fingers);
            (title, msg("fingerprints-copied-text"))
        }
    };
    Outcome {
        page: page.to_owned(),
        done: true,
        title: title.to_string(),
        text: text.to_string(),
    }
}

fn read_back(user: &UserDetails) -> Msg {
    let privilege = user.privilege.map_or("unknown", Privilege::as_str);
    let none = || msg("user-none").to_string();
    msg(match user.has_password {
        true => "user-read-back-password",
        false => "user-read-back",
    })
    .with("name", filled(&user.name).unwrap_or_else(none))
    .with("privilege", msg(format!("privilege-{privilege}")))
    .with("card", user.card.clone().unwrap_or_else(none))
}

#[derive(Deserialize)]
pub(crate) struct UnlockForm {
    secs: u64,
}

async fn unlock(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
    Form(form): Form<UnlockForm>,
) -> Result<Redirect, PageError> {
    let secs = form.secs.clamp(1, LONGEST_UNLOCK);
    let operation = Operation::Unlock(Duration::from_secs(secs));
    let said = msg("operation-unlocked").count("secs", secs);
    operate_and_tell(&state, &visitor, &session, &serial, operation, said).await
}

#[derive(Deserialize)]
pub(crate) struct VoiceForm {
    voice: u32,
}

async fn voice(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
    Form(form): Form<VoiceForm>,
) -> Result<Redirect, PageError> {
    let operation = Operation::Voice(form.voice);
    let said = msg("operation-played").with("voice", form.voice);
    operate_and_tell(&state, &visitor, &session, &serial, operation, said).await
}

#[derive(Deserialize)]
pub(crate) struct ScreenForm {
    line: u16,
    /// An empty one clears the screen.
    text: String,
    clear: Option<String>,
}

async fn screen(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
    Form(form): Form<ScreenForm>,
) -> Result<Redirect, PageError> {
    let text = filled(&form.text).filter(|_| form.clear.is_none());
    let (operation, said) = match text {
        Some(text) => {
            let line = form.line;
            let said = msg("operation-shown").with("line", line);
            (Operation::Show { line, text }, said)
        }
        None => (Operation::ClearScreen, msg("operation-screen-cleared")),
    };
    operate_and_tell(&state, &visitor, &session, &serial, operation, said).await
}

async fn restart(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
) -> Result<Redirect, PageError> {
    let said = msg("operation-restarted");
    let restart = Operation::Restart;
    operate_and_tell(&state, &visitor, &session, &serial, restart, said).await
}
