//! A virtual Hikvision terminal: ISAPI over HTTP with digest authentication, an event log, people, and faults.
//!
//! [`VirtualTerminal`] says what the terminal is, [`RunningTerminal`] is it on a port: events and faults come and go
//! while it runs, and it counts what it was asked. Time is the [`Clock`] it is given; it never reads the system's.
//! Reading only; the live stream, push, discovery, TLS and writing people are not here.
//!
//! ```
//! use jiff::{Zoned, civil::date};
//! use simulators::hik::{Event, Fault, Login, User, VirtualTerminal, stopped};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let noon: Zoned = "2026-03-02T12:00:00+01:00[Europe/Berlin]".parse()?;
//! let terminal = VirtualTerminal::new("GB9637211", Login::new("operator", "Abc12345"), stopped(noon))
//!     .users([User::new("1042", "Aziza K.").card("0012345678")])
//!     .events([Event::face("1042", date(2026, 3, 2).at(8, 58, 30, 0))])
//!     .noise(3)
//!     .start("127.0.0.1:0")
//!     .await?;
//! assert_eq!(terminal.serial_number(), "DS-K1T342MFX-E120250307V043800ENGB9637211");
//!
//! // http://{terminal.addr()}/ISAPI/… now answers. While it runs:
//! terminal.punch("1042", date(2026, 3, 2).at(12, 0, 10, 0));
//! terminal.set_fault(Fault::CutMidBody.on("/ISAPI/AccessControl/AcsEvent").after(1).times(1));
//! terminal.clear_faults();
//! assert_eq!(terminal.counts().requests, 0);
//! # Ok(())
//! # }
//! ```

mod clock;
mod fault;
mod http;
mod isapi;
mod json;
mod log;
mod sign_in;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs};
use tokio::sync::watch;

pub use clock::{Clock, Moment, TimeNotation, ZoneNotation, stopped};
pub use fault::{Fault, FaultRule, UnknownFault};
pub use isapi::OverCap;
pub use log::{Event, User};
pub use sign_in::{ChallengeForm, LockOut, LockedAnswer, Login, Nonces, Offer};

use fault::Stage;
use http::{Answer, Delivery, Request, RequestReader};
use isapi::{Device, Refusal};
use log::Log;
use sign_in::{Gate, Verdict};

/// What a virtual terminal is: identity, account, firmware habits, people, events. [`start`](Self::start) puts it
/// on a port.
#[must_use = "a terminal does nothing before `start`"]
pub struct VirtualTerminal {
    device: Device,
    full_serial: Option<String>,
    label_serial: String,
    gate: Gate,
    realm: Option<String>,
    events: Vec<Event>,
    faults: Vec<FaultRule>,
    keeps_alive: bool,
    delay: Duration,
}

impl VirtualTerminal {
    /// A DS-K1T342MFX-E1 with firmware V4.38.0, MD5 digest, reusable nonces, lock-out after five attempts, pages of
    /// 30 rows, attendance mode on, no people and no events.
    ///
    /// `label_serial` is the short serial number of the label, such as `GB9637211`; `deviceInfo` answers the full
    /// form: model, date of manufacture, firmware, language, label.
    pub fn new(label_serial: impl Into<String>, login: Login, clock: Clock) -> Self {
        let label_serial = label_serial.into();
        let device = Device {
            clock,
            serial_number: String::new(),
            device_name: "Main entrance".to_owned(),
            model: "DS-K1T342MFX-E1".to_owned(),
            firmware: "V4.38.0".to_owned(),
            mac: String::new(),
            namespace: "http://www.isapi.org/ver20/XMLSchema".to_owned(),
            zone_notation: ZoneNotation::Full,
            time_notation: TimeNotation::Offset,
            verify_mode: "cardOrFace".to_owned(),
            attendance_mode: true,
            page_cap: 30,
            announced_page_cap: 30,
            over_cap: OverCap::Clamp,
            ignores_serials: false,
            keeps_searches: false,
            refuses_in_xml: false,
            log: Log::default(),
            kept_searches: VecDeque::new(),
        };
        Self {
            device,
            full_serial: None,
            gate: Gate::new(login, String::new()),
            label_serial,
            realm: None,
            events: Vec::new(),
            faults: Vec::new(),
            keeps_alive: false,
            delay: Duration::ZERO,
        }
    }

    /// The serial number exactly as `deviceInfo` answers it; OEM units answer anything.
    pub fn serial_number(mut self, full: impl Into<String>) -> Self {
        self.full_serial = Some(full.into());
        self
    }

