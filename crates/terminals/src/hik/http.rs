//! One HTTP exchange with a terminal: signed, bounded in time and size, repeated only where that is safe.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hik_proto::{
    Challenged, Condition, LoginState, Offers, Refusal, Request as Change, ResponseStatus, Sent,
};
use reqwest::{Method, StatusCode, header};

use super::HikLimits;
use super::gate::{Gate, REST, Turn};
use crate::tls::Tls;
use crate::{
    CertificatePin, Credentials, Deadline, Retry, Step, Target, TerminalError, Transport,
    WriteError,
};

/// Pauses before asking a busy terminal again.
const BUSY_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1500)];
/// How many answers of others a request waits for.
const WAITS_FOR_ANSWERS: u32 = 3;

/// A terminal's HTTP side. Requests go through the gate that all connections to the terminal share, so only one is in flight.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
    address: String,
    gate: Gate,
    credentials: Credentials,
    tls: Option<Tls>,
    deadline: Deadline,
    limits: HikLimits,
    first_answer: Option<Instant>,
    /// The head of the answer under way has come, and is no refusal.
    answering: bool,
}

/// What a request brought, apart from errors.
#[derive(Debug)]
pub(super) enum Answer {
    Body(Vec<u8>),
    /// The terminal does not have this, or not for this account.
    NotAvailable(Denied),
}

/// The words of a terminal that says no, and what they mean where that is known.
#[derive(Clone, Debug)]
pub(super) struct Denied {
    pub(super) detail: String,
    pub(super) condition: Option<Condition>,
}

impl Denied {
    pub(super) fn of(said: Option<&ResponseStatus>, status: StatusCode) -> Self {
        match said {
            Some(said) => Self {
                detail: said.to_string(),
                condition: said.condition(),
            },
            None => Self {
                detail: format!("the terminal answers {status}"),
                condition: None,
            },
        }
    }

    pub(super) fn at(self, step: Step) -> TerminalError {
        let Self { detail, condition } = self;
        match condition {
            Some(condition) => TerminalError::Condition {
                step,
                condition,
                detail,
            },
            None => TerminalError::Refused { step, detail },
        }
    }
}

impl Answer {
    pub(super) fn required(self, step: Step) -> Result<Vec<u8>, TerminalError> {
        match self {
            Self::Body(body) => Ok(body),
            Self::NotAvailable(denied) => Err(denied.at(step)),
        }
    }
}

/// What a request that changes something brought, apart from errors.
#[derive(Debug)]
pub(super) enum Changed {
    Done,
    Refused(ResponseStatus),
}

/// What opening a stream brought, apart from errors.
#[derive(Debug)]
pub(super) enum Opened {
    /// Its body goes on for as long as the terminal likes; no limit of ours is on it any more.
    Stream(reqwest::Response),
    Refused {
        status: StatusCode,
        said: Option<ResponseStatus>,
    },
}

/// What is sent with a request.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) kind: String,
    pub(super) bytes: Vec<u8>,
}

impl Content {
    /// XML or JSON, by its first character.
    pub(super) fn of(text: String) -> Self {
        let kind = match text.starts_with('<') {
            true => "application/xml",
            false => "application/json",
        };
        Self {
            kind: kind.to_owned(),
            bytes: text.into_bytes(),
        }
    }
}

/// One request, to be sent as often as the sign-in takes.
#[derive(Clone, Copy, Debug)]
struct Request<'a> {
    step: Step,
    method: &'a Method,
    uri: &'a str,
    content: Option<&'a Content>,
    /// The body of a good answer is left unread.
    stream: bool,
}

struct Reply {
    status: StatusCode,
    offers: Offers,
    body: Vec<u8>,
    /// A stream that has begun; then the body is empty.
    stream: Option<reqwest::Response>,
}

