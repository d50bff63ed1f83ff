//! Terminals that call us: sockets, HTTP and limits. What a request says and what to answer is a [`PushProtocol`]'s.
//!
//! Nothing here is for a browser: no session, no redirect, no compression, no page, and a port of its own.

mod beside;
mod brands;
mod connection;
mod head;
mod hik;
mod listener;
mod network;
mod places;
mod wire;
mod zk;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use attendance::DeviceId;
use axum::body::Bytes;
pub use axum::http::{HeaderMap, StatusCode};

use store::StoreError;

pub use beside::beside_pages;
pub use brands::Brands;
pub use hik::HikPush;
pub use listener::{ListenError, PushListener, PushListenerOptions};
pub use network::{Network, NetworkError};
pub use zk::{ZkPush, ZkPushOptions};

/// Bodies that hold punches: terminals send a whole log at once after an outage.
pub const PUNCHES_LIMIT: usize = 32 * 1024 * 1024;
pub const PHOTO_LIMIT: usize = 20 * 1024 * 1024;
/// Every other body.
pub const OTHER_LIMIT: usize = 4 * 1024 * 1024;

/// What terminals say and are told. Both steps run outside the connection: a panic becomes a 500, a caller that hangs up does not
/// stop them half-way.
pub trait PushProtocol: Send + Sync + 'static {
    /// Decides before the body is read whether it is worth reading. Should take no longer than a look-up.
    fn decide(&self, head: &PushHead) -> impl Future<Output = Decision> + Send;

    /// Answers a request that arrived whole. A body that was cut short, came too slowly or was too long never gets here.
    fn answer(&self, request: PushRequest) -> impl Future<Output = PushAnswer> + Send;
}

/// A request without its body.
#[derive(Clone)]
pub struct PushHead {
    pub method: Method,
    /// As sent, with its escapes; begins with a slash unless it is empty.
    pub path: String,
    /// What follows the `?`, as sent, with its escapes; empty without one.
    pub query: String,
    pub headers: HeaderMap,
    /// Who calls; an IPv4 address is never written as an IPv6 one.
    pub peer: SocketAddr,
    /// `None` when the body comes in chunks.
    pub length: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    /// Like GET, but the caller never sees the body: hand out nothing that is handed out only once.
    Head,
    Post,
}

#[derive(Debug)]
pub enum Decision {
    /// The body is not read, and the connection ends after this answer.
    Refuse(PushAnswer),
    /// A body of at most so many bytes is read; a longer one is refused with 413.
    Read { limit: usize },
}

/// A request that arrived whole.
#[derive(Clone)]
pub struct PushRequest {
    pub head: PushHead,
    pub body: Bytes,
}

/// Short plain text, with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushAnswer {
    pub status: StatusCode,
    pub body: Vec<u8>,
    /// Seconds after which to come again.
    pub retry_after: Option<u32>,
}

impl PushAnswer {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::with(StatusCode::OK, body)
    }

    pub fn with(status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            retry_after: None,
        }
    }

    /// 503: the terminal keeps what it has and comes again after so many seconds.
    pub fn later(seconds: u32, body: impl Into<Vec<u8>>) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::with(StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}

/// Paths and queries hold secrets and whatever a stranger typed.
impl fmt::Debug for PushHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PushHead");
        shown.field("method", &self.method);
        shown.field("peer", &self.peer);
        shown.field("length", &self.length);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for PushRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PushRequest");
        shown.field("head", &self.head);
        shown.field("body", &self.body.len());
        shown.finish()
    }
}

/// How long callers may take and how much of us they may use. The defaults suit a company; tests make them small.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From its first byte, or from the beginning of the connection, to the end of a head.
    pub head: Duration,
    /// The whole body.
    pub body: Duration,
    /// The decision or the answer of the protocol.
    pub answer: Duration,
    /// From the first moment the caller does not take an answer to its end.
    pub write: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// How long a caller may go on sending after the last answer, so that the answer reaches it.
    pub linger: Duration,
    /// Answers under way when the server stops.
    pub stop: Duration,
    pub connections: usize,
    pub connections_per_address: usize,
    /// Bytes of bodies held at the same time, from their arrival until they are answered.
    pub bodies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            write: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            stop: Duration::from_secs(5),
            connections: 512,
            connections_per_address: 128,
            bodies: 128 * 1024 * 1024,
        }
    }
}

/// Reads again what could not be understood of a device; how much of it is understood now, and how much is not.
///
/// # Errors
/// When the database refuses.
pub async fn retry_parked(
    state: &crate::WebState,
    device: DeviceId,
) -> Result<(usize, usize), StoreError> {
    let callers = &state.engine.callers;
    callers.read_known().await?;
    match callers.caller(device) {
        Some(caller) if caller.has_place() => hik::retry_parked(state, &caller).await,
        Some(caller) => zk::retry_parked(state, &caller).await,
        None => Ok((0, state.store.parked_of(device).await?.len())),
    }
}

/// What a body above its limit is told, whether it was announced or came.
fn too_long() -> PushAnswer {
    PushAnswer::with(StatusCode::PAYLOAD_TOO_LARGE, "ERROR: body too long")
}
