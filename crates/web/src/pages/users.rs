//! `/users`: who may sign in, with which roles, as which employee and leading which departments; and the one-time links by which
//! people choose their password.
//!
//! Nobody gives, takes away or acts for a role above their own (`roles::may_grant`). A link is in one answer and nowhere else.

use std::collections::BTreeSet;

use askama::Template;
use attendance::{AccountId, DepartmentId, EmployeeId};
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::tz::TimeZone;
use serde::Deserialize;
use store::accounts::{Account, AccountFields, NewAccount, Role};
use store::sign_in_links::SIGN_IN_LINK_LIFE;
use store::views::accounts::{self, AccountRow, LedRow};
use store::views::people;
use store::{StoreError, WriteTx};
use tower_sessions::Session;

use super::form::{Errors, refusal};
use crate::WebState;
use crate::board::path_part;
use crate::error::{PageError, html};
use crate::format;
use crate::roles::may_grant;
use crate::session::{Outcome, Told, Visitor, leave};
use crate::text::msg;
use crate::ui::{Section, Ui};

pub(super) fn routes() -> Router<WebState> {
    Router::new()
        .route("/users", get(list).post(add))
        .route("/users/{id}", get(show).post(save))
        .route("/users/{id}/link", post(make_link))
        .route("/users/{id}/disable", post(disable))
        .route("/users/{id}/enable", post(enable))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct UsersQuery {
    /// Prefills the form for an employee.
    code: String,
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    errors: &'a Errors,
    rows: Vec<Row>,
    form: &'a UserForm,
    roles: Vec<RoleChoice>,
    led: Vec<Led>,
}

struct Row {
    href: String,
    name: String,
    email: String,
    roles: String,
    leads: String,
    /// Code and page of the employee.
    employee: Option<(String, String)>,
    signed_in: String,
    disabled: bool,
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage<'a> {
    ui: &'a Ui,
    told: Option<Outcome>,
    errors: &'a Errors,
    id: i64,
    email: String,
    name: String,
    signed_in: String,
    disabled: bool,
    /// The roles are not above those of who looks.
    may_edit: bool,
    own: bool,
    link: Option<Link>,
    form: &'a UserForm,
    roles: Vec<RoleChoice>,
    role_names: String,
    led: Vec<Led>,
}

/// A link that was just made.
struct Link {
    url: String,
    until: String,
}

struct RoleChoice {
    name: &'static str,
    chosen: bool,
}

/// A department that can be led.
struct Led {
    id: i64,
    name: String,
    chosen: bool,
}

/// What the forms send. Roles and departments come several times, so it is read from pairs.
#[derive(Clone, Debug, Default)]
struct UserForm {
    name: String,
    email: String,
    code: String,
    roles: BTreeSet<Role>,
    led: BTreeSet<DepartmentId>,
}

impl UserForm {
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => form.name = value,
                "email" => form.email = value,
                "code" => form.code = value.trim().to_owned(),
                "role" => form.roles.extend(Role::from_name(&value)),
                "led" => form.led.extend(value.parse().ok().map(DepartmentId)),
                _ => {}
            }
        }
        form
    }

    /// Whose account it is to be, and what is wrong with the form.
    async fn check(
        &self,
        state: &WebState,
        errors: &mut Errors,
    ) -> Result<Option<EmployeeId>, PageError> {
        if self.name.trim().is_empty() {
            errors.add("name", msg("users-name-missing"));
        }
        if !self.email.contains('@') {
            errors.add("email", msg("owner-email-wrong"));
        }
        if self.roles.is_empty() {
            errors.add("role", msg("users-role-missing"));
        }
        if self.code.is_empty() {
            if self.roles.contains(&Role::Employee) {
                errors.add("code", msg("users-code-missing"));
            }
            return Ok(None);
        }
        let person = people::by_code(&state.store, &self.code).await?;
        if person.is_none() {
            errors.add("code", msg("rules-nobody").with("code", &self.code));
        }
        Ok(person.map(|person| EmployeeId(person.id)))
    }

    /// As manager of nothing, somebody would see an empty team; without the role, what is ticked means nothing.
    fn leads(&self) -> BTreeSet<DepartmentId> {
        match self.roles.contains(&Role::Manager) {
            true => self.led.clone(),
            false => BTreeSet::new(),
        }
    }
}