impl Http {
    /// Resolves the host and prepares a client. Nothing is sent yet.
    pub(super) async fn open(
        target: &Target,
        deadline: Deadline,
        limits: HikLimits,
    ) -> Result<Self, TerminalError> {
        let Some(login) = target.credentials.login() else {
            return Err(TerminalError::Refused {
                step: Step::SignIn,
                detail: "a Hikvision terminal needs a user name and a password".to_owned(),
            });
        };
        let gate = Gate::of(target, login);
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .pool_max_idle_per_host(1)
            .connect_timeout(limits.connect)
            // A stream without heartbeats whose other end is gone: noticed after a minute.
            .tcp_keepalive(Duration::from_secs(30))
            .tcp_keepalive_interval(Duration::from_secs(10))
            .tcp_keepalive_retries(3);
        let tls = (target.transport == Transport::Tls).then(|| gate.tls(target.certificate));
        builder = builder.tls_backend_preconfigured(match &tls {
            Some(tls) => tls.config(),
            None => unused_tls(),
        });
        if target.host.parse::<IpAddr>().is_err() {
            let lookup = tokio::net::lookup_host((target.host.as_str(), target.port));
            let addresses: Vec<SocketAddr> = deadline
                .within(Step::Resolve, limits.connect, lookup)
                .await?
                .map_err(|source| TerminalError::Resolve {
                    address: target.address(),
                    source,
                })?
                .collect();
            builder = builder.resolve_to_addrs(&target.host, &addresses);
        }
        let client = builder
            .build()
            .map_err(|error| TerminalError::Unreachable {
                address: target.address(),
                source: io_error(&error),
            })?;
        let scheme = match target.transport {
            Transport::Tls => "https",
            Transport::Tcp | Transport::Udp | Transport::Unknown => "http",
        };
        Ok(Self {
            client,
            base: format!("{scheme}://{}", target.address()),
            address: target.address(),
            gate,
            credentials: target.credentials.clone(),
            tls,
            deadline,
            limits,
            first_answer: None,
            answering: false,
        })
    }

    /// When the terminal answered for the first time, with whatever.
    pub(super) fn first_answer(&self) -> Option<Instant> {
        self.first_answer
    }

    /// The certificate the terminal showed; none without TLS.
    pub(super) fn certificate(&self) -> Option<CertificatePin> {
        self.tls.as_ref().and_then(Tls::shown)
    }

    pub(super) fn renew(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Whether the deadline leaves no room for another request that takes long.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_near(self.limits.answer)
    }

    pub(super) async fn get(&mut self, step: Step, uri: &str) -> Result<Answer, TerminalError> {
        self.call(step, Method::GET, uri, None).await
    }

    pub(super) async fn post(
        &mut self,
        step: Step,
        uri: &str,
        body: String,
    ) -> Result<Answer, TerminalError> {
        self.call(step, Method::POST, uri, Some(Content::of(body)))
            .await
    }

    /// Opens a stream, with a POST where there is something to send: only its head is waited for, and other requests may go
    /// out while it lasts.
    pub(super) async fn open_stream(
        &mut self,
        step: Step,
        uri: &str,
        content: Option<&Content>,
    ) -> Result<Opened, TerminalError> {
        let method = match content {
            Some(_) => Method::POST,
            None => Method::GET,
        };
        let request = Request {
            step,
            method: &method,
            uri,
            content,
            stream: true,
        };
        let limit = WAITS_FOR_ANSWERS * self.limits.answer;
        let mut turn = self.gate.enter(step, self.deadline, limit).await?;
        let (sent, reply) = self.signed(&mut turn, request).await?;
        if let Some(response) = reply.stream {
            turn.digest.succeeded(sent);
            if sent != Sent::Unsigned {
                self.gate.accepted();
            }
            return Ok(Opened::Stream(response));
        }
        match ResponseStatus::find(&reply.body) {
            Some(said) if said.is_lock() => Err(self.locked(&turn, sent, None)),
            said => Ok(Opened::Refused {
                status: reply.status,
                said,
            }),
        }
    }

    pub(super) fn limits(&self) -> HikLimits {
        self.limits
    }

    pub(super) async fn pause(&self, step: Step, pause: Duration) -> Result<(), TerminalError> {
        self.deadline.cover(step, tokio::time::sleep(pause)).await
    }

    pub(super) async fn call(
        &mut self,
        step: Step,
        method: Method,
        uri: &str,
        content: Option<Content>,
    ) -> Result<Answer, TerminalError> {
        let request = Request {
            step,
            method: &method,
            uri,
            content: content.as_ref(),
            stream: false,
        };
        Ok(match self.asked_again(request).await? {
            Ok(reply) => Answer::Body(reply.body),
            Err(denied) => Answer::NotAvailable(denied),
        })
    }