    pub fn name(mut self, device_name: impl Into<String>) -> Self {
        self.device.device_name = device_name.into();
        self
    }

    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.device.model = model.into();
        self
    }

    /// As `deviceInfo` answers it: `V4.38.0`.
    pub fn firmware(mut self, firmware: impl Into<String>) -> Self {
        self.device.firmware = firmware.into();
        self
    }

    /// The namespace of XML bodies; firmwares differ.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.device.namespace = namespace.into();
        self
    }

    pub fn offer(mut self, offer: Offer) -> Self {
        self.gate.offer = offer;
        self
    }

    pub fn challenge_form(mut self, form: ChallengeForm) -> Self {
        self.gate.form = form;
        self
    }

    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    pub fn nonces(mut self, nonces: Nonces) -> Self {
        self.gate.nonces = nonces;
        self
    }

    /// Says `stale="false"` even when the nonce was the only thing wrong, as many firmwares do.
    pub fn hides_staleness(mut self) -> Self {
        self.gate.hides_staleness = true;
        self
    }

    pub fn lock_out(mut self, lock_out: LockOut) -> Self {
        self.gate.lock_out = lock_out;
        self
    }

    pub fn zone_notation(mut self, notation: ZoneNotation) -> Self {
        self.device.zone_notation = notation;
        self
    }

    pub fn time_notation(mut self, notation: TimeNotation) -> Self {
        self.device.time_notation = notation;
        self
    }

    /// `currentVerifyMode` of all rows that do not say their own.
    pub fn verify_mode(mut self, verify_mode: impl Into<String>) -> Self {
        self.device.verify_mode = verify_mode.into();
        self
    }

    /// Without it rows have no `attendanceStatus` at all.
    pub fn attendance_mode(mut self, on: bool) -> Self {
        self.device.attendance_mode = on;
        self
    }

    /// The most rows a page carries, announced and kept.
    pub fn page_cap(mut self, rows: usize) -> Self {
        self.device.page_cap = rows;
        self.device.announced_page_cap = rows;
        self
    }

    /// Announces another page size in the capabilities than it keeps.
    pub fn announced_page_cap(mut self, rows: usize) -> Self {
        self.device.announced_page_cap = rows;
        self
    }

    pub fn over_cap(mut self, over_cap: OverCap) -> Self {
        self.device.over_cap = over_cap;
        self
    }

    /// Ignores `beginSerialNo` and `endSerialNo`, as old firmware does.
    pub fn ignores_serials(mut self) -> Self {
        self.device.ignores_serials = true;
        self
    }

    /// Answers a `searchID` it has seen with the conditions, the page size and the rows of the first time.
    pub fn keeps_searches(mut self) -> Self {
        self.device.keeps_searches = true;
        self
    }

    /// Answers errors in XML even where JSON was asked for.
    pub fn refuses_in_xml(mut self) -> Self {
        self.device.refuses_in_xml = true;
        self
    }

    /// How many events the ring holds before the oldest is overwritten; 150,000 if not said.
    pub fn capacity(mut self, events: usize) -> Self {
        self.device.log.capacity = events.max(1);
        self
    }

    /// The serial number of the first event; goes up to 3,000,000,000 on real terminals.
    pub fn first_serial(mut self, serial_no: u32) -> Self {
        self.device.log.next_serial = serial_no;
        self
    }

    /// Rows of doors, locks, buttons and alarms for each event of a person. Three is usual.
    pub fn noise(mut self, rows_per_punch: u32) -> Self {
        self.device.log.noise = rows_per_punch;
        self
    }

    pub fn users(mut self, users: impl IntoIterator<Item = User>) -> Self {
        for user in users {
            self.device.log.put_user(user);
        }
        self
    }

    /// Events in the order of their serial numbers, which need not be that of their times.
    pub fn events(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.events.extend(events);
        self
    }

    pub fn fault(mut self, rule: impl Into<FaultRule>) -> Self {
        self.faults.push(rule.into());
        self
    }

    /// Keeps connections open between requests; otherwise each answer says `Connection: close`.
    pub fn keeps_alive(mut self) -> Self {
        self.keeps_alive = true;
        self
    }

    /// How long each answer takes. Real terminals take 0.1 to 0.3 seconds.
    pub fn answers_after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Listens on `addr`; port 0 takes a free one. Runs in the present tokio runtime until the handle is dropped.
    ///
    /// # Errors
    ///
    /// `addr` does not resolve or cannot be bound, or the password is empty.
    pub async fn start(self, addr: impl ToSocketAddrs) -> io::Result<RunningTerminal> {
        let Self {
            mut device,
            full_serial,
            label_serial,
            mut gate,
            realm,
            events,
            faults,
            keeps_alive,
            delay,
        } = self;
        if gate.login.password.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a virtual terminal needs a password",
            ));
        }
        device.serial_number = full_serial.unwrap_or_else(|| {
            let version = version_digits(&device.firmware);
            format!("{}20250307V{version}EN{label_serial}", device.model)
        });
        gate.realm = realm.unwrap_or_else(|| sign_in::realm_of(&device.serial_number));
        device.mac = mac_of(&gate.realm);
        for event in events {
            device.append(event);
        }
        let addr = tokio::net::lookup_host(addr).await?.next().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "the address resolves to nothing",
            )
        })?;
        let listener = bind(addr)?.listen(BACKLOG)?;
        let addr = listener.local_addr()?;
        let serial_number = device.serial_number.clone();
        let state = State {
            device,
            gate,
            faults: Vec::new(),
            counts: Counts::default(),
            asked: VecDeque::new(),
            in_flight: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            line: Mutex::new(Line::Up(listener)),
            changes: watch::channel(()).0,
            keeps_alive,
            delay,
        });
        let running = RunningTerminal {
            runtime: tokio::runtime::Handle::current(),
            shared,
            addr,
            serial_number,
        };
        tokio::spawn(accept(
            running.shared.clone(),
            running.shared.changes.subscribe(),
        ));
        for rule in faults {
            running.set_fault(rule);
        }
        Ok(running)
    }
}

