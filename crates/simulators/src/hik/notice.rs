//! Events and heartbeats as a terminal sends them on its own: over a stream, or to a server it calls.

use super::clock::iso_offset;
use super::fault::Fault;
use super::http::XML;
use super::isapi::Device;
use super::json::{Json, Quirks};
use super::log::Row;
use super::search::printed_name;
use super::xml::elements;

/// In which form events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventForm {
    Json,
    Xml,
}

/// The picture of a person that was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    None,
    /// `pictureURL` in rows and events; the terminal serves it.
    Url,
    /// A part of its own after the event, and after the rows of a search with `picEnable`.
    Binary {
        bytes: usize,
    },
}

/// How a terminal says that it is there while nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// Not at all.
    None,
    /// The old style, in XML: `videoloss` is `inactive`.
    VideoLoss,
    /// The new style, in XML: `heartBeat` is `active`.
    Xml,
    /// The new style in JSON.
    Json,
}

/// One body, with the picture that belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) picture: Option<Vec<u8>>,
}

pub(super) const JSON_UTF8: &str = "application/json; charset=\"UTF-8\"";

/// How an event is sent to one listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) form: EventForm,
    pub(super) pictures: Pictures,
    /// The serial number this listener was sent before; 0 for none.
    pub(super) front: u32,
    /// `false` for what happened before the listener came.
    pub(super) current: bool,
}

impl Device {
    pub(super) fn event_notice(&self, row: &Row, manner: Manner, faults: &[Fault]) -> Notice {
        let is_person = row.employee_no.is_some();
        let (employee_no, user) = self.shown_person(row, faults);
        let mut event: Vec<(&'static str, Json)> = vec![
            ("deviceName", Json::text(&self.device_name)),
            ("majorEventType", row.major.into()),
            ("subEventType", row.minor.into()),
        ];
        if let Some(card_no) = &row.card_no {
            event.push(("cardNo", Json::text(&**card_no)));
            event.push(("cardType", 1_u16.into()));
        }
        if let Some(user) = user {
            event.push(("name", printed_name(user, faults)));
        }
        if row.major == 5 {
            if !row.is_door() {
                event.push(("cardReaderKind", 1_u16.into()));
                event.push(("cardReaderNo", 1_u16.into()));
            }
            event.push(("doorNo", 1_u16.into()));
        }
        event.push(("verifyNo", (row.serial_no % 1000).into()));
        if let Some(employee_no) = employee_no {
            event.push(("employeeNoString", employee_no.into()));
        }
        event.push(("serialNo", row.serial_no.into()));
        if let Some(user) = user {
            event.push(("userType", Json::text(&user.user_type)));
        }
        if row.major == 5 {
            event.push(("currentVerifyMode", self.shown_verify_mode(row).into()));
        }
        event.push(("currentEvent", manner.current.into()));
        event.push(("frontSerialNo", manner.front.into()));
        // Unlike rows of a search, events have the status also on terminals without attendance mode.
        if row.major == 5 && !row.is_door() {
            let status = row.attendance_status.as_deref().unwrap_or("undefined");
            event.push(("attendanceStatus", status.into()));
            event.push(("label", row.label.as_deref().unwrap_or_default().into()));
            event.push(("statusValue", 0_u16.into()));
        }
        event.push(("mask", if row.is_door() { "unknown" } else { "no" }.into()));
        event.push(("purePwdVerifyEnable", true.into()));
        let mut picture = None;
        match manner.pictures {
            Pictures::Url if is_person => {
                event.push(("pictureURL", Json::Text(self.picture_url(row.serial_no))));
            }
            Pictures::Binary { bytes } if is_person => {
                event.push(("picturesNumber", 1_u16.into()));
                picture = Some(jpeg(row.serial_no, bytes));
            }
            _ => event.push(("picturesNumber", 0_u16.into())),
        }
        let time = self.shown_time(row, faults);
        let mut fields = self.envelope(time, 1, "AccessControllerEvent", "active");
        fields.push(("eventDescription", "Access Controller Event".into()));
        fields.push(("AccessControllerEvent", Json::Object(event)));
        Notice {
            picture,
            ..self.notice(fields, manner.form, faults)
        }
    }

