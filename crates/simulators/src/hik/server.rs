//! The port of a terminal: connections, requests, and the faults that meet them.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::fault::{Fault, FaultRule, Stage};
use super::hosts::HOSTS;
use super::http::{self, Answer, Delivery, Request, RequestReader};
use super::isapi::Device;
use super::push;
use super::refusal::Refusal;
use super::running::{Asked, Counts};
use super::sign_in::{Gate, Verdict};
use super::stream::{self, Opened, Place};
use super::tls;

pub(super) const BACKLOG: u32 = 1024;
const ASKED_KEPT: usize = 64;
/// What `Fault::Locked` says is left of the lock.
const LOCKED_SECONDS: i64 = 1768;

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) line: Mutex<Line>,
    /// Tells the accept loop and all connections that `line` is another one.
    pub(super) changes: watch::Sender<()>,
    /// Tells streams that the log is another one, or that they are to end.
    pub(super) grown: watch::Sender<()>,
    pub(super) keeps_alive: bool,
    pub(super) delay: Duration,
}

pub(super) enum Line {
    Up(TcpListener),
    /// Offline; the socket keeps the port and does not listen.
    Down(Option<TcpSocket>),
    Ended,
}

pub(super) struct State {
    pub(super) device: Device,
    pub(super) gate: Gate,
    pub(super) faults: Vec<FaultRule>,
    pub(super) counts: Counts,
    pub(super) asked: VecDeque<Asked>,
    pub(super) in_flight: u64,
    /// When a stream was asked for last, with or without credentials.
    pub(super) stream_asked: Option<Instant>,
}

struct Reply {
    answer: Answer,
    delivery: Delivery,
    delay: Duration,
    /// Goes on as a stream instead of answering.
    stream: Option<Opened>,
}

impl Shared {
    // A panic under one of the locks is a failed test already; the others may go on.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers, and tells the streams what the answer did to the log.
    fn answer(self: &Arc<Self>, request: &Request, peer: SocketAddr) -> Reply {
        let mut state = self.state();
        let before = state.device.log.state();
        let path = request.path();
        let told = path == stream::UNSUBSCRIBE || path.starts_with(HOSTS);
        let reply = state.reply(request, peer);
        let changed = told || state.device.log.state() != before;
        if state.device.must_push() {
            tokio::spawn(push::run(self.clone()));
        }
        drop(state);
        if changed {
            self.grown.send_replace(());
        }
        reply
    }

