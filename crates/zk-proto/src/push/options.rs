//! Options in both directions: the block that answers a handshake, and what terminals tell about themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::net::IpAddr;

use jiff::tz::Offset;

use super::body::{is_secret, number};
use super::hello::Family;
use super::request::SerialNumber;
use super::security::RegistryCode;
use super::{text, time};

/// What a terminal is to upload by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    AttLog,
    OpLog,
    AttPhoto,
    EnrollFp,
    EnrollUser,
    FpImage,
    ChgUser,
    ChgFp,
    Face,
    UserPic,
    WorkCode,
    BioPhoto,
}

impl Topic {
    fn word(self) -> &'static str {
        match self {
            Self::AttLog => "AttLog",
            Self::OpLog => "OpLog",
            Self::AttPhoto => "AttPhoto",
            Self::EnrollFp => "EnrollFP",
            Self::EnrollUser => "EnrollUser",
            Self::FpImage => "FPImag",
            Self::ChgUser => "ChgUser",
            Self::ChgFp => "ChgFP",
            Self::Face => "FACE",
            Self::UserPic => "UserPic",
            Self::WorkCode => "WORKCODE",
            Self::BioPhoto => "BioPhoto",
        }
    }

    /// Of the digit form. Sources agree on the first three and the last; the others follow the majority and what was seen.
    fn position(self) -> usize {
        self as usize
    }
}

/// The positions a terminal goes on from, as it last sent them: opaque, never compared. `0` asks for everything again, `None` says
/// that none is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps {
    pub att_log: String,
    pub oper_log: String,
    pub att_photo: String,
}

impl Stamps {
    /// Everything again.
    pub fn from_the_start() -> Self {
        let zero = || "0".to_owned();
        Self {
            att_log: zero(),
            oper_log: zero(),
            att_photo: zero(),
        }
    }
}

/// The answer to a handshake of the attendance families. A terminal that gets none takes that for all it will get, and uploads
/// nothing until it is restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionBlock<'a> {
    pub serial: &'a SerialNumber,
    pub stamps: Stamps,
    /// Also under the names of old firmware, which asks for everything again only so.
    pub old_stamp_names: bool,
    /// Until a failed request is tried again: 30 to 300.
    pub error_delay_secs: u16,
    /// Between polls: 2 to 60.
    pub delay_secs: u16,
    /// Times of day at which it looks for what it has not sent, `hh:mm`, at most ten.
    pub trans_times: Vec<String>,
    pub trans_interval_mins: u16,
    pub topics: Vec<Topic>,
    /// Of the present, see [`time_zone`]. Without one a terminal may set its clock by what the factory thought.
    pub offset: Option<Offset>,
    /// The version to speak at most.
    pub version: &'a str,
    /// Asks for its parameters.
    pub parameters: bool,
    /// More options, as they are written. Those with line breaks are left out.
    pub more: Vec<(&'a str, String)>,
}

impl<'a> OptionBlock<'a> {
    /// Uploads at once, punches and people but no templates and no photos, everything from the start.
    pub fn new(serial: &'a SerialNumber) -> Self {
        Self {
            serial,
            stamps: Stamps::from_the_start(),
            old_stamp_names: false,
            error_delay_secs: 30,
            delay_secs: 10,
            trans_times: vec!["00:00".to_owned(), "14:05".to_owned()],
            trans_interval_mins: 1,
            topics: vec![
                Topic::AttLog,
                Topic::OpLog,
                Topic::EnrollUser,
                Topic::ChgUser,
            ],
            offset: None,
            version: "2.4.1",
            parameters: false,
            more: Vec::new(),
        }
    }

    /// In the words of the family. A security terminal is answered by [`SecurityBlock`]; what it gets here is that of the main line.
    pub fn encode(&self, family: Family) -> String {
        let mut block = Block(format!("GET OPTION FROM: {}\n", self.serial));
        let stamps = [
            ("ATTLOGStamp", "Stamp", &self.stamps.att_log),
            ("OPERLOGStamp", "OpStamp", &self.stamps.oper_log),
            ("ATTPHOTOStamp", "PhotoStamp", &self.stamps.att_photo),
        ];
        let is_original = family == Family::Original;
        if !is_original {
            for (name, _, stamp) in stamps {
                block.line(name, stamp);
            }
        }
        if is_original || self.old_stamp_names {
            for (_, name, stamp) in stamps {
                block.line(name, stamp);
            }
        }
        block.line("ErrorDelay", self.error_delay_secs);
        block.line("Delay", self.delay_secs);
        block.line("TransTimes", self.trans_times.join(";"));
        block.line("TransInterval", self.trans_interval_mins);
        block.line("TransFlag", trans_flag(&self.topics, family));
        // Never the last line: one kind of firmware overlooks it there.
        if let Some(zone) = self.offset.and_then(|offset| time_zone(offset, family)) {
            block.line("TimeZone", zone);
        }
        block.line("Realtime", 1);
        block.line("Encrypt", 0);
        match family {
            Family::Original => {}
            Family::Manual => {
                block.line("Timeout", 60);
                block.line("SyncTime", 3600);
            }
            Family::Attendance | Family::Security => {
                block.line("ServerVer", self.version);
                block.line("PushProtVer", self.version);
                block.line("SupportPing", 1);
            }
        }
        if self.parameters && !is_original {
            block.line("PushOptionsFlag", 1);
            block.line("PushOptions", WANTED_PARAMETERS);
        }
        for (name, value) in &self.more {
            block.line(name, value);
        }
        block.0
    }
}

