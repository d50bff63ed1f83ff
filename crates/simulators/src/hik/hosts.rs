//! Where a terminal sends its events: the few slots of `httpHosts`.

use tokio::time::Instant;

use super::fault::Fault;
use super::http::{Answer, Request};
use super::isapi::{Device, command, get};
use super::notice::EventForm;
use super::refusal::{self, Refusal};
use super::stream::{Chosen, chosen};
use super::xml::{self, elements};

pub(super) const HOSTS: &str = "/ISAPI/Event/notification/httpHosts";

/// The content of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpHost {
    /// Path and query, or a whole URL.
    pub url: String,
    /// `HTTP`, `HTTPS` or `EHome`; only the first is served.
    pub protocol: String,
    /// JSON or XML.
    pub format: EventForm,
    /// An IP address or a name.
    pub host: String,
    pub port: u16,
    /// `none`, or a way of signing in that is shown and not used.
    pub authentication: String,
    /// Seconds between two heartbeats; `None` for no heartbeat.
    pub heartbeat: Option<u32>,
    /// Whether events of an outage are sent after it.
    pub resends: bool,
}

impl HttpHost {
    /// JSON over HTTP to this address.
    pub fn new(host: impl Into<String>, port: u16, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            protocol: "HTTP".to_owned(),
            format: EventForm::Json,
            host: host.into(),
            port,
            authentication: "none".to_owned(),
            heartbeat: None,
            resends: false,
        }
    }
}

/// A slot and how far its events are sent.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) host: Option<HttpHost>,
    /// The event codes it wants; `None` for all.
    pub(super) chosen: Option<Chosen>,
    /// The last serial number that was looked at, the last that was sent, and the last of an outage.
    pub(super) position: u32,
    pub(super) front: u32,
    pub(super) past: u32,
    pub(super) resets: u32,
    /// How often the event after `position` was tried.
    pub(super) tries: u32,
    pub(super) waits_until: Option<Instant>,
    pub(super) next_beat: Option<Instant>,
}

impl Slot {
    pub(super) fn empty() -> Self {
        Self {
            host: None,
            chosen: None,
            position: 0,
            front: 0,
            past: 0,
            resets: 0,
            tries: 0,
            waits_until: None,
            next_beat: None,
        }
    }
}

/// The elements of a slot in the order of the manuals.
const ORDER: [&str; 11] = [
    "id",
    "url",
    "protocolType",
    "parameterFormatType",
    "addressingFormatType",
    "hostName",
    "ipAddress",
    "portNo",
    "userName",
    "httpAuthenticationMethod",
    "SubscribeEvent",
];

impl Device {
    /// Everything below `httpHosts`.
    pub(super) fn http_hosts(
        &mut self,
        request: &Request,
        faults: &[Fault],
    ) -> Result<Answer, Refusal> {
        let below = request.path().strip_prefix(HOSTS).unwrap_or_default();
        let mut steps = below.split('/').skip(1);
        match (steps.next(), steps.next()) {
            (None, _) => match request.method.as_str() {
                "GET" => Ok(self.host_list()),
                "PUT" => command(request, "PUT", self, |device| {
                    device.put_hosts(request, faults)
                }),
                "DELETE" => command(request, "DELETE", self, |device| {
                    device.slots.fill(Slot::empty());
                    Ok(())
                }),
                _ => Err(Refusal::METHOD_NOT_ALLOWED),
            },
            (Some("capabilities"), None) => get(request, || self.host_capabilities()),
            (Some(id), None) => {
                let index = self.slot_index(id)?;
                match request.method.as_str() {
                    "GET" => {
                        let inner = self.slot_xml(index);
                        Ok(self.xml("HttpHostNotification", &inner))
                    }
                    "PUT" => command(request, "PUT", self, |device| {
                        let body = text(request)?;
                        let fields = xml::inner(body, "HttpHostNotification");
                        let fields = fields.ok_or(Refusal::BAD_XML_FORMAT)?;
                        device.put_host(index, fields, faults)
                    }),
                    "DELETE" => command(request, "DELETE", self, |device| {
                        device.slots[index] = Slot::empty();
                        Ok(())
                    }),
                    _ => Err(Refusal::METHOD_NOT_ALLOWED),
                }
            }
            (Some(id), Some("test")) => {
                self.slot_index(id)?;
                match request.method.as_str() {
                    "POST" if faults.contains(&Fault::TestFails) => {
                        Err(Refusal::DEVICE_ERROR_IN_OK.with_http(500))
                    }
                    "POST" => Ok(refusal::done(request, self)),
                    _ => Err(Refusal::METHOD_NOT_ALLOWED),
                }
            }
            _ => Err(Refusal::NOT_SUPPORT),
        }
    }

