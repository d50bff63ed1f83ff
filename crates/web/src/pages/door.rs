//! `/login`, `/logout`, `/setup/{one-time}` and `/account`: the door.

use std::time::Instant;

use askama::Template;
use attendance::AccountId;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use store::StoreError;
use store::accounts::{Account, Role};
use tower_sessions::Session;

use super::form::{Errors, own_path, refusal};
use super::setup;
use crate::WebState;
use crate::error::{PageError, html};
use crate::session::{self, LONGEST_PASSWORD, Place, SHORTEST_PASSWORD, Visitor};
use crate::text::msg;
use crate::ui::{Section, Ui};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    email: &'a str,
    next: &'a str,
}

#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    next: Option<String>,
}

pub(crate) async fn login(
    State(state): State<WebState>,
    Query(query): Query<LoginQuery>,
) -> Result<Response, PageError> {
    html(&LoginPage {
        ui: &door(&state),
        errors: &Errors::default(),
        email: "",
        next: own_path(query.next.as_deref()).unwrap_or_default(),
    })
}

fn door(state: &WebState) -> Ui {
    Ui::door(state.boards.frame().company.clone(), &state.clock)
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(crate) async fn sign_in(
    State(state): State<WebState>,
    session: Session,
    Place(place): Place,
    Form(form): Form<LoginForm>,
) -> Result<Response, PageError> {
    let mut errors = Errors::default();
    if state.throttle.left(place, &form.email, Instant::now()) == 0 {
        errors.add("password", msg("login-wait"));
    } else {
        // Counted before it is checked, so that many guesses at once are not free.
        state.throttle.failed(place, &form.email, Instant::now());
        let account = state.store.account_by_email(&form.email).await?;
        let account = account.filter(|account| account.disabled.is_none());
        // Who has not chosen a password yet has none that fits.
        let hash = account
            .as_ref()
            .map(|account| account.password_hash.clone())
            .filter(|hash| !hash.is_empty());
        let password = form.password.chars().take(LONGEST_PASSWORD).collect();
        let fits = state.passwords.check(password, hash).await?;
        if let Some(account) = account.filter(|_| fits) {
            state.throttle.succeeded(place, &form.email);
            begin(&state, &session, account.id, &account.password_hash).await?;
            tracing::info!(account = account.id.0, "signed in");
            let next = own_path(Some(&form.next)).unwrap_or("/");
            return Ok(Redirect::to(next).into_response());
        }
        tracing::info!(place = ?place, "a sign-in failed");
        match state.throttle.left(place, &form.email, Instant::now()) {
            0 => errors.add("password", msg("login-wait")),
            left => errors.add("password", msg("login-wrong").count("left", left)),
        }
    }
    html(&LoginPage {
        ui: &door(&state),
        errors: &errors,
        email: &form.email,
        next: &form.next,
    })
}

/// Begins a session, and notes when.
async fn begin(
    state: &WebState,
    session: &Session,
    account: AccountId,
    password_hash: &str,
) -> Result<(), PageError> {
    session::sign_in(session, account, password_hash).await?;
    let tx = state.store.begin_claim().await?;
    tx.note_sign_in(account, state.clock.now()).await?;
    Ok(tx.commit_quietly().await?)
}

pub(crate) async fn sign_out(session: Session) -> Result<Redirect, PageError> {
    session::sign_out(&session).await?;
    Ok(Redirect::to("/login"))
}

#[derive(Template)]
#[template(path = "setup_owner.html")]
struct OwnerPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    token: &'a str,
    name: &'a str,
    email: &'a str,
    step: usize,
}

#[derive(Template)]
#[template(path = "setup_used.html")]
struct UsedPage<'a> {
    ui: &'a Ui,
}

