//! `/devices/{serial}/coverage`: what was not read of a device, and what a person says about it (R76): that nothing is missing in
//! a time, or that the device is gone. Nobody is unknown because of it any more.

use askama::Template;
use attendance::DeviceId;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use store::StoreError;
use store::views::devices::DeviceRow;
use store::views::why::{self, DeclaredRow, GapRow};
use tower_sessions::Session;

use super::known;
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::pages::form::{Errors, filled, own_path, refusal};
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::msg;
use crate::ui::{Section, Ui};
use crate::why::read_instant;

const GAPS: i64 = 50;

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{serial}/coverage", get(show).post(declare))
        .route("/devices/{serial}/coverage/gone", post(gone))
        .route("/devices/{serial}/coverage/{id}/withdraw", post(withdraw))
}

/// What a form sends, or a link fills in. Times are wall times of the device's site.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CoverageForm {
    from: String,
    to: String,
    since: String,
    reason: String,
    /// The day that was unknown because of it.
    back: String,
}

#[derive(Template)]
#[template(path = "device_coverage.html")]
struct CoveragePage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    errors: &'a Errors,
    form: &'a CoverageForm,
    device: &'a DeviceRow,
    page: String,
    back: Option<String>,
    read_to: Option<String>,
    gaps: Vec<Gap>,
    declared: Vec<Declared>,
    /// The device can be declared gone: it is not, and this person may remove devices.
    may_be_gone: bool,
}

struct Gap {
    text: String,
    cause: String,
    href: String,
}

struct Declared {
    id: i64,
    text: String,
    made: String,
    withdrawn: Option<String>,
}

fn page_of(device: &DeviceRow) -> String {
    format!("/devices/{}/coverage", path_part(&device.serial_number))
}

fn may(visitor: &Visitor) -> bool {
    visitor.may().correct || visitor.may().edit_devices
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
    Query(mut form): Query<CoverageForm>,
    Told(told): Told,
) -> Result<Response, PageError> {
    visitor.require(may(&visitor))?;
    let device = known(&state, &serial).await?;
    // A day links here with instants.
    let zone = format::zone(&device.zone);
    for field in [&mut form.from, &mut form.to] {
        if let Some(at) = read_instant(field, &zone) {
            *field = typed_wall(at, &zone);
        }
    }
    page(&state, &visitor, &device, &form, &Errors::default(), told).await
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    device: &DeviceRow,
    form: &CoverageForm,
    errors: &Errors,
    told: Option<Outcome>,
) -> Result<Response, PageError> {
    let ui = visitor.ui(state, Section::Devices);
    let zone = format::zone(&device.zone);
    let gaps = why::gaps(&state.store, device.id, GAPS).await?;
    let declared = why::declared(&state.store, device.id).await?;
    let moment = |ms: i64| format::moment(format::instant(ms), ui.now, &zone);
    let page = page_of(device);
    html(&CoveragePage {
        told,
        back: own_path(Some(&form.back)).map(str::to_owned),
        read_to: device.covered_to_ms.map(moment),
        gaps: gaps
            .iter()
            .map(|gap| gap_of(gap, &page, &zone, ui.now))
            .collect(),
        declared: declared
            .into_iter()
            .map(|row| declared_of(row, moment))
            .collect(),
        may_be_gone: visitor.may().edit_devices && device.retired_ms.is_none(),
        page,
        device,
        errors,
        form,
        ui: &ui,
    })
}

fn gap_of(gap: &GapRow, page: &str, zone: &TimeZone, now: Timestamp) -> Gap {
    let typed = |ms: i64| typed_wall(format::instant(ms), zone);
    let moment = |ms: i64| format::moment(format::instant(ms), now, zone);
    let text = match gap.to_ms {
        Some(to) => msg("why-gap")
            .with("from", moment(gap.from_ms))
            .with("to", moment(to)),
        None => msg("why-gap-open").with("from", moment(gap.from_ms)),
    };
    let to = gap.to_ms.unwrap_or_else(|| now.as_millisecond());
    Gap {
        text: text.to_string(),
        cause: match gap.cause.as_str() {
            known @ ("contact" | "clock") => msg(format!("gap-{known}")).to_string(),
            "lost log" => msg("gap-lost").to_string(),
            other => other.to_owned(),
        },
        href: format!(
            "{page}?from={}&to={}#declare",
            path_part(&typed(gap.from_ms)),
            path_part(&typed(to))
        ),
    }
}

