//! Signing in: sessions over our database, who is asking, and the throttle of guesses.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use async_trait::async_trait;
use attendance::{AccountId, EmployeeId};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Method, header};
use ingest::Clock;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::Store;
use store::accounts::{Role, password_mark};
use store::audit::Author;
use store::views::requests::{self, Seen};
use tokio::sync::Semaphore;
use tower_sessions::cookie::time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result as SessionResult};
use tower_sessions::{Session, SessionStore};

use crate::WebState;
use crate::error::PageError;
use crate::roles::May;
use crate::ui::{Section, SignedIn, Ui};

/// How long a session lives after it was last used.
pub(crate) const SESSION_DAYS: i64 = 14;
/// Where the account is kept in a session.
const ACCOUNT: &str = "account";
/// What is to be told on the next page.
const OUTCOME: &str = "outcome";
/// Which password it was begun with; a session ends when the password changes.
const PASSWORD: &str = "password";
/// When the session was last prolonged, in days since 1970.
const USED_ON: &str = "used_on";

/// Sessions in the table `sign_in_sessions`.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pub store: Store,
    pub clock: Clock,
}

fn backend(error: impl std::fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

impl Sessions {
    async fn write(&self, record: &Record) -> SessionResult<()> {
        let data = serde_json::to_string(&record.data).map_err(|e| Error::Encode(e.to_string()))?;
        let expires =
            Timestamp::from_second(record.expiry_date.unix_timestamp()).map_err(backend)?;
        let tx = self.store.begin_claim().await.map_err(backend)?;
        tx.save_session(&record.id.to_string(), &data, expires)
            .await
            .map_err(backend)?;
        tx.commit_quietly().await.map_err(backend)
    }
}

#[async_trait]
impl SessionStore for Sessions {
    /// Ids are 128 random bits, so a collision needs no handling.
    async fn create(&self, record: &mut Record) -> SessionResult<()> {
        self.write(record).await
    }

    async fn save(&self, record: &Record) -> SessionResult<()> {
        self.write(record).await
    }

    async fn load(&self, id: &Id) -> SessionResult<Option<Record>> {
        let now = self.clock.real_now();
        let found = self
            .store
            .session(&id.to_string(), now)
            .await
            .map_err(backend)?;
        let Some((data, expires)) = found else {
            return Ok(None);
        };
        Ok(Some(Record {
            id: *id,
            data: serde_json::from_str(&data).map_err(|e| Error::Decode(e.to_string()))?,
            expiry_date: OffsetDateTime::from_unix_timestamp(expires.as_second())
                .map_err(backend)?,
        }))
    }

    async fn delete(&self, id: &Id) -> SessionResult<()> {
        let tx = self.store.begin_claim().await.map_err(backend)?;
        tx.delete_session(&id.to_string()).await.map_err(backend)?;
        tx.commit_quietly().await.map_err(backend)
    }
}

/// Begins a session for an account, with a new id, so that one set by somebody else before is worth nothing.
pub(crate) async fn sign_in(
    session: &Session,
    account: AccountId,
    password_hash: &str,
) -> Result<(), PageError> {
    let failed = |error: tower_sessions::session::Error| PageError::Internal(error.to_string());
    session.cycle_id().await.map_err(failed)?;
    session.insert(ACCOUNT, account.0).await.map_err(failed)?;
    let mark = password_mark(password_hash);
    session.insert(PASSWORD, mark).await.map_err(failed)
}

pub(crate) async fn sign_out(session: &Session) -> Result<(), PageError> {
    let failed = |error: tower_sessions::session::Error| PageError::Internal(error.to_string());
    session.flush().await.map_err(failed)
}

/// What came of a request, for the page to which it is redirected: sending that page again does nothing again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The path of that page, perhaps with a query.
    pub page: String,
    pub done: bool,
    pub title: String,
    pub text: String,
}

impl Outcome {
    pub fn done(page: &str, title: impl Display, text: impl Display) -> Self {
        Self {
            page: page.to_owned(),
            done: true,
            title: title.to_string(),
            text: text.to_string(),
        }
    }

    pub fn not_done(page: &str, title: impl Display, text: impl Display) -> Self {
        Self {
            done: false,
            ..Self::done(page, title, text)
        }
    }
}

pub(crate) async fn leave(session: &Session, outcome: &Outcome) -> Result<(), PageError> {
    let failed = |error: tower_sessions::session::Error| PageError::Internal(error.to_string());
    session.insert(OUTCOME, outcome).await.map_err(failed)
}

/// What is to be told on this page, once. A page that fetches a part of itself again leaves it for who looks at the whole.
pub(crate) struct Told(pub Option<Outcome>);

