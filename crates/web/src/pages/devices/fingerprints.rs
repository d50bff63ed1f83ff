//! The card of a device's fingerprints: for what they are kept, whose there are, and what to do with them. Never a template.

use attendance::{DeviceId, DeviceUserId};
use axum::Router;
use axum::extract::{Form, Path};
use axum::response::Redirect;
use axum::routing::post;
use ingest::Operation;
use serde::Deserialize;
use store::fingerprints::BackupRow;
use store::views::devices::DeviceRow;

use super::operations::{Operator, page_of};
use super::{in_use, known};
use crate::WebState;
use crate::error::PageError;
use crate::format;
use crate::session::{Outcome, Visitor};
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

async fn backup(operator: Operator, Path(serial): Path<String>) -> Result<Redirect, PageError> {
    let device = in_use(&operator.state, &serial).await?;
    let everybody = Operation::BackupFingerprints { user: None };
    operator
        .operate_and_tell(&device, everybody, &page_of(&device))
        .await
}

#[derive(Deserialize)]
struct CopyForm {
    user: String,
    /// A serial number.
    to: String,
}

async fn copy(
    operator: Operator,
    Path(serial): Path<String>,
    Form(form): Form<CopyForm>,
) -> Result<Redirect, PageError> {
    let from = known(&operator.state, &serial).await?;
    let to = in_use(&operator.state, &form.to).await?;
    let copy = Operation::CopyFingerprints {
        user: user_id(&form.user)?,
        from: DeviceId(from.id),
    };
    operator.operate_and_tell(&to, copy, &page_of(&from)).await
}

#[derive(Deserialize)]
struct ForgetForm {
    user: String,
}

/// Deletes a backup; nothing changes at the terminal.
async fn forget(
    operator: Operator,
    Path(serial): Path<String>,
    Form(form): Form<ForgetForm>,
) -> Result<Redirect, PageError> {
    let state = &operator.state;
    let device = known(state, &serial).await?;
    let user = user_id(&form.user)?;
    let author = operator.visitor.author(state);
    let tx = state.store.begin_write().await?;
    tx.forget_fingerprints(DeviceId(device.id), Some(&user), author)
        .await?;
    tx.commit().await?;
    let forgotten = msg("fingerprints-forgotten").with("user", user);
    let text = msg("fingerprints-forgotten-text");
    let outcome = Outcome::done(&page_of(&device), forgotten, text);
    operator.tell(&outcome).await
}

fn user_id(text: &str) -> Result<DeviceUserId, PageError> {
    DeviceUserId::parse(text).ok_or(PageError::NotFound)
}
