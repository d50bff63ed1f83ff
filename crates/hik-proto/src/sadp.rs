//! SADP, by which terminals of one link tell who and where they are. Nobody signs it: an answer is a claim.
//!
//! Only the question is written here. The commands that change a terminal are not.

use std::net::Ipv4Addr;

use crate::body::{DecodeError, Fields};

/// Where terminals are asked, and where they also answer.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
pub const PORT: u16 = 37020;
/// No answer is longer; what is, is not looked at.
pub const LONGEST_ANSWER: usize = 8 * 1024;
/// The questions; some terminals answer only one of them.
pub const QUESTIONS: [&str; 2] = ["inquiry", "inquiry_v32"];

/// In bytes. What is longer is no serial number, model or version.
const LONGEST_TEXT: usize = 96;

/// A question. `uuid` is echoed in the answer.
pub fn probe(uuid: &str, question: &str) -> String {
    let uuid = uuid.to_uppercase();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Probe><Uuid>{uuid}</Uuid><Types>{question}</Types></Probe>"
    )
}

/// What a terminal says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SadpAnswer {
    /// As it says; it may be the full one or another.
    pub serial: String,
    pub model: String,
    pub address: Option<Ipv4Addr>,
    /// 80 where it does not say.
    pub http_port: u16,
    pub https_port: Option<u16>,
    /// Lower case with colons, as in other bodies.
    pub mac: Option<String>,
    pub firmware: String,
    /// `Some(false)`: it is as it left the factory, and nobody can sign in.
    pub activated: Option<bool>,
    /// Of the question that it answers.
    pub uuid: String,
}

impl SadpAnswer {
    /// What a datagram says; `None` for one that is no answer: our own question, or that of somebody else.
    ///
    /// # Errors
    /// When it is no XML, too long, or an answer without a serial number.
    pub fn decode(datagram: &[u8]) -> Result<Option<Self>, DecodeError> {
        if datagram.len() > LONGEST_ANSWER {
            return Err(DecodeError::Unreasonable);
        }
        let end = datagram.iter().rposition(|byte| *byte != 0);
        let datagram = &datagram[..end.map_or(0, |at| at + 1)];
        let fields = Fields::parse(datagram)?;
        // The root is spelt in several ways.
        if !fields.has_parent("ProbeMatch") {
            return Ok(None);
        }
        let text = |name| {
            let text = fields.text(name).unwrap_or_default();
            match text.len() <= LONGEST_TEXT {
                // People read it on one line.
                true => text.replace(char::is_control, " ").trim().to_owned(),
                false => String::new(),
            }
        };
        let port = |name| fields.text(name)?.parse().ok().filter(|port| *port != 0);
        let serial = text("DeviceSN");
        if serial.is_empty() {
            return Err(DecodeError::Missing("DeviceSN"));
        }
        let address = fields
            .text("IPv4Address")
            .and_then(|text| text.parse().ok());
        Ok(Some(Self {
            serial,
            model: text("DeviceDescription"),
            address: address.filter(|address: &Ipv4Addr| !address.is_unspecified()),
            http_port: port("HttpPort").unwrap_or(80),
            https_port: port("HttpsPort"),
            mac: fields.text("MAC").and_then(normal_mac),
            firmware: text("SoftwareVersion"),
            activated: fields.text("Activated").and_then(truth),
            uuid: text("Uuid")
                .chars()
                .filter(|c| c.is_ascii_hexdigit() || *c == '-')
                .collect(),
        }))
    }
}

/// A hardware address in lower case with colons, whatever stands between its bytes; `None` for what is none.
pub fn normal_mac(text: &str) -> Option<String> {
    let digits: String = text
        .trim()
        .chars()
        .filter(|c| !matches!(c, ':' | '-' | '.'))
        .collect();
    let is_one = digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_one.then(|| {
        let bytes = digits.as_bytes().chunks(2);
        let bytes = bytes.map(|pair| String::from_utf8_lossy(pair).to_lowercase());
        bytes.collect::<Vec<_>>().join(":")
    })
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