/// As a browser puts it into a field.
fn typed_wall(at: Timestamp, zone: &TimeZone) -> String {
    let wall = zone.to_datetime(at);
    wall.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn declared_of(row: DeclaredRow, moment: impl Fn(i64) -> String) -> Declared {
    Declared {
        id: row.id,
        text: msg("coverage-declared-row")
            .with("from", moment(row.from_ms))
            .with("to", moment(row.to_ms))
            .with("reason", &row.reason)
            .to_string(),
        made: msg("coverage-declared-by")
            .with("author", row.author.as_deref().unwrap_or("Muster"))
            .with("made", moment(row.made_ms))
            .to_string(),
        withdrawn: row.withdrawn_ms.map(moment),
    }
}

async fn declare(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
    Form(form): Form<CoverageForm>,
) -> Result<Response, PageError> {
    visitor.require(may(&visitor))?;
    let device = known(&state, &serial).await?;
    let zone = format::zone(&device.zone);
    let mut errors = Errors::default();
    let from = typed("from", &form.from, &zone, &mut errors);
    let to = typed("to", &form.to, &zone, &mut errors);
    let reason = reason_of(&form, "reason", &mut errors);
    if let (Some(from), Some(to)) = (from, to) {
        if to <= from || to > state.clock.now() {
            errors.add("to", msg("coverage-to-wrong"));
        } else if let Some(reason) = reason {
            let tx = state.store.begin_write().await?;
            let author = visitor.author(&state);
            let id = DeviceId(device.id);
            match tx.declare_covered(id, from, to, &reason, author).await {
                Ok(_) => {
                    tx.commit().await?;
                    let title = msg("coverage-declared").with("device", &device.name);
                    return done(&state, &session, &device, title).await;
                }
                Err(error @ StoreError::Invalid(_)) => {
                    tx.rollback().await?;
                    errors.add("from", refusal(&error));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    page(&state, &visitor, &device, &form, &errors, None).await
}

async fn gone(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(serial): Path<String>,
    Form(form): Form<CoverageForm>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().edit_devices)?;
    let device = known(&state, &serial).await?;
    if device.retired_ms.is_some() {
        return Err(PageError::NotFound);
    }
    let mut errors = Errors::default();
    let since = typed(
        "since",
        &form.since,
        &format::zone(&device.zone),
        &mut errors,
    );
    let reason = reason_of(&form, "gone-reason", &mut errors);
    if let (Some(since), Some(reason)) = (since, reason) {
        if since > state.clock.now() {
            errors.add("since", msg("rollcall-time-to-come"));
        } else {
            let tx = state.store.begin_write().await?;
            let author = visitor.author(&state);
            tx.declare_gone(DeviceId(device.id), since, &reason, author)
                .await?;
            tx.commit().await?;
            let title = msg("coverage-is-gone").with("device", &device.name);
            return done(&state, &session, &device, title).await;
        }
    }
    page(&state, &visitor, &device, &form, &errors, None).await
}

async fn withdraw(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path((serial, id)): Path<(String, i64)>,
) -> Result<Response, PageError> {
    visitor.require(may(&visitor))?;
    let device = known(&state, &serial).await?;
    let declared = why::declared(&state.store, device.id).await?;
    if !declared.iter().any(|row| row.id == id) {
        return Err(PageError::NotFound);
    }
    let tx = state.store.begin_write().await?;
    tx.withdraw_declaration(id, visitor.author(&state)).await?;
    tx.commit().await?;
    done(&state, &session, &device, msg("coverage-withdrawn")).await
}

async fn done(
    state: &WebState,
    session: &Session,
    device: &DeviceRow,
    title: crate::text::Msg,
) -> Result<Response, PageError> {
    state.engine.edited();
    let page = page_of(device);
    let outcome = Outcome::done(&page, title, msg("coverage-judged"));
    leave(session, &outcome).await?;
    Ok(Redirect::to(&page).into_response())
}

fn typed(
    field: &'static str,
    text: &str,
    zone: &TimeZone,
    errors: &mut Errors,
) -> Option<Timestamp> {
    let at = read_instant(text, zone);
    if at.is_none() {
        errors.add(field, msg("coverage-time-wrong"));
    }
    at
}

fn reason_of(form: &CoverageForm, field: &'static str, errors: &mut Errors) -> Option<String> {
    let reason = filled(&form.reason);
    if reason.is_none() {
        errors.add(field, msg("rollcall-reason-missing"));
    }
    reason
}