    /// Asks again where the terminal is busy, then gives up until the next poll. `Err` inside: not available.
    async fn asked_again(
        &mut self,
        request: Request<'_>,
    ) -> Result<Result<Reply, Denied>, TerminalError> {
        let step = request.step;
        let mut pauses = BUSY_PAUSES.iter();
        loop {
            let mut turn = self
                .gate
                .enter(step, self.deadline, WAITS_FOR_ANSWERS * self.limits.answer)
                .await?;
            let (sent, reply) = self.signed(&mut turn, request).await?;
            // The HTTP status of a refusal varies, 200 included; the body decides where there is one.
            let said = ResponseStatus::find(&reply.body).filter(|said| !said.is_ok());
            let denied = Denied::of(said.as_ref(), reply.status);
            let unknown = [
                StatusCode::NOT_FOUND,
                StatusCode::METHOD_NOT_ALLOWED,
                StatusCode::NOT_IMPLEMENTED,
            ];
            let passing = match &said {
                Some(said) if said.is_lock() => {
                    return Err(self.locked(&turn, sent, None));
                }
                Some(said) if said.is_not_available() => return Ok(Err(denied)),
                Some(said) => said.is_passing(),
                None if reply.status.is_success() => {
                    turn.digest.succeeded(sent);
                    if sent != Sent::Unsigned {
                        self.gate.accepted();
                    }
                    return Ok(Ok(reply));
                }
                None if unknown.contains(&reply.status) => {
                    return Ok(Err(denied));
                }
                None => reply.status.is_server_error(),
            };
            drop(turn);
            match pauses.next() {
                Some(pause) if passing => {
                    let pause = tokio::time::sleep(*pause);
                    self.deadline.cover(step, pause).await?;
                }
                _ => return Err(denied.at(step)),
            }
        }
    }

    /// Sends a request until it is answered with anything but a challenge. Ends: `DigestSession` asks for one or two more
    /// sendings, never for a third.
    async fn signed(
        &mut self,
        turn: &mut Turn,
        request: Request<'_>,
    ) -> Result<(Sent, Reply), TerminalError> {
        let (step, uri) = (request.step, request.uri);
        loop {
            let (sent, authorization) = match self.credentials.login() {
                Some(login) => turn.digest.sign(login, request.method.as_str(), uri),
                None => (Sent::Unsigned, None),
            };
            let (deadline, limit) = (self.deadline, self.limits.answer);
            self.answering = false;
            let exchange = self.exchange(request, authorization);
            let reply = match deadline.within(step, limit, exchange).await.flatten() {
                Ok(reply) => reply,
                // Where the password is wrong, trying it again soon would be how an account gets locked.
                Err(error)
                    if sent == Sent::Fresh
                        && !self.answering
                        && !turn.digest.is_proven()
                        && error.retry() == Retry::Soon =>
                {
                    return Err(TerminalError::SignInUnanswered {
                        source: Box::new(error),
                    });
                }
                Err(error) => {
                    if sent == Sent::Fresh && !self.answering {
                        turn.digest.doubt();
                    }
                    return Err(error);
                }
            };
            self.first_answer.get_or_insert_with(Instant::now);
            if matches!(
                reply.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            ) {
                self.check_login(turn, sent, &reply)?;
            }
            if reply.status != StatusCode::UNAUTHORIZED {
                turn.digest.accepted(sent, uri);
                return Ok((sent, reply));
            }
            let refused = |detail: &str| TerminalError::Refused {
                step: Step::SignIn,
                detail: detail.to_owned(),
            };
            let proven = turn.digest.is_proven();
            let left = LoginState::read(&reply.body).attempts_left;
            match turn.digest.challenged(sent, uri, &reply.offers) {
                Challenged::Again if proven || sent != Sent::Unsigned => {}
                Challenged::Again => self.gate.may_sign(left)?,
                Challenged::Refused => return Err(self.refused(left)),
                Challenged::NeverFresh if !proven => {
                    self.gate.refused(None);
                    return Err(TerminalError::SignInRepeated);
                }
                Challenged::NeverFresh => {
                    turn.digest.doubt();
                    return Err(refused("the terminal calls its newest nonces stale"));
                }
                Challenged::OnlyBasic => {
                    return Err(refused(
                        "the terminal offers only Basic sign-in, which would send the password in clear",
                    ));
                }
                Challenged::NoChallenge => {
                    self.gate.rests();
                    return Err(TerminalError::Resting {
                        for_secs: REST.as_secs(),
                    });
                }
            }
        }
    }