    pub(super) fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reply(&mut self, request: &Request, peer: SocketAddr) -> Reply {
        let counts = &mut self.counts;
        counts.requests += 1;
        counts.bytes_in += request.size as u64;
        *counts.by_path.entry(request.path().to_owned()).or_default() += 1;
        let reply = self.judge(request, peer);
        if self.asked.len() == ASKED_KEPT {
            self.asked.pop_front();
        }
        let answered = !matches!(
            reply.delivery,
            Delivery::Silent | Delivery::Dropped | Delivery::Garbage
        );
        self.asked.push_back(Asked {
            method: request.method.clone(),
            target: request.target.clone(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            status: if answered { reply.answer.status } else { 0 },
        });
        reply
    }

    fn judge(&mut self, request: &Request, peer: SocketAddr) -> Reply {
        let mut since_asked = None;
        if stream::is_path(request.path()) {
            let before = self.stream_asked.replace(Instant::now());
            since_asked = before.map(|before| before.elapsed());
        }
        let early = self.take_faults(Stage::Early, request.path());
        if early.contains(&Fault::Silent) {
            return Reply::new(Answer::new(500, http::XML, ""), Delivery::Silent);
        }
        if early.contains(&Fault::Busy) {
            return self.device.refuse(Refusal::BUSY, request).into();
        }
        let is_new = early.contains(&Fault::NotActivated);
        if request.path() == "/SDK/activateStatus" {
            return self.device.activation(!is_new).into();
        }
        if is_new {
            return self.device.refuse(Refusal::NOT_ACTIVATED, request).into();
        }
        if early.contains(&Fault::BareUnauthorized) {
            let page = "<html><head><title>Document Error: Unauthorized</title></head></html>\n";
            return Answer::new(401, "text/html", page).into();
        }
        if early.contains(&Fault::Locked) {
            self.counts.while_locked += 1;
            return self.gate.locked_answer(LOCKED_SECONDS).into();
        }
        let now = (self.device.clock)().timestamp();
        let always_stale = early.contains(&Fault::AlwaysStale);
        let verdict = self.gate.admit(request, peer.ip(), now, always_stale);
        let counts = &mut self.counts;
        match verdict {
            Verdict::Unsigned(challenge) => {
                counts.unsigned += 1;
                challenge.into()
            }
            Verdict::Stale(challenge) => {
                counts.stale += 1;
                challenge.into()
            }
            Verdict::Refused(challenge) => {
                counts.refused_sign_ins += 1;
                challenge.into()
            }
            Verdict::RefusedAndLocked(answer) => {
                counts.refused_sign_ins += 1;
                answer.into()
            }
            Verdict::Locked(answer) => {
                counts.while_locked += 1;
                answer.into()
            }
            Verdict::Signed => {
                counts.signed += 1;
                let faults = self.take_faults(Stage::Late, request.path());
                self.signed(request, peer.ip(), since_asked, &faults)
            }
        }
    }

    fn signed(
        &mut self,
        request: &Request,
        peer: IpAddr,
        since_asked: Option<Duration>,
        faults: &[Fault],
    ) -> Reply {
        for fault in faults {
            match fault {
                Fault::ClockJump(by) => self.device.jump_clock(*by),
                Fault::SerialReset => self.device.log.reset(),
                _ => {}
            }
        }
        let lacks = faults
            .iter()
            .any(|fault| matches!(fault, Fault::Lacks(right) if right.is_needed(request)));
        let mut stream = None;
        let mut answer = if lacks {
            self.device.refuse(Refusal::LOW_PRIVILEGE, request)
        } else if faults.contains(&Fault::ErrorInOk) {
            self.device.refuse(Refusal::DEVICE_ERROR_IN_OK, request)
        } else if stream::is_path(request.path()) {
            match self.device.open_stream(request, peer, since_asked, faults) {
                Ok(opened) => {
                    self.counts.streams += 1;
                    self.counts.streams_open += 1;
                    stream = Some(opened);
                    Answer::new(200, http::XML, "")
                }
                Err(refusal) => self.device.refuse(refusal, request),
            }
        } else {
            self.device.answer(request, faults)
        };
        let mut wait = Duration::ZERO;
        let mut delivery = Delivery::Whole;
        for fault in faults {
            match fault {
                Fault::Slow(delay) => wait = *delay,
                Fault::Dribble(pause) => delivery = Delivery::Dribble(*pause),
                Fault::CutMidBody => delivery = Delivery::CutMidBody,
                Fault::StallMidBody => delivery = Delivery::StallMidBody,
                Fault::WrongContentLength(by) => delivery = Delivery::WrongLength(*by),
                Fault::Garbage => delivery = Delivery::Garbage,
                Fault::HugeBody => delivery = Delivery::Endless(Some(4 << 30)),
                Fault::EndlessBody => delivery = Delivery::Endless(None),
                Fault::GarbageBody => answer.body = b"\x1f\x8b\x08\x00\xff\xfe{]<\x00".to_vec(),
                _ => {}
            }
        }
        Reply {
            answer,
            delivery,
            delay: wait,
            stream,
        }
    }

    pub(super) fn take_faults(&mut self, stage: Stage, path: &str) -> Vec<Fault> {
        self.faults
            .iter_mut()
            .filter_map(|rule| rule.meets(stage, path).then(|| rule.fault.clone()))
            .collect()
    }
}

impl Reply {
    fn new(answer: Answer, delivery: Delivery) -> Self {
        Self {
            answer,
            delivery,
            delay: Duration::ZERO,
            stream: None,
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::new(answer, Delivery::Whole)
    }
}

impl From<Option<Answer>> for Reply {
    /// No answer drops the connection.
    fn from(answer: Option<Answer>) -> Self {
        match answer {
            Some(answer) => answer.into(),
            None => Self::new(Answer::new(500, http::XML, ""), Delivery::Dropped),
        }
    }
}

/// Puts a terminal on `addr`; it runs until its line is ended.
pub(super) fn open(
    mut device: Device,
    gate: Gate,
    keeps_alive: bool,
    delay: Duration,
    addr: SocketAddr,
) -> io::Result<(Arc<Shared>, SocketAddr)> {
    let listener = bind(addr)?.listen(BACKLOG)?;
    let addr = listener.local_addr()?;
    device.addr = addr;
    let state = State {
        device,
        gate,
        faults: Vec::new(),
        counts: Counts::default(),
        asked: VecDeque::new(),
        in_flight: 0,
        stream_asked: None,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        line: Mutex::new(Line::Up(listener)),
        changes: watch::channel(()).0,
        grown: watch::channel(()).0,
        keeps_alive,
        delay,
    });
    if shared.state().device.must_push() {
        tokio::spawn(push::run(shared.clone()));
    }
    tokio::spawn(accept(shared.clone(), shared.changes.subscribe()));
    Ok((shared, addr))
}

/// Counts a request as under way until dropped, also when its connection is.
struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn begin(shared: &'a Shared) -> Self {
        let mut state = shared.state();
        state.in_flight += 1;
        state.counts.most_at_once = state.counts.most_at_once.max(state.in_flight);
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
    }
}

