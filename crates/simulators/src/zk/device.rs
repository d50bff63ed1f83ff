//! The terminal itself: what it stores and how it answers one request. No sockets here, so that everything a terminal
//! says is a function of its state and the request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Clock;
use super::bulk::Body;
use super::counts::Counts;
use super::fault::Fault;
use super::live::{EventLayout, Listeners};
use super::log::{Log, Record};
use super::reply::{Ending, Reply, Segments};
use super::templates::Templates;
use super::users::{UserId, UserLayout, UserTable};
use super::wire::{self, Request, code};
use super::writing::{self, Upload};

/// What a terminal is made with and never changes.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) comm_key: u32,
    pub(super) firmware: String,
    pub(super) first_session: u16,
    pub(super) user_layout: UserLayout,
    pub(super) event_layout: EventLayout,
    pub(super) restart_time: Duration,
    pub(super) acknowledges_restart: bool,
    pub(super) reads: Reads,
    pub(super) inline_limit: usize,
    pub(super) part_size: u32,
    pub(super) bare_chunks: bool,
    pub(super) data_without_session: bool,
    pub(super) size_in_closing_ack: bool,
    pub(super) options_without_nul: bool,
    pub(super) counter_words: usize,
    pub(super) finger_capacity: u32,
    pub(super) user_capacity: u32,
    pub(super) record_capacity: u32,
    /// One at a time, and how long the place of one that ended without EXIT stays taken.
    pub(super) one_connection: Option<Duration>,
    /// Commands this model does not offer, and what it says to them.
    pub(super) missing_commands: BTreeMap<u16, u16>,
    pub(super) clock: Clock,
}

/// Which bulk reads a terminal serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Buffered reads (1503, 1504). A direct read is answered with the right size and unrelated memory, as colour models
    /// were seen to do.
    Buffered,
    /// Direct reads (13, 9), as older firmware; 1503 is an unknown command.
    Direct,
    /// Both.
    Both,
}

pub(super) struct Device {
    pub(super) config: Config,
    pub(super) users: UserTable,
    pub(super) log: Log,
    pub(super) templates: Templates,
    pub(super) options: BTreeMap<String, String>,
    pub(super) faults: Vec<Fault>,
    pub(super) counts: Counts,
    /// What clients opened the door with, in the unit of their choice.
    pub(super) unlocks: Vec<u32>,
    /// What it said, by number.
    pub(super) announcements: Vec<u32>,
    /// What clients wrote on its display, by line.
    pub(super) lcd: BTreeMap<u16, String>,
    pub(super) online: bool,
    /// Restarts under way.
    pub(super) restarting: u32,
    pub(super) listeners: Listeners,
    /// Sent over UDP since a fault about them was set.
    pub(super) datagrams: u64,
    /// Told whenever a session registers, acknowledges or ends.
    pub(super) changed: Arc<Notify>,
    pub(super) slot: Slot,
    /// How many connections it ever served; tells them apart.
    pub(super) seats: u64,
    next_session: u16,
    pub(super) keypad: Keypad,
    /// What setting the clock added to the clock the terminal was made with.
    pub(super) clock_shift: SignedDuration,
}

/// The one connection of a terminal that serves only one.
pub(super) enum Slot {
    Free,
    HeldBy(u64),
    /// Left without EXIT: the terminal has not noticed yet.
    HeldUntil(Instant),
}

pub(super) enum Keypad {
    Enabled,
    Disabled,
    DisabledUntil(Instant),
}

/// What a terminal remembers of one connection.
#[derive(Default)]
pub(super) struct Link {
    /// Which place its client has; 0 is none.
    pub(super) seat: u64,
    /// Wakes its task when events wait.
    pub(super) wake: Arc<Notify>,
    pub(super) session: u16,
    phase: Phase,
    last_reply_id: Option<u16>,
    pub(super) prepared: Option<Body>,
    /// Bytes sent of the log transfer under way.
    pub(super) log_sent: usize,
    pub(super) upload: Option<Upload>,
    pub(super) said_exit: bool,
    /// Over UDP, where parts are small.
    pub(super) datagrams: bool,
}

impl Link {
    pub(super) fn over_tcp(seat: u64) -> Self {
        Self {
            seat,
            ..Self::default()
        }
    }

    pub(super) fn over_datagrams() -> Self {
        Self {
            datagrams: true,
            ..Self::default()
        }
    }
}

#[derive(Default, PartialEq)]
enum Phase {
    #[default]
    New,
    Locked,
    Open,
}

impl Device {
    pub(super) fn new(
        config: Config,
        users: UserTable,
        log: Log,
        options: BTreeMap<String, String>,
    ) -> Self {
        Self {
            next_session: config.first_session,
            config,
            users,
            log,
            templates: Templates::default(),
            options,
            faults: Vec::new(),
            counts: Counts::default(),
            unlocks: Vec::new(),
            announcements: Vec::new(),
            lcd: BTreeMap::new(),
            online: true,
            restarting: 0,
            listeners: Listeners::new(),
            datagrams: 0,
            changed: Arc::default(),
            slot: Slot::Free,
            seats: 0,
            keypad: Keypad::Enabled,
            clock_shift: SignedDuration::ZERO,
        }
    }

