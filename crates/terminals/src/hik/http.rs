//! One HTTP exchange with a terminal: signed, bounded in time and size, repeated only where that is safe.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hik_proto::{Challenged, DigestSession, LoginState, Offers, ResponseStatus, Sent};
use reqwest::{Method, StatusCode, header};

use super::HikLimits;
use crate::{Deadline, Retry, Step, Target, TerminalError, Transport};

/// Pauses before asking a busy terminal again.
const BUSY_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1500)];

/// A terminal's HTTP side. Requests need `&mut self`, so only one is ever in flight.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
    address: String,
    session: DigestSession,
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
    /// The terminal does not have this, or not for this account; with its words.
    NotAvailable(String),
}

impl Answer {
    pub(super) fn required(self, step: Step) -> Result<Vec<u8>, TerminalError> {
        match self {
            Self::Body(body) => Ok(body),
            Self::NotAvailable(detail) => Err(TerminalError::Refused { step, detail }),
        }
    }
}

struct Reply {
    status: StatusCode,
    offers: Offers,
    body: Vec<u8>,
}

impl Http {
    /// Resolves the host and prepares a client. Nothing is sent yet.
    pub(super) async fn open(
        target: &Target,
        deadline: Deadline,
        limits: HikLimits,
    ) -> Result<Self, TerminalError> {
        let (Some(user), Some(password)) =
            (&target.credentials.username, &target.credentials.password)
        else {
            return Err(TerminalError::Refused {
                step: Step::SignIn,
                detail: "a Hikvision terminal needs a user name and a password".to_owned(),
            });
        };
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .pool_max_idle_per_host(1)
            .connect_timeout(limits.connect);
        if target.transport == Transport::Tls {
            // reqwest panics without a process-wide provider; where there is one already, this changes nothing.
            let _ = rustls::crypto::ring::default_provider().install_default();
        } else {
            builder = builder.tls_backend_preconfigured(unused_tls());
        }
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
            session: DigestSession::new(user, password),
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
        self.call(step, Method::POST, uri, Some(body)).await
    }

    /// XML or JSON, as the body is.
    pub(super) async fn put(
        &mut self,
        step: Step,
        uri: &str,
        body: String,
    ) -> Result<Answer, TerminalError> {
        self.call(step, Method::PUT, uri, Some(body)).await
    }

    /// Asks again where the terminal is busy, then gives up until the next poll.
    async fn call(
        &mut self,
        step: Step,
        method: Method,
        uri: &str,
        body: Option<String>,
    ) -> Result<Answer, TerminalError> {
        let mut pauses = BUSY_PAUSES.iter();
        loop {
            let (sent, reply) = self.signed(step, &method, uri, body.as_ref()).await?;
            // The HTTP status of a refusal varies, 200 included; the body decides where there is one.
            let said = ResponseStatus::find(&reply.body).filter(|said| !said.is_ok());
            let detail = match &said {
                Some(said) => said.to_string(),
                None => format!("the terminal answers {}", reply.status),
            };
            let unknown = [
                StatusCode::NOT_FOUND,
                StatusCode::METHOD_NOT_ALLOWED,
                StatusCode::NOT_IMPLEMENTED,
            ];
            let passing = match &said {
                Some(said) if said.is_lock() => {
                    return Err(self.locked(sent, None));
                }
                Some(said) if said.is_not_available() => return Ok(Answer::NotAvailable(detail)),
                Some(said) => said.is_passing(),
                None if reply.status.is_success() => {
                    self.session.succeeded(sent);
                    return Ok(Answer::Body(reply.body));
                }
                None if unknown.contains(&reply.status) => {
                    return Ok(Answer::NotAvailable(detail));
                }
                None => reply.status.is_server_error(),
            };
            match pauses.next() {
                Some(pause) if passing => {
                    let pause = tokio::time::sleep(*pause);
                    self.deadline.cover(step, pause).await?;
                }
                _ => return Err(TerminalError::Refused { step, detail }),
            }
        }
    }