fn may_edit(visitor: &Visitor, roles: &BTreeSet<Role>) -> bool {
    let own = &visitor.person.roles;
    roles.iter().all(|role| may_grant(own, *role))
}

fn role_choices(visitor: &Visitor, chosen: &BTreeSet<Role>) -> Vec<RoleChoice> {
    let own = &visitor.person.roles;
    let roles = Role::ALL.iter().filter(|role| may_grant(own, **role));
    roles
        .map(|role| RoleChoice {
            name: role.as_str(),
            chosen: chosen.contains(role),
        })
        .collect()
}

fn role_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names
        .map(|name| msg(format!("role-{name}")).to_string())
        .collect();
    names.join(", ")
}

/// Every department, with its site where there are several. Who leads whom is for those who see everybody.
async fn led_choices(
    state: &WebState,
    visitor: &Visitor,
    chosen: &BTreeSet<DepartmentId>,
) -> Result<Vec<Led>, PageError> {
    if !visitor.may().people {
        return Ok(Vec::new());
    }
    let frame = state.boards.frame();
    let departments = state.store.departments().await?.into_iter();
    let name = |name: String, site: i64| {
        let site = frame.sites.iter().find(|one| one.id == site);
        match site.filter(|_| frame.sites.len() > 1) {
            Some(site) => format!("{name}, {}", site.name),
            None => name,
        }
    };
    Ok(departments
        .map(|one| Led {
            id: one.id.0,
            chosen: chosen.contains(&one.id),
            name: name(one.name, one.site.0),
        })
        .collect())
}

async fn list(
    State(state): State<WebState>,
    visitor: Visitor,
    Query(query): Query<UsersQuery>,
    Told(told): Told,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().users)?;
    let mut form = UserForm::default();
    if let Some(person) = people::by_code(&state.store, &query.code).await? {
        form = UserForm {
            name: person.name(),
            email: person.email.unwrap_or_default(),
            code: person.code,
            roles: [Role::Employee].into(),
            led: BTreeSet::new(),
        };
    }
    list_page(&state, &visitor, told, &form, &Errors::default()).await
}

async fn list_page(
    state: &WebState,
    visitor: &Visitor,
    told: Option<Outcome>,
    form: &UserForm,
    errors: &Errors,
) -> Result<Response, PageError> {
    let ui = visitor.ui(state, Section::Users);
    let leads = accounts::led(&state.store).await?;
    let rows = accounts::list(&state.store).await?.into_iter();
    html(&UsersPage {
        rows: rows.map(|one| row(one, &leads, &ui)).collect(),
        roles: role_choices(visitor, &form.roles),
        led: led_choices(state, visitor, &form.led).await?,
        ui: &ui,
        told,
        errors,
        form,
    })
}

fn row(account: AccountRow, leads: &[LedRow], ui: &Ui) -> Row {
    let led = leads.iter().filter(|one| one.account_id == account.id);
    let led: Vec<_> = led.map(|one| one.department.as_str()).collect();
    Row {
        href: format!("/users/{}", account.id),
        roles: role_names(account.roles.split(',').filter(|name| !name.is_empty())),
        leads: led.join(", "),
        employee: account.code.map(|code| {
            let href = format!("/people/{}", path_part(&code));
            (code, href)
        }),
        signed_in: signed_in(account.signed_in_ms.map(format::instant), ui),
        disabled: account.disabled_ms.is_some(),
        name: account.name,
        email: account.email,
    }
}

fn signed_in(at: Option<jiff::Timestamp>, ui: &Ui) -> String {
    match at {
        Some(at) => format::moment(at, ui.now, &ui.zone),
        None => msg("users-never").to_string(),
    }
}