const WANTED_PARAMETERS: &str = "UserCount,TransactionCount,FPCount,FaceCount,FingerFunOn,FaceFunOn,FWVersion,DeviceName,MAC,IPAddress,MaxAttLogCount,PushVersion,Platform,StringPinFunOn";

struct Block(String);

impl Block {
    /// A value with a line break would be another option.
    fn line(&mut self, name: &str, value: impl fmt::Display) {
        let line = format!("{name}={value}");
        if !line.contains(['\r', '\n', '\0']) {
            self.0.push_str(&line);
            self.0.push('\n');
        }
    }
}

/// `TransFlag`: words for newer firmware, digits for that of 2008.
fn trans_flag(topics: &[Topic], family: Family) -> String {
    if family == Family::Original {
        let len = match topics.iter().any(|topic| topic.position() >= 10) {
            true => 12,
            false => 10,
        };
        let digit = |at| match topics.iter().any(|topic| topic.position() == at) {
            true => '1',
            false => '0',
        };
        return (0..len).map(digit).collect();
    }
    let words: Vec<&str> = topics.iter().map(|topic| topic.word()).collect();
    let lead = match family {
        Family::Manual => "",
        _ => "TransData ",
    };
    format!("{lead}{}", words.join("\t"))
}

/// The value of `TimeZone`: whole hours as signed hours, others as signed minutes; the branch of manual 3.2.0 has `-05:00`. `None` for
/// offsets that cannot be said: those that are not whole minutes, or of so few minutes that they would be taken for hours. No daylight
/// saving time: it is the offset of now.
pub fn time_zone(offset: Offset, family: Family) -> Option<String> {
    let seconds = offset.seconds();
    if seconds % 60 != 0 {
        return None;
    }
    match (family, seconds % 3600) {
        (Family::Manual, _) => Some(time::colon_offset(offset)),
        (_, 0) => Some((seconds / 3600).to_string()),
        _ => {
            let minutes = seconds / 60;
            (minutes.abs() > 14).then(|| minutes.to_string())
        }
    }
}

/// The configuration of a security terminal: the answer to `push`, and at once to the handshake of one that is known.
#[derive(Clone, PartialEq, Eq)]
pub struct SecurityBlock<'a> {
    pub server_name: &'a str,
    pub version: &'a str,
    pub error_delay_secs: u16,
    /// Between polls: 2 to 30.
    pub request_delay_secs: u16,
    pub trans_times: Vec<String>,
    pub trans_interval_mins: u16,
    pub session: String,
    pub timeout_secs: u16,
    /// More options, as they are written. Those with line breaks are left out.
    pub more: Vec<(&'a str, String)>,
}

impl fmt::Debug for SecurityBlock<'_> {
    /// Without the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityBlock")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl<'a> SecurityBlock<'a> {
    pub fn new(session: impl Into<String>) -> Self {
        Self {
            server_name: "Muster",
            version: "3.1.2",
            error_delay_secs: 60,
            request_delay_secs: 10,
            trans_times: vec!["00:00".to_owned(), "14:00".to_owned()],
            trans_interval_mins: 1,
            session: session.into(),
            timeout_secs: 10,
            more: Vec::new(),
        }
    }

    /// The answer to `push`.
    pub fn encode(&self) -> String {
        let mut block = Block(String::new());
        self.lines(&mut block);
        block.0
    }

    /// The answer to the handshake of a terminal that registered before.
    pub fn encode_registered(&self, code: &RegistryCode) -> String {
        let mut block = Block(String::new());
        block.line("registry", "ok");
        block.line("RegistryCode", code.as_str());
        self.lines(&mut block);
        block.0
    }

    fn lines(&self, block: &mut Block) {
        block.line("ServerVersion", self.version);
        block.line("ServerName", self.server_name);
        block.line("PushProtVer", self.version);
        block.line("ErrorDelay", self.error_delay_secs);
        block.line("RequestDelay", self.request_delay_secs);
        block.line("TransTimes", self.trans_times.join(";"));
        block.line("TransInterval", self.trans_interval_mins);
        block.line("TransTables", "User Transaction");
        block.line("Realtime", 1);
        block.line("SessionID", &self.session);
        block.line("TimeoutSec", self.timeout_secs);
        for (name, value) in &self.more {
            block.line(name, value);
        }
    }
}

