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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn serial() -> SerialNumber {
        SerialNumber::parse("BOCK1").expect("a serial number")
    }

    #[test]
    fn zones() {
        let check = |minutes: i32, family: Family, expected: Option<&str>| {
            let offset = Offset::from_seconds(minutes * 60).expect("an offset");
            assert_eq!(time_zone(offset, family).as_deref(), expected);
        };
        for family in [Family::Original, Family::Attendance, Family::Security] {
            check(480, family, Some("8"));
            check(-180, family, Some("-3"));
            check(0, family, Some("0"));
            check(330, family, Some("330"));
            check(345, family, Some("345"));
            check(-210, family, Some("-210"));
            check(-30, family, Some("-30"));
            check(10, family, None); // would be ten hours
        }
        check(-300, Family::Manual, Some("-05:00"));
        check(330, Family::Manual, Some("+05:30"));
        let odd = Offset::from_seconds(19_801).expect("an offset");
        assert_eq!(time_zone(odd, Family::Attendance), None);
    }

    #[test]
    fn the_block_of_the_branch() {
        let serial = serial();
        let mut block = OptionBlock::new(&serial);
        block.offset = Offset::from_seconds(-18_000).ok();
        block.stamps.att_log = "2026-11-22T08:00:00".to_owned();
        block.parameters = true;
        let expected = format!(
            "GET OPTION FROM: BOCK1\nATTLOGStamp=2026-11-22T08:00:00\nOPERLOGStamp=0\nATTPHOTOStamp=0\n\
             ErrorDelay=30\nDelay=10\nTransTimes=00:00;14:05\nTransInterval=1\n\
             TransFlag=AttLog\tOpLog\tEnrollUser\tChgUser\nTimeZone=-05:00\nRealtime=1\nEncrypt=0\n\
             Timeout=60\nSyncTime=3600\nPushOptionsFlag=1\nPushOptions={WANTED_PARAMETERS}\n"
        );
        assert_eq!(block.encode(Family::Manual), expected);
    }

    #[test]
    fn old_names_more_options_and_line_breaks() {
        let serial = serial();
        let mut block = OptionBlock::new(&serial);
        block.old_stamp_names = true;
        block.stamps.oper_log = "1\nTransFlag=0".to_owned();
        block.more = vec![("BioDataFun", "1".to_owned())];
        let text = block.encode(Family::Attendance);
        assert!(text.contains("\nATTLOGStamp=0\n") && text.contains("\nStamp=0\n"));
        assert!(!text.contains("TransFlag=0") && text.ends_with("\nBioDataFun=1\n"));
        block.topics.push(Topic::BioPhoto);
        let text = block.encode(Family::Original);
        assert!(text.contains("\nTransFlag=110010100001\n"), "{text}");
    }

    #[test]
    fn parameters_of_all_kinds() {
        let body = b"~DeviceName=K40,UserCount = 14 ,IPAddress=192.168.16.27,CmdFormat=1,~StringPinFunOn=1,authKey=s3cret,Comment=a,b, c,MaxAttLogCount=10,=x,y";
        let parameters = Parameters::parse(body);
        assert_eq!(parameters.model(), Some("K40"));
        assert_eq!(parameters.user_count(), Some(14));
        assert_eq!(parameters.lan_address(), Some([192, 168, 16, 27].into()));
        assert!(parameters.wraps_commands() && parameters.has_string_pins());
        assert_eq!(parameters.get("comment"), Some("a,b,c"));
        assert_eq!(parameters.get("AUTHKEY"), Some("s3cret"));
        assert_eq!(parameters.record_capacity(), Some(100_000));
        assert!(parameters.shown().all(|(name, _)| name != "authKey"));
        assert!(!format!("{parameters:?}").contains("s3cret"));
        let lines = Parameters::parse(b"FWVersion=Ver 6.60 Apr 28 2017\r\nFPCount=x\nFaceCount=\n");
        assert_eq!(lines.firmware(), Some("Ver 6.60 Apr 28 2017"));
        assert_eq!((lines.finger_count(), lines.face_count()), (None, None));
        assert!(Parameters::parse(b"garbage").is_empty());
        let huge = Parameters::parse(b"MaxAttLogCount=4000000000");
        assert_eq!(huge.record_capacity(), None);
    }

    #[test]
    fn info_with_few_and_odd_fields() {
        let info = Info::parse("Ver 1, 2, x");
        assert_eq!(info.firmware.as_deref(), Some("Ver 1"));
        assert_eq!(
            (info.users, info.fingers, info.records),
            (Some(2), None, None)
        );
        let full = Info::parse("V,1,2,3,fe80::1,10,-1,15,4,11111,5,6,7,8");
        assert_eq!(
            (full.face_algorithm.as_deref(), full.photos),
            (Some("-1"), Some(7))
        );
        assert_eq!(Info::parse(""), Info::default());
    }

    proptest! {
        #[test]
        fn no_input_panics(body in proptest::collection::vec(any::<u8>(), 0..200), text in "[a-z0-9,=~.\n]{0,60}") {
            Parameters::parse(&body);
            let parameters = Parameters::parse(text.as_bytes());
            prop_assert!(parameters.shown().all(|(name, _)| !name.is_empty()));
            Info::parse(&text);
        }

        #[test]
        fn what_is_in_a_block_cannot_begin_another_line(stamp in "\\PC{0,5}[\r\n]?\\PC{0,5}") {
            let serial = serial();
            let mut block = OptionBlock::new(&serial);
            let lines = block.encode(Family::Attendance).lines().count();
            block.stamps.att_log = stamp;
            let text = block.encode(Family::Attendance);
            prop_assert!(text.lines().count() <= lines && text.ends_with('\n'));
        }
    }
}