    pub(super) fn now(&self) -> DateTime {
        (self.config.clock)().saturating_add(self.clock_shift)
    }

    pub(super) fn is_disabled(&self) -> bool {
        match self.keypad {
            Keypad::Enabled => false,
            Keypad::Disabled => true,
            Keypad::DisabledUntil(end) => Instant::now() < end,
        }
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.online && self.restarting == 0 && !self.has(&Fault::RefuseConnection)
    }

    /// Whether the log took the punch.
    pub(super) fn punch(&mut self, id: UserId, clock: DateTime, state: u8, verify: u8) -> bool {
        if self.is_disabled() {
            return false;
        }
        let uid = self.users.by_id(id).map_or(0, |user| user.uid);
        let record = Record::new(uid, id, clock, state, verify);
        let taken = self.take_record(record);
        if taken {
            self.emit_punch(&record);
        }
        taken
    }

    /// A full log takes nothing more, unless it wraps.
    fn take_record(&mut self, record: Record) -> bool {
        let wraps = self.fault(|fault| match fault {
            Fault::WrappedLog { in_place } => Some(*in_place),
            _ => None,
        });
        match wraps {
            _ if self.log.len() < self.config.record_capacity as usize => self.log.push(record),
            Some(true) => self.log.overwrite_oldest(record),
            Some(false) => self.log.drop_oldest(record),
            None => return false,
        }
        true
    }

    /// What switching off and on does to it. People, log, templates and the clock stay.
    pub(super) fn power_cycle(&mut self) {
        self.slot = Slot::Free;
        self.keypad = Keypad::Enabled;
        self.listeners.clear();
        self.lcd.clear();
        if self.has(&Fault::ClockReset) {
            self.reset_clock();
        }
        self.changed.notify_waiters();
    }

    /// The clock goes on from the first second it knows.
    fn reset_clock(&mut self) {
        let first = date(2000, 1, 1).at(0, 0, 0, 0);
        self.clock_shift = first.duration_since((self.config.clock)());
    }

    /// People, templates and log go; what the vendor set stays.
    fn reset_to_factory(&mut self) {
        self.log = Log::new(self.log.layout(), []);
        self.users = UserTable::default();
        self.templates = Templates::default();
    }

    /// For how long a terminal that serves one connection at a time holds the place of one that ended without EXIT.
    pub(super) fn one_connection(&self) -> Option<Duration> {
        let scripted = self.fault(|fault| match fault {
            Fault::OneConnection(hold) => Some(*hold),
            _ => None,
        });
        scripted.or(self.config.one_connection)
    }

