//! What a person decides about the sign-in of a device: that refused credentials are tried once more, and that another
//! certificate is the right one.

use attendance::DeviceId;
use axum::extract::{Form, Path};
use axum::response::Redirect;
use axum::routing::post;
use axum::{Router, extract::State};
use serde::Deserialize;
use store::views::devices::DeviceRow;

use super::in_use;
use super::operations::{Operator, page_of};
use crate::WebState;
use crate::error::PageError;
use crate::session::{Outcome, Visitor};
use crate::text::msg;

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{serial}/sign-in", post(try_again))
        .route("/devices/{serial}/certificate", post(accept))
}

/// What is to be decided about a device.
pub(super) struct Card {
    /// Its credentials are not sent any more.
    pub refused: bool,
    /// The certificate it may show, and the other one that it showed.
    pub certificates: Option<(String, String)>,
}

pub(super) fn card(visitor: &Visitor, device: &DeviceRow) -> Option<Card> {
    let reason = device.last_error_reason.as_deref().unwrap_or_default();
    let waits = ["few_attempts", "locked", "sign_in_refused"].contains(&reason);
    let refused = device.has_password && (device.needs_edit || waits);
    let certificates = device
        .certificate
        .clone()
        .zip(device.certificate_shown.clone());
    let may = visitor.may().edit_devices && device.retired_ms.is_none();
    (may && (refused || certificates.is_some())).then_some(Card {
        refused,
        certificates,
    })
}

#[derive(Deserialize)]
pub(crate) struct TryAgain {
    /// Also where the terminal allows few wrong passwords more.
    anyway: Option<String>,
}

async fn try_again(
    State(state): State<WebState>,
    operator: Operator,
    Path(serial): Path<String>,
    Form(form): Form<TryAgain>,
) -> Result<Redirect, PageError> {
    let device = in_use(&state, &serial).await?;
    let tx = state.store.begin_write().await?;
    let author = operator.visitor.author(&state);
    tx.try_credentials_again(DeviceId(device.id), form.anyway.is_some(), author)
        .await?;
    tx.commit().await?;
    state.engine.edited();
    let text = msg("sign-in-again-text");
    let outcome = Outcome::done(&page_of(&device), msg("sign-in-again-done"), text);
    operator.tell(&outcome).await
}

#[derive(Deserialize)]
pub(crate) struct Accept {
    certificate: String,
}

async fn accept(
    State(state): State<WebState>,
    operator: Operator,
    Path(serial): Path<String>,
    Form(form): Form<Accept>,
) -> Result<Redirect, PageError> {
    let device = in_use(&state, &serial).await?;
    let page = page_of(&device);
    // The person has compared the one on the page, which may have changed since.
    if device.certificate_shown.as_ref() != Some(&form.certificate) {
        let title = msg("certificate-changed");
        return operator
            .tell(&Outcome::not_done(
                &page,
                title,
                msg("certificate-changed-text"),
            ))
            .await;
    }
    let tx = state.store.begin_write().await?;
    let author = operator.visitor.author(&state);
    tx.set_certificate(DeviceId(device.id), Some(&form.certificate), author)
        .await?;
    tx.commit().await?;
    state.engine.edited();
    let outcome = Outcome::done(&page, msg("certificate-accepted"), &form.certificate);
    operator.tell(&outcome).await
}