impl std::fmt::Debug for VirtualTerminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VirtualTerminal")
            .field("label_serial", &self.label_serial)
            .field("model", &self.device.model)
            .finish_non_exhaustive()
    }
}

/// A virtual terminal on a port. Dropping it ends it and all its connections.
pub struct RunningTerminal {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
    addr: SocketAddr,
    serial_number: String,
}

impl RunningTerminal {
    /// Stays the same while the terminal is offline.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The full form, as `deviceInfo` answers it.
    pub fn serial_number(&self) -> &str {
        &self.serial_number
    }

    /// The last nine characters of the serial number: what the label says and people type.
    pub fn label_serial(&self) -> &str {
        let at = self.serial_number.len().saturating_sub(9);
        self.serial_number.get(at..).unwrap_or(&self.serial_number)
    }

    /// Somebody is recognised by face, with the noise around it. Returns the serial number of the event.
    pub fn punch(&self, employee_no: impl Into<String>, at: impl Into<Moment>) -> u32 {
        self.push(Event::face(employee_no, at))
    }

    /// Adds an event, with the noise around it when it is a person's. Returns its serial number.
    pub fn push(&self, event: Event) -> u32 {
        self.shared.state().device.append(event)
    }

    /// Adds a person, or replaces the one with the same number.
    pub fn add_user(&self, user: User) {
        self.shared.state().device.log.put_user(user);
    }

    /// Whether there was such a person. Their events stay, without a name.
    pub fn remove_user(&self, employee_no: &str) -> bool {
        self.shared.state().device.log.remove_user(employee_no)
    }

    /// Events in the log, noise included.
    pub fn event_count(&self) -> usize {
        self.shared.state().device.log.rows.len()
    }

    /// Adds a fault to those that are set.
    pub fn set_fault(&self, rule: impl Into<FaultRule>) {
        let rule = rule.into();
        if rule.fault.stage() == Stage::Line {
            self.go_offline();
        } else {
            self.shared.state().faults.push(rule);
        }
    }

    /// Ends all faults and brings the terminal back on its port if it was offline.
    ///
    /// # Panics
    ///
    /// Another process has taken the port meanwhile.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
        self.go_online()
            .expect("the port of the terminal is kept for it");
    }

    /// Closes the port and all connections: connecting is refused.
    pub fn go_offline(&self) {
        let _runtime = self.runtime.enter();
        let mut line = self.shared.line();
        if matches!(*line, Line::Up(_)) {
            // The listener must be gone before its port can be kept by a socket that does not listen.
            *line = Line::Down(None);
            self.shared.changes.send_replace(());
            *line = Line::Down(bind(self.addr).ok());
        }
    }

    /// Comes back on the same port, with its log and without the nonces it gave out, as after a restart.
    ///
    /// # Errors
    ///
    /// Another process has taken the port meanwhile.
    pub fn go_online(&self) -> io::Result<()> {
        let _runtime = self.runtime.enter();
        let mut line = self.shared.line();
        if let Line::Down(kept) = &mut *line {
            let socket = match kept.take() {
                Some(socket) => socket,
                None => bind(self.addr)?,
            };
            *line = Line::Up(socket.listen(BACKLOG)?);
            self.shared.state().gate.restart();
            self.shared.changes.send_replace(());
        }
        Ok(())
    }

    /// The clock jumps, or runs from now on otherwise. Events keep their times.
    pub fn set_clock(&self, clock: Clock) {
        self.shared.state().device.clock = clock;
    }

    pub fn set_password(&self, password: impl Into<String>) {
        self.shared.state().gate.login.password = password.into();
    }

    /// Forgets all events; serial numbers begin at 1 again, as after a factory restore.
    pub fn reset_serials(&self) {
        self.shared.state().device.log.reset();
    }

    /// What happened since the start or the last [`reset_counts`](Self::reset_counts).
    pub fn counts(&self) -> Counts {
        self.shared.state().counts.clone()
    }

    pub fn reset_counts(&self) {
        let mut state = self.shared.state();
        state.counts = Counts::default();
        state.asked.clear();
    }

    /// The last 64 requests, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.iter().cloned().collect()
    }
}