    pub(super) fn set_fault(&mut self, fault: Fault) {
        let kind = std::mem::discriminant(&fault);
        self.faults
            .retain(|known| std::mem::discriminant(known) != kind);
        match fault {
            Fault::ClockReset => self.reset_clock(),
            Fault::FactoryReset => self.reset_to_factory(),
            Fault::UdpLoss(_) | Fault::UdpTwice(_) | Fault::UdpReorder(_) => self.datagrams = 0,
            _ => {}
        }
        self.faults.push(fault);
        self.wake_listeners();
    }

    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
        self.wake_listeners();
    }

    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    pub(super) fn fault<'a, T>(&'a self, pick: impl FnMut(&'a Fault) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(pick)
    }

    /// The answer to one request, faults included. Counts the request.
    pub(super) fn answer(&mut self, link: &mut Link, request: &Request) -> Reply {
        *self.counts.commands.entry(request.command).or_default() += 1;
        self.counts.bad_checksums += u64::from(!request.checksum_holds);
        if request.command == code::ACK_OK {
            self.take_acknowledgement(link, request);
            return Reply::default();
        }
        let mut reply = self.new_reply(link, request.reply_id);
        let muted = self.has(&Fault::Mute(request.command)) || self.has(&Fault::Silent);
        if self.has(&Fault::HangUp(request.command)) {
            reply.ending = Ending::HangUp;
        } else if self.has(&Fault::Garbage) {
            reply
                .bytes
                .extend((0..64u8).map(|n| n.wrapping_mul(37).wrapping_add(11)));
            reply.frame_ends.push(reply.bytes.len());
        } else if self.has(&Fault::AccessPanel) {
            // A frame captured from an access panel: "done", no data.
            reply.bytes.extend(b"\xaa\x01\x01\0\0\x50\x3c\x55");
            reply.frame_ends.push(reply.bytes.len());
        } else if !muted {
            if let Some(stale) = link.last_reply_id
                && self.has(&Fault::StaleAnswers)
            {
                let reply_id = std::mem::replace(&mut reply.reply_id, stale);
                reply.send(code::ACK_OK, &[]);
                reply.reply_id = reply_id;
            }
            self.serve(link, request, &mut reply);
            if self.has(&Fault::EventsInAnswers) {
                self.mix_in_events(link, &mut reply);
            }
        }
        link.last_reply_id = Some(request.reply_id);
        reply
    }

    pub(super) fn new_reply(&self, link: &Link, reply_id: u16) -> Reply {
        let mut reply = Reply {
            session: link.session,
            reply_id,
            ..Reply::default()
        };
        for fault in &self.faults {
            match fault {
                Fault::Slow(delay) => reply.delay = *delay,
                Fault::Dribble(pause) => {
                    (reply.segments, reply.pause) = (Segments::Bytes(1), *pause);
                }
                Fault::Split { size, pause } => {
                    (reply.segments, reply.pause) = (Segments::Bytes((*size).max(1)), *pause);
                }
                Fault::SeparateFrames(pause) => {
                    (reply.segments, reply.pause) = (Segments::Frames, *pause);
                }
                Fault::WrongChecksum => reply.wrong_checksum = true,
                Fault::WrongReplyId => reply.reply_id = reply_id.wrapping_add(1),
                Fault::HugeFrame => reply.huge_frame = true,
                _ => {}
            }
        }
        reply
    }

    /// Order of the guards: a terminal talks to nobody before CONNECT, and about nothing before the key.
    ///
    /// What real firmware says to a request before CONNECT, with a foreign session or with a wrong checksum is not
    /// documented; the answers here are refusals, so that a careless client cannot go unnoticed.
    fn serve(&mut self, link: &mut Link, request: &Request, reply: &mut Reply) {
        match request.command {
            _ if !request.checksum_holds => reply.send(code::ACK_ERROR_DATA, &[]),
            code::CONNECT => self.connect(link, reply),
            _ if link.phase == Phase::New => reply.send(code::ACK_ERROR_INIT, &[]),
            _ if request.session != link.session => {
                self.counts.wrong_sessions += 1;
                reply.send(code::ACK_UNAUTH, &[]);
            }
            code::EXIT => {
                link.said_exit = true;
                reply.send(code::ACK_OK, &[]);
                reply.ending = Ending::HangUp;
            }
            code::AUTH => self.check_key(link, &request.data, reply),
            _ if link.phase == Phase::Locked => reply.send(code::ACK_UNAUTH, &[]),
            _ => self.work(link, request, reply),
        }
    }

    fn connect(&mut self, link: &mut Link, reply: &mut Reply) {
        // A second CONNECT on one connection keeps the session.
        if link.session == 0 {
            link.session = self.next_session;
            self.next_session = self.next_session.checked_add(1).unwrap_or(1);
        }
        reply.session = link.session;
        if let Some(refusal) = self.fault(|fault| match fault {
            Fault::ConnectCode(code) => Some(*code),
            _ => None,
        }) {
            return reply.send(refusal, &[]);
        }
        if self.config.comm_key != 0 || self.has(&Fault::RefuseKey) {
            link.phase = Phase::Locked;
            reply.send(code::ACK_UNAUTH, &[]);
        } else {
            link.phase = Phase::Open;
            reply.send(code::ACK_OK, &[]);
        }
    }

    fn check_key(&mut self, link: &mut Link, sent: &[u8], reply: &mut Reply) {
        self.counts.auth_attempts += 1;
        let right = wire::key_matches(self.config.comm_key, link.session, sent);
        if right && !self.has(&Fault::RefuseKey) {
            link.phase = Phase::Open;
            reply.send(code::ACK_OK, &[]);
        } else {
            self.counts.auth_refused += 1;
            reply.send(code::ACK_UNAUTH, &[]);
        }
    }

    /// What this model says to a command it does not offer.
    fn refusal_of(&self, command: u16) -> Option<u16> {
        let scripted = self.fault(|fault| match fault {
            Fault::CommandCode { command: it, code } if *it == command => Some(*code),
            _ => None,
        });
        scripted.or_else(|| self.config.missing_commands.get(&command).copied())
    }

    /// Whether it acknowledges the command and does nothing.
    fn pretends(&self, command: u16) -> bool {
        self.has(&Fault::IgnoreWrite(command))
            || writing::changes_something(command) && self.has(&Fault::IgnoreWrites)
    }

    /// Everything that needs an open session.
    fn work(&mut self, link: &mut Link, request: &Request, reply: &mut Reply) {
        let (command, data) = (request.command, request.data.as_slice());
        if let Some(refusal) = self.refusal_of(command) {
            reply.send(refusal, &[]);
        } else if self.pretends(command) {
            reply.acknowledge(true);
        } else if writing::changes_something(command) {
            let done = self.change(link, command, data);
            reply.acknowledge(done);
        } else {
            self.tell(link, request, reply);
        }
        if self.has(&Fault::Meddled(command)) {
            self.meddle();
        }
    }

    fn meddle(&mut self) {
        if let Some(first) = self.users.users().first().cloned() {
            self.users.put(first.named("Meddled"));
            self.grow(1);
        }
    }
}
