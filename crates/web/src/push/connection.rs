//! One connection of a caller: its requests are received within their limits, put to the protocol and answered, in order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use futures_util::StreamExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ingest::Clock;
use jiff::fmt::rfc2822;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::places::Seat;
use super::wire::{Heads, Wire};
use super::{Decision, Limits, Method, PushAnswer, PushHead, PushProtocol, PushRequest};

/// Above a head whose every byte had to be escaped.
const LIBRARY_BUFFER: usize = 64 * 1024;
/// Bodies are accounted for in units of so many bytes.
const UNIT: usize = 4096;
/// When somebody may come again for whom there was no room.
const CROWDED_SECS: u32 = 30;

/// What all connections work with.
pub(super) struct Service<P> {
    pub protocol: P,
    pub clock: Clock,
    pub limits: Arc<Limits>,
    bodies: Arc<Semaphore>,
}

/// Serves one connection until it ends, is asked to leave, or the server stops: then what is under way is answered.
pub(super) async fn serve<P: PushProtocol>(
    service: Arc<Service<P>>,
    stream: TcpStream,
    peer: SocketAddr,
    seat: Seat,
    mut closing: watch::Receiver<bool>,
) {
    let heads = Heads::default();
    let wire = Wire::new(
        stream,
        service.limits.clone(),
        seat.state.clone(),
        heads.clone(),
    );
    let answer = service_fn(move |request| {
        let head = heads.take();
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.respond(head, peer, request).await) }
    });
    let connection = http1::Builder::new()
        .half_close(true)
        .title_case_headers(true)
        .auto_date_header(false)
        .header_read_timeout(None)
        .max_buf_size(LIBRARY_BUFFER)
        .serve_connection(TokioIo::new(wire), answer);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = seat.state.asked_to_leave() => {
            if !seat.state.is_busy() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = async { let _stopping = closing.wait_for(|closing| *closing).await; } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        let error = &error as &dyn std::error::Error;
        tracing::debug!(%peer, error, "the connection of a caller ended early");
    }
}

impl<P: PushProtocol> Service<P> {
    pub(super) fn new(protocol: P, clock: Clock, limits: Arc<Limits>) -> Self {
        Self {
            protocol,
            clock,
            bodies: Arc::new(Semaphore::new(limits.bodies / UNIT)),
            limits,
        }
    }

    async fn respond(
        self: Arc<Self>,
        head: Option<Result<bool, PushAnswer>>,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let (answer, keeps) = match head {
            Some(Ok(keeps)) => {
                let exchange = tokio::spawn(self.clone().exchange(peer, request));
                match exchange.await {
                    Ok((answer, whole)) => (answer, keeps && whole),
                    Err(error) => {
                        tracing::error!(%peer, %error, "the answer to a terminal failed");
                        let status = StatusCode::INTERNAL_SERVER_ERROR;
                        (PushAnswer::with(status, "ERROR: internal"), false)
                    }
                }
            }
            Some(Err(refusal)) => (refusal, false),
            None => (short_body(), false),
        };
        let headers = headers(&answer, &self.clock, keeps);
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        response.headers_mut().extend(headers);
        response
    }

    /// The answer, and whether the request was received whole.
    async fn exchange(
        self: Arc<Self>,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> (PushAnswer, bool) {
        let slow = || PushAnswer::later(CROWDED_SECS, "ERROR: busy");
        let (parts, incoming) = request.into_parts();
        let head = PushHead {
            method: match parts.method {
                axum::http::Method::HEAD => Method::Head,
                axum::http::Method::POST => Method::Post,
                _ => Method::Get,
            },
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            peer,
            length: incoming.size_hint().exact(),
        };
        let limit = match timeout(self.limits.answer, self.protocol.decide(&head)).await {
            Ok(Decision::Read { limit }) => limit,
            Ok(Decision::Refuse(answer)) => return (answer, false),
            Err(_elapsed) => return (slow(), false),
        };
        let received = self.receive(incoming, head.length, limit);
        let (body, _held) = match timeout(self.limits.body, received).await {
            Ok(Ok(body)) => body,
            Ok(Err(refusal)) => return (refusal, false),
            Err(_elapsed) => {
                let text = "ERROR: body too slow";
                return (PushAnswer::with(StatusCode::REQUEST_TIMEOUT, text), false);
            }
        };
        let answer = self.protocol.answer(PushRequest { head, body });
        match timeout(self.limits.answer, answer).await {
            Ok(answer) => (answer, true),
            Err(_elapsed) => (slow(), true),
        }
    }

    /// The whole body, and the room it takes until that is dropped. Takes no more than twice what arrived.
    async fn receive(
        &self,
        incoming: Incoming,
        announced: Option<u64>,
        limit: usize,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), PushAnswer> {
        let most = match announced.map(usize::try_from) {
            None => limit,
            Some(Ok(length)) if length <= limit => length,
            Some(_) => return Err(super::too_long()),
        };
        let mut body = Vec::new();
        let mut room: Option<OwnedSemaphorePermit> = None;
        let mut parts = Body::new(incoming).into_data_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|_cut| short_body())?;
            let length = body.len() + part.len();
            if length > most {
                return Err(super::too_long());
            }
            if length > body.capacity() {
                let wanted = (body.capacity() * 2).min(most).max(length);
                let more = wanted.div_ceil(UNIT) - body.capacity().div_ceil(UNIT);
                let more = u32::try_from(more).map_err(|_| super::too_long())?;
                let more = self.bodies.clone().try_acquire_many_owned(more);
                let more = more.map_err(|_full| PushAnswer::later(CROWDED_SECS, "ERROR: busy"))?;
                match &mut room {
                    Some(room) => room.merge(more),
                    None => room = Some(more),
                }
                body.reserve_exact(wanted - body.len());
            }
            body.extend_from_slice(&part);
        }
        Ok((body.into(), room))
    }
}

fn short_body() -> PushAnswer {
    PushAnswer::with(StatusCode::BAD_REQUEST, "ERROR: short body\n")
}

/// An answer for somebody who is not served, as it goes over the wire.
pub(super) fn crowded(clock: &Clock) -> Vec<u8> {
    let answer = PushAnswer::later(CROWDED_SECS, "ERROR: too many connections");
    let mut text = format!("HTTP/1.1 {}\r\n", answer.status).into_bytes();
    for (name, value) in headers(&answer, clock, false) {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(&answer.body);
    text
}

/// In the order in which the vendor's servers send them. Terminals set their clock by the date.
pub(super) fn headers(
    answer: &PushAnswer,
    clock: &Clock,
    keeps: bool,
) -> Vec<(HeaderName, HeaderValue)> {
    let date = rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&clock.now())
        .ok()
        .and_then(|date| HeaderValue::try_from(date).ok());
    let mut headers = Vec::with_capacity(7);
    headers.extend(date.map(|date| (header::DATE, date)));
    headers.push((header::CONTENT_TYPE, HeaderValue::from_static("text/plain")));
    headers.push((header::CONTENT_LENGTH, answer.body.len().into()));
    if !keeps {
        headers.push((header::CONNECTION, HeaderValue::from_static("close")));
    }
    headers.extend(answer.retry_after.map(|s| (header::RETRY_AFTER, s.into())));
    headers.push((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    if answer.status == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = HeaderValue::from_static("GET, HEAD, POST");
        headers.push((header::ALLOW, allowed));
    }
    headers
}
