//! The card of a device that calls at a place of its own: the URL with its token, what the terminal has been told of it, and
//! what came there. For who may edit devices: whoever has the URL can tell punches.

use attendance::{DeviceId, Way};
use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::Redirect;
use axum::routing::post;
use ingest::DeviceKind;
use store::devices::{DeviceFields, SecretEdit};
use store::entities::call_places;
use store::views::devices::DeviceRow;

use super::operations::{Operator, page_of};
use super::{in_use, is_of};
use crate::WebState;
use crate::devices;
use crate::error::PageError;
use crate::format;
use crate::session::{Outcome, Visitor};
use crate::text::msg;
use crate::ui::Ui;

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{serial}/place/tell", post(tell))
        .route("/devices/{serial}/place/renew", post(renew))
        .route("/devices/{serial}/place/stop", post(stop))
}

pub(super) struct Card {
    /// `None` for who may not see it.
    pub url: Option<String>,
    /// What the terminal knows, and whether that is well.
    pub told: String,
    pub is_well: bool,
    pub facts: Vec<(String, String)>,
    /// It can be reached, and told.
    pub can_tell: bool,
    /// It goes on being read when it calls no more.
    pub can_stop: bool,
}

/// `None` for a device that does not call at a place of its own.
pub(super) async fn card(
    state: &WebState,
    visitor: &Visitor,
    device: &DeviceRow,
    ui: &Ui,
) -> Result<Option<Card>, PageError> {
    if !devices::calls(device) || device.retired_ms.is_some() || !is_of(device, has_path) {
        return Ok(None);
    }
    let id = DeviceId(device.id);
    let place = state.store.call_place(id).await?;
    let may = visitor.may().edit_devices;
    let url = match (may, &place) {
        (false, _) => None,
        (true, Some(place)) => Some(url(state, device, place)?),
        (true, None) => {
            state.engine.callers.place_of(id).await?;
            let place = state.store.call_place(id).await?;
            place.map(|place| url(state, device, &place)).transpose()?
        }
    };
    let zone = format::zone(&device.zone);
    let moment = |ms: Option<i64>| ms.map(|ms| format::moment(format::instant(ms), ui.now, &zone));
    let place = place.as_ref();
    let of_place = |value: fn(&call_places::Model) -> Option<i64>| moment(place.and_then(value));
    let has_address = device.address.as_ref().is_some_and(|host| !host.is_empty());
    let failure = place.and_then(|place| place.failure.clone());
    let slot = place.and_then(|place| place.slot.clone());
    let (told, is_well) = match (failure, slot, has_address) {
        (Some(failure), _, _) => (msg("place-failed").with("why", failure).to_string(), false),
        (None, Some(slot), _) => {
            let calls_to = place.and_then(|place| place.calls_to.clone());
            let told = msg("place-told")
                .with("slot", slot)
                .with("address", calls_to.unwrap_or_default());
            (told.to_string(), true)
        }
        (None, None, true) => (msg("place-not-told").to_string(), false),
        (None, None, false) => (msg("place-by-hand").to_string(), true),
    };
    let facts = [
        ("last-event", of_place(|place| place.last_event_ms)),
        ("last-heartbeat", of_place(|place| place.last_heartbeat_ms)),
        ("told-at", of_place(|place| place.armed_ms)),
        ("checked", of_place(|place| place.checked_ms)),
        ("hardware", place.and_then(|place| place.hardware.clone())),
    ];
    let never = || msg("place-never").to_string();
    Ok(Some(Card {
        url,
        told,
        is_well,
        facts: facts
            .into_iter()
            .filter_map(|(key, value)| {
                let value = match key {
                    "last-event" | "last-heartbeat" => value.unwrap_or_else(never),
                    _ => value?,
                };
                Some((msg(format!("place-{key}")).to_string(), value))
            })
            .collect(),
        can_tell: may && has_address && device.enabled,
        can_stop: may && !devices::only_calls(device),
    }))
}

