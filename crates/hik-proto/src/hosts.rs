//! `/ISAPI/Event/notification/httpHosts`: to whom a terminal posts its events. The few slots may be somebody else's.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use quick_xml::events::Event;

use crate::body::{DecodeError, Fields, clean_text};

/// No terminal has more slots; what comes on top is not looked at.
const MOST_SLOTS: usize = 64;
/// `url` holds so many characters on every unit that tells.
pub const LONGEST_URL: usize = 128;
/// What a terminal stores that did not understand its address.
const NOWHERE: &str = "0.0.0.0";

/// One slot as a terminal has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSlot {
    /// Opaque; the last part of the slot's own path.
    pub id: String,
    /// Path and query, or on some firmware a full URL. Empty where nobody is posted to.
    pub url: String,
    /// `HTTP`, `HTTPS`, or `EHome` for the vendor's own service.
    pub protocol: String,
    /// `JSON` or `XML`.
    pub format: String,
    /// Address or name, whichever is used.
    pub host: String,
    pub port: Option<u16>,
    /// Between two heartbeats, where it sends any.
    pub heartbeat_secs: Option<u32>,
    /// The kinds of events it posts; empty where it does not tell, or posts all.
    pub events: BTreeSet<String>,
}

/// Reads the list of slots, or the one of `/httpHosts/<id>`.
///
/// # Errors
/// When the body is neither XML nor JSON, or a slot has no id: then nobody knows which one it is.
pub fn decode_hosts(body: &[u8]) -> Result<Vec<HostSlot>, DecodeError> {
    let slots = each(body, "HttpHostNotification")?;
    slots
        .iter()
        .map(|slot| HostSlot::of(slot).ok_or(DecodeError::Missing("id of a slot")))
        .collect()
}

impl HostSlot {
    fn of(fields: &Fields) -> Option<Self> {
        const ROOT: &str = "HttpHostNotification";
        let text = |name| fields.text_in(ROOT, name).unwrap_or_default().to_owned();
        let by_name = text("addressingFormatType").eq_ignore_ascii_case("hostname");
        let named = ["hostName", "ipAddress", "ipv6Address"];
        let mut hosts = named.into_iter().map(&text);
        let host = match by_name {
            true => hosts.next(),
            // A unit that is called by its address keeps the name of somebody before.
            false => hosts.skip(1).find(|host| !host.is_empty() && host != "::"),
        };
        Some(Self {
            id: Some(text("id")).filter(|id| is_id(id))?,
            url: text("url"),
            protocol: text("protocolType"),
            format: text("parameterFormatType"),
            host: host.unwrap_or_default(),
            port: text("portNo").parse().ok(),
            heartbeat_secs: fields
                .text_in("SubscribeEvent", "heartbeat")
                .and_then(|secs| secs.parse().ok()),
            events: fields
                .texts_in("Event", "type")
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Nobody is posted to: it may be taken. A slot of the vendor's own service, or one that names a server without a path, is
    /// somebody's.
    pub fn is_free(&self) -> bool {
        let is_vendors = self.protocol.eq_ignore_ascii_case("EHome");
        let is_nowhere = self.host.is_empty() || self.host == NOWHERE;
        self.url.is_empty() && is_nowhere && !is_vendors
    }

    /// Whether its URL is this path, whichever server it names.
    pub fn has_path(&self, path: &str) -> bool {
        path_of(&self.url) == path
    }

    /// What was meant for a slot and is not so in what the terminal stored; empty when it will call us.
    pub fn differences(&self, meant: &CallHost<'_>) -> Vec<SlotDifference> {
        let port = self.port.map_or(String::new(), |port| port.to_string());
        let mut found = Vec::new();
        let mut compare = |field, meant: &str, stored: &str| {
            if !meant.eq_ignore_ascii_case(stored) {
                let [meant, stored] = [meant, stored].map(str::to_owned);
                found.push(SlotDifference {
                    field,
                    meant,
                    stored,
                });
            }
        };
        // A path is compared as it is written: the token in it is.
        if !self.has_path(meant.path) {
            compare("url", "our path", "another one");
        }
        compare("protocolType", "HTTP", &self.protocol);
        compare("address", meant.host, &self.host);
        compare("portNo", &meant.port.to_string(), &port);
        if !self.format.is_empty() {
            compare("parameterFormatType", meant.format.as_str(), &self.format);
        }
        let posts = |kind: &String| kind.eq_ignore_ascii_case(ACCESS_EVENTS) || kind == "all";
        if !self.events.is_empty() && !self.events.iter().any(posts) {
            let stored: Vec<_> = self.events.iter().map(String::as_str).collect();
            compare("events", ACCESS_EVENTS, &stored.join(" "));
        }
        found
    }

    /// Who has it, for a person who looks for a free one. Without the path, which may hold somebody's secret.
    pub fn holder(&self) -> String {
        let host = host_of(&self.url).unwrap_or(&self.host);
        let port = self.port.filter(|port| *port != 0);
        match (host, port) {
            ("" | NOWHERE, _) if !self.protocol.is_empty() => {
                format!("a {} service", self.protocol)
            }
            ("" | NOWHERE, _) => "somebody without an address".to_owned(),
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        }
    }
}

/// Part of a path of ours.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 16 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The path and query of a URL, which may be one already.
fn path_of(url: &str) -> &str {
    match url.split_once("://") {
        Some((_, rest)) if !url.starts_with('/') => rest.find('/').map_or("", |at| &rest[at..]),
        _ => url,
    }
}

fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://").filter(|_| !url.starts_with('/'))?;
    rest.split(['/', ':'])
        .next()
        .filter(|host| !host.is_empty())
}

/// Of the events of a terminal those that can be punches.
const ACCESS_EVENTS: &str = "AccessControllerEvent";

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventFormat {
    #[default]
    Json,
    Xml,
}

impl EventFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }
}