async fn accept(shared: Arc<Shared>, mut changes: watch::Receiver<()>) {
    while !matches!(*shared.line(), Line::Ended) {
        // The listener is only touched under its lock, so that going offline closes the port at once.
        let accepted = std::future::poll_fn(|context| match &*shared.line() {
            Line::Up(listener) => listener.poll_accept(context),
            Line::Down(_) | Line::Ended => Poll::Pending,
        });
        tokio::select! {
            biased;
            _ = changes.changed() => {}
            accepted = accepted => match accepted {
                Ok((stream, peer)) => {
                    shared.state().counts.connections += 1;
                    tokio::spawn(connection(shared.clone(), stream, peer, changes.clone()));
                }
                // Out of file handles, most likely; the connections that end give some back.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    mut changes: watch::Receiver<()>,
) {
    tokio::select! {
        biased;
        _ = changes.changed() => {}
        _ = greet(&shared, stream, peer) => {}
    }
}

/// Plain HTTP, or HTTPS on a terminal that has a certificate.
async fn greet(shared: &Arc<Shared>, mut stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (certificate, faults) = {
        let mut state = shared.state();
        let certificate = state.device.certificate.clone();
        let faults = match &certificate {
            Some(_) => state.take_faults(Stage::Handshake, ""),
            None => Vec::new(),
        };
        (certificate, faults)
    };
    let Some(certificate) = certificate else {
        return converse(shared, stream, peer).await;
    };
    if let Some(fault) = faults.first() {
        return tls::fail_handshake(&mut stream, fault).await;
    }
    let stream = certificate.acceptor().accept(stream).await?;
    converse(shared, stream, peer).await
}

async fn converse<S>(shared: &Arc<Shared>, stream: S, peer: SocketAddr) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (reading, mut writing) = tokio::io::split(stream);
    let mut requests = RequestReader::new(reading);
    while let Some(request) = requests.next().await {
        let under_way = InFlight::begin(shared);
        let Reply {
            answer,
            delivery,
            delay,
            stream,
        } = shared.answer(&request, peer);
        let _place = stream.as_ref().map(|opened| Place::of(opened, shared));
        tracing::trace!(
            method = request.method,
            target_path = request.target,
            status = answer.status,
            "asked"
        );
        let delay = shared.delay + delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if let Some(opened) = stream {
            drop((under_way, request));
            let mut reading = requests.into_inner();
            return stream::run(shared, opened, &mut reading, &mut writing).await;
        }
        let keep_alive = shared.keeps_alive
            && !request
                .header("connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let (sent, goes_on) = http::deliver(&mut writing, &answer, delivery, keep_alive).await?;
        shared.state().counts.bytes_out += sent as u64;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

pub(super) fn bind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}