    /// `None` for a terminal that has no heartbeat.
    pub(super) fn heartbeat_notice(
        &self,
        heartbeat: Heartbeat,
        faults: &[Fault],
    ) -> Option<Notice> {
        let (kind, state, description, form) = match heartbeat {
            Heartbeat::None => return None,
            Heartbeat::VideoLoss => ("videoloss", "inactive", "videoloss alarm", EventForm::Xml),
            Heartbeat::Xml => ("heartBeat", "active", "Heartbeat", EventForm::Xml),
            Heartbeat::Json => ("heartBeat", "active", "Heartbeat", EventForm::Json),
        };
        let mut fields = self.envelope(self.shown_now(), 0, kind, state);
        fields.push(("eventDescription", description.into()));
        Some(self.notice(fields, form, faults))
    }

    /// The part that took down a popular client: `activePostCount` is there and empty.
    pub(super) fn empty_count_notice(&self) -> Notice {
        let inner = elements(&[
            ("ipAddress", &self.addr.ip().to_string()),
            ("macAddress", &self.mac),
            ("dateTime", &self.shown_now()),
        ]) + "<activePostCount/>\n<eventType>videoloss</eventType>\n<eventState>inactive</eventState>\n";
        Notice {
            content_type: XML,
            body: self.alert(inner.as_bytes()),
            picture: None,
        }
    }

    fn envelope(
        &self,
        time: String,
        count: u16,
        kind: &'static str,
        state: &'static str,
    ) -> Vec<(&'static str, Json)> {
        let protocol = if self.certificate.is_some() {
            "HTTPS"
        } else {
            "HTTP"
        };
        vec![
            ("ipAddress", Json::Text(self.addr.ip().to_string())),
            ("portNo", self.addr.port().into()),
            ("protocol", protocol.into()),
            ("macAddress", Json::text(&self.mac)),
            ("channelID", 1_u16.into()),
            ("dateTime", Json::Text(time)),
            ("activePostCount", count.into()),
            ("eventType", kind.into()),
            ("eventState", state.into()),
        ]
    }

    fn notice(
        &self,
        fields: Vec<(&'static str, Json)>,
        form: EventForm,
        faults: &[Fault],
    ) -> Notice {
        let json = Json::Object(fields);
        let (content_type, body) = match form {
            EventForm::Json => (JSON_UTF8, json.print(Quirks::of(faults))),
            EventForm::Xml => {
                let mut inner = Vec::new();
                json.print_xml(&mut inner);
                (XML, self.alert(&inner))
            }
        };
        Notice {
            content_type,
            body,
            picture: None,
        }
    }

    fn alert(&self, inner: &[u8]) -> Vec<u8> {
        let namespace = &self.namespace;
        let mut body = format!("<EventNotificationAlert version=\"2.0\" xmlns=\"{namespace}\">\n")
            .into_bytes();
        body.extend_from_slice(inner);
        body.extend_from_slice(b"</EventNotificationAlert>\n");
        body
    }

    fn shown_now(&self) -> String {
        let now = (self.clock)();
        let wall = now.strftime("%Y-%m-%dT%H:%M:%S");
        format!("{wall}{}", iso_offset(now.offset()))
    }

    pub(super) fn picture_url(&self, serial_no: u32) -> String {
        format!(
            "{}{PICTURES}202609_00/01_172753_{serial_no}_0.jpeg@WEB000000000011",
            self.base_url()
        )
    }

    pub(super) fn base_url(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.addr)
    }
}

/// Where pictures of events lie.
pub(super) const PICTURES: &str = "/LOCALS/pic/acsLinkCap/";

/// What begins and ends like a JPEG. Between them stand bytes that look like the line of a boundary and are none.
pub(super) fn jpeg(seed: u32, bytes: usize) -> Vec<u8> {
    const LURE: &[u8] = b"\r\n--MIME_bound\r\n\n--\r\n";
    let mut picture = b"\xff\xd8\xff\xe0\x00\x10JFIF\0".to_vec();
    picture.extend_from_slice(LURE);
    let mut bits = seed | 1;
    while picture.len() + 2 < bytes {
        // xorshift32: bytes without a pattern, the same for the same event.
        bits ^= bits << 13;
        bits ^= bits >> 17;
        bits ^= bits << 5;
        picture.push((bits >> 8) as u8);
    }
    picture.extend_from_slice(b"\xff\xd9");
    picture
}
