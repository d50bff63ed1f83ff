//! What people have a terminal do from its page: door, voice, screen and restart here, its users and its log in modules of
//! their own. What came of it is told on the page to which the browser is sent then.

use std::time::Duration;

use attendance::{AccountId, DeviceId};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use ingest::{DeviceKind, Done, Effect, Operation, PollFailure, Privilege, UserDetails, Written};
use jiff::civil::DateTime;
use serde::Deserialize;
use store::views::devices::DeviceRow;
use tower_sessions::Session;

use super::{clear_log, doctor, in_use, is_of, users};
use crate::WebState;
use crate::board::path_part;
use crate::devices::only_calls;
use crate::error::PageError;
use crate::pages::form::{filled, sentence};
use crate::session::{self, Outcome, Visitor};
use crate::text::{Msg, msg};

/// A door can be opened for so long, in seconds.
pub(super) const LONGEST_UNLOCK: u64 = 3600;

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{serial}/unlock", post(unlock))
        .route("/devices/{serial}/voice", post(voice))
        .route("/devices/{serial}/screen", post(screen))
        .route("/devices/{serial}/restart", post(restart))
        .route("/devices/{serial}/users", get(users::list))
        .route("/devices/{serial}/user", get(users::edit).post(users::save))
        .route("/devices/{serial}/user/delete", post(users::delete))
        .route("/devices/{serial}/user/face", post(users::set_face))
        .route(
            "/devices/{serial}/user/face/delete",
            post(users::delete_face),
        )
        .route(
            "/devices/{serial}/clear-log",
            get(clear_log::ask).post(clear_log::clear),
        )
}

/// Whether this person may change something at the terminal.
pub(super) fn can_change(visitor: &Visitor, device: &DeviceRow) -> bool {
    visitor.may().edit_devices
        && device.retired_ms.is_none()
        && is_of(device, DeviceKind::can_be_changed)
        && (!only_calls(device) || is_of(device, DeviceKind::fetches_orders))
}

/// Somebody who may edit devices, and who is told on the next page what came of it.
pub(crate) struct Operator {
    pub state: WebState,
    pub visitor: Visitor,
    session: Session,
}

impl FromRequestParts<WebState> for Operator {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        visitor.require(visitor.may().edit_devices)?;
        let session = Session::from_request_parts(parts, state).await;
        Ok(Self {
            state: state.clone(),
            visitor,
            session: session.map_err(|(_, why)| PageError::Internal(why.to_owned()))?,
        })
    }
}

impl Operator {
    /// Has a terminal do it; what came of it is for this page.
    pub async fn operate(
        &self,
        device: &DeviceRow,
        operation: Operation,
        page: &str,
    ) -> Result<Outcome, PageError> {
        let by = Some(AccountId(self.visitor.person.account));
        let said = said(&operation);
        let poller = &self.state.engine.poller;
        let done = poller.operate(DeviceId(device.id), operation, by).await?;
        Ok(match done {
            Ok(done) => outcome_of(page, &done, said),
            Err(failure) => failed(page, &failure),
        })
    }

    /// Goes to the page for which it is.
    pub async fn tell(&self, outcome: &Outcome) -> Result<Redirect, PageError> {
        session::leave(&self.session, outcome).await?;
        Ok(Redirect::to(&outcome.page))
    }

    pub async fn operate_and_tell(
        &self,
        device: &DeviceRow,
        operation: Operation,
        page: &str,
    ) -> Result<Redirect, PageError> {
        let outcome = self.operate(device, operation, page).await?;
        self.tell(&outcome).await
    }
}

/// The same at a device, named in the path, at which they may change something.
pub(super) struct AtTerminal {
    pub operator: Operator,
    pub device: DeviceRow,
    pub kind: DeviceKind,
}

impl FromRequestParts<WebState> for AtTerminal {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, PageError> {
        let operator = Operator::from_request_parts(parts, state).await?;
        let serial = Path::<String>::from_request_parts(parts, state).await;
        let Path(serial) = serial.map_err(|_| PageError::NotFound)?;
        let device = in_use(state, &serial).await?;
        let visitor = &operator.visitor;
        visitor.require(can_change(visitor, &device))?;
        let kind = DeviceKind::from_name(&device.kind).ok_or(PageError::NotFound)?;
        Ok(Self {
            operator,
            device,
            kind,
        })
    }
}

impl AtTerminal {
    /// Terminals of other brands have no such page.
    pub fn require(&self, so: fn(DeviceKind) -> bool) -> Result<(), PageError> {
        match so(self.kind) {
            true => Ok(()),
            false => Err(PageError::NotFound),
        }
    }

