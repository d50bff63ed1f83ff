//! The terminal itself: what it stores and how it answers one request. No sockets here, so that everything a terminal
//! says is a function of its state and the request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use tokio::time::Instant;

use super::Clock;
use super::fault::Fault;
use super::log::{Log, Record};
use super::users::{User, UserId, UserLayout, UserTable};
use super::wire::{self, Request, code, u16_at, u32_at};

/// What a terminal is made with and never changes.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) comm_key: u32,
    pub(super) firmware: String,
    pub(super) first_session: u16,
    pub(super) user_layout: UserLayout,
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
    pub(super) one_connection: bool,
    pub(super) slot_hold: Duration,
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

/// What a terminal was asked. Numbers only grow, except `open`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted, those closed at once included.
    pub connections: u64,
    /// Connections closed at once because the terminal serves one at a time.
    pub turned_away: u64,
    /// Connections open now.
    pub open: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Keys tried, right or wrong.
    pub auth_attempts: u64,
    /// Keys refused.
    pub auth_refused: u64,
    /// Times the terminal was disabled. Reading must leave it at 0.
    pub disables: u64,
    /// Requests whose checksum does not hold.
    pub bad_checksums: u64,
    /// Requests with another session id than the terminal gave.
    pub wrong_sessions: u64,
    /// Requests by command number, also those that got no answer.
    pub commands: BTreeMap<u16, u64>,
}

impl Counts {
    /// How often this command arrived.
    pub fn of(&self, command: u16) -> u64 {
        self.commands.get(&command).copied().unwrap_or(0)
    }
}

pub(super) struct Device {
    pub(super) config: Config,
    pub(super) users: UserTable,
    pub(super) log: Log,
    pub(super) options: BTreeMap<String, String>,
    pub(super) faults: Vec<Fault>,
    pub(super) counts: Counts,
    pub(super) online: bool,
    pub(super) slot: Slot,
    /// How many connections it ever served; tells them apart.
    pub(super) seats: u64,
    next_session: u16,
    keypad: Keypad,
    /// What setting the clock added to the clock the terminal was made with.
    clock_shift: SignedDuration,
}

/// The one connection of a terminal that serves only one.
pub(super) enum Slot {
    Free,
    HeldBy(u64),
    /// Left without EXIT: the terminal has not noticed yet.
    HeldUntil(Instant),
}

enum Keypad {
    Enabled,
    Disabled,
    DisabledUntil(Instant),
}

/// What a terminal remembers of one connection.
#[derive(Default)]
pub(super) struct Link {
    session: u16,
    phase: Phase,
    last_reply_id: Option<u16>,
    prepared: Option<Body>,
    /// Bytes sent of the log transfer under way.
    log_sent: usize,
    pub(super) said_exit: bool,
}

#[derive(Default, PartialEq)]
enum Phase {
    #[default]
    New,
    Locked,
    Open,
}

/// The body of a bulk answer.
struct Body {
    bytes: Arc<Vec<u8>>,
    is_log: bool,
}

/// The bytes that answer one request, and how to send them.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    /// Where in `bytes` each frame ends.
    pub(super) frame_ends: Vec<usize>,
    pub(super) delay: Duration,
    pub(super) segments: Segments,
    pub(super) pause: Duration,
    pub(super) ending: Ending,
    session: u16,
    reply_id: u16,
    wrong_checksum: bool,
    huge_frame: bool,
}

#[derive(Default)]
pub(super) enum Segments {
    #[default]
    Whole,
    Frames,
    Bytes(usize),
}

#[derive(Default, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    #[default]
    KeepOpen,
    HangUp,
    Stall,
}

