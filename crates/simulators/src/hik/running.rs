//! A terminal on a port: what happens to it while it runs, and what it was asked.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::ToSocketAddrs;

use super::clock::{Clock, Moment};
use super::fault::{FaultRule, Stage};
use super::hosts::{HttpHost, Slot};
use super::isapi::Device;
use super::log::{Event, User};
use super::push::AfterReboot;
use super::sadp::{self, Sadp};
use super::server::{self, BACKLOG, Line, Shared, bind};
use super::sign_in::Gate;
use super::tls::Certificate;

/// A virtual terminal on a port. Dropping it ends it and all its connections.
pub struct RunningTerminal {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
    addr: SocketAddr,
    serial_number: String,
    sadp_addr: Option<SocketAddr>,
}

impl RunningTerminal {
    pub(super) async fn start(
        device: Device,
        gate: Gate,
        keeps_alive: bool,
        delay: Duration,
        addr: impl ToSocketAddrs,
    ) -> io::Result<Self> {
        let addr = tokio::net::lookup_host(addr).await?.next().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "the address resolves to nothing",
            )
        })?;
        let serial_number = device.serial_number.clone();
        let sadp = device.sadp.clone();
        let (shared, addr) = server::open(device, gate, keeps_alive, delay, addr)?;
        let mut running = Self {
            runtime: tokio::runtime::Handle::current(),
            shared,
            addr,
            serial_number,
            sadp_addr: None,
        };
        if let Some(sadp) = sadp {
            running.sadp_addr = Some(sadp::open(&running.shared, sadp)?);
        }
        Ok(running)
    }

    /// Stays the same while the terminal is offline.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens to those who look for terminals.
    pub fn sadp_addr(&self) -> Option<SocketAddr> {
        self.sadp_addr
    }

    /// From now on it is found otherwise; where it listens stays.
    pub fn set_sadp(&self, sadp: Sadp) {
        self.shared.state().device.sadp = Some(sadp);
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
        let serial_no = self.shared.state().device.append(event);
        self.shared.grown.send_replace(());
        serial_no
    }

    /// All open streams say nothing more and stay open, as after a cable was pulled.
    pub fn hang_streams(&self) {
        self.shared.state().device.hang_streams();
        self.shared.grown.send_replace(());
    }

    /// All open streams are closed.
    pub fn end_streams(&self) {
        self.shared.state().device.end_streams();
        self.shared.grown.send_replace(());
    }

    /// Adds a person, or replaces the one with the same number.
    pub fn add_user(&self, user: User) {
        self.shared.state().device.log.put_user(user);
    }

    /// Whether there was such a person. Their events stay, without a name.
    pub fn remove_user(&self, employee_no: &str) -> bool {
        self.shared.state().device.log.remove_user(employee_no)
    }

    /// The people on it, in the order in which they were enrolled.
    pub fn users(&self) -> Vec<User> {
        self.shared.state().device.log.users.to_vec()
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
            let mut state = self.shared.state();
            state.gate.restart();
            state.challenges = 0;
            drop(state);
            self.shared.changes.send_replace(());
        }
        Ok(())
    }

    /// Starts again: all connections end, streams and nonces are forgotten, and the slots of servers are what
    /// [`Push::after_reboot`](super::Push::after_reboot) says.
    ///
    /// # Errors
    ///
    /// Another process has taken the port meanwhile.
    pub fn reboot(&self) -> io::Result<()> {
        self.go_offline();
        {
            let mut state = self.shared.state();
            let device = &mut state.device;
            match device.push.after_reboot {
                AfterReboot::Resumes => {}
                AfterReboot::Forgets => device.slots.fill(Slot::empty()),
                AfterReboot::StaysMute => device.pushes = false,
            }
            let now = (device.clock)();
            device.append(Event::new(3, 123, &now));
            device.append(Event::new(2, 1024, &now));
        }
        self.go_online()
    }

    /// Has another address from now on, as after a lease ran out; all connections end, and nobody listens at the old one.
    ///
    /// # Errors
    ///
    /// `addr` cannot be bound; the terminal stays where it is.
    pub fn move_to(&mut self, addr: SocketAddr) -> io::Result<()> {
        let listener = {
            let _runtime = self.runtime.enter();
            bind(addr)?.listen(BACKLOG)?
        };
        self.addr = listener.local_addr()?;
        *self.shared.line() = Line::Up(listener);
        self.shared.state().device.addr = self.addr;
        self.shared.changes.send_replace(());
        Ok(())
    }

    /// The two have each other's address from now on, also for SADP, as after a restart of the network. Each handle stays
    /// with its terminal: its serial number, log, people and account. All connections end.
    pub fn swap_addresses(&mut self, other: &mut Self) {
        {
            let mut mine = self.shared.state();
            let mut theirs = other.shared.state();
            std::mem::swap(&mut *mine, &mut *theirs);
            let (mine, theirs) = (&mut mine.device, &mut theirs.device);
            std::mem::swap(&mut mine.addr, &mut theirs.addr);
            // Who calls servers belongs to the port.
            std::mem::swap(&mut mine.push_runs, &mut theirs.push_runs);
            mine.armed.clear();
            theirs.armed.clear();
        }
        std::mem::swap(&mut self.shared, &mut other.shared);
        std::mem::swap(&mut self.addr, &mut other.addr);
        std::mem::swap(&mut self.sadp_addr, &mut other.sadp_addr);
        let _runtime = self.runtime.enter();
        for shared in [&self.shared, &other.shared] {
            server::push_if_needed(shared);
            shared.changes.send_replace(());
        }
    }

    /// What stands in the slots of servers.
    pub fn http_hosts(&self) -> Vec<Option<HttpHost>> {
        let state = self.shared.state();
        let slots = state.device.slots.iter();
        slots.map(|slot| slot.host.clone()).collect()
    }

    /// The clock jumps, or runs from now on otherwise. Events keep their times.
    pub fn set_clock(&self, clock: Clock) {
        self.shared.state().device.clock = clock;
    }

    /// What the door was told over the network, oldest first: `open`, `close`, `alwaysOpen`, `alwaysClose`.
    pub fn door_commands(&self) -> Vec<String> {
        self.shared.state().device.door_commands.clone()
    }

    /// SHA-256 of the certificate it shows, in lower-case hexadecimal; `None` without HTTPS.
    pub fn fingerprint(&self) -> Option<String> {
        let state = self.shared.state();
        let certificate = state.device.certificate.as_ref();
        certificate.map(|certificate| certificate.fingerprint().to_owned())
    }

    /// Shows another certificate from now on, as after a factory restore; connections that are open go on.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn change_certificate(&self) -> io::Result<()> {
        let certificate = Certificate::self_signed(&self.serial_number)?;
        self.shared.state().device.certificate = Some(certificate);
        Ok(())
    }

    pub fn set_password(&self, password: impl Into<String>) {
        self.shared.state().gate.login.password = password.into();
    }

    /// Forgets all events; serial numbers begin at 1 again, as after a factory restore.
    pub fn reset_serials(&self) {
        self.shared.state().device.log.reset();
        self.shared.grown.send_replace(());
    }

    /// What happened since the start or the last [`reset_counts`](Self::reset_counts).
    pub fn counts(&self) -> Counts {
        self.shared.state().counts.clone()
    }

    pub fn reset_counts(&self) {
        let mut state = self.shared.state();
        state.counts = Counts {
            streams_open: state.counts.streams_open,
            ..Counts::default()
        };
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
    /// Streams that were opened.
    pub streams: u64,
    /// Streams that are open at present; a reset leaves it.
    pub streams_open: u64,
    /// POSTs to servers, and those that were answered with 200.
    pub posts: u64,
    pub posts_taken: u64,
    /// Who looked for terminals over SADP and was answered.
    pub sadp_inquiries: u64,
    /// SADP datagrams that would have changed the terminal. What everybody must keep at zero.
    pub sadp_commands: u64,
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
