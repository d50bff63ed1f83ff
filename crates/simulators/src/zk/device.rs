//! The terminal itself: what it stores and how it answers one request. No sockets here, so that everything a terminal
//! says is a function of its state and the request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
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
use super::wire::{self, Request, code, text};
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
    pub(super) one_connection: bool,
    pub(super) slot_hold: Duration,
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
        let full = self.log.len() >= self.config.record_capacity as usize;
        if self.is_disabled() || full {
            return false;
        }
        let uid = self.users.by_id(id).map_or(0, |user| user.uid);
        let record = Record::new(uid, id, clock, state, verify);
        self.log.push(record);
        self.emit_punch(&record);
        true
    }

    /// What switching off and on does to it. People, log, templates and the clock stay.
    pub(super) fn power_cycle(&mut self) {
        self.slot = Slot::Free;
        self.keypad = Keypad::Enabled;
        self.listeners.clear();
        self.lcd.clear();
        self.changed.notify_waiters();
    }

    pub(super) fn set_fault(&mut self, fault: Fault) {
        let kind = std::mem::discriminant(&fault);
        self.faults
            .retain(|known| std::mem::discriminant(known) != kind);
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

    /// Everything that needs an open session.
    fn work(&mut self, link: &mut Link, request: &Request, reply: &mut Reply) {
        let (command, data) = (request.command, request.data.as_slice());
        if let Some(refusal) = self.config.missing_commands.get(&command) {
            reply.send(*refusal, &[]);
        } else if writing::changes_something(command) {
            let done = self.change(link, command, data);
            reply.acknowledge(done);
        } else {
            self.tell(link, request, reply);
        }
    }

    /// Answers what changes nothing that lasts.
    fn tell(&mut self, link: &mut Link, request: &Request, reply: &mut Reply) {
        let data = request.data.as_slice();
        match request.command {
            code::OPTIONS_RRQ => self.read_option(data, reply),
            code::GET_VERSION => {
                let text = [self.config.firmware.as_bytes(), b"\0"].concat();
                reply.send(code::ACK_OK, &text);
            }
            code::GET_FREE_SIZES => self.counters(reply),
            code::GET_TIME => {
                let now = wire::pack_clock(self.now());
                reply.send(code::ACK_OK, &now.to_le_bytes());
            }
            code::PREPARE_BUFFER => self.prepare_buffer(link, data, reply),
            code::READ_BUFFER => self.read_buffer(link, data, reply),
            code::ATTLOG_RRQ | code::USERTEMP_RRQ | code::GET_USERTEMP => {
                self.read_directly(link, request, reply);
            }
            code::PREPARE_DATA => {
                let done = self.begin_upload(link, data);
                reply.acknowledge(done);
            }
            code::DATA => {
                let done = self.continue_upload(link, data);
                reply.acknowledge(done);
            }
            code::CHECKSUM_BUFFER => match self.upload_sum(link) {
                Some(sum) => reply.send(code::ACK_OK, &sum.to_le_bytes()),
                None => reply.acknowledge(false),
            },
            code::FREE_DATA => {
                (link.prepared, link.upload) = (None, None);
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
            code::RESTART => {
                if self.config.acknowledges_restart {
                    reply.send(code::ACK_OK, &[]);
                }
                reply.ending = Ending::Restart;
            }
            code::REG_EVENT => {
                let done = self.register(link, data);
                reply.acknowledge(done);
            }
            code::ENABLE_CLOCK
            | code::STARTVERIFY
            | code::CANCELCAPTURE
            | code::POWEROFF
            | code::SLEEP
            | code::RESUME
            | code::REFRESHDATA
            | code::REFRESHOPTION
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

    fn counters(&mut self, reply: &mut Reply) {
        let config = &self.config;
        let users = self.users.users();
        let admins = users.iter().filter(|user| user.privilege & 0x0e == 14);
        let passwords = users.iter().filter(|user| !user.password.is_empty());
        let (user_count, records) = (users.len() as u32, self.log.len() as u32);
        let fingers = self.templates.len() as u32;
        let mut words = [0u32; 28];
        words[4] = user_count;
        words[6] = fingers;
        words[8] = records;
        words[12] = admins.count() as u32;
        words[13] = passwords.count() as u32;
        words[14] = config.finger_capacity;
        words[15] = config.user_capacity;
        words[16] = config.record_capacity;
        words[17] = config.finger_capacity.saturating_sub(fingers);
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
}