/// The page of a one-time link. It is used up by sending the form, not by opening the page; in the demo, whose link signs
/// in to an account that exists, by opening it.
pub(crate) async fn setup(
    State(state): State<WebState>,
    session: Session,
    Path(token): Path<String>,
) -> Result<Response, PageError> {
    let real_now = state.clock.real_now();
    if let Some(account) = state.store.account_of_link(&token, real_now).await? {
        return password_page(&state, &Errors::default(), &token, &account);
    }
    if let Some(id) = state.config.link_signs_in {
        let account = state.store.account(id).await?.ok_or(PageError::NotFound)?;
        let tx = state.store.begin_write().await?;
        let used = tx.use_setup_link(&token, real_now).await?;
        tx.commit_quietly().await?;
        if used {
            begin(&state, &session, id, &account.password_hash).await?;
            return Ok(Redirect::to("/").into_response());
        }
        return html(&UsedPage { ui: &door(&state) });
    }
    if !state.store.setup_link_works(&token, real_now).await? {
        return html(&UsedPage { ui: &door(&state) });
    }
    if state.store.has_owner().await? {
        return reset_page(&state, &Errors::default(), &token, "");
    }
    html(&OwnerPage {
        ui: &door(&state),
        errors: &Errors::default(),
        token: &token,
        name: "",
        email: "",
        step: 1,
    })
}

/// What the one-time link of an account shows.
#[derive(Template)]
#[template(path = "setup_password.html")]
struct PasswordPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    token: &'a str,
    name: &'a str,
    email: &'a str,
}

fn password_page(
    state: &WebState,
    errors: &Errors,
    token: &str,
    account: &Account,
) -> Result<Response, PageError> {
    html(&PasswordPage {
        ui: &door(state),
        errors,
        token,
        name: &account.name,
        email: &account.email,
    })
}

async fn choose_password(
    state: &WebState,
    session: &Session,
    token: &str,
    account: &Account,
    password: String,
) -> Result<Response, PageError> {
    let mut errors = Errors::default();
    check_password(&password, &mut errors);
    if !errors.is_empty() {
        return password_page(state, &errors, token, account);
    }
    let hash = state.passwords.hash(password).await?;
    let (real_now, now) = (state.clock.real_now(), state.clock.now());
    let tx = state.store.begin_write().await?;
    let Some(account) = tx.choose_password(token, real_now, &hash, now).await? else {
        tx.rollback().await?;
        return html(&UsedPage { ui: &door(state) });
    };
    tx.commit().await?;
    begin(state, session, account, &hash).await?;
    Ok(Redirect::to("/").into_response())
}

/// What a one-time link shows when there is an owner already: a new password for one.
#[derive(Template)]
#[template(path = "setup_reset.html")]
struct ResetPage<'a> {
    ui: &'a Ui,
    errors: &'a Errors,
    token: &'a str,
    email: &'a str,
}

fn reset_page(
    state: &WebState,
    errors: &Errors,
    token: &str,
    email: &str,
) -> Result<Response, PageError> {
    html(&ResetPage {
        ui: &door(state),
        errors,
        token,
        email,
    })
}

async fn reset_password(
    state: &WebState,
    session: &Session,
    token: &str,
    form: OwnerForm,
) -> Result<Response, PageError> {
    let mut errors = Errors::default();
    check_password(&form.password, &mut errors);
    let owner = state.store.account_by_email(&form.email).await?;
    let owner =
        owner.filter(|account| account.disabled.is_none() && account.roles.contains(&Role::Owner));
    if owner.is_none() {
        errors.add("email", msg("reset-no-owner"));
    }
    let Some(owner) = owner.filter(|_| errors.is_empty()) else {
        return reset_page(state, &errors, token, &form.email);
    };
    let hash = state.passwords.hash(form.password).await?;
    let (real_now, now) = (state.clock.real_now(), state.clock.now());
    let tx = state.store.begin_write().await?;
    if !tx
        .reset_password(token, real_now, owner.id, &hash, now)
        .await?
    {
        tx.rollback().await?;
        return html(&UsedPage { ui: &door(state) });
    }
    tx.commit().await?;
    begin(state, session, owner.id, &hash).await?;
    Ok(Redirect::to("/").into_response())
}

#[derive(Deserialize)]
pub(crate) struct OwnerForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    password: String,
}