    /// What came of it is told on the device's page.
    pub async fn operate_and_tell(&self, operation: Operation) -> Result<Redirect, PageError> {
        let page = page_of(&self.device);
        let operator = &self.operator;
        operator
            .operate_and_tell(&self.device, operation, &page)
            .await
    }
}

/// The path of a device's page.
pub(super) fn page_of(device: &DeviceRow) -> String {
    format!("/devices/{}", path_part(&device.serial_number))
}

/// Why it was not done, and what to do.
fn failed(page: &str, failure: &PollFailure) -> Outcome {
    let title = match failure.reason {
        "write_unsure" | "write_not_read_back" => "operation-unsure",
        "write_partly" => "operation-partly",
        _ => "operation-failed",
    };
    let advice = doctor::advice(failure.reason).map(|advice| advice.to_string());
    let text = [Some(sentence(&failure.message)), advice];
    let text = text.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Outcome::not_done(page, msg(title), text)
}

/// What was done and what was read back; `said` where nothing can be.
fn outcome_of(page: &str, done: &Done, said: Msg) -> Outcome {
    let (title, text) = match done {
        Done::Said => (said, msg("operation-not-read-back")),
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
        Done::FaceSet(user) => {
            let title = msg("face-set").with("user", &user.id);
            (title, msg("face-set-text"))
        }
        Done::FaceDeleted(user) => {
            let title = msg("face-deleted").with("user", &user.id);
            (title, msg("face-deleted-text"))
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
    Outcome::done(page, title, text)
}

/// What the terminal says that it did.
fn said(operation: &Operation) -> Msg {
    match operation {
        Operation::Unlock(Some(open)) => msg("operation-unlocked").count("secs", open.as_secs()),
        Operation::Unlock(None) => msg("operation-door-opened"),
        Operation::Voice(voice) => msg("operation-played").with("voice", voice),
        Operation::Show { line, .. } => msg("operation-shown").with("line", line),
        Operation::ClearScreen => msg("operation-screen-cleared"),
        Operation::Restart => msg("operation-restarted"),
        Operation::SetUser(_)
        | Operation::DeleteUser(_)
        | Operation::SetFace(..)
        | Operation::DeleteFace(_)
        | Operation::ClearLog
        | Operation::BackupFingerprints { .. }
        | Operation::CopyFingerprints { .. } => msg("operation-said"),
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
    .with("card", user.cards_text().unwrap_or_else(none))
    .with("validity", validity(user))
}

/// Empty where there is no limit.
fn validity(user: &UserDetails) -> String {
    let date = |at: DateTime| at.strftime("%Y-%m-%d").to_string();
    let text = match (user.valid_from, user.valid_until) {
        (None, None) => return String::new(),
        (Some(from), None) => msg("user-valid-from").with("from", date(from)),
        (None, Some(until)) => msg("user-valid-until").with("until", date(until)),
        (Some(from), Some(until)) => msg("user-valid-between")
            .with("from", date(from))
            .with("until", date(until)),
    };
    format!(" {text}")
}

#[derive(Deserialize)]
pub(crate) struct UnlockForm {
    /// Where the terminal does not decide that itself.
    secs: Option<u64>,
}

async fn unlock(at: AtTerminal, Form(form): Form<UnlockForm>) -> Result<Redirect, PageError> {
    let open = form.secs.filter(|_| at.kind.times_door());
    let open = open.map(|secs| Duration::from_secs(secs.clamp(1, LONGEST_UNLOCK)));
    at.operate_and_tell(Operation::Unlock(open)).await
}

#[derive(Deserialize)]
pub(crate) struct VoiceForm {
    voice: u32,
}

async fn voice(at: AtTerminal, Form(form): Form<VoiceForm>) -> Result<Redirect, PageError> {
    at.require(DeviceKind::speaks_and_shows)?;
    at.operate_and_tell(Operation::Voice(form.voice)).await
}

#[derive(Deserialize)]
pub(crate) struct ScreenForm {
    line: u16,
    /// An empty one clears the screen.
    text: String,
    clear: Option<String>,
}

async fn screen(at: AtTerminal, Form(form): Form<ScreenForm>) -> Result<Redirect, PageError> {
    at.require(DeviceKind::speaks_and_shows)?;
    let text = filled(&form.text).filter(|_| form.clear.is_none());
    let line = form.line;
    at.operate_and_tell(match text {
        Some(text) => Operation::Show { line, text },
        None => Operation::ClearScreen,
    })
    .await
}

async fn restart(at: AtTerminal) -> Result<Redirect, PageError> {
    at.operate_and_tell(Operation::Restart).await
}