impl FromRequestParts<WebState> for Told {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &WebState) -> Result<Self, PageError> {
        let failed = |error: tower_sessions::session::Error| PageError::Internal(error.to_string());
        let session = match parts.extensions.get::<Session>() {
            Some(session) if !parts.headers.contains_key("hx-request") => session,
            _ => return Ok(Self(None)),
        };
        let left: Option<Outcome> = session.get(OUTCOME).await.map_err(failed)?;
        let told = left.filter(|outcome| {
            let path = outcome.page.split('?').next();
            path == Some(parts.uri.path())
        });
        if told.is_some() {
            session.remove::<Outcome>(OUTCOME).await.map_err(failed)?;
        }
        Ok(Self(told))
    }
}

/// A request of somebody who is signed in. As an argument of a handler it sends everybody else to the sign-in.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub person: SignedIn,
}

impl Visitor {
    pub fn may(&self) -> May {
        self.person.may()
    }

    /// # Errors
    /// [`PageError::NotFound`] when the roles do not allow it: what somebody may not see does not exist for them.
    pub fn require(&self, allowed: bool) -> Result<(), PageError> {
        allowed.then_some(()).ok_or(PageError::NotFound)
    }

    /// Whose requests this person sees.
    pub async fn seen(&self, state: &WebState) -> Result<Seen, PageError> {
        self.require(self.may().answer)?;
        if self.person.roles.contains(&Role::Hr) {
            return Ok(Seen::Everybody);
        }
        let account = AccountId(self.person.account);
        Ok(Seen::Departments(state.store.managed_by(account).await?))
    }

    /// # Errors
    /// [`PageError::NotFound`] for somebody this person may not see: managers see who is in the departments they lead now.
    pub async fn require_sight(
        &self,
        state: &WebState,
        employee: EmployeeId,
    ) -> Result<(), PageError> {
        if self.may().people {
            return Ok(());
        }
        self.require(self.may().team)?;
        let led = state.store.managed_by(AccountId(self.person.account));
        self.require(requests::leads(&state.store, &led.await?, employee).await?)
    }

    pub fn ui(&self, state: &WebState, section: Section) -> Ui {
        let frame = state.boards.frame();
        Ui::new(
            section,
            Some(self.person.clone()),
            frame.company.clone(),
            frame.waiting,
            state.clock.now(),
            frame.zone(),
        )
    }

    /// For the audit of what this person does now.
    pub fn author(&self, state: &WebState) -> Author {
        Author {
            account: Some(AccountId(self.person.account)),
            at: state.clock.now(),
        }
    }
}

impl FromRequestParts<WebState> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, PageError> {
        let page = parts.method == Method::GET
            && !parts.headers.contains_key("hx-request")
            && parts
                .headers
                .get(header::ACCEPT)
                .is_none_or(|accept| accept != "text/event-stream");
        let next = page.then(|| match parts.uri.path_and_query() {
            Some(path) => path.as_str().to_owned(),
            None => "/".to_owned(),
        });
        let refused = || PageError::SignIn { next: next.clone() };
        let failed = |error: tower_sessions::session::Error| PageError::Internal(error.to_string());
        let session = parts
            .extensions
            .get::<Session>()
            .cloned()
            .ok_or_else(refused)?;
        let id: Option<i64> = session.get(ACCOUNT).await.map_err(failed)?;
        let account = match id {
            Some(id) => state.store.account(AccountId(id)).await?,
            None => None,
        };
        let mark: Option<String> = session.get(PASSWORD).await.map_err(failed)?;
        let account = account
            .filter(|account| account.disabled.is_none())
            .filter(|account| mark == Some(password_mark(&account.password_hash)))
            .ok_or_else(refused)?;
        prolong(&session, state).await.map_err(failed)?;
        Ok(Self {
            person: SignedIn {
                account: account.id.0,
                name: account.name,
                email: account.email,
                roles: account.roles,
                employee: account.employee,
            },
        })
    }
}

/// Writing the session once a day moves its end.
async fn prolong(
    session: &Session,
    state: &WebState,
) -> Result<(), tower_sessions::session::Error> {
    let today = state.clock.real_now().as_second() / 86_400;
    let used_on: Option<i64> = session.get(USED_ON).await?;
    if used_on != Some(today) {
        session.insert(USED_ON, today).await?;
    }
    Ok(())
}

/// Hashing takes tens of milliseconds and 19 MiB: off the event loop, and only a few at a time.
#[derive(Clone, Debug)]
pub(crate) struct Passwords(Arc<Semaphore>);

/// The shortest password; length is what protects, so there are no rules about its characters.
pub(crate) const SHORTEST_PASSWORD: usize = 10;
/// Longer ones would only cost time.
pub(crate) const LONGEST_PASSWORD: usize = 256;

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(2)))
    }
}

