//! Everything people look at in a browser: pages, the live stream, signing in.
//!
//! Owns HTML and words. Contains no SQL and no rule: what is shown comes from `store`, what is decided from `attendance`.

mod assets;
mod board;
mod devices;
mod error;
mod format;
mod guard;
mod live;
mod pages;
pub mod push;
mod roles;
mod session;
mod sight;
mod text;
mod ui;
pub mod why;

use std::net::SocketAddr;
use std::sync::Arc;

use attendance::AccountId;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use ingest::{Change, Clock, Engine};
use store::{Store, StoreError};
use tokio::sync::watch;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::Duration as CookieDuration;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::board::Boards;
use crate::session::{Passwords, SESSION_DAYS, Sessions, Throttle};

/// What the operator decides about the pages.
#[derive(Clone, Debug, Default)]
pub struct WebConfig {
    /// Cookies only over TLS: set it whenever people reach us by `https://`.
    pub secure_cookies: bool,
    /// A one-time link signs in to this account instead of making one. For the demo, whose company is there already.
    pub link_signs_in: Option<AccountId>,
    /// Where terminals call, for people who set one up; empty when this process does not know.
    pub push_addresses: Vec<SocketAddr>,
    /// A name or address and a port by which terminals reach us, where that is another one than we listen on.
    pub push_advertise: Option<String>,
    /// They have to call a secret path there.
    pub push_has_path_secret: bool,
}

/// What the pages work with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WebState {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) engine: Engine,
    pub(crate) boards: Boards,
    pub(crate) config: Arc<WebConfig>,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Arc<Throttle>,
    closing: watch::Sender<bool>,
}

impl WebState {
    /// Pages over the engine's store, on its clock. What people enter wakes the engine, whether or not it was started.
    pub fn new(engine: Engine, config: WebConfig) -> Self {
        Self {
            boards: Boards::new(engine.store.clone(), engine.clock.clone()),
            store: engine.store.clone(),
            clock: engine.clock.clone(),
            engine,
            config: Arc::new(config),
            passwords: Passwords::default(),
            throttle: Arc::default(),
            closing: watch::Sender::new(false),
        }
    }

    /// Keeps the boards fresh until the state is closed. Spawn it once beside the server.
    pub async fn run(self) {
        let mut closing = self.closing();
        let boards = self.boards.clone().run(self.engine.changes.clone());
        tokio::select! {
            () = boards => {}
            _closed = closing.wait_for(|closing| *closing) => {}
        }
    }

    /// Brings the boards up to date at once, as [`WebState::run`] does after every change.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refresh(&self, change: &Change) -> Result<(), StoreError> {
        self.boards.refresh(change).await
    }

    /// Ends the live streams, so that a server that stops gracefully does not wait for them.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Returns once [`WebState::close`] was called.
    pub async fn closed(&self) {
        let mut closing = self.closing();
        let _sender_is_ours = closing.wait_for(|closing| *closing).await;
    }

    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }
}

/// Only whether the process is up and its database reachable, for a process that shows no pages.
pub fn health_router(state: WebState) -> Router {
    Router::new()
        .route("/healthz", get(guard::healthz))
        .route("/readyz", get(guard::readyz))
        .with_state(state)
}

/// Every page. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that guessing passwords is slowed
/// down by network address.
pub fn router(state: WebState) -> Router {
    let sessions = SessionManagerLayer::new(Sessions {
        store: state.store.clone(),
        clock: state.clock.clone(),
    })
    .with_name("muster")
    .with_secure(state.config.secure_cookies)
    .with_http_only(true)
    .with_same_site(SameSite::Lax)
    .with_expiry(Expiry::OnInactivity(CookieDuration::days(SESSION_DAYS)));
    let pages = Router::new()
        .route("/", get(pages::home))
        .route("/today", get(pages::today::show))
        .route("/today/arrivals", get(pages::today::arrivals))
        .route("/live/today", get(live::today))
        .merge(pages::routes())
        .layer(sessions);
    Router::new()
        .merge(pages)
        .route("/healthz", get(guard::healthz))
        .route("/readyz", get(guard::readyz))
        .route("/assets/{name}", get(assets::serve))
        .fallback(guard::not_found)
        .layer(middleware::from_fn(guard::check_origin))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            guard::show_errors,
        ))
        .layer(middleware::from_fn(guard::add_headers))
        .layer(CompressionLayer::new().compress_when(compressible()))
        .layer(DefaultBodyLimit::max(4 * 1024 * 1024))
        .with_state(state)
}

/// Everything but what is compressed already: an Excel file is an archive.
fn compressible() -> impl Predicate {
    let excel = exports::Format::Xlsx.media_type();
    DefaultPredicate::new().and(NotForContentType::const_new(excel))
}

/// Random letters and digits, two for each byte.
pub(crate) fn random_text(bytes: usize) -> String {
    let mut random = vec![0_u8; bytes];
    getrandom::fill(&mut random).expect("the system gives random numbers");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
