//! What a terminal that calls is told to do: the queue with what came of each command, and giving further ones. They are
//! fetched by its next call.

use std::collections::BTreeMap;

use attendance::{AccountId, DeviceId};
use axum::Router;
use axum::extract::{Form, FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::Redirect;
use axum::routing::post;
use ingest::{DeviceKind, Order};
use jiff::civil::{Date, DateTime};
use serde::Deserialize;
use store::StoreError;
use store::commands::PERSON;
use store::entities::device_commands;
use store::secrets::Secret;
use store::views::devices::DeviceRow;

use super::operations::{LONGEST_UNLOCK, Operator, page_of};
use super::{in_use, is_of};
use crate::WebState;
use crate::devices;
use crate::error::PageError;
use crate::format;
use crate::pages::form::refusal;
use crate::session::{Outcome, Visitor};
use crate::text::{Msg, msg};
use crate::ui::Ui;

/// Commands in the list: those that are open, and those that ended.
const OPEN: usize = 40;
const ENDED: usize = 15;
/// What is looked through for them.
const LOOKED_AT: u64 = 300;
/// Letters of the name of a setting, and of its value.
const LONGEST_KEY: usize = 64;
const LONGEST_VALUE: usize = 200;

pub(in crate::pages) fn routes() -> Router<WebState> {
    Router::new()
        .route("/devices/{serial}/order", post(give))
        .route("/devices/{serial}/order/{id}/withdraw", post(withdraw))
}

pub(super) struct Card {
    pub lines: Vec<Line>,
    /// Open ones that are not in the list.
    pub more: usize,
    /// Whether this person may give some.
    pub can_give: bool,
    /// Whether its calls are the only way to it.
    pub only_calls: bool,
}

pub(super) struct Line {
    pub what: String,
    pub by: String,
    pub given: String,
    pub state: Msg,
    /// Class of the state.
    pub class: &'static str,
    pub sent: Option<Msg>,
    /// The terminal's own answer.
    pub result: String,
    /// By which it can be withdrawn.
    pub withdraw: Option<i64>,
}

/// `None` for a device that does not call.
pub(super) async fn card(
    state: &WebState,
    visitor: &Visitor,
    device: &DeviceRow,
    ui: &Ui,
) -> Result<Option<Card>, PageError> {
    if !devices::calls(device) || !is_of(device, DeviceKind::fetches_orders) {
        return Ok(None);
    }
    let rows = state
        .store
        .commands_of(DeviceId(device.id), LOOKED_AT)
        .await?;
    let (open, ended): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.ended_ms.is_none());
    let names: BTreeMap<i64, String> = state
        .store
        .accounts()
        .await?
        .into_iter()
        .map(|account| (account.id.0, account.name))
        .collect();
    let may = visitor.may().edit_devices;
    let all = open.len();
    let shown = open.iter().take(OPEN).chain(ended.iter().take(ENDED));
    Ok(Some(Card {
        lines: shown
            .map(|row| line(row, &names, device, ui, may))
            .collect(),
        more: all.saturating_sub(OPEN),
        can_give: may && can_be_told(device),
        only_calls: devices::only_calls(device),
    }))
}

fn can_be_told(device: &DeviceRow) -> bool {
    devices::calls(device)
        && device.retired_ms.is_none()
        && is_of(device, DeviceKind::fetches_orders)
}

fn line(
    row: &device_commands::Model,
    names: &BTreeMap<i64, String>,
    device: &DeviceRow,
    ui: &Ui,
    may: bool,
) -> Line {
    let zone = format::zone(&device.zone);
    let moment = |ms: i64| format::moment(format::instant(ms), ui.now, &zone);
    let author = row.author_id.and_then(|id| names.get(&id)).cloned();
    let (state, class) = match row.state.as_str() {
        "held_back" => ("held-back", "muted"),
        "waiting" => ("waiting", "muted"),
        "sent" => ("sent", "muted"),
        "done" => ("done", "tx-ok"),
        "failed" => ("failed", "tx-absent"),
        "withdrawn" => ("withdrawn", "muted"),
        _ => ("unanswered", "tx-late"),
    };
    let code = row.code.filter(|code| *code != 0);
    let code = code.map(|code| msg("order-code").with("code", code).to_string());
    let answer = Some(row.answer.clone()).filter(|answer| !answer.is_empty());
    let result: Vec<_> = [code, answer].into_iter().flatten().collect();
    Line {
        what: what(Order::of(row).as_ref(), may),
        by: match row.purpose == PERSON {
            true => author.unwrap_or_else(|| msg("order-by-command-line").to_string()),
            false => msg("order-by-muster").to_string(),
        },
        given: moment(row.made_ms),
        state: msg(format!("order-is-{state}")),
        class,
        sent: row.sent_ms.map(|ms| {
            msg("order-sent-at")
                .with("time", moment(ms))
                .count("times", row.sent)
        }),
        result: result.join(": "),
        withdraw: (may && matches!(row.state.as_str(), "waiting" | "held_back")).then_some(row.id),
    }
}