impl Passwords {
    /// The PHC string of a new password.
    pub async fn hash(&self, password: String) -> Result<String, PageError> {
        self.off_loop(move || {
            let mut salt = [0_u8; 16];
            getrandom::fill(&mut salt).map_err(|error| PageError::Internal(error.to_string()))?;
            let salt = SaltString::encode_b64(&salt)
                .map_err(|error| PageError::Internal(error.to_string()))?;
            let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string())
                .map_err(|error| PageError::Internal(error.to_string()))
        })
        .await?
    }

    /// Whether the password is that of the hash. Without a hash, for an account that does not exist, it takes as long.
    pub async fn check(&self, password: String, hash: Option<String>) -> Result<bool, PageError> {
        self.off_loop(move || {
            let nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| nobody.to_owned());
            let fits = PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            });
            known && fits
        })
        .await
    }

    async fn off_loop<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PageError> {
        let _permit = self.0.acquire().await;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| PageError::Internal(error.to_string()))
    }
}

/// Counts failed sign-ins, by address of the account together with the network address, and by network address alone. In
/// memory: a restart forgives, which costs an attacker more than it gives.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<(Option<IpAddr>, String), Tries>>);

#[derive(Clone, Copy, Debug)]
struct Tries {
    failed: u32,
    since: Instant,
}

/// Tries within the window, for one account from one place, and for all accounts from one place.
const TRIES: u32 = 5;
const TRIES_OF_A_PLACE: u32 = 50;
const WINDOW: Duration = Duration::from_secs(5 * 60);
const REMEMBERED: usize = 10_000;

impl Throttle {
    fn keys(place: Option<IpAddr>, email: &str) -> [((Option<IpAddr>, String), u32); 2] {
        let email = email.trim().to_lowercase();
        [
            ((place, email), TRIES),
            ((place, String::new()), TRIES_OF_A_PLACE),
        ]
    }

    /// How many tries are left; 0 means wait.
    pub fn left(&self, place: Option<IpAddr>, email: &str, now: Instant) -> u32 {
        let tries = self.0.lock().expect("nobody panics while holding it");
        let left = Self::keys(place, email).into_iter().map(|(key, most)| {
            let failed = tries
                .get(&key)
                .filter(|tries| now.duration_since(tries.since) < WINDOW)
                .map_or(0, |tries| tries.failed);
            most.saturating_sub(failed)
        });
        left.min().unwrap_or(0)
    }

    pub fn failed(&self, place: Option<IpAddr>, email: &str, now: Instant) {
        let mut tries = self.0.lock().expect("nobody panics while holding it");
        if tries.len() > REMEMBERED {
            tries.retain(|_, tries| now.duration_since(tries.since) < WINDOW);
        }
        for (key, _) in Self::keys(place, email) {
            let entry = tries.entry(key).or_insert_with(|| Tries {
                failed: 0,
                since: now,
            });
            if now.duration_since(entry.since) >= WINDOW {
                entry.failed = 0;
                entry.since = now;
            }
            entry.failed += 1;
        }
    }

    pub fn succeeded(&self, place: Option<IpAddr>, email: &str) {
        let mut tries = self.0.lock().expect("nobody panics while holding it");
        let [(account, _), (place, _)] = Self::keys(place, email);
        tries.remove(&account);
        // It was counted beforehand, and a whole office may come from one address.
        if let Some(place) = tries.get_mut(&place) {
            place.failed = place.failed.saturating_sub(1);
        }
    }
}

/// The network address of a request, where the server knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(pub Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Place {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(info.map(|info| info.0.ip())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_guesses_then_wait() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for left in (0..5).rev() {
            throttle.failed(None, "a@b.c", now);
            assert_eq!(throttle.left(None, " A@B.C", now), left);
        }
        let others = throttle.left(None, "other@b.c", now);
        assert_eq!(others, 5, "nobody else is locked out");
        assert_eq!(throttle.left(None, "a@b.c", now + WINDOW), 5);
    }

    #[test]
    fn a_place_cannot_try_every_account() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..50 {
            throttle.failed(None, &format!("{n}@b.c"), now);
        }
        assert_eq!(throttle.left(None, "new@b.c", now), 0);
        throttle.succeeded(None, "49@b.c");
        let left = throttle.left(None, "new@b.c", now);
        assert_eq!(left, 1, "who knows the password was no guess");
    }

    #[tokio::test]
    async fn a_password_fits_only_its_hash() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash("correct horse".into())
            .await
            .expect("a hash");
        assert!(hash.starts_with("$argon2id$"));
        let check = async |password: &str, hash: Option<&String>| {
            let checked = passwords.check(password.into(), hash.cloned());
            checked.await.expect("checked")
        };
        assert!(check("correct horse", Some(&hash)).await);
        assert!(!check("wrong horse", Some(&hash)).await);
        assert!(!check("correct horse", None).await);
    }
}