const TWO_GB: u32 = 0x8000_0000;

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
            options,
            faults: Vec::new(),
            counts: Counts::default(),
            online: true,
            slot: Slot::Free,
            seats: 0,
            keypad: Keypad::Enabled,
            clock_shift: SignedDuration::ZERO,
        }
    }

    pub(super) fn now(&self) -> DateTime {
        (self.config.clock)().saturating_add(self.clock_shift)
    }

    /// Whether the log took the punch.
    pub(super) fn punch(&mut self, id: UserId, clock: DateTime, state: u8, verify: u8) -> bool {
        let disabled = match self.keypad {
            Keypad::Enabled => false,
            Keypad::Disabled => true,
            Keypad::DisabledUntil(end) => Instant::now() < end,
        };
        let full = self.log.len() >= self.config.record_capacity as usize;
        if disabled || full {
            return false;
        }
        let uid = self.users.by_id(id).map_or(0, |user| user.uid);
        self.log.push(Record::new(uid, id, clock, state, verify));
        true
    }

    pub(super) fn set_fault(&mut self, fault: Fault) {
        let kind = std::mem::discriminant(&fault);
        self.faults
            .retain(|known| std::mem::discriminant(known) != kind);
        self.faults.push(fault);
    }

    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    fn fault<'a, T>(&'a self, pick: impl FnMut(&'a Fault) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(pick)
    }

    /// The answer to one request, faults included. Counts the request.
    pub(super) fn answer(&mut self, link: &mut Link, request: &Request) -> Reply {
        *self.counts.commands.entry(request.command).or_default() += 1;
        self.counts.bad_checksums += u64::from(!request.checksum_holds);
        let mut reply = self.new_reply(link, request);
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
        }
        link.last_reply_id = Some(request.reply_id);
        reply
    }

    fn new_reply(&self, link: &Link, request: &Request) -> Reply {
        let mut reply = Reply {
            session: link.session,
            reply_id: request.reply_id,
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
                Fault::WrongReplyId => reply.reply_id = request.reply_id.wrapping_add(1),
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

    /// Everything that needs an open session.
    fn work(&mut self, link: &mut Link, request: &Request, reply: &mut Reply) {
        let data = request.data.as_slice();
        match request.command {
            code::OPTIONS_RRQ => self.read_option(data, reply),
            code::OPTIONS_WRQ => {
                let done = self.write_option(data);
                reply.acknowledge(done);
            }
            code::GET_VERSION => {
                let text = [self.config.firmware.as_bytes(), b"\0"].concat();
                reply.send(code::ACK_OK, &text);
            }
            code::GET_FREE_SIZES => self.counters(reply),
            code::GET_TIME => {
                let now = wire::pack_clock(self.now());
                reply.send(code::ACK_OK, &now.to_le_bytes());
            }
            code::SET_TIME => {
                let done = self.set_clock(data);
                reply.acknowledge(done);
            }
            code::PREPARE_BUFFER => self.prepare_buffer(link, data, reply),
            code::READ_BUFFER => self.read_buffer(link, data, reply),
            code::FREE_DATA => {
                link.prepared = None;
                reply.send(code::ACK_OK, &[]);
            }
            code::ATTLOG_RRQ | code::USERTEMP_RRQ => self.read_directly(link, request, reply),
            code::USER_WRQ => {
                let done = self.write_user(data);
                reply.acknowledge(done);
            }
            code::DELETE_USER => {
                let done = data.len() >= 2 && self.users.remove(u16_at(data, 0));
                reply.acknowledge(done);
            }
            code::CLEAR_ATTLOG => {
                self.clear_log();
                reply.send(code::ACK_OK, &[]);
            }
            code::CLEAR_DATA => {
                // Without a type it erases everything.
                let kind = data.first();
                if matches!(kind, None | Some(1)) {
                    self.clear_log();
                }
                if matches!(kind, None | Some(5)) {
                    self.users = UserTable::default();
                }
                reply.send(code::ACK_OK, &[]);
            }
            code::DISABLEDEVICE => {
                self.counts.disables += 1;
                let seconds = if data.len() >= 4 { u32_at(data, 0) } else { 0 };
                self.keypad = match seconds {
                    0 => Keypad::Disabled,
                    _ => Keypad::DisabledUntil(
                        Instant::now() + Duration::from_secs(u64::from(seconds)),
                    ),
                };
                reply.send(code::ACK_OK, &[]);
            }
            code::ENABLEDEVICE => {
                self.keypad = Keypad::Enabled;
                reply.send(code::ACK_OK, &[]);
            }
            // The state travels in the session field; 0 is "waiting".
            code::STATE_RRQ => reply.send_as(code::ACK_OK, 0, &[&[]]),
            code::GET_PINWIDTH => {
                let width = self.options.get("~PIN2Width");
                let width: u8 = width.and_then(|text| text.parse().ok()).unwrap_or(9);
                reply.send(code::ACK_OK, &[width]);
            }
            code::DOORSTATE_RRQ => reply.send(code::ACK_OK, &[0]),
            // A terminal restarts without a word.
            code::RESTART => reply.ending = Ending::HangUp,
            code::UNLOCK
            | code::ENABLE_CLOCK
            | code::STARTVERIFY
            | code::CANCELCAPTURE
            | code::WRITE_LCD
            | code::CLEAR_LCD
            | code::REG_EVENT
            | code::POWEROFF
            | code::SLEEP
            | code::RESUME
            | code::REFRESHDATA
            | code::REFRESHOPTION
            | code::TESTVOICE
            | code::CHANGE_SPEED => reply.send(code::ACK_OK, &[]),
            _ => reply.send(code::ACK_UNKNOWN, &[]),
        }
    }

    /// The name may come without its NUL, as some clients send it.
    fn read_option(&self, data: &[u8], reply: &mut Reply) {
        let name = text(data);
        let lie = self.fault(|fault| match fault {
            Fault::WrongSerial(serial) if name == "~SerialNumber" => Some(serial),
            _ => None,
        });
        match lie.or_else(|| self.options.get(&name)) {
            Some(value) => {
                let end = if self.config.options_without_nul {
                    ""
                } else {
                    "\0"
                };
                reply.send(code::ACK_OK, format!("{name}={value}{end}").as_bytes());
            }
            None => reply.send(code::ACK_ERROR, &[]),
        }
    }

    /// Names with a tilde are the vendor's and cannot be written.
    fn write_option(&mut self, data: &[u8]) -> bool {
        match text(data).split_once('=') {
            Some((name, value)) if !name.starts_with('~') => {
                self.options.insert(name.to_owned(), value.to_owned());
                true
            }
            _ => false,
        }
    }

    fn counters(&mut self, reply: &mut Reply) {
        let config = &self.config;
        let users = self.users.users();
        let admins = users.iter().filter(|user| user.privilege & 0x0e == 14);
        let passwords = users.iter().filter(|user| !user.password.is_empty());
        let (user_count, records) = (users.len() as u32, self.log.len() as u32);
        let mut words = [0u32; 28];
        words[4] = user_count;
        words[8] = records;
        words[12] = admins.count() as u32;
        words[13] = passwords.count() as u32;
        words[14] = config.finger_capacity;
        words[15] = config.user_capacity;
        words[16] = config.record_capacity;
        words[17] = config.finger_capacity;
        words[18] = config.user_capacity.saturating_sub(user_count);
        words[19] = config.record_capacity.saturating_sub(records);
        let mut growth = 0;
        for fault in &self.faults {
            match fault {
                Fault::Counters(lies) => {
                    for (word, value) in lies {
                        if let Some(place) = words.get_mut(*word) {
                            *place = *value;
                        }
                    }
                }
                Fault::Growing(punches) => growth = *punches,
                _ => {}
            }
        }
        let count = config.counter_words.min(words.len());
        let bytes: Vec<u8> = words[..count]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        reply.send(code::ACK_OK, &bytes);
        self.grow(growth);
    }

    /// The person of the last record punches again, one second apart.
    fn grow(&mut self, punches: usize) {
        let somebody = self.log.last().map(|record| record.user_id);
        let somebody = somebody.or_else(|| self.users.users().first().map(|user| user.user_id));
        let id = somebody.unwrap_or_else(|| UserId::new("1"));
        for n in 0..punches {
            let clock = self
                .now()
                .saturating_add(SignedDuration::from_secs(n as i64));
            self.punch(id, clock, 0, 1);
        }
    }

    fn set_clock(&mut self, data: &[u8]) -> bool {
        let Some(clock) = (data.len() >= 4)
            .then(|| u32_at(data, 0))
            .and_then(wire::unpack_clock)
        else {
            return false;
        };
        self.clock_shift = clock.duration_since((self.config.clock)());
        true
    }

    /// Refused when the size is not this terminal's own or the id belongs to somebody else.
    fn write_user(&mut self, data: &[u8]) -> bool {
        let Some(user) = User::decode(self.config.user_layout, data) else {
            return false;
        };
        let taken = self
            .users
            .by_id(user.user_id)
            .is_some_and(|known| known.uid != user.uid);
        if !taken {
            self.users.put(user);
        }
        !taken
    }

    pub(super) fn clear_log(&mut self) {
        self.log = Log::new(self.log.layout(), []);
    }

    /// The body that a bulk read of this kind delivers: the inner command and the data type choose it. Templates and the
    /// operation log are empty.
    fn body(&self, command: u16, kind: u32) -> Option<Body> {
        let (bytes, is_log) = match (command, kind) {
            (code::ATTLOG_RRQ, _) => (self.log_body(), true),
            (code::USERTEMP_RRQ, 5) => (self.users.body(self.config.user_layout), false),
            (code::DB_RRQ | code::OPLOG_RRQ, _) => (Arc::new(vec![0; 4]), false),
            _ => return None,
        };
        Some(Body { bytes, is_log })
    }

    fn log_body(&self) -> Arc<Vec<u8>> {
        let mut body = self.log.body();
        for fault in &self.faults {
            match fault {
                Fault::ImpossibleTime(index) if *index < self.log.len() => {
                    let layout = self.log.layout();
                    let at = 4 + index * layout.size() + layout.time_offset();
                    let date = wire::THIRTIETH_OF_FEBRUARY.to_le_bytes();
                    Arc::make_mut(&mut body)[at..at + 4].copy_from_slice(&date);
                }
                Fault::WrongTotal(by) => {
                    let total = u32_at(&body, 0).wrapping_add_signed(*by);
                    Arc::make_mut(&mut body)[..4].copy_from_slice(&total.to_le_bytes());
                }
                _ => {}
            }
        }
        body
    }

    fn log_refusal(&self) -> Option<u16> {
        self.fault(|fault| match fault {
            Fault::LogCode(code) => Some(*code),
            _ => None,
        })
    }

    fn prepare_buffer(&mut self, link: &mut Link, data: &[u8], reply: &mut Reply) {
        link.prepared = None;
        if self.config.reads == Reads::Direct {
            return reply.send(code::ACK_UNKNOWN, &[]);
        }
        if data.len() < 11 {
            return reply.send(code::ACK_ERROR, &[]);
        }
        let Some(body) = self.body(u16_at(data, 1), u32_at(data, 3)) else {
            return reply.send(code::ACK_ERROR, &[]);
        };
        if let Some(refusal) = self.log_refusal().filter(|_| body.is_log) {
            return reply.send(refusal, &[]);
        }
        if body.is_log {
            link.log_sent = 0;
        }
        let huge = body.is_log && self.has(&Fault::HugeLog);
        if body.bytes.len() <= self.config.inline_limit && !huge {
            self.send_data(link, &body, 0..body.bytes.len(), reply);
            return;
        }
        let size = if huge {
            TWO_GB
        } else {
            body.bytes.len() as u32
        };
        let size = size.to_le_bytes();
        reply.send_as(code::ACK_OK, link.session, &[&[0], &size, &size, &[0; 4]]);
        link.prepared = Some(body);
    }

    /// Serves any part of the prepared body, in any order and as often as asked; a part outside of it is refused.
    fn read_buffer(&mut self, link: &mut Link, data: &[u8], reply: &mut Reply) {
        let Some(body) = link.prepared.take().filter(|_| data.len() >= 8) else {
            return reply.send(code::ACK_ERROR, &[]);
        };
        let (offset, length) = (u32_at(data, 0) as usize, u32_at(data, 4) as usize);
        if length == 0 || offset + length > body.bytes.len() {
            reply.send(code::ACK_ERROR, &[]);
        } else if self.config.bare_chunks {
            self.send_data(link, &body, offset..offset + length, reply);
        } else {
            self.send_announced(link, &body, offset..offset + length, length as u32, reply);
        }
        link.prepared = Some(body);
    }

    /// Commands 13 and 9 without the buffer.
    fn read_directly(&mut self, link: &mut Link, request: &Request, reply: &mut Reply) {
        let kind = request.data.first().copied().map_or(0, u32::from);
        // Two bytes of user index and a finger ask for a template; there are none.
        let one_template = request.command == code::USERTEMP_RRQ && request.data.len() != 1;
        let Some(mut body) = self.body(request.command, kind).filter(|_| !one_template) else {
            return reply.send(code::ACK_ERROR, &[]);
        };
        if let Some(refusal) = self.log_refusal().filter(|_| body.is_log) {
            return reply.send(refusal, &[]);
        }
        if body.is_log {
            link.log_sent = 0;
        }
        if self.config.reads == Reads::Buffered {
            body.bytes = Arc::new(unrelated_memory(body.bytes.len()));
        }
        let whole = 0..body.bytes.len();
        let huge = body.is_log && self.has(&Fault::HugeLog);
        let size = if huge { TWO_GB } else { whole.len() as u32 };
        self.send_announced(link, &body, whole, size, reply);
    }

    /// PREPARE_DATA, the range in parts, and the closing acknowledgement.
    fn send_announced(
        &self,
        link: &mut Link,
        body: &Body,
        range: std::ops::Range<usize>,
        announced: u32,
        reply: &mut Reply,
    ) {
        let part_size = self.config.part_size;
        let sizes = [announced.to_le_bytes(), part_size.to_le_bytes()].concat();
        reply.send(code::PREPARE_DATA, &sizes);
        for start in range.clone().step_by(part_size as usize) {
            let end = range.end.min(start + part_size as usize);
            self.send_data(link, body, start..end, reply);
        }
        let session = match self.config.size_in_closing_ack {
            true => announced as u16,
            false => link.session,
        };
        reply.send_as(code::ACK_OK, session, &[]);
    }

    /// One DATA frame, ended early where a fault says so.
    fn send_data(
        &self,
        link: &mut Link,
        body: &Body,
        range: std::ops::Range<usize>,
        reply: &mut Reply,
    ) {
        let session = match self.config.data_without_session {
            true => 0,
            false => link.session,
        };
        let length = range.len();
        reply.send_as(code::DATA, session, &[&body.bytes[range]]);
        if !body.is_log || reply.ending != Ending::KeepOpen {
            return;
        }
        if let Some((limit, ending)) = self.log_limit()
            && link.log_sent + length > limit
        {
            reply.end_early(length - (limit - link.log_sent), ending);
            link.log_sent = limit;
        } else {
            link.log_sent += length;
        }
    }

    /// After how many bytes of the log what happens.
    fn log_limit(&self) -> Option<(usize, Ending)> {
        self.faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::CutLog(after) => Some((*after, Ending::HangUp)),
                Fault::StallLog(after) => Some((*after, Ending::Stall)),
                _ => None,
            })
            .min_by_key(|(after, _)| *after)
    }
}