    fn slot_index(&self, id: &str) -> Result<usize, Refusal> {
        let id: usize = id.parse().map_err(|_| Refusal::NOT_SUPPORT)?;
        let index = id.checked_sub(1).filter(|index| *index < self.slots.len());
        index.ok_or(Refusal::bad_parameters("id"))
    }

    fn host_capabilities(&self) -> Answer {
        self.xml(
            "HttpHostNotificationCap",
            &format!(
                "<hostNumber>{}</hostNumber>\n<urlLen max=\"128\"></urlLen>\n<protocolType opt=\"HTTP,HTTPS,EHome\"></protocolType>\n\
                 <parameterFormatType opt=\"XML,JSON\"></parameterFormatType>\n\
                 <addressingFormatType opt=\"ipaddress,hostname\"></addressingFormatType>\n\
                 <httpAuthenticationMethod opt=\"none,MD5digest\"></httpAuthenticationMethod>\n\
                 <SubscribeEventCap>\n<heartbeat min=\"1\" max=\"30\"/>\n<eventMode opt=\"all,list\"/>\n</SubscribeEventCap>\n\
                 <isSupportHttpBroken>true</isSupportHttpBroken>\n",
                self.slots.len()
            ),
        )
    }

    fn host_list(&self) -> Answer {
        let list: String = (0..self.slots.len())
            .filter(|index| self.push.lists_empty_slots || self.slots[*index].host.is_some())
            .map(|index| {
                let inner = self.slot_xml(index);
                format!("<HttpHostNotification>\n{inner}</HttpHostNotification>\n")
            })
            .collect();
        self.xml("HttpHostNotificationList", &list)
    }

    fn slot_xml(&self, index: usize) -> String {
        let id = (index + 1).to_string();
        let empty = HttpHost::new("0.0.0.0", 0, "");
        let host = self.slots[index].host.as_ref().unwrap_or(&empty);
        let is_address = host.host.parse::<std::net::IpAddr>().is_ok();
        let (addressing, host_tag) = match is_address {
            true => ("ipaddress", "ipAddress"),
            false => ("hostname", "hostName"),
        };
        let mut inner = elements(&[
            ("id", id.as_str()),
            ("url", &host.url),
            ("protocolType", &host.protocol),
            (
                "parameterFormatType",
                match host.format {
                    EventForm::Json => "JSON",
                    EventForm::Xml => "XML",
                },
            ),
            ("addressingFormatType", addressing),
            (host_tag, &host.host),
            ("portNo", &host.port.to_string()),
            ("httpAuthenticationMethod", &host.authentication),
        ]);
        if host.resends {
            inner.push_str("<httpBroken>true</httpBroken>\n");
        }
        if let Some(heartbeat) = host.heartbeat {
            inner.push_str(&format!(
                "<SubscribeEvent>\n<heartbeat>{heartbeat}</heartbeat>\n<eventMode>all</eventMode>\n\
                 <EventList><Event><type>AccessControllerEvent</type></Event></EventList>\n</SubscribeEvent>\n"
            ));
        }
        inner
    }