    /// Sends a request until it is answered with anything but a challenge. Ends: `DigestSession` asks for one or two more
    /// sendings, never for a third, and signs nothing after a refusal.
    async fn signed(
        &mut self,
        step: Step,
        method: &Method,
        uri: &str,
        body: Option<&String>,
    ) -> Result<(Sent, Reply), TerminalError> {
        loop {
            if self.session.is_refused() {
                return Err(TerminalError::AuthRefused);
            }
            let (sent, authorization) = self.session.sign(method.as_str(), uri);
            let (deadline, limit) = (self.deadline, self.limits.answer);
            self.answering = false;
            let exchange = self.exchange(step, method, uri, body, authorization);
            let reply = match deadline.within(step, limit, exchange).await.flatten() {
                Ok(reply) => reply,
                // Where the password is wrong, trying it again soon would be how an account gets locked.
                Err(error)
                    if sent == Sent::Fresh
                        && !self.answering
                        && !self.session.is_proven()
                        && error.retry() == Retry::Soon =>
                {
                    return Err(TerminalError::SignInUnanswered {
                        source: Box::new(error),
                    });
                }
                Err(error) => return Err(error),
            };
            self.first_answer.get_or_insert_with(Instant::now);
            if matches!(
                reply.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            ) {
                self.check_login(sent, &reply)?;
            }
            if reply.status != StatusCode::UNAUTHORIZED {
                self.session.accepted(sent, uri);
                return Ok((sent, reply));
            }
            let refused = |detail: &str| TerminalError::Refused {
                step: Step::SignIn,
                detail: detail.to_owned(),
            };
            match self.session.challenged(sent, uri, &reply.offers) {
                Challenged::Again => {}
                Challenged::Refused => {
                    if let Some(left) = LoginState::read(&reply.body).attempts_left {
                        tracing::warn!(
                            address = self.address,
                            left,
                            "password refused, the terminal allows {left} more attempts"
                        );
                    }
                    return Err(TerminalError::AuthRefused);
                }
                Challenged::NeverFresh if !self.session.is_proven() => {
                    return Err(TerminalError::SignInRepeated);
                }
                Challenged::NeverFresh => {
                    return Err(refused("the terminal calls its newest nonces stale"));
                }
                Challenged::OnlyBasic => {
                    return Err(refused(
                        "the terminal offers only Basic sign-in, which would send the password in clear",
                    ));
                }
                Challenged::NoChallenge => {
                    return Err(refused(
                        "the terminal wants a sign-in and offers none; it is busy or has locked us out",
                    ));
                }
            }
        }
    }

    /// A lock, or a refusal said in the body instead of by a challenge.
    fn check_login(&mut self, sent: Sent, reply: &Reply) -> Result<(), TerminalError> {
        let login = LoginState::read(&reply.body);
        if login.locked {
            return Err(self.locked(sent, login.unlock_in_secs));
        }
        let bad = ResponseStatus::find(&reply.body).is_some_and(|said| said.is_bad_sign_in());
        if bad && sent == Sent::Fresh && reply.offers.digest.is_empty() {
            self.session.refuse();
            return Err(TerminalError::AuthRefused);
        }
        Ok(())
    }

    /// A lock that answers our password was locked by it; any other one by somebody else's, and it ends by itself.
    fn locked(&mut self, sent: Sent, for_secs: Option<u32>) -> TerminalError {
        if sent == Sent::Fresh && !self.session.is_proven() {
            self.session.refuse();
            TerminalError::Locked { for_secs }
        } else {
            TerminalError::LockedOut { for_secs }
        }
    }

    /// One request and its answer, whatever it is.
    async fn exchange(
        &mut self,
        step: Step,
        method: &Method,
        uri: &str,
        body: Option<&String>,
        authorization: Option<String>,
    ) -> Result<Reply, TerminalError> {
        let mut request = self
            .client
            .request(method.clone(), format!("{}{uri}", self.base));
        if let Some(body) = body {
            let kind = match body.starts_with('<') {
                true => "application/xml",
                false => "application/json",
            };
            request = request
                .header(header::CONTENT_TYPE, kind)
                .body(body.clone());
        }
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let sent = request.send().await;
        let mut response = sent.map_err(|error| self.failure(step, &error))?;
        let status = response.status();
        self.answering = status.is_success();
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
        let offers = Offers::parse(challenges.iter().map(|value| value.as_bytes()));

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
        Ok(Reply {
            status,
            offers,
            body,
        })
    }

    fn failure(&self, step: Step, error: &reqwest::Error) -> TerminalError {
        if error.is_connect() && error.is_timeout() {
            TerminalError::Timeout {
                step: Step::Connect,
                after: self.limits.connect,
            }
        } else if error.is_connect() {
            TerminalError::Unreachable {
                address: self.address.clone(),
                source: io_error(error),
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
fn io_error(error: &reqwest::Error) -> io::Error {
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