pub(crate) async fn make_owner(
    State(state): State<WebState>,
    session: Session,
    Path(token): Path<String>,
    Form(form): Form<OwnerForm>,
) -> Result<Response, PageError> {
    let real_now = state.clock.real_now();
    if let Some(account) = state.store.account_of_link(&token, real_now).await? {
        return choose_password(&state, &session, &token, &account, form.password).await;
    }
    if state.config.link_signs_in.is_some()
        || !state.store.setup_link_works(&token, real_now).await?
    {
        return html(&UsedPage { ui: &door(&state) });
    }
    if state.store.has_owner().await? {
        return reset_password(&state, &session, &token, form).await;
    }
    let mut errors = Errors::default();
    check_password(&form.password, &mut errors);
    if form.name.trim().is_empty() {
        errors.add("name", msg("owner-name-missing"));
    }
    if !form.email.contains('@') {
        errors.add("email", msg("owner-email-wrong"));
    }
    if errors.is_empty() {
        let hash = state.passwords.hash(form.password).await?;
        let tx = state.store.begin_write().await?;
        let now = state.clock.now();
        let made = tx
            .set_up_owner(&token, real_now, &form.email, &form.name, &hash, now)
            .await;
        match made {
            Ok(Some(account)) => {
                tx.commit().await?;
                begin(&state, &session, account, &hash).await?;
                let next = match setup::is_open(&state.store).await? {
                    true => "/setup/company",
                    false => "/",
                };
                return Ok(Redirect::to(next).into_response());
            }
            Ok(None) => {
                tx.rollback().await?;
                return html(&UsedPage { ui: &door(&state) });
            }
            Err(error @ (StoreError::Duplicate { .. } | StoreError::Invalid(_))) => {
                tx.rollback().await?;
                errors.add("email", refusal(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    html(&OwnerPage {
        ui: &door(&state),
        errors: &errors,
        token: &token,
        name: &form.name,
        email: &form.email,
        step: 1,
    })
}

fn check_password(password: &str, errors: &mut Errors) {
    let length = password.chars().count();
    if length < SHORTEST_PASSWORD {
        errors.add(
            "password",
            msg("password-short").count("least", SHORTEST_PASSWORD),
        );
    } else if length > LONGEST_PASSWORD {
        errors.add(
            "password",
            msg("password-long").count("most", LONGEST_PASSWORD),
        );
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    ui: &'a Ui,
    email: &'a str,
    errors: &'a Errors,
    changed: bool,
}

pub(crate) async fn account(
    State(state): State<WebState>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    html(&AccountPage {
        ui: &visitor.ui(&state, Section::Account),
        email: &visitor.person.email,
        errors: &Errors::default(),
        changed: false,
    })
}

#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    present: String,
    password: String,
}

pub(crate) async fn change_password(
    State(state): State<WebState>,
    visitor: Visitor,
    session: Session,
    Place(place): Place,
    Form(form): Form<PasswordForm>,
) -> Result<Response, PageError> {
    let mut errors = Errors::default();
    check_password(&form.password, &mut errors);
    let id = AccountId(visitor.person.account);
    if errors.is_empty() {
        if state
            .throttle
            .left(place, &visitor.person.email, Instant::now())
            == 0
        {
            errors.add("present", msg("login-wait"));
        } else {
            let account = state.store.account(id).await?;
            let hash = account.map(|account| account.password_hash);
            if !state.passwords.check(form.present, hash).await? {
                state
                    .throttle
                    .failed(place, &visitor.person.email, Instant::now());
                errors.add("present", msg("password-present-wrong"));
            }
        }
    }
    let changed = errors.is_empty();
    if changed {
        let hash = state.passwords.hash(form.password).await?;
        let tx = state.store.begin_write().await?;
        tx.set_password_hash(id, &hash, visitor.author(&state))
            .await?;
        tx.commit().await?;
        // Every other session of the account ends with the old password.
        session::sign_in(&session, id, &hash).await?;
    }
    html(&AccountPage {
        ui: &visitor.ui(&state, Section::Account),
        email: &visitor.person.email,
        errors: &errors,
        changed,
    })
}