    /// Replaces the whole list: slots it does not name are empty afterwards.
    fn put_hosts(&mut self, request: &Request, faults: &[Fault]) -> Result<(), Refusal> {
        let body = text(request)?;
        let list = xml::inner(body, "HttpHostNotificationList").ok_or(Refusal::BAD_XML_FORMAT)?;
        let entries: Vec<String> = xml::all(list, "HttpHostNotification")
            .map(str::to_owned)
            .collect();
        if entries.len() > self.slots.len() {
            return Err(Refusal::bad_parameters("HttpHostNotificationList"));
        }
        let before = self.slots.clone();
        self.slots.fill(Slot::empty());
        for (place, entry) in entries.iter().enumerate() {
            let index = match xml::text(entry, "id") {
                Some(id) => self.slot_index(&id),
                None => Ok(place),
            };
            let put = index.and_then(|index| self.put_host(index, entry, faults));
            if put.is_err() {
                self.slots = before;
                return put;
            }
        }
        Ok(())
    }

    fn put_host(&mut self, index: usize, fields: &str, faults: &[Fault]) -> Result<(), Refusal> {
        if faults.contains(&Fault::ZeroHost) {
            return self.fill_slot(index, HttpHost::new("0.0.0.0", 80, ""), None);
        }
        if faults.contains(&Fault::StrictOrder) && !is_in_order(fields) {
            return Err(Refusal::BAD_XML_CONTENT);
        }
        let field = |name| xml::text(fields, name);
        let needed = |name| field(name).ok_or(Refusal::BAD_XML_CONTENT);
        let url = needed("url")?;
        let protocol = needed("protocolType")?;
        let port = needed("portNo")?.parse();
        let heartbeat = match field("heartbeat") {
            Some(text) => Some(text.parse().map_err(|_| Refusal::BAD_XML_CONTENT)?),
            None => None,
        };
        let takes = url.len() <= 128
            && ["HTTP", "HTTPS", "EHome"].contains(&protocol.as_str())
            && heartbeat.is_none_or(|seconds| (1..=30).contains(&seconds));
        if !takes {
            return Err(Refusal::BAD_XML_CONTENT);
        }
        let host = match field("addressingFormatType").as_deref() {
            Some("hostname") => needed("hostName")?,
            _ => {
                let address = needed("ipAddress")?;
                let parsed: Result<std::net::IpAddr, _> = address.parse();
                parsed.map_err(|_| Refusal::BAD_XML_CONTENT)?;
                address
            }
        };
        let host = HttpHost {
            url,
            protocol,
            format: match field("parameterFormatType").as_deref() {
                Some("JSON") => EventForm::Json,
                _ => EventForm::Xml,
            },
            host,
            port: port.map_err(|_| Refusal::BAD_XML_CONTENT)?,
            authentication: field("httpAuthenticationMethod").unwrap_or("none".to_owned()),
            heartbeat,
            resends: field("httpBroken").as_deref() == Some("true"),
        };
        let wanted = match field("eventMode").as_deref() {
            Some("list") => chosen(fields)?,
            _ => None,
        };
        self.fill_slot(index, host, wanted)
    }

    /// Whether somebody has to begin to call servers; says so once.
    pub(super) fn must_push(&mut self) -> bool {
        let must = !self.push_runs && self.slots.iter().any(|slot| slot.host.is_some());
        self.push_runs |= must;
        must
    }

    /// Events from now on go there too.
    pub(super) fn fill_slot(
        &mut self,
        index: usize,
        host: HttpHost,
        chosen: Option<Chosen>,
    ) -> Result<(), Refusal> {
        let newest = self.log.newest_serial();
        let next_beat = host
            .heartbeat
            .map(|seconds| Instant::now() + std::time::Duration::from_secs(u64::from(seconds)));
        self.slots[index] = Slot {
            host: Some(host),
            chosen,
            position: newest,
            front: newest,
            past: newest,
            resets: self.log.resets,
            next_beat,
            ..Slot::empty()
        };
        self.pushes = true;
        Ok(())
    }
}

fn text(request: &Request) -> Result<&str, Refusal> {
    std::str::from_utf8(&request.body).map_err(|_| Refusal::BAD_XML_FORMAT)
}

/// Whether the elements that are known come in the order of the manuals.
fn is_in_order(fields: &str) -> bool {
    let places = ORDER
        .iter()
        .filter_map(|name| fields.find(&format!("<{name}>")));
    places.is_sorted()
}
