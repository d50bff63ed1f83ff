//! `/devices/{serial}/users` and `/devices/{serial}/user`: who is on a terminal, and adding, changing and deleting them there,
//! with their faces.

use askama::Template;
use attendance::DeviceUserId;
use axum::Form;
use axum::extract::multipart::MultipartError;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use ingest::{DeviceKind, Limit, Operation, Order, Picture, Privilege, UserChange};
use jiff::civil::{Date, Time};
use serde::Deserialize;
use store::secrets::Secret;
use store::views::devices::{self, DeviceRow, DeviceUserRow, UserCounts};

use super::known;
use super::operations::{AtTerminal, can_change, page_of};
use crate::WebState;
use crate::board::path_part;
use crate::devices::only_calls;
use crate::error::{PageError, html};
use crate::pages::form::{Errors, filled};
use crate::session::{Outcome, Told, Visitor};
use crate::text::msg;
use crate::ui::{Section, Ui};

/// Users on one page of the list.
const PAGE: i64 = 100;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UsersQuery {
    /// Part of a number, of a name on the terminal, or of the person's name or code.
    q: String,
    page: Option<i64>,
}

#[derive(Template)]
#[template(path = "device_users.html")]
struct UsersPage<'a> {
    ui: &'a Ui,
    device: &'a DeviceRow,
    query: &'a UsersQuery,
    users: Vec<DeviceUserRow>,
    counts: UserCounts,
    can_change: bool,
    told: Option<Outcome>,
    previous: Option<String>,
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(serial): Path<String>,
    Query(query): Query<UsersQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().devices)?;
    let device = known(&state, &serial).await?;
    let page = query.page.unwrap_or(1).clamp(1, i64::MAX / PAGE - 1);
    let skip = (page - 1) * PAGE;
    // One more than is shown tells whether there are more.
    let mut users = devices::users_like(&state.store, device.id, &query.q, PAGE + 1, skip).await?;
    let more = users.len() as i64 > PAGE;
    users.truncate(PAGE as usize);
    let link = |page: i64| format!("{}?q={}&page={page}", list_of(&device), path_part(&query.q));
    html(&UsersPage {
        ui: &visitor.ui(&state, Section::Devices),
        counts: devices::user_counts(&state.store, device.id).await?,
        can_change: can_change(&visitor, &device),
        told,
        previous: (page > 1).then(|| link(page - 1)),
        next: more.then(|| link(page + 1)),
        users,
        query: &query,
        device: &device,
    })
}

/// The path of the list.
fn list_of(device: &DeviceRow) -> String {
    format!("{}/users", page_of(device))
}

/// Not `Debug`: it holds a password.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct UserForm {
    id: String,
    /// Somebody who is in the terminal's list.
    existing: Option<String>,
    name: String,
    /// What the page showed: what is still so is not written, because the terminal may know better.
    name_was: String,
    /// Empty keeps what is there.
    privilege: String,
    card: String,
    card_was: String,
    /// Empty keeps what is there.
    password: String,
    clear_password: Option<String>,
    /// Dates; empty ones keep what is there.
    valid_from: String,
    valid_until: String,
    clear_validity: Option<String>,
}

impl UserForm {
    fn of(user: DeviceUserRow) -> Self {
        let card = user.card.unwrap_or_default();
        Self {
            id: user.user_id,
            existing: user.enrolled.then(|| "1".into()),
            name_was: user.name.clone(),
            name: user.name,
            card_was: card.clone(),
            card,
            ..Self::default()
        }
    }

