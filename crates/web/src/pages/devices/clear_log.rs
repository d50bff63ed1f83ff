//! `/devices/{serial}/clear-log`: says what clearing a terminal's log means, and does it for who types the serial number.

use askama::Template;
use axum::Form;
use axum::response::{IntoResponse, Response};
use ingest::{DeviceKind, Operation, Order};
use serde::Deserialize;
use store::views::devices::{self, DeviceRow, Kept};

use super::operations::{AtTerminal, page_of};
use crate::devices::only_calls;
use crate::error::{PageError, html};
use crate::format;
use crate::pages::form::Errors;
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
    /// It is cleared by the terminal's calls.
    only_calls: bool,
}

async fn page(at: &AtTerminal, errors: &Errors) -> Result<Response, PageError> {
    let (operator, device) = (&at.operator, &at.device);
    let state = &operator.state;
    let ui = &operator.visitor.ui(state, Section::Devices);
    let zone = format::zone(&device.zone);
    let read_up_to = device.covered_to_ms.map(format::instant);
    html(&ClearLogPage {
        ui,
        errors,
        device,
        only_calls: only_calls(device),
        kept: devices::kept(&state.store, device.id).await?,
        counted: device.record_count.map(|records| {
            msg("clear-log-records")
                .count("records", records)
                .to_string()
        }),
        read_up_to: read_up_to.map(|at| format::moment(at, ui.now, &zone)),
    })
}

pub(super) async fn ask(at: AtTerminal) -> Result<Response, PageError> {
    at.require(DeviceKind::clears_log)?;
    page(&at, &Errors::default()).await
}

#[derive(Deserialize)]
pub(crate) struct ClearForm {
    /// Typed, so that it is this terminal and no mistake.
    serial: String,
}

pub(super) async fn clear(
    at: AtTerminal,
    Form(form): Form<ClearForm>,
) -> Result<Response, PageError> {
    at.require(DeviceKind::clears_log)?;
    if form.serial.trim() != at.device.serial_number {
        let mut errors = Errors::default();
        errors.add("serial", msg("clear-log-other-serial"));
        return page(&at, &errors).await;
    }
    if only_calls(&at.device) {
        let (operator, page) = (&at.operator, page_of(&at.device));
        let clear = Order::ClearLog { tries: 0 };
        let given = operator.order(&at.device, &clear, None, &page).await?;
        return Ok(operator.tell(&given).await?.into_response());
    }
    let cleared = at.operate_and_tell(Operation::ClearLog).await?;
    Ok(cleared.into_response())
}