impl std::fmt::Debug for RunningTerminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningTerminal")
            .field("serial_number", &self.serial_number)
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

impl Drop for RunningTerminal {
    fn drop(&mut self) {
        *self.shared.line() = Line::Ended;
        self.shared.changes.send_replace(());
    }
}

/// What a terminal was asked, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: u64,
    /// All requests, with those that only fetched a challenge.
    pub requests: u64,
    /// Requests by path, without the query.
    pub by_path: BTreeMap<String, u64>,
    /// Requests that were signed correctly and answered.
    pub signed: u64,
    /// Requests without credentials.
    pub unsigned: u64,
    /// Requests with the right password on a nonce that was no longer good.
    pub stale: u64,
    /// Wrong passwords, those that lock included. What a client must keep at one.
    pub refused_sign_ins: u64,
    /// Requests from an address that is locked out.
    pub while_locked: u64,
    /// The most requests that were under way at one time.
    pub most_at_once: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// One request and the status of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub body: String,
    /// 0 when there was no answer.
    pub status: u16,
}

const BACKLOG: u32 = 1024;
const ASKED_KEPT: usize = 64;
/// What `Fault::Locked` says is left of the lock.
const LOCKED_SECONDS: i64 = 1768;

struct Shared {
    state: Mutex<State>,
    line: Mutex<Line>,
    /// Tells the accept loop and all connections that `line` is another one.
    changes: watch::Sender<()>,
    keeps_alive: bool,
    delay: Duration,
}

enum Line {
    Up(TcpListener),
    /// Offline; the socket keeps the port and does not listen.
    Down(Option<TcpSocket>),
    Ended,
}

struct State {
    device: Device,
    gate: Gate,
    faults: Vec<FaultRule>,
    counts: Counts,
    asked: VecDeque<Asked>,
    in_flight: u64,
}

struct Reply {
    answer: Answer,
    delivery: Delivery,
    delay: Duration,
}

impl Shared {
    // A panic under one of the locks is a failed test already; the others may go on.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
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
        let early = self.take_faults(Stage::Early, request.path());
        if early.contains(&Fault::Silent) {
            return Reply::new(Answer::new(500, http::XML, ""), Delivery::Silent);
        }
        if early.contains(&Fault::Busy) {
            return self.device.refuse(Refusal::Busy, request).into();
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
                self.signed(request, &faults)
            }
        }
    }

    fn signed(&mut self, request: &Request, faults: &[Fault]) -> Reply {
        let mut answer = if faults.contains(&Fault::ErrorInOk) {
            self.device.refuse(Refusal::DeviceErrorInOk, request)
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
        }
    }

    fn take_faults(&mut self, stage: Stage, path: &str) -> Vec<Fault> {
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
        _ = converse(&shared, stream, peer) => {}
    }
}

async fn converse(shared: &Shared, mut stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reading, mut writing) = stream.split();
    let mut requests = RequestReader::new(reading);
    while let Some(request) = requests.next().await {
        let _under_way = InFlight::begin(shared);
        let Reply {
            answer,
            delivery,
            delay,
        } = shared.state().reply(&request, peer);
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

fn bind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// `V4.38.0` as it stands in serial numbers: `043800`.
fn version_digits(firmware: &str) -> String {
    let mut parts = firmware
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse::<u8>().unwrap_or(0) % 100);
    let mut next = || parts.next().unwrap_or(0);
    format!("{:02}{:02}{:02}", next(), next(), next())
}

/// A hardware address in one of the vendor's ranges, from the eight digits of the realm.
fn mac_of(realm: &str) -> String {
    let digits: Vec<char> = realm
        .chars()
        .rev()
        .filter(char::is_ascii_hexdigit)
        .chain(std::iter::repeat('0'))
        .take(6)
        .map(|digit| digit.to_ascii_lowercase())
        .collect();
    let [a, b, c, d, e, f] = digits[..] else {
        unreachable!("six digits were taken");
    };
    format!("c0:6d:ed:{a}{b}:{c}{d}:{e}{f}")
}