    fn change(&self, kind: DeviceKind, errors: &mut Errors) -> Option<UserChange> {
        let Some(id) = DeviceUserId::parse(&self.id) else {
            errors.add("id", msg("user-id-wrong"));
            return None;
        };
        let new = self.existing.is_none();
        let changed = |now: &str, was: &str| match new {
            true => filled(now),
            false => (now.trim() != was.trim()).then(|| now.trim().to_owned()),
        };
        let cards = changed(&self.card, &self.card_was);
        let cards = cards.map(|cards| cards.split(',').filter_map(filled).collect::<Vec<_>>());
        if let Some(cards) = &cards {
            let fit = cards.iter().all(|card| kind.is_card(card));
            let many = kind.holds_many_cards();
            if !fit || (cards.len() > 1 && !many) {
                errors.add(
                    "card",
                    msg(if many {
                        "user-cards-wrong"
                    } else {
                        "user-card-wrong"
                    }),
                );
            }
        }
        let password = match (filled(&self.password), &self.clear_password) {
            (Some(password), _) => Some(password),
            (None, Some(_)) => Some(String::new()),
            (None, None) => None,
        };
        let change = UserChange {
            id,
            name: changed(&self.name, &self.name_was),
            privilege: Privilege::from_name(&self.privilege),
            cards,
            password,
            valid_from: self.limit("valid_from", Time::midnight(), errors),
            valid_until: self.limit("valid_until", Time::constant(23, 59, 59, 0), errors),
        };
        errors.is_empty().then_some(change)
    }

    /// From the beginning of a day, or until its end.
    fn limit(&self, field: &'static str, time: Time, errors: &mut Errors) -> Option<Limit> {
        let typed = match field {
            "valid_from" => &self.valid_from,
            _ => &self.valid_until,
        };
        match (filled(typed), &self.clear_validity) {
            (Some(typed), _) => match typed.parse::<Date>() {
                Ok(date) => Some(Limit::At(date.to_datetime(time))),
                Err(_) => {
                    errors.add(field, msg("user-valid-wrong"));
                    None
                }
            },
            (None, Some(_)) => Some(Limit::Never),
            (None, None) => None,
        }
    }
}

#[derive(Template)]
#[template(path = "device_user.html")]
struct UserPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    device: &'a DeviceRow,
    form: &'a UserForm,
    /// Who was entered cannot be written so: why, and what to do.
    told: Option<Outcome>,
    privileges: Vec<&'static str>,
    kind: DeviceKind,
    /// It is written by the terminal's next call.
    only_calls: bool,
}

impl UserPage<'_> {
    fn valid_hint(&self) -> &'static str {
        match self.form.existing {
            Some(_) => "user-valid-keep",
            None => "user-valid-hint",
        }
    }
}

fn page(
    at: &AtTerminal,
    form: &UserForm,
    errors: &Errors,
    told: Option<Outcome>,
) -> Result<Response, PageError> {
    let operator = &at.operator;
    html(&UserPage {
        ui: &operator.visitor.ui(&operator.state, Section::Devices),
        errors,
        device: &at.device,
        only_calls: only_calls(&at.device),
        form,
        told,
        privileges: at
            .kind
            .privileges()
            .iter()
            .map(|one| one.as_str())
            .collect(),
        kind: at.kind,
    })
}

#[derive(Deserialize)]
pub(crate) struct UserQuery {
    /// Without it, somebody new.
    id: Option<String>,
}

pub(super) async fn edit(
    at: AtTerminal,
    Query(query): Query<UserQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    let store = &at.operator.state.store;
    let form = match query.id {
        None => UserForm::default(),
        Some(id) => match devices::user(store, at.device.id, &id).await? {
            Some(user) => UserForm::of(user),
            None => UserForm {
                id,
                ..UserForm::default()
            },
        },
    };
    page(&at, &form, &Errors::default(), told)
}

