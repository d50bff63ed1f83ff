//! What a virtual terminal is, before it runs.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::ToSocketAddrs;

use super::clock::{Clock, TimeNotation, ZoneNotation};
use super::fault::FaultRule;
use super::hosts::{HttpHost, Slot};
use super::isapi::{Device, OverCap};
use super::log::{Event, Log, User};
use super::notice::Pictures;
use super::push::Push;
use super::running::RunningTerminal;
use super::sadp::Sadp;
use super::sign_in::{self, ChallengeForm, Gate, LockOut, Login, Nonces, Offer};
use super::stream::Stream;
use super::tls::Certificate;

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
    https: bool,
    hosts: Vec<HttpHost>,
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
            addr: SocketAddr::from(([0, 0, 0, 0], 0)),
            certificate: None,
            pictures: Pictures::None,
            stream: Stream::default(),
            armed: Vec::new(),
            armed_ever: 0,
            push: Push::default(),
            slots: Vec::new(),
            pushes: true,
            push_runs: false,
            sadp: None,
            people_capacity: 1500,
            digits_only: false,
            deletion: None,
            time_mode: "NTP".to_owned(),
            door_commands: Vec::new(),
        };
        Self {
            device,
            full_serial: None,
            gate: Gate::new(login, String::new()),
            label_serial,
            realm: None,
            events: Vec::new(),
            faults: Vec::new(),
            https: false,
            hosts: Vec::new(),
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

    /// Speaks HTTPS on its port and no HTTP, with a certificate of its own.
    pub fn https(mut self) -> Self {
        self.https = true;
        self
    }

    /// Speaks HTTPS with this certificate.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.device.certificate = Some(certificate);
        self
    }

    /// How it streams events.
    pub fn stream(mut self, stream: Stream) -> Self {
        self.device.stream = stream;
        self
    }

    /// How it calls servers.
    pub fn push(mut self, push: Push) -> Self {
        self.device.push = push;
        self
    }

    /// Puts a server into its next free slot, as somebody did before.
    pub fn http_host(mut self, host: HttpHost) -> Self {
        self.hosts.push(host);
        self
    }

    /// Lets itself be found.
    pub fn sadp(mut self, sadp: Sadp) -> Self {
        self.device.sadp = Some(sadp);
        self
    }

    /// What it does with the picture of somebody who was recognised; nothing, if not said.
    pub fn pictures(mut self, pictures: Pictures) -> Self {
        self.device.pictures = pictures;
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

    /// How many people, and how many faces, fit in; 1,500 if not said.
    pub fn people_capacity(mut self, people: usize) -> Self {
        self.device.people_capacity = people;
        self
    }

    /// Takes employee numbers of digits only, as some controllers do.
    pub fn digits_only(mut self) -> Self {
        self.device.digits_only = true;
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
    /// `addr` does not resolve or cannot be bound, the password is empty, or there are no random numbers for a
    /// certificate.
    pub async fn start(self, addr: impl ToSocketAddrs) -> io::Result<RunningTerminal> {
        let Self {
            mut device,
            full_serial,
            label_serial,
            mut gate,
            realm,
            events,
            faults,
            https,
            hosts,
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
        if https && device.certificate.is_none() {
            device.certificate = Some(Certificate::self_signed(&device.serial_number)?);
        }
        for event in events {
            device.append(event);
        }
        device.slots = vec![Slot::empty(); device.push.slots.max(hosts.len())];
        for (index, host) in hosts.into_iter().enumerate() {
            device
                .fill_slot(index, host, None)
                .map_err(|_| io::Error::other("there is no slot for this server"))?;
        }
        let running = RunningTerminal::start(device, gate, keeps_alive, delay, addr).await?;
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
