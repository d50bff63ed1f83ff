//! What a virtual terminal is, before it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::civil::date;
use tokio::net::{ToSocketAddrs, lookup_host};

use super::device::{Config, Device, Reads};
use super::fault::Fault;
use super::live::EventLayout;
use super::log::{Log, LogLayout, Record};
use super::running::RunningTerminal;
use super::server::{Server, Sockets, Transports};
use super::templates::{Template, Templates};
use super::users::{UserLayout, UserTable};
use super::{Clock, stopped};

/// What a virtual terminal is, before it runs.
#[derive(Clone)]
pub struct VirtualTerminal {
    config: Config,
    users: UserTable,
    templates: Templates,
    log_layout: LogLayout,
    log: Content,
    transports: Transports,
    udp_port: Option<u16>,
    options: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

#[derive(Clone)]
enum Content {
    Records(Vec<Record>),
    Prepared(Log),
}

impl Content {
    fn laid_out(self, layout: LogLayout) -> Log {
        match self {
            Self::Records(records) => Log::new(layout, records),
            Self::Prepared(log) => log,
        }
    }
}

impl VirtualTerminal {
    /// A colour terminal without people or punches: 72-byte users, 40-byte records, no key, buffered reads, room for
    /// 5,000 users and 200,000 records, its clock standing at 2026-01-01 00:00:00.
    pub fn new(serial_number: &str) -> Self {
        let options = [
            ("~DeviceName", "MB360/ID"),
            ("~Platform", "ZMM220_TFT"),
            ("~OS", "1"),
            ("~ZKFPVersion", "10"),
            ("~OEMVendor", "ZKTECO CO., LTD."),
            ("~PIN2Width", "9"),
            ("~SSR", "1"),
            ("IPAddress", "192.168.1.201"),
            ("NetMask", "255.255.255.0"),
            ("GATEIPAddress", "192.168.1.1"),
            ("DeviceID", "1"),
            ("TCPPort", "4370"),
            ("FingerFunOn", "1"),
            ("FaceFunOn", "0"),
            ("WorkCode", "0"),
            ("LockOn", "5"),
            ("AlarmReRec", "1"),
            ("CompatOldFirmware", "0"),
            ("Language", "69"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let model = Self {
            config: Config {
                comm_key: 0,
                firmware: "Ver 6.60 Apr 26 2016".to_owned(),
                first_session: 1,
                user_layout: UserLayout::SeventyTwo,
                event_layout: EventLayout::ThirtyTwo,
                restart_time: Duration::ZERO,
                acknowledges_restart: false,
                reads: Reads::Buffered,
                inline_limit: 1024,
                part_size: 65_528,
                bare_chunks: false,
                data_without_session: false,
                size_in_closing_ack: false,
                options_without_nul: false,
                counter_words: 23,
                finger_capacity: 3000,
                user_capacity: 5000,
                record_capacity: 200_000,
                one_connection: None,
                missing_commands: BTreeMap::new(),
                clock: stopped(date(2026, 1, 1).at(0, 0, 0, 0)),
            },
            users: UserTable::default(),
            templates: Templates::default(),
            log_layout: LogLayout::Forty,
            log: Content::Records(Vec::new()),
            transports: Transports::Tcp,
            udp_port: None,
            options: options.into(),
            faults: Vec::new(),
        };
        model.with_serial_number(serial_number)
    }

    /// The serial number decides what differs between terminals, so that a run can be repeated.
    pub(super) fn with_serial_number(mut self, serial_number: &str) -> Self {
        let hash = fnv(serial_number);
        let [_, a, b, c, ..] = hash.to_le_bytes();
        self.config.first_session = (hash as u16).max(1);
        self.option("~SerialNumber", serial_number)
            .option("MAC", &format!("00:17:61:{a:02x}:{b:02x}:{c:02x}"))
    }

    pub(super) fn serial_number(&self) -> &str {
        self.options.get("~SerialNumber").map_or("", String::as_str)
    }

    /// The same, its log in the bytes that clones share.
    pub(super) fn laid_out(mut self) -> Self {
        self.log = Content::Prepared(self.log.laid_out(self.log_layout));
        self
    }

    /// The key a client must know; 0 is none.
    pub fn comm_key(mut self, key: u32) -> Self {
        self.config.comm_key = key;
        self
    }

    /// The model, option `~DeviceName`.
    pub fn model(self, model: &str) -> Self {
        self.option("~DeviceName", model)
    }

    /// The answer to command 1100, for example `Ver 6.60 Apr 26 2016`.
    pub fn firmware(mut self, firmware: &str) -> Self {
        self.config.firmware = firmware.to_owned();
        self
    }

    /// An option; the value may be empty.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.insert(name.to_owned(), value.to_owned());
        self
    }

    /// An option this firmware does not know.
    pub fn without_option(mut self, name: &str) -> Self {
        self.options.remove(name);
        self
    }

    /// Sends options without the closing NUL.
    pub fn options_without_nul(mut self) -> Self {
        self.config.options_without_nul = true;
        self
    }

    /// The terminal's wall clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.config.clock = clock;
        self
    }

    /// The people it knows, in its order. A [`UserTable`] can be shared by many terminals.
    pub fn users(mut self, users: impl Into<UserTable>) -> Self {
        self.users = users.into();
        self
    }

