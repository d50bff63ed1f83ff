//! What a virtual terminal is, before it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::date;

use super::clock::{Clock, stopped};
use super::conversation::{Conversation, Shared};
use super::device::{Config, Device};
use super::event::Observer;
use super::fault::Fault;
use super::log::Punch;
use super::profile::Profile;
use super::running::RunningTerminal;
use super::server::Server;
use super::users::User;

/// What a virtual terminal is, before it runs.
#[derive(Clone)]
pub struct VirtualTerminal {
    config: Config,
    users: Vec<User>,
    records: Vec<Punch>,
    options: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl VirtualTerminal {
    /// A terminal without people or punches, its clock standing at 2026-01-01 00:00:00. It does not follow the server's
    /// clock, uploads at most 100 lines at a time, and waits 10 s for an answer.
    pub fn new(serial_number: &str, profile: Profile) -> Self {
        let options = [
            ("DeviceName", "ProBio"),
            ("Platform", "ZMM220_TFT"),
            ("MAC", "00:17:61:11:ad:4f"),
            ("IPAddress", "192.168.1.201"),
            ("MaxAttLogCount", "10"),
            ("MaxUserCount", "50"),
            ("FingerFunOn", "1"),
            ("FPVersion", "10"),
            ("FaceFunOn", "1"),
            ("FWVersion", "Ver 8.0.4.1-20180102"),
            ("PushVersion", "Ver 2.0.34-20180822"),
            ("CommType", "ethernet"),
            ("MaxPackageSize", "2048000"),
            ("LockCount", "1"),
            ("ReaderCount", "2"),
            ("StringPinFunOn", "0"),
            ("Language", "69"),
        ];
        Self {
            config: Config {
                profile,
                serial: serial_number.to_owned(),
                clock: stopped(date(2026, 1, 1).at(0, 0, 0, 0)),
                observer: None,
                offset: None,
                comm_key: (profile == Profile::B).then(|| "88888888".to_owned()),
                language: "69".to_owned(),
                temperature: ("0".to_owned(), "0".to_owned()),
                attlog_fields: profile.attlog_fields(),
                wants_counted_acks: profile.wants_counted_acks(),
                batch: 100,
                delay: None,
                error_delay: None,
                time_out: Duration::from_secs(10),
                time_scale: 1,
                restart_time: Duration::ZERO,
                follows_server_clock: false,
                keeps_alive: false,
                token: None,
                shell_output: None,
            },
            users: Vec::new(),
            records: Vec::new(),
            options: options
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            faults: Vec::new(),
        }
    }

    /// The terminal's wall clock. The server may set it, see [`Self::follow_server_clock`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.config.clock = clock;
        self
    }

    /// Sets its clock from the header `Date` and the zone the server told, or from the time it asks for.
    pub fn follow_server_clock(mut self) -> Self {
        self.config.follows_server_clock = true;
        self
    }

    /// The offset of its zone that the newest firmware sends with each punch; without it, the zone the server told.
    pub fn utc_offset(mut self, offset: SignedDuration) -> Self {
        self.config.offset = Some(offset);
        self
    }

    /// The people it knows, in its order.
    pub fn users(mut self, users: impl IntoIterator<Item = User>) -> Self {
        self.users = users.into_iter().collect();
        self
    }

    /// The log it starts with, oldest first; all of it waits to be uploaded.
    pub fn records(mut self, records: impl IntoIterator<Item = Punch>) -> Self {
        self.records = records.into_iter().collect();
        self
    }

    /// A parameter, named without `~`; see `DeviceName`, `FWVersion`, `IPAddress`, `CmdFormat`.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The shared key: `pushcommkey` of the first request, `ComKey` of every request of profile `b`, `authKey` of a
    /// registration.
    pub fn comm_key(mut self, key: &str) -> Self {
        self.config.comm_key = Some(key.to_owned());
        self
    }

    /// The language by its number; 83 is Chinese.
    pub fn language(mut self, number: &str) -> Self {
        self.config.language = number.to_owned();
        self
    }

    /// What it measures at each punch, and the same converted. For profiles of ten fields and more.
    pub fn temperature(mut self, measured: &str, converted: &str) -> Self {
        self.config.temperature = (measured.to_owned(), converted.to_owned());
        self
    }

    /// Fields of a punch, where the firmware differs from its profile.
    pub fn attlog_fields(mut self, fields: usize) -> Self {
        self.config.attlog_fields = fields;
        self
    }

    /// Whether an upload has only arrived when the answer counts its lines, where the firmware differs from its profile.
    pub fn counted_acks(mut self, wants: bool) -> Self {
        self.config.wants_counted_acks = wants;
        self
    }

    /// Lines of one upload, at most.
    ///
    /// # Panics
    ///
    /// When it is 0.
    pub fn batch(mut self, lines: usize) -> Self {
        assert!(lines > 0, "an upload has at least one line");
        self.config.batch = lines;
        self
    }

    /// Between two polls, whatever the server says.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.config.delay = Some(delay);
        self
    }

    /// After a failure, whatever the server says.
    pub fn error_delay(mut self, delay: Duration) -> Self {
        self.config.error_delay = Some(delay);
        self
    }

    /// How long it waits for an answer, in real time.
    pub fn time_out(mut self, time_out: Duration) -> Self {
        self.config.time_out = time_out;
        self
    }

    /// Divides every interval the server sets.
    ///
    /// # Panics
    ///
    /// When it is 0.
    pub fn time_scale(mut self, times: u32) -> Self {
        assert!(times > 0, "time cannot stand still");
        self.config.time_scale = times;
        self
    }

    /// How long it is away when it restarts, in real time. Without this it is back at once.
    pub fn restart_time(mut self, time: Duration) -> Self {
        self.config.restart_time = time;
        self
    }

    /// Keeps its connection, as long as the server does.
    pub fn keeps_alive(mut self) -> Self {
        self.config.keeps_alive = true;
        self
    }

    /// The cookie of an access-control terminal, where it is not the MD5 that the manual describes.
    pub fn token(mut self, token: &str) -> Self {
        self.config.token = Some(token.to_owned());
        self
    }

    /// What `Shell` prints; without it the command is not supported.
    pub fn shell_output(mut self, output: &str) -> Self {
        self.config.shell_output = Some(output.to_owned());
        self
    }

    /// Who is told what happens.
    pub fn observer(mut self, observer: Observer) -> Self {
        self.config.observer = Some(observer);
        self
    }

    /// A fault it has from the start; see [`RunningTerminal::set_fault`].
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Switches it on, on the current tokio runtime.
    pub fn start(self, server: impl Into<Server>) -> RunningTerminal {
        let mut device = Device::new(self.config, self.users, self.options);
        for fault in self.faults {
            device.set_fault(fault);
        }
        for punch in self.records {
            device.log(punch, false);
        }
        let shared = Shared::new(device, server.into());
        let task = tokio::spawn(Conversation::new(shared.clone()).run());
        RunningTerminal::new(shared, task)
    }
}

impl fmt::Debug for VirtualTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualTerminal")
            .field("serial", &self.config.serial)
            .field("profile", &self.config.profile)
            .finish_non_exhaustive()
    }
}