pub(super) async fn save(
    at: AtTerminal,
    Form(mut form): Form<UserForm>,
) -> Result<Response, PageError> {
    let mut errors = Errors::default();
    let mut told = None;
    let change = form.change(at.kind, &mut errors);
    if let Some(change) = &change
        && form.existing.is_none()
        && is_taken(&at, &change.id).await?
    {
        errors.add("id", msg("user-exists").with("user", change.id.as_str()));
    }
    if let Some(change) = change.filter(|_| errors.is_empty()) {
        let (operator, list) = (&at.operator, list_of(&at.device));
        let outcome = match only_calls(&at.device) {
            true => order(&at, change, &list).await?,
            false => {
                let set = Operation::SetUser(change);
                operator.operate(&at.device, set, &list).await?
            }
        };
        if outcome.done {
            return Ok(operator.tell(&outcome).await?.into_response());
        }
        told = Some(outcome);
    }
    // It never goes back into a page.
    if filled(&std::mem::take(&mut form.password)).is_some() {
        errors.add("password", msg("device-secret-not-kept"));
    }
    page(&at, &form, &errors, told)
}

/// The same for a terminal that calls.
async fn order(at: &AtTerminal, change: UserChange, page: &str) -> Result<Outcome, PageError> {
    let order = Order::SetUser {
        user: change.id.to_string(),
        name: change.name,
        privilege: change.privilege.map(|one| one.as_str().to_owned()),
        card: change.cards.map(|cards| {
            let card = cards.first().and_then(|card| card.parse().ok());
            card.unwrap_or_default()
        }),
        sets_password: change.password.is_some(),
    };
    let password = change.password.map(Secret::new);
    at.operator.order(&at.device, &order, password, page).await
}

/// Somebody who has this number would be changed by who means to add another.
async fn is_taken(at: &AtTerminal, id: &DeviceUserId) -> Result<bool, PageError> {
    let store = &at.operator.state.store;
    let user = devices::user(store, at.device.id, id.as_str()).await?;
    Ok(user.is_some_and(|user| user.enrolled))
}

#[derive(Deserialize)]
pub(crate) struct DeleteForm {
    id: String,
}

pub(super) async fn delete(
    at: AtTerminal,
    Form(form): Form<DeleteForm>,
) -> Result<Redirect, PageError> {
    let id = DeviceUserId::parse(&form.id).ok_or(PageError::NotFound)?;
    let list = list_of(&at.device);
    if only_calls(&at.device) {
        let user = id.to_string();
        let delete = Order::DeleteUser { user };
        let given = at.operator.order(&at.device, &delete, None, &list).await?;
        return at.operator.tell(&given).await;
    }
    let delete = Operation::DeleteUser(id);
    at.operator
        .operate_and_tell(&at.device, delete, &list)
        .await
}

/// The picture goes to the terminal and is kept nowhere.
pub(super) async fn set_face(at: AtTerminal, mut form: Multipart) -> Result<Redirect, PageError> {
    at.require(DeviceKind::takes_faces)?;
    let (mut id, mut picture) = (None, Vec::new());
    while let Some(field) = form.next_field().await.map_err(refused)? {
        match field.name() {
            Some("id") => id = DeviceUserId::parse(&field.text().await.map_err(refused)?),
            Some("file") => picture = field.bytes().await.map_err(refused)?.to_vec(),
            _ => {}
        }
    }
    let id = id.ok_or(PageError::NotFound)?;
    let page = user_of(&at.device, &id);
    let set = Operation::SetFace(id, Picture(picture));
    at.operator.operate_and_tell(&at.device, set, &page).await
}

pub(super) async fn delete_face(
    at: AtTerminal,
    Form(form): Form<DeleteForm>,
) -> Result<Redirect, PageError> {
    at.require(DeviceKind::takes_faces)?;
    let id = DeviceUserId::parse(&form.id).ok_or(PageError::NotFound)?;
    let page = user_of(&at.device, &id);
    let delete = Operation::DeleteFace(id);
    at.operator
        .operate_and_tell(&at.device, delete, &page)
        .await
}

/// The path of a user's page.
fn user_of(device: &DeviceRow, id: &DeviceUserId) -> String {
    format!("{}/user?id={}", page_of(device), path_part(id.as_str()))
}

fn refused(error: MultipartError) -> PageError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => PageError::TooLarge,
        _ => PageError::BadRequest(error.body_text()),
    }
}