async fn add(
    State(state): State<WebState>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().users)?;
    let form = UserForm::read(pairs);
    visitor.require(may_edit(&visitor, &form.roles))?;
    let mut errors = Errors::default();
    let employee = form.check(&state, &mut errors).await?;
    if errors.is_empty() {
        let new = NewAccount {
            email: form.email.clone(),
            name: form.name.clone(),
            password_hash: String::new(),
            roles: form.roles.clone(),
            employee,
        };
        let tx = state.store.begin_write().await?;
        match added(&tx, &state, &visitor, &new, &form).await {
            Ok((id, token)) => {
                tx.commit().await?;
                return with_link(&state, &visitor, id, &headers, &token).await;
            }
            Err(error @ (StoreError::Duplicate { .. } | StoreError::Invalid(_))) => {
                tx.rollback().await?;
                errors.add("email", refusal(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    list_page(&state, &visitor, None, &form, &errors).await
}

async fn added(
    tx: &WriteTx,
    state: &WebState,
    visitor: &Visitor,
    new: &NewAccount,
    form: &UserForm,
) -> Result<(AccountId, String), StoreError> {
    let author = visitor.author(state);
    let id = tx.add_account(new, author).await?;
    if visitor.may().people {
        tx.set_led(id, &form.leads(), author).await?;
    }
    let token = tx
        .add_sign_in_link(id, state.clock.real_now(), author)
        .await?;
    Ok((id, token))
}

/// An account as it is, for its form.
async fn known(state: &WebState, id: i64) -> Result<(Account, UserForm), PageError> {
    let account = state.store.account(AccountId(id)).await?;
    let account = account.ok_or(PageError::NotFound)?;
    let code = match account.employee {
        Some(employee) => store::views::requests::code_of(&state.store, employee).await?,
        None => None,
    };
    let form = UserForm {
        name: account.name.clone(),
        email: account.email.clone(),
        code: code.unwrap_or_default(),
        roles: account.roles.clone(),
        led: state.store.managed_by(account.id).await?,
    };
    Ok((account, form))
}

/// The same, for somebody who may change it.
async fn editable(
    state: &WebState,
    visitor: &Visitor,
    id: i64,
) -> Result<(Account, UserForm), PageError> {
    visitor.require(visitor.may().users)?;
    let (account, form) = known(state, id).await?;
    visitor.require(may_edit(visitor, &account.roles))?;
    Ok((account, form))
}

async fn show(
    State(state): State<WebState>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Told(told): Told,
) -> Result<Response, PageError> {
    visitor.require(visitor.may().users)?;
    let (account, form) = known(&state, id).await?;
    page(
        &state,
        &visitor,
        &account,
        &form,
        told,
        None,
        &Errors::default(),
    )
    .await
}

async fn page(
    state: &WebState,
    visitor: &Visitor,
    account: &Account,
    form: &UserForm,
    told: Option<Outcome>,
    link: Option<Link>,
    errors: &Errors,
) -> Result<Response, PageError> {
    let ui = visitor.ui(state, Section::Users);
    html(&UserPage {
        id: account.id.0,
        email: account.email.clone(),
        name: account.name.clone(),
        signed_in: signed_in(account.signed_in, &ui),
        disabled: account.disabled.is_some(),
        may_edit: may_edit(visitor, &account.roles),
        own: account.id.0 == visitor.person.account,
        roles: role_choices(visitor, &form.roles),
        role_names: role_names(account.roles.iter().map(|role| role.as_str())),
        led: led_choices(state, visitor, &form.led).await?,
        ui: &ui,
        told,
        errors,
        link,
        form,
    })
}

async fn with_link(
    state: &WebState,
    visitor: &Visitor,
    id: AccountId,
    headers: &HeaderMap,
    token: &str,
) -> Result<Response, PageError> {
    let (account, form) = known(state, id.0).await?;
    // In the zone of the site, but of real time, by which links grow old.
    let zone = state.boards.frame().zone();
    let until = state.clock.real_now() + SIGN_IN_LINK_LIFE;
    let link = Link {
        url: format!("{}/setup/{token}", address(state, headers)),
        until: until_text(until, &zone),
    };
    let errors = Errors::default();
    let shown = page(state, visitor, &account, &form, None, Some(link), &errors).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], shown).into_response())
}

fn until_text(at: jiff::Timestamp, zone: &TimeZone) -> String {
    let day = at.to_zoned(zone.clone()).date();
    msg("moment-date")
        .with("date", format::short_date(day, day))
        .with("time", format::clock_time(at, zone))
        .to_string()
}

/// How whoever asks reaches us, which is how others do, too: what their browser says it has in its address bar.
fn address(state: &WebState, headers: &HeaderMap) -> String {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(header::ORIGIN).filter(|origin| origin.starts_with("http")) {
        Some(origin) => origin.to_owned(),
        None => {
            let scheme = match state.config.secure_cookies {
                true => "https",
                false => "http",
            };
            format!("{scheme}://{}", text(header::HOST).unwrap_or_default())
        }
    }
}

async fn save(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<i64>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let (account, _) = editable(&state, &visitor, id).await?;
    let form = UserForm::read(pairs);
    visitor.require(may_edit(&visitor, &form.roles))?;
    let mut errors = Errors::default();
    let employee = form.check(&state, &mut errors).await?;
    if errors.is_empty() {
        let fields = AccountFields {
            email: form.email.clone(),
            name: form.name.clone(),
            roles: form.roles.clone(),
            employee,
        };
        let author = visitor.author(&state);
        let tx = state.store.begin_write().await?;
        match tx.edit_account(account.id, &fields, author).await {
            Ok(()) => {
                if visitor.may().people {
                    tx.set_led(account.id, &form.leads(), author).await?;
                }
                tx.commit().await?;
                let to = format!("/users/{id}");
                leave(&session, &Outcome::done(&to, msg("users-saved"), "")).await?;
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error @ StoreError::LastOwner) => {
                tx.rollback().await?;
                errors.add("role", refusal(&error));
            }
            Err(error @ (StoreError::Duplicate { .. } | StoreError::Invalid(_))) => {
                tx.rollback().await?;
                errors.add("email", refusal(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    page(&state, &visitor, &account, &form, None, None, &errors).await
}

async fn make_link(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let (account, _) = editable(&state, &visitor, id).await?;
    let tx = state.store.begin_write().await?;
    let made = tx
        .add_sign_in_link(account.id, state.clock.real_now(), visitor.author(&state))
        .await;
    match made {
        Ok(token) => {
            tx.commit().await?;
            with_link(&state, &visitor, account.id, &headers, &token).await
        }
        Err(StoreError::Invalid(_)) => {
            tx.rollback().await?;
            let to = format!("/users/{id}");
            let outcome = Outcome::not_done(&to, msg("users-no-link"), msg("users-is-disabled"));
            leave(&session, &outcome).await?;
            Ok(Redirect::to(&to).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

async fn disable(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<i64>,
) -> Result<Response, PageError> {
    let (account, _) = editable(&state, &visitor, id).await?;
    visitor.require(account.id.0 != visitor.person.account)?;
    let tx = state.store.begin_write().await?;
    let to = format!("/users/{id}");
    let outcome = match tx.disable_account(account.id, visitor.author(&state)).await {
        Ok(()) => {
            tx.commit().await?;
            let name = account.name;
            Outcome::done(
                &to,
                msg("users-disabled").with("name", name),
                msg("users-disabled-text"),
            )
        }
        Err(error @ StoreError::LastOwner) => {
            tx.rollback().await?;
            Outcome::not_done(&to, msg("users-not-disabled"), refusal(&error))
        }
        Err(error) => return Err(error.into()),
    };
    leave(&session, &outcome).await?;
    Ok(Redirect::to(&to).into_response())
}

async fn enable(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Path(id): Path<i64>,
) -> Result<Response, PageError> {
    let (account, _) = editable(&state, &visitor, id).await?;
    let tx = state.store.begin_write().await?;
    tx.enable_account(account.id, visitor.author(&state))
        .await?;
    tx.commit().await?;
    let to = format!("/users/{id}");
    let done = msg("users-enabled").with("name", account.name);
    leave(
        &session,
        &Outcome::done(&to, done, msg("users-enabled-text")),
    )
    .await?;
    Ok(Redirect::to(&to).into_response())
}