    /// The fingerprints it knows; one of the same user and finger is replaced by the later.
    pub fn templates(mut self, templates: impl IntoIterator<Item = Template>) -> Self {
        self.templates = templates.into_iter().collect();
        self
    }

    /// How it lists users.
    pub fn user_layout(mut self, layout: UserLayout) -> Self {
        self.config.user_layout = layout;
        self
    }

    /// The log it starts with, oldest first.
    pub fn records(mut self, records: impl IntoIterator<Item = Record>) -> Self {
        self.log = Content::Records(records.into_iter().collect());
        self
    }

    /// How it lays out the log.
    pub fn log_layout(mut self, layout: LogLayout) -> Self {
        self.log_layout = layout;
        self
    }

    /// The log it starts with, laid out already and shared with other terminals. It brings its own layout.
    pub fn log(mut self, log: Log) -> Self {
        self.log = Content::Prepared(log);
        self
    }

    /// How many records fit; later punches are lost.
    pub fn record_capacity(mut self, records: u32) -> Self {
        self.config.record_capacity = records;
        self
    }

    /// How many users fit.
    pub fn user_capacity(mut self, users: u32) -> Self {
        self.config.user_capacity = users;
        self
    }

    /// How many fingerprints fit.
    pub fn finger_capacity(mut self, fingers: u32) -> Self {
        self.config.finger_capacity = fingers;
        self
    }

    /// Words in the answer to command 50: 20, 23 and 28 are known, and 1 of a WL20.
    pub fn counter_words(mut self, words: usize) -> Self {
        self.config.counter_words = words;
        self
    }

    /// A command this model does not offer: it answers with `refusal`, for example 65535, 65533 or 2001.
    pub fn without_command(mut self, command: u16, refusal: u16) -> Self {
        self.config.missing_commands.insert(command, refusal);
        self
    }

    /// How it lays out the live event of a punch; 32 bytes unless said otherwise.
    pub fn event_layout(mut self, layout: EventLayout) -> Self {
        self.config.event_layout = layout;
        self
    }

    /// How long it is away when it restarts, in real time. Without this it is back at once.
    pub fn restart_time(mut self, time: Duration) -> Self {
        self.config.restart_time = time;
        self
    }

    /// Answers a restart command before it restarts; others go without a word.
    pub fn acknowledges_restart(mut self) -> Self {
        self.config.acknowledges_restart = true;
        self
    }

    /// Which bulk reads it serves.
    pub fn reads(mut self, reads: Reads) -> Self {
        self.config.reads = reads;
        self
    }

    /// Bulk answers up to this size come at once in one frame; 0 is never. Real terminals were seen near 1 KiB.
    pub fn inline_limit(mut self, bytes: usize) -> Self {
        self.config.inline_limit = bytes;
        self
    }

    /// The largest DATA frame of a chunk: 1008, 4096 and 65528 are known.
    ///
    /// # Panics
    ///
    /// When it is 0.
    pub fn part_size(mut self, bytes: u32) -> Self {
        assert!(bytes > 0, "a part has at least one byte");
        self.config.part_size = bytes;
        self
    }

    /// Answers a chunk request with one DATA frame alone, without announcement and acknowledgement.
    pub fn bare_chunks(mut self) -> Self {
        self.config.bare_chunks = true;
        self
    }

    /// DATA frames carry session 0, as on K40 and Z40.
    pub fn data_without_session(mut self) -> Self {
        self.config.data_without_session = true;
        self
    }

    /// The acknowledgement that closes a transfer carries the size in its session field, as on a K40.
    pub fn size_in_closing_ack(mut self) -> Self {
        self.config.size_in_closing_ack = true;
        self
    }

    /// Serves one connection at a time and closes others at once. After a connection that ends without EXIT the place
    /// stays taken for `hold` of real time, as terminals do until their own time-out.
    pub fn one_connection(mut self, hold: Duration) -> Self {
        self.config.one_connection = Some(hold);
        self
    }

    /// Session id of the first connection; each further one gets the next. Without this it depends on the serial number.
    ///
    /// # Panics
    ///
    /// When it is 0.
    pub fn first_session(mut self, session: u16) -> Self {
        assert!(session > 0, "a session id is not 0");
        self.config.first_session = session;
        self
    }

    /// Over what it talks, TCP alone unless said otherwise.
    pub fn transports(mut self, transports: Transports) -> Self {
        self.transports = transports;
        self
    }

    /// The UDP port, when it is another than that of TCP; 0 takes a free one.
    pub fn udp_port(mut self, port: u16) -> Self {
        self.udp_port = Some(port);
        self
    }

    /// A fault it has from the start; see [`RunningTerminal::set_fault`].
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Starts listening on the current tokio runtime; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(self, addr: impl ToSocketAddrs) -> io::Result<RunningTerminal> {
        let addrs: Vec<SocketAddr> = lookup_host(addr).await?.collect();
        let sockets = Sockets::bind(&addrs, self.transports, self.udp_port).await?;
        let log = self.log.laid_out(self.log_layout);
        let serial_number = self.options.get("~SerialNumber").cloned();
        let mut device = Device::new(self.config, self.users, log, self.options);
        device.templates = self.templates;
        for fault in self.faults {
            device.set_fault(fault);
        }
        Ok(RunningTerminal::new(
            Server::start(device, sockets)?,
            serial_number.unwrap_or_default(),
        ))
    }
}

impl fmt::Debug for VirtualTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualTerminal")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The FNV-1a hash: the same number for the same text on every machine.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
