//! `/devices/{serial}/clear-log`: says what clearing a terminal's log means, and does it for who types the serial number.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use ingest::Operation;
use serde::Deserialize;
use store::views::devices::{self, DeviceRow, Kept};
use tower_sessions::Session;

use super::operations::{self, changeable, operate};
use crate::WebState;
use crate::error::{PageError, html};
use crate::format;
use crate::pages::form::Errors;
use crate::session::{self, Visitor};
use crate::text::msg;
use crate::ui::{Section, Ui};

#[derive(Template)]
#[template(path = "device_clear_log.html")]
struct ClearLogPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    device: &'a DeviceRow,
    kept: Kept,
    /// How many records the terminal counted at the last contact.
    counted: Option<String>,
    read_up_to: Option<String>,
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    device: &DeviceRow,
    errors: &Errors,
) -> Result<Response, PageError> {
    let ui = &visitor.ui(state, Section::Devices);
    let zone = format::zone(&device.zone);
    let read_up_to = device.covered_to_ms.map(format::instant);
    html(&ClearLogPage {
        ui,
        errors,
        device,
        kept: devices::kept(&state.store, device.id).await?,
        counted: device.record_count.map(|records| {
            msg("clear-log-records")
                .count("records", records)
                .to_string()
        }),
        read_up_to: read_up_to.map(|at| format::moment(at, ui.now, &zone)),
    })
}

pub(super) async fn ask(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
) -> Result<Response, PageError> {
    let device = changeable(&state, &visitor, &serial).await?;
    page(&state, &visitor, &device, &Errors::default()).await
}

#[derive(Deserialize)]
pub(crate) struct ClearForm {
    /// Typed, so that it is this terminal and no mistake.
    serial: String,
}

pub(super) async fn clear(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
    Form(form): Form<ClearForm>,
) -> Result<Response, PageError> {
    let device = changeable(&state, &visitor, &serial).await?;
    if form.serial.trim() != device.serial_number {
        let mut errors = Errors::default();
        errors.add("serial", msg("clear-log-other-serial"));
        return page(&state, &visitor, &device, &errors).await;
    }
    let to = operations::page_of(&device);
    let outcome = match operate(&state, &visitor, &device, Operation::ClearLog).await? {
        Ok(done) => operations::done(&to, &done),
        Err(failure) => operations::failed(&to, &failure),
    };
    session::leave(&session, &outcome).await?;
    Ok(Redirect::to(&to).into_response())
}
