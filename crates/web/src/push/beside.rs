//! Terminals that call the port of the pages, because that is the address somebody typed into them.
//!
//! They are answered as on a port of their own, but for what only that one can: request lines that an HTTP library refuses, and
//! the bounds on connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{self, Body};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method as HttpMethod, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use ingest::Clock;

use super::{
    Brands, Decision, Method, Network, PushAnswer, PushHead, PushProtocol, PushRequest, connection,
    too_long,
};

/// For the whole body.
const BODY_WITHIN: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Beside(Arc<Inner>);

struct Inner {
    protocol: Brands,
    networks: Vec<Network>,
    clock: Clock,
}

/// The pages, with terminals answered beside them: outside of everything that is for browsers.
pub fn beside_pages(
    pages: Router,
    protocol: Brands,
    networks: Vec<Network>,
    clock: Clock,
) -> Router {
    let beside = Beside(Arc::new(Inner {
        protocol,
        networks,
        clock,
    }));
    pages.layer(middleware::from_fn_with_state(beside, divert))
}

async fn divert(
    State(beside): State<Beside>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !Brands::serves(request.uri().path()) {
        return next.run(request).await;
    }
    let answer = beside.answer(peer, request).await;
    beside.response(answer)
}

impl Beside {
    async fn answer(&self, peer: SocketAddr, request: Request) -> PushAnswer {
        let networks = &self.0.networks;
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if !networks.is_empty() && !networks.iter().any(|n| n.contains(peer.ip())) {
            return PushAnswer::with(StatusCode::FORBIDDEN, "ERROR: not from here\n");
        }
        let (parts, body) = request.into_parts();
        let method = match parts.method {
            HttpMethod::GET => Method::Get,
            HttpMethod::HEAD => Method::Head,
            HttpMethod::POST => Method::Post,
            _ => {
                return PushAnswer::with(StatusCode::METHOD_NOT_ALLOWED, "ERROR: no such method\n");
            }
        };
        let head = PushHead {
            method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            peer,
            length: None,
        };
        let limit = match self.0.protocol.decide(&head).await {
            Decision::Refuse(answer) => return answer,
            Decision::Read { limit } => limit,
        };
        let body = tokio::time::timeout(BODY_WITHIN, body::to_bytes(body, limit)).await;
        let Ok(Ok(body)) = body else {
            return too_long();
        };
        // Goes on when the terminal hangs up.
        let protocol = self.0.protocol.clone();
        let answering =
            tokio::spawn(async move { protocol.answer(PushRequest { head, body }).await });
        answering.await.unwrap_or_else(|_panic| {
            PushAnswer::with(StatusCode::INTERNAL_SERVER_ERROR, "ERROR: not answered\n")
        })
    }

    fn response(&self, answer: PushAnswer) -> Response {
        let headers = connection::headers(&answer, &self.0.clock, false);
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        response.headers_mut().extend(headers);
        response
    }
}
