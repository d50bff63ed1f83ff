//! The card of a device's fingerprints: for what they are kept, whose there are, and what to do with them. Never a template.

use attendance::{DeviceId, DeviceUserId};
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::response::Redirect;
use axum::routing::post;
use ingest::{Done, Operation, PollFailure};
use serde::Deserialize;
use store::fingerprints::BackupRow;
use store::views::devices::DeviceRow;
use tower_sessions::Session;

use super::operations::{self, operate, page_of};
use super::{in_use, known};
use crate::WebState;
use crate::error::PageError;
use crate::format;
use crate::session::{self, Outcome, Visitor};
use crate::text::msg;

/// Backups in the list; the command line has all.
const LISTED: usize = 200;

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{serial}/fingerprints/backup", post(backup))
        .route("/devices/{serial}/fingerprints/copy", post(copy))
        .route("/devices/{serial}/fingerprints/forget", post(forget))
}

pub(super) struct Card {
    /// `None` when they are not used.
    pub purpose: Option<String>,
    /// Whose fingerprints are backed up.
    pub users: usize,
    pub rows: Vec<Row>,
    /// Not in the list.
    pub more: usize,
    /// Where they can be copied to: serial number and name.
    pub others: Vec<(String, String)>,
}

pub(super) struct Row {
    pub user: String,
    pub name: String,
    pub fingers: i64,
    pub algorithm: String,
    pub taken: String,
    pub purpose: String,
}

/// `None` for a kind that has none, and for who may not use them.
pub(super) async fn card(
    state: &WebState,
    visitor: &Visitor,
    device: &DeviceRow,
) -> Result<Option<Card>, PageError> {
    let poller = &state.engine.poller;
    if !visitor.may().edit_devices || !poller.copies_fingerprints(&device.kind) {
        return Ok(None);
    }
    let backups = state
        .store
        .fingerprint_backups(Some(DeviceId(device.id)))
        .await?;
    let others = state.store.devices().await?.into_iter();
    let users = backups.len();
    let (now, zone) = (state.clock.now(), format::zone(&device.zone));
    let row = |backup: BackupRow| Row {
        user: backup.user_id,
        name: backup.name,
        fingers: backup.fingers,
        algorithm: backup.algorithm,
        taken: format::moment(format::instant(backup.taken_ms), now, &zone),
        purpose: backup.purpose,
    };
    Ok(Some(Card {
        purpose: poller.fingerprint_purpose().map(str::to_owned),
        users,
        rows: backups.into_iter().take(LISTED).map(row).collect(),
        more: users.saturating_sub(LISTED),
        others: others
            .filter(|other| poller.copies_fingerprints(&other.kind))
            .map(|other| (other.serial_number, other.name))
            .collect(),
    }))
}

async fn backup(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
) -> Result<Redirect, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(&state, &serial).await?;
    let operation = Operation::BackupFingerprints { user: None };
    let done = operate(&state, &visitor, &device, operation).await?;
    tell(&session, &device, done).await
}

#[derive(Deserialize)]
struct CopyForm {
    user: String,
    /// A serial number.
    to: String,
}

async fn copy(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
    Form(form): Form<CopyForm>,
) -> Result<Redirect, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let from = known(&state, &serial).await?;
    let to = in_use(&state, &form.to).await?;
    let operation = Operation::CopyFingerprints {
        user: user_id(&form.user)?,
        from: DeviceId(from.id),
    };
    let done = operate(&state, &visitor, &to, operation).await?;
    tell(&session, &from, done).await
}

#[derive(Deserialize)]
struct ForgetForm {
    user: String,
}

/// Deletes a backup; nothing changes at the terminal.
async fn forget(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
    Form(form): Form<ForgetForm>,
) -> Result<Redirect, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = known(&state, &serial).await?;
    let user = user_id(&form.user)?;
    let tx = state.store.begin_write().await?;
    tx.forget_fingerprints(DeviceId(device.id), Some(&user), visitor.author(&state))
        .await?;
    tx.commit().await?;
    let page = page_of(&device);
    let outcome = Outcome {
        page: page.clone(),
        done: true,
        title: msg("fingerprints-forgotten").with("user", user).to_string(),
        text: msg("fingerprints-forgotten-text").to_string(),
    };
    session::leave(&session, &outcome).await?;
    Ok(Redirect::to(&page))
}

/// Goes back to the page of the device, which tells what came of it.
async fn tell(
    session: &Session,
    device: &DeviceRow,
    done: Result<Done, PollFailure>,
) -> Result<Redirect, PageError> {
    let page = page_of(device);
    let outcome = match &done {
        Ok(done) => operations::done(&page, done),
        Err(failure) => operations::failed(&page, failure),
    };
    session::leave(session, &outcome).await?;
    Ok(Redirect::to(&page))
}

fn user_id(text: &str) -> Result<DeviceUserId, PageError> {
    DeviceUserId::parse(text).ok_or(PageError::NotFound)
}