/// What a terminal says about itself: an upload of `options`, a registration, the answer to INFO. Names without the tilde that marks
/// what cannot be changed; found without regard to case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// From `name=value` with commas or line breaks between. What has no `=` belongs to the value before it.
    pub fn parse(body: &[u8]) -> Self {
        let mut named: BTreeMap<String, String> = BTreeMap::new();
        for line in super::body::lines(body) {
            let mut last: Option<String> = None;
            for part in line.split(|byte| matches!(byte, b',' | b'\t')) {
                let part = text::decode(part.trim_ascii());
                match (part.split_once('='), &last) {
                    (Some((name, value)), _) => {
                        let name = name.trim().trim_start_matches('~').to_owned();
                        named.insert(name.clone(), value.trim().to_owned());
                        last = Some(name);
                    }
                    (None, Some(name)) if !part.is_empty() => {
                        if let Some(value) = named.get_mut(name) {
                            let _ = write!(value, ",{part}");
                        }
                    }
                    _ => {}
                }
            }
        }
        named.retain(|name, _| !name.is_empty());
        Self(named)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let exact = self.0.get(name);
        let found = exact.or_else(|| {
            let mut all = self.0.iter();
            all.find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        found.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All that may be kept and shown: without keys and passwords.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().filter(|(name, _)| !hides(name));
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    pub fn serial(&self) -> Option<SerialNumber> {
        SerialNumber::parse(self.get("SerialNumber")?)
    }

    pub fn user_count(&self) -> Option<u32> {
        self.number("UserCount")
    }

    /// Punches on the terminal now.
    pub fn record_count(&self) -> Option<u32> {
        self.number("TransactionCount")
    }

    /// Punches it has room for. The terminal counts in units of 10,000.
    pub fn record_capacity(&self) -> Option<u32> {
        self.number("MaxAttLogCount")?.checked_mul(10_000)
    }

    pub fn finger_count(&self) -> Option<u32> {
        self.number("FPCount")
    }

    pub fn face_count(&self) -> Option<u32> {
        self.number("FaceCount")
    }

    pub fn model(&self) -> Option<&str> {
        self.get("DeviceName")
    }

    pub fn firmware(&self) -> Option<&str> {
        self.get("FWVersion").or_else(|| self.get("FirmVer"))
    }

    pub fn platform(&self) -> Option<&str> {
        self.get("Platform")
    }

    pub fn mac(&self) -> Option<&str> {
        self.get("MAC")
    }

    /// In its own network.
    pub fn lan_address(&self) -> Option<IpAddr> {
        self.get("IPAddress")?.parse().ok()
    }

    /// User ids may have letters.
    pub fn has_string_pins(&self) -> bool {
        self.get("StringPinFunOn") == Some("1")
    }

    /// Wants commands wrapped: [`super::command::Dialect::wrapped`].
    pub fn wraps_commands(&self) -> bool {
        self.get("CmdFormat") == Some("1")
    }
}

fn hides(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    is_secret(name.as_bytes())
        || ["key", "pwd", "passw", "secret"]
            .iter()
            .any(|part| name.contains(part))
}

impl fmt::Debug for Parameters {
    /// Without keys and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}

/// The `INFO=` of a poll. Fewer fields than all are normal, and each may be unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    pub firmware: Option<String>,
    pub users: Option<u32>,
    pub fingers: Option<u32>,
    /// Punches on the terminal now: against our own count the cheapest sign of lost ones.
    pub records: Option<u32>,
    /// In its own network.
    pub lan_address: Option<IpAddr>,
    pub finger_algorithm: Option<String>,
    /// `-1` for none.
    pub face_algorithm: Option<String>,
    pub faces_per_enrolment: Option<u32>,
    pub faces: Option<u32>,
    /// A digit each for finger, face, user photo, comparison photo and visible-light template.
    pub features: Option<String>,
    pub cards: Option<u32>,
    pub user_photos: Option<u32>,
    pub photos: Option<u32>,
}

impl Info {
    pub fn parse(value: &str) -> Self {
        let mut fields = value.split(',').map(str::trim);
        let mut next = || fields.next().filter(|field| !field.is_empty());
        let count = |field: Option<&str>| number(field?.as_bytes());
        let text = |field: Option<&str>| field.map(str::to_owned);
        Self {
            firmware: text(next()),
            users: count(next()),
            fingers: count(next()),
            records: count(next()),
            lan_address: next().and_then(|field| field.parse().ok()),
            finger_algorithm: text(next()),
            face_algorithm: text(next()),
            faces_per_enrolment: count(next()),
            faces: count(next()),
            features: text(next()),
            cards: count(next()),
            user_photos: count(next()),
            photos: count(next()),
        }
    }
}