/// A slot as we want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallHost<'a> {
    pub id: &'a str,
    /// Of a URL, with its slash.
    pub path: &'a str,
    /// An address or a name that the terminal can reach.
    pub host: &'a str,
    pub port: u16,
    pub format: EventFormat,
    pub heartbeat_secs: u32,
    /// Asks to post again after an outage what could not be posted, where the terminal lists that it can.
    pub resends: bool,
}

impl CallHost<'_> {
    /// The body of PUT `/httpHosts/<id>`. Some firmware wants the elements in this order.
    pub fn encode(&self) -> String {
        let (addressing, address) = match self.host.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(_)) => ("ipaddress", "ipAddress"),
            Ok(std::net::IpAddr::V6(_)) => ("ipaddress", "ipv6Address"),
            Err(_) => ("hostname", "hostName"),
        };
        let mut xml = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HttpHostNotification version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\n",
        );
        let port = self.port.to_string();
        for (name, value) in [
            ("id", self.id),
            ("url", self.path),
            ("protocolType", "HTTP"),
            ("parameterFormatType", self.format.as_str()),
            ("addressingFormatType", addressing),
            (address, self.host),
            ("portNo", &port),
            ("httpAuthenticationMethod", "none"),
        ] {
            let value = quick_xml::escape::escape(value);
            let _ = writeln!(xml, "<{name}>{value}</{name}>"); // a String takes everything
        }
        if self.resends {
            xml.push_str("<httpBroken>true</httpBroken>\n");
        }
        let _ = writeln!(
            xml,
            "<SubscribeEvent><heartbeat>{}</heartbeat><eventMode>all</eventMode>\n\
             <EventList><Event><type>{ACCESS_EVENTS}</type><pictureURLType>localURL</pictureURLType></Event></EventList></SubscribeEvent>",
            self.heartbeat_secs
        );
        xml.push_str("</HttpHostNotification>\n");
        xml
    }
}

/// The body of PUT `/httpHosts/<id>` that gives a slot back: nobody is posted to.
pub fn encode_free_host(id: &str) -> String {
    let id = quick_xml::escape::escape(id);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HttpHostNotification version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\n\
         <id>{id}</id>\n<url></url>\n<protocolType>HTTP</protocolType>\n<parameterFormatType>XML</parameterFormatType>\n\
         <addressingFormatType>ipaddress</addressingFormatType>\n<ipAddress>0.0.0.0</ipAddress>\n<portNo>80</portNo>\n\
         <httpAuthenticationMethod>none</httpAuthenticationMethod>\n</HttpHostNotification>\n"
    )
}