    /// A lock, or a refusal said in the body instead of by a challenge.
    fn check_login(&self, turn: &Turn, sent: Sent, reply: &Reply) -> Result<(), TerminalError> {
        let login = LoginState::read(&reply.body);
        if login.locked {
            return Err(self.locked(turn, sent, login.unlock_in_secs));
        }
        let bad = ResponseStatus::find(&reply.body).is_some_and(|said| said.is_bad_sign_in());
        if bad && sent == Sent::Fresh && reply.offers.digest.is_empty() {
            return Err(self.refused(login.attempts_left));
        }
        Ok(())
    }

    fn refused(&self, attempts_left: Option<u32>) -> TerminalError {
        self.gate.refused(attempts_left);
        if let Some(left) = attempts_left {
            tracing::warn!(
                address = self.address,
                left,
                "password refused, the terminal allows {left} more attempts"
            );
        }
        TerminalError::AuthRefused
    }

    /// A lock that answers our password was locked by it; any other one by somebody else's, and it ends by itself.
    fn locked(&self, turn: &Turn, sent: Sent, for_secs: Option<u32>) -> TerminalError {
        self.gate.locked(for_secs);
        if sent == Sent::Fresh && !turn.digest.is_proven() {
            self.gate.refused(None);
            TerminalError::Locked { for_secs }
        } else {
            TerminalError::LockedOut { for_secs }
        }
    }

    /// One request and its answer, whatever it is.
    async fn exchange(
        &mut self,
        request: Request<'_>,
        authorization: Option<String>,
    ) -> Result<Reply, TerminalError> {
        let step = request.step;
        let url = format!("{}{}", self.base, request.uri);
        let mut sending = self.client.request(request.method.clone(), url);
        if let Some(content) = request.content {
            sending = sending
                .header(header::CONTENT_TYPE, &content.kind)
                .body(content.bytes.clone());
        }
        if let Some(authorization) = authorization {
            sending = sending.header(header::AUTHORIZATION, authorization);
        }
        let sent = sending.send().await;
        let mut response = sent.map_err(|error| self.failure(step, &error))?;
        let status = response.status();
        self.answering = status.is_success();
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
        let offers = Offers::parse(challenges.iter().map(|value| value.as_bytes()));
        let reply = |body, stream| Reply {
            status,
            offers,
            body,
            stream,
        };
        if request.stream && status.is_success() && is_multipart(&response) {
            return Ok(reply(Vec::new(), Some(response)));
        }

        let limit = self.limits.body;
        let too_large = |announced| TerminalError::TooLarge {
            step,
            announced,
            limit,
        };
        if let Some(announced) = response.content_length().filter(|length| *length > limit) {
            return Err(too_large(announced));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.failure(step, &error))?
        {
            let length = (body.len() + chunk.len()) as u64;
            if length > limit {
                return Err(too_large(length));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(reply(body, None))
    }

    /// One GET without a sign-in, whatever the answer is.
    pub(super) async fn get_unsigned(
        &mut self,
        step: Step,
        uri: &str,
    ) -> Result<(StatusCode, Vec<u8>), TerminalError> {
        let request = Request {
            step,
            method: &Method::GET,
            uri,
            content: None,
            stream: false,
        };
        let (deadline, limit) = (self.deadline, self.limits.answer);
        let reply = deadline.within(step, limit, self.exchange(request, None));
        let reply = reply.await.flatten()?;
        Ok((reply.status, reply.body))
    }

    fn failure(&self, step: Step, error: &reqwest::Error) -> TerminalError {
        if let Some(failure) = self.tls.as_ref().and_then(|tls| {
            let cause = tls_error(error)?;
            Some(tls.failure(&self.address, cause))
        }) {
            return failure;
        }
        if error.is_connect() && error.is_timeout() {
            TerminalError::Timeout {
                step: Step::Connect,
                after: self.limits.connect,
            }
        } else if error.is_connect() {
            let source = io_error(error);
            let address = self.address.clone();
            // A connection that was made and went away again went away in the handshake.
            let gone = [
                io::ErrorKind::UnexpectedEof,
                io::ErrorKind::ConnectionReset,
                io::ErrorKind::BrokenPipe,
            ];
            match self.tls.is_some() && gone.contains(&source.kind()) {
                true => TerminalError::Tls { address, source },
                false => TerminalError::Unreachable { address, source },
            }
        } else if causes(error)
            .filter_map(|cause| cause.downcast_ref::<hyper::Error>())
            .any(hyper::Error::is_parse)
        {
            TerminalError::Malformed {
                step,
                detail: "the answer is no HTTP".to_owned(),
            }
        } else {
            TerminalError::Cut {
                step,
                source: io_error(error),
            }
        }
    }

    /// Changes something. Sent again only to a terminal that says it is busy, and so has done nothing.
    pub(super) async fn change(&mut self, change: &Change) -> Result<Changed, TerminalError> {
        let step = Step::Write;
        let method = match change.method() {
            hik_proto::Method::Post => Method::POST,
            hik_proto::Method::Put => Method::PUT,
        };
        let content = Content {
            kind: change.content_type().to_owned(),
            bytes: change.body().to_vec(),
        };
        let request = Request {
            step,
            method: &method,
            uri: change.path(),
            content: Some(&content),
            stream: false,
        };
        let mut pauses = BUSY_PAUSES.iter();
        loop {
            let mut turn = self
                .gate
                .enter(step, self.deadline, WAITS_FOR_ANSWERS * self.limits.answer)
                .await?;
            let signed = self.signed(&mut turn, request).await;
            let (sent, reply) = signed.map_err(unsure)?;
            let said = match ResponseStatus::find(&reply.body) {
                Some(said) if said.is_lock() => return Err(self.locked(&turn, sent, None)),
                Some(said) if !said.is_ok() => said,
                None if !reply.status.is_success() => without_words(reply.status),
                Some(_) | None => {
                    turn.digest.succeeded(sent);
                    if sent != Sent::Unsigned {
                        self.gate.accepted();
                    }
                    return Ok(Changed::Done);
                }
            };
            drop(turn);
            match pauses.next() {
                Some(pause) if said.refusal() == Refusal::For(Condition::Busy) => {
                    self.pause(step, *pause).await?;
                }
                _ => return Ok(Changed::Refused(said)),
            }
        }
    }
}

/// What an HTTP status means that comes without a body of its own.
fn without_words(status: StatusCode) -> ResponseStatus {
    let (code, sub_code) = match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            (4, "notSupport")
        }
        StatusCode::FORBIDDEN => (4, "lowPrivilege"),
        StatusCode::SERVICE_UNAVAILABLE => (2, ""),
        status if status.is_server_error() => (3, ""),
        _ => (6, ""),
    };
    ResponseStatus {
        code,
        sub_code: sub_code.to_owned(),
        text: format!("the terminal answers {status}"),
    }
}

