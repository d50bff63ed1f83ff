//! The card of a device's fingerprints: for what they are kept, whose there are, and what to do with them. Never a template.

use attendance::{DeviceId, DeviceUserId};
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use axum::routing::post;
use ingest::{Done, Operation, PollFailure};
use serde::Deserialize;
use store::fingerprints::BackupRow;
use store::views::devices::DeviceRow;

use super::{Shown, in_use, known, page};
use crate::WebState;
use crate::error::PageError;
use crate::format;
use crate::pages::form::sentence;
use crate::session::Visitor;
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
    pub said: Option<Said>,
}

pub(super) struct Row {
    pub user: String,
    pub name: String,
    pub fingers: i64,
    pub algorithm: String,
    pub taken: String,
    pub purpose: String,
}

/// What was just done, or why not.
pub(super) type Said = Result<String, String>;

/// `None` for a kind that has none, and for who may not use them.
pub(super) async fn card(
    state: &WebState,
    visitor: &Visitor,
    device: &DeviceRow,
    said: Option<Said>,
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
            .filter(|other| other.id != device.id && poller.copies_fingerprints(&other.kind))
            .map(|other| (other.serial_number, other.name))
            .collect(),
        said,
    }))
}

async fn backup(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = in_use(&state, &serial).await?;
    let operation = Operation::BackupFingerprints { user: None };
    let said = operate(&state, &visitor, DeviceId(device.id), operation).await?;
    page(&state, &visitor, &serial, Shown::of_fingers(said)).await
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
    Path(serial): Path<String>,
    Form(form): Form<CopyForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let from = known(&state, &serial).await?;
    let to = in_use(&state, &form.to).await?;
    let operation = Operation::CopyFingerprints {
        user: user_id(&form.user)?,
        from: DeviceId(from.id),
    };
    let said = operate(&state, &visitor, DeviceId(to.id), operation).await?;
    page(&state, &visitor, &serial, Shown::of_fingers(said)).await
}

#[derive(Deserialize)]
struct ForgetForm {
    user: String,
}

/// Deletes a backup; nothing changes at the terminal.
async fn forget(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
    Form(form): Form<ForgetForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = DeviceId(known(&state, &serial).await?.id);
    let user = user_id(&form.user)?;
    let tx = state.store.begin_write().await?;
    tx.forget_fingerprints(device, Some(&user), visitor.author(&state))
        .await?;
    tx.commit().await?;
    let said = msg("fingerprints-forgotten").with("user", user).to_string();
    page(&state, &visitor, &serial, Shown::of_fingers(Ok(said))).await
}

fn user_id(text: &str) -> Result<DeviceUserId, PageError> {
    DeviceUserId::parse(text).ok_or(PageError::NotFound)
}

async fn operate(
    state: &WebState,
    visitor: &Visitor,
    device: DeviceId,
    operation: Operation,
) -> Result<Said, PageError> {
    let by = visitor.author(state).account;
    let done = state.engine.poller.operate(device, operation, by).await?;
    Ok(match done {
        Ok(done) => Ok(done_text(&done)),
        Err(PollFailure { message, .. }) => Err(sentence(&message)),
    })
}

fn done_text(done: &Done) -> String {
    match done {
        Done::FingerprintsKept { users, fingers } => msg("fingerprints-kept")
            .count("users", *users)
            .count("fingers", *fingers)
            .to_string(),
        Done::FingerprintsCopied { written, fingers } => msg("fingerprints-copied")
            .with("user", &written.user.id)
            .count("fingers", *fingers)
            .to_string(),
        _ => String::new(),
    }
}