/// A command in words. The value of a setting may be a secret, so it is only for who may set one.
fn what(order: Option<&Order>, may: bool) -> String {
    let span = |key: &str, from: &DateTime, to: &DateTime| {
        let wall = |at: &DateTime| at.strftime("%Y-%m-%d %H:%M").to_string();
        match from.year() <= 2000 && to.year() >= 2099 {
            true => msg(format!("order-{key}-whole")),
            false => msg(format!("order-{key}"))
                .with("from", wall(from))
                .with("to", wall(to)),
        }
    };
    let text = match order {
        None => msg("order-unknown"),
        Some(Order::SetUser { user, .. }) => msg("order-set-user").with("user", user),
        Some(Order::DeleteUser { user }) => msg("order-delete-user").with("user", user),
        Some(Order::ListUsers) => msg("order-list-users"),
        Some(Order::ReadLog { from, to }) => span("read-log", from, to),
        Some(Order::CountLog { from, to }) => span("count-log", from, to),
        Some(Order::SetClock) => msg("order-set-clock"),
        Some(Order::SetOption { key, value }) if may => msg("order-set-option-to")
            .with("key", key)
            .with("value", value),
        Some(Order::SetOption { key, .. }) => msg("order-set-option").with("key", key),
        Some(Order::TellState) => msg("order-tell-state"),
        Some(Order::Recheck) => msg("order-recheck"),
        Some(Order::UploadNew) => msg("order-upload-new"),
        Some(Order::Restart) => msg("order-restart"),
        Some(Order::Unlock { seconds }) => msg("order-unlock").count("secs", *seconds),
        Some(Order::ClearLog { .. }) => msg("order-clear-log"),
    };
    text.to_string()
}

/// Somebody who may edit devices, and a device, named in the path, that can be told something by its calls.
pub(super) struct AtCaller {
    pub operator: Operator,
    pub device: DeviceRow,
}

impl FromRequestParts<WebState> for AtCaller {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, PageError> {
        let operator = Operator::from_request_parts(parts, state).await?;
        let path = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await;
        let Path(path) = path.map_err(|_| PageError::NotFound)?;
        let serial = path.get("serial").ok_or(PageError::NotFound)?;
        let device = in_use(state, serial).await?;
        operator.visitor.require(can_be_told(&device))?;
        Ok(Self { operator, device })
    }
}

impl Operator {
    /// Gives a terminal that calls a command; what came of giving it is for this page.
    pub(super) async fn order(
        &self,
        device: &DeviceRow,
        order: &Order,
        secret: Option<Secret>,
        page: &str,
    ) -> Result<Outcome, PageError> {
        let by = Some(AccountId(self.visitor.person.account));
        let callers = &self.state.engine.callers;
        let given = callers.order(DeviceId(device.id), order, secret, by).await;
        match given {
            Ok(_) => Ok(Outcome::done(
                page,
                given_as(order),
                msg("order-given-text"),
            )),
            Err(error @ StoreError::Secret(_)) => Ok(Outcome::not_done(
                page,
                msg("order-not-given"),
                refusal(&error),
            )),
            Err(error) => Err(error.into()),
        }
    }
}

fn given_as(order: &Order) -> Msg {
    msg("order-given").with("what", what(Some(order), true))
}

/// One of the commands of the card; each has fields of its own.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderForm {
    what: String,
    from: String,
    to: String,
    key: String,
    value: String,
    secs: Option<u32>,
}

impl OrderForm {
    /// What is wrong with it; `Ok(None)` for none that is offered for this device.
    fn order(&self, device: &DeviceRow) -> Result<Option<Order>, Msg> {
        let offered = match self.what.as_str() {
            "log" | "upload" | "recheck" | "option" => true,
            _ => devices::only_calls(device),
        };
        Ok(Some(match self.what.as_str() {
            _ if !offered => return Ok(None),
            "users" => Order::ListUsers,
            "log" => self.read_log()?,
            "upload" => Order::UploadNew,
            "recheck" => Order::Recheck,
            "option" => self.set_option()?,
            "clock" => Order::SetClock,
            "restart" => Order::Restart,
            "unlock" => {
                let secs = u64::from(self.secs.unwrap_or_default());
                let seconds = secs.clamp(1, LONGEST_UNLOCK);
                Order::Unlock {
                    seconds: u32::try_from(seconds).unwrap_or(1),
                }
            }
            _ => return Ok(None),
        }))
    }

    fn read_log(&self) -> Result<Order, Msg> {
        let dates = [&self.from, &self.to].map(|date| date.trim().parse::<Date>());
        match dates {
            [Ok(from), Ok(to)] if from <= to => Ok(Order::ReadLog {
                from: from.at(0, 0, 0, 0),
                to: to.at(23, 59, 59, 0),
            }),
            _ => Err(msg("order-dates-wrong")),
        }
    }

    fn set_option(&self) -> Result<Order, Msg> {
        let (key, value) = (self.key.trim(), self.value.trim());
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '~' | '.' | '-');
        if key.is_empty() || key.len() > LONGEST_KEY || !key.chars().all(is_name) {
            return Err(msg("order-key-wrong"));
        }
        if value.len() > LONGEST_VALUE || value.chars().any(char::is_control) {
            return Err(msg("order-value-wrong"));
        }
        Ok(Order::SetOption {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

async fn give(at: AtCaller, Form(form): Form<OrderForm>) -> Result<Redirect, PageError> {
    let page = page_of(&at.device);
    let outcome = match form.order(&at.device) {
        Ok(Some(order)) => at.operator.order(&at.device, &order, None, &page).await?,
        Ok(None) => return Err(PageError::NotFound),
        Err(why) => Outcome::not_done(&page, msg("order-not-given"), why),
    };
    at.operator.tell(&outcome).await
}

async fn withdraw(at: AtCaller, Path((_, id)): Path<(String, i64)>) -> Result<Redirect, PageError> {
    let page = page_of(&at.device);
    let callers = &at.operator.state.engine.callers;
    let by = Some(AccountId(at.operator.visitor.person.account));
    let withdrawn = callers.withdraw(DeviceId(at.device.id), id, by);
    let outcome = match withdrawn.await? {
        true => Outcome::done(&page, msg("order-withdrawn"), msg("order-withdrawn-text")),
        false => Outcome::not_done(&page, msg("order-too-late"), msg("order-too-late-text")),
    };
    at.operator.tell(&outcome).await
}