/// What is entered in a terminal that nobody else tells.
fn url(
    state: &WebState,
    device: &DeviceRow,
    place: &call_places::Model,
) -> Result<String, PageError> {
    let (token, _) = state.store.call_tokens(place)?;
    let kind = DeviceKind::from_name(&device.kind);
    let path = kind.and_then(DeviceKind::call_path).unwrap_or_default();
    let config = &state.config;
    let listens = config.push_addresses.first();
    let host = match (&place.calls_to, &config.push_advertise, listens) {
        (Some(told), _, _) => told.clone(),
        (None, Some(advertised), _) => advertised.clone(),
        (None, None, Some(address)) if !address.ip().is_unspecified() => address.to_string(),
        (None, None, Some(address)) => format!("{}:{}", msg("place-this-server"), address.port()),
        (None, None, None) => msg("place-this-server").to_string(),
    };
    Ok(format!("http://{host}{path}{}", token.expose()))
}

/// Tells the terminal now whom to call.
async fn tell(at: AtPlace) -> Result<Redirect, PageError> {
    let (operator, id) = (&at.operator, DeviceId(at.device.id));
    let state = &operator.state;
    state.engine.poller.tell(id).await?;
    state.engine.callers.read_known().await?;
    let failure = state.store.call_place(id).await?;
    let failure = failure.and_then(|place| place.failure);
    let outcome = match failure {
        None => done(&at, "place-tell-done", "place-tell-done-text"),
        Some(why) => Outcome::not_done(&page_of(&at.device), msg("place-tell-failed"), why),
    };
    operator.tell(&outcome).await
}

/// Another token; the one before is nobody's from now on.
async fn renew(at: AtPlace) -> Result<Redirect, PageError> {
    let (operator, id) = (&at.operator, DeviceId(at.device.id));
    let state = &operator.state;
    let author = operator.visitor.author(state);
    state.engine.callers.renew_place(id, author).await?;
    state.engine.poller.wake();
    let outcome = done(&at, "place-renewed", "place-renewed-text");
    operator.tell(&outcome).await
}

/// Takes the way away, and has the terminal call no more.
async fn stop(at: AtPlace) -> Result<Redirect, PageError> {
    let (operator, id) = (&at.operator, DeviceId(at.device.id));
    let state = &operator.state;
    let Some(row) = state.store.device(id).await? else {
        return Err(PageError::NotFound);
    };
    let mut fields = DeviceFields::from(&row);
    fields.mode.retain(|way| *way != Way::Push);
    if fields.mode.is_empty() {
        return Err(PageError::NotFound); // no such control
    }
    let keep = SecretEdit::Keep;
    let tx = state.store.begin_write().await?;
    let author = operator.visitor.author(state);
    tx.edit_device(id, &fields, &keep, &keep, author).await?;
    tx.commit().await?;
    state.engine.edited();
    state.engine.poller.tell(id).await?;
    let still = state.store.call_place(id).await?;
    let outcome = match still.is_some_and(|place| place.slot.is_some()) {
        false => done(&at, "place-stopped", "place-stopped-text"),
        true => Outcome::not_done(
            &page_of(&at.device),
            msg("place-not-stopped"),
            msg("place-not-stopped-text"),
        ),
    };
    operator.tell(&outcome).await
}

fn done(at: &AtPlace, title: &str, text: &str) -> Outcome {
    let title = msg(title).with("name", &at.device.name);
    Outcome::done(&page_of(&at.device), title, msg(text))
}

/// Somebody who may edit devices, at one that calls at a place of its own.
struct AtPlace {
    operator: Operator,
    device: DeviceRow,
}

impl FromRequestParts<WebState> for AtPlace {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, PageError> {
        let operator = Operator::from_request_parts(parts, state).await?;
        let serial = Path::<String>::from_request_parts(parts, state).await;
        let Path(serial) = serial.map_err(|_| PageError::NotFound)?;
        let device = in_use(state, &serial).await?;
        match devices::calls(&device) && is_of(&device, has_path) {
            true => Ok(Self { operator, device }),
            false => Err(PageError::NotFound),
        }
    }
}

fn has_path(kind: DeviceKind) -> bool {
    kind.call_path().is_some()
}