/// An answer that cannot be understood came after the change was sent.
fn unsure(error: TerminalError) -> TerminalError {
    match error {
        TerminalError::Malformed {
            step: Step::Write, ..
        }
        | TerminalError::TooLarge {
            step: Step::Write, ..
        } => WriteError::Unsure {
            detail: error.to_string(),
        }
        .into(),
        error => error,
    }
}

/// A refusal may come with status 200, and a stream without any type.
fn is_multipart(response: &reqwest::Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_none_or(|kind| kind.as_bytes().starts_with(b"multipart/"))
}

/// What rustls says, which hides inside an error of the operating system.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|cause| {
        let mut inner = cause.downcast_ref::<io::Error>()?.get_ref()?;
        while let Some(deeper) = inner
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            inner = deeper;
        }
        inner.downcast_ref::<rustls::Error>()
    })
}

/// TLS for connections that never use it: reqwest would otherwise load the system's certificates for every client, a few
/// milliseconds for each terminal of each poll, and fail on machines that have none.
fn unused_tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The operating system's error inside an HTTP error, or its last cause as one: the layers between say nothing to a person.
pub(super) fn io_error(error: &reqwest::Error) -> io::Error {
    let inner = causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .last();
    if let Some(code) = inner.and_then(io::Error::raw_os_error) {
        return io::Error::from_raw_os_error(code);
    }
    let kind = inner.map_or(io::ErrorKind::UnexpectedEof, io::Error::kind);
    let last = causes(error).last().map(ToString::to_string);
    io::Error::new(kind, last.unwrap_or_default())
}