/// A field of a slot that is not as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotDifference {
    pub field: &'static str,
    pub meant: String,
    pub stored: String,
}

impl fmt::Display for SlotDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = match self.stored.as_str() {
            "" => "nothing",
            stored => stored,
        };
        write!(f, "{} is {stored} instead of {}", self.field, self.meant)
    }
}

/// The answer of `/httpHosts/capabilities`, as far as arming depends on it. What is not told is as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostCapabilities {
    pub slots: Option<u32>,
    formats: Vec<String>,
    heartbeat: (Option<u32>, Option<u32>),
    /// It can post again what it could not post.
    pub resends: bool,
}

impl HostCapabilities {
    /// # Errors
    /// When the body is neither XML nor JSON.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        let number = |name, end| fields.text_in(name, end)?.parse().ok();
        let formats = fields.text_in("parameterFormatType", "@opt");
        let formats = formats.unwrap_or_default().split(',').map(str::trim);
        Ok(Self {
            slots: fields.number("hostNumber"),
            formats: formats
                .filter(|format| !format.is_empty())
                .map(str::to_owned)
                .collect(),
            heartbeat: (number("heartbeat", "@min"), number("heartbeat", "@max")),
            resends: fields.text("httpBroken").is_some()
                || fields.text_in("httpBroken", "@opt").is_some()
                || fields.text("isSupportHttpBroken") == Some("true"),
        })
    }

    /// JSON unless only XML is listed.
    pub fn format(&self) -> EventFormat {
        let lists = |name: &str| self.formats.iter().any(|f| f.eq_ignore_ascii_case(name));
        match lists("XML") && !lists("JSON") {
            true => EventFormat::Xml,
            false => EventFormat::Json,
        }
    }

    /// The nearest to what is wanted that it takes.
    pub fn heartbeat_secs(&self, wanted: u32) -> u32 {
        let (least, most) = self.heartbeat;
        let most = most.unwrap_or(u32::MAX).max(1);
        wanted.min(most).max(least.unwrap_or(1).min(most))
    }
}

/// The elements, or JSON objects, of that name, each by itself; the first of them when there are too many.
fn each(body: &[u8], name: &'static str) -> Result<Vec<Fields>, DecodeError> {
    let text = clean_text(body);
    if !text.trim_start().starts_with('<') {
        let value = serde_json::from_str(&text)?;
        let mut found = Vec::new();
        objects(&value, name, 0, &mut found);
        let parsed = found.iter().map(|object| {
            Fields::parse(serde_json::json!({ name: object }).to_string().as_bytes())
        });
        return parsed.collect();
    }
    let mut reader = quick_xml::Reader::from_str(&text);
    reader.config_mut().allow_dangling_amp = true;
    let (mut found, mut open, mut depth) = (Vec::new(), None, 0_usize);
    loop {
        let before = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match reader.read_event()? {
            Event::Start(tag) => {
                if open.is_none() && is_named(tag.local_name().into_inner(), name) {
                    open = Some((before, depth));
                }
                depth += 1;
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                if let Some((start, _)) = open.filter(|(_, outside)| *outside == depth) {
                    let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
                    let element = text.get(start..end).unwrap_or_default();
                    found.push(Fields::parse(element.as_bytes())?);
                    open = None;
                    if found.len() >= MOST_SLOTS {
                        return Ok(found);
                    }
                }
            }
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

fn is_named(found: &str, name: &str) -> bool {
    found.eq_ignore_ascii_case(name)
}

fn objects<'v>(
    value: &'v serde_json::Value,
    name: &str,
    depth: usize,
    found: &mut Vec<&'v serde_json::Value>,
) {
    use serde_json::Value;
    let nested: Vec<(bool, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, v)| (key == name, v)).collect(),
        Value::Array(items) => items.iter().map(|item| (false, item)).collect(),
        _ => return,
    };
    for (is_one, value) in nested {
        if found.len() >= MOST_SLOTS || depth > 16 {
            return;
        }
        match value {
            Value::Object(_) if is_one => found.push(value),
            Value::Array(items) if is_one => found.extend(items.iter().filter(|v| v.is_object())),
            other => objects(other, name, depth + 1, found),
        }
    }
    found.truncate(MOST_SLOTS);
}