impl Reply {
    fn acknowledge(&mut self, done: bool) {
        self.send(if done { code::ACK_OK } else { code::ACK_ERROR }, &[]);
    }

    fn send(&mut self, command: u16, data: &[u8]) {
        self.send_as(command, self.session, &[data]);
    }

    /// Appends a frame, unless the answer has already ended early.
    fn send_as(&mut self, command: u16, session: u16, data: &[&[u8]]) {
        if self.ending != Ending::KeepOpen {
            return;
        }
        let start = self.bytes.len();
        wire::push_frame(&mut self.bytes, command, session, self.reply_id, data);
        if self.wrong_checksum {
            self.bytes[start + 10] ^= 0x01;
        }
        if self.huge_frame {
            self.bytes[start + 4..start + 8].copy_from_slice(&TWO_GB.to_le_bytes());
        }
        self.frame_ends.push(self.bytes.len());
    }

    /// Takes back the last `missing` bytes.
    fn end_early(&mut self, missing: usize, ending: Ending) {
        self.bytes.truncate(self.bytes.len() - missing);
        if let Some(end) = self.frame_ends.last_mut() {
            *end = self.bytes.len();
        }
        self.ending = ending;
    }
}

/// Text of a request up to its NUL.
fn text(data: &[u8]) -> String {
    let end = data.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&data[..end.unwrap_or(data.len())]).into_owned()
}

/// Noise of the right size, the same at every read.
fn unrelated_memory(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    })
    .take(size)
    .collect()
}
