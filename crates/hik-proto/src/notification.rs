//! What a terminal tells by itself, on the live stream and in pushes: events in JSON or XML, heartbeats, answers to a subscription.
//!
//! An event comes out as the row the event search gives for it, so that a punch is one punch whichever way it comes.

use serde::Serialize;

use crate::body::{DecodeError, Fields, clean_text, encode_json};
use crate::events::{AccessEvent, EventRow, Sent};
use crate::search::Row;

const ACCESS: &str = "AccessControllerEvent";

/// One body of a stream or push.
#[derive(Clone, Debug, PartialEq)]
pub enum Notification {
    Access(Box<Told>),
    /// Says that the terminal is there.
    Heartbeat,
    /// A subscription has begun.
    Subscribed,
    /// Something else, e.g. a camera's `VMD`; its `eventType`, which may be missing.
    Other(String),
}

/// An access event.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// `serialNo` counts as in the log. The text is what was sent.
    pub row: EventRow,
    /// The serial number that was told before this one on the same subscription: another one than we have means loss.
    pub front_serial: Option<u64>,
    /// `Some(false)`: recorded earlier, and told now because nobody had listened.
    pub current: Option<bool>,
    /// Of the terminal.
    pub mac: Option<String>,
    /// The terminal says that so many pictures follow. Some send one without saying so.
    pub pictures: u32,
}

impl Notification {
    /// Decodes a part. An event whose time or codes are impossible is an event with an unreadable row, not an error.
    ///
    /// # Errors
    /// When the body is neither XML nor JSON; [`Self::may_be_access`] says whether that matters.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        let kind = fields.text("eventType").unwrap_or_default();
        let state = fields.text("eventState").unwrap_or_default();
        let is_access =
            kind.eq_ignore_ascii_case(ACCESS) || fields.text_in(ACCESS, "majorEventType").is_some();
        Ok(if is_access {
            Self::Access(Box::new(told(&fields, body)))
        } else if kind.eq_ignore_ascii_case("heartBeat")
            || kind.eq_ignore_ascii_case("videoloss") && state.eq_ignore_ascii_case("inactive")
        {
            Self::Heartbeat
        } else if fields.text_in("SubscribeEventResponse", "id").is_some() {
            Self::Subscribed
        } else {
            Self::Other(kind.to_owned())
        })
    }

    /// Whether a body that cannot be decoded speaks of an access event, which may have been a punch.
    pub fn may_be_access(body: &[u8]) -> bool {
        body.windows(ACCESS.len())
            .any(|window| window == ACCESS.as_bytes())
    }
}

fn told(fields: &Fields, body: &[u8]) -> Told {
    let text = |name| fields.text_in(ACCESS, name);
    let number = |name| text(name).and_then(whole_number);
    let time = fields.text("dateTime").or_else(|| text("time"));
    let time = time.unwrap_or_default();
    let serial = |name| number(name).filter(|serial| *serial > 0);
    Told {
        row: EventRow {
            serial: serial("serialNo"),
            time: time.to_owned(),
            row: Row {
                json: clean_text(body).trim().to_owned(),
                value: AccessEvent::from_sent(&Sent {
                    major: number("majorEventType"),
                    minor: number("subEventType"),
                    time,
                    employee_no_string: text("employeeNoString"),
                    employee_no: text("employeeNo"),
                    card_no: text("cardNo"),
                    name: text("name"),
                    attendance_status: text("attendanceStatus"),
                }),
            },
        },
        front_serial: number("frontSerialNo"),
        current: text("currentEvent").and_then(|flag| flag.to_ascii_lowercase().parse().ok()),
        mac: fields.text("macAddress").map(str::to_owned),
        pictures: number("picturesNumber")
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(0),
    }
}

/// The addresses that listen to the stream, from `GET /ISAPI/AccessControl/DeployInfo`.
///
/// # Errors
/// When the body is neither XML nor JSON.
pub fn decode_listeners(body: &[u8]) -> Result<Vec<String>, DecodeError> {
    let fields = Fields::parse(body)?;
    Ok(fields.texts("ipAddr").map(str::to_owned).collect())
}

/// `30` and `30.0`; what was a string in JSON is the same here.
fn whole_number(text: &str) -> Option<u64> {
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

/// `POST /ISAPI/Event/notification/subscribeEvent`, for terminals whose stream tells no access events. Firmware differs in the
/// body it takes. All codes are asked for: a list of them would make holes in the serial numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    Xml,
    /// Without any wishes.
    Bare,
    Json,
}

impl Subscription {
    /// In the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Xml, Self::Bare, Self::Json];
    /// Seconds between heartbeats that we ask for; 1 to 30 is possible everywhere.
    const HEARTBEAT: u32 = 20;

    pub fn path(self) -> &'static str {
        match self {
            Self::Xml | Self::Bare => "/ISAPI/Event/notification/subscribeEvent?deployID=1",
            Self::Json => "/ISAPI/Event/notification/subscribeEvent?format=json&deployID=1",
        }
    }

    pub fn encode(self) -> String {
        let heartbeat = Self::HEARTBEAT;
        match self {
            Self::Xml => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <SubscribeEvent version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\n\
                 <heartbeat>{heartbeat}</heartbeat>\n\
                 <eventMode>all</eventMode>\n\
                 <EventList><Event><type>{ACCESS}</type><pictureURLType>localURL</pictureURLType></Event></EventList>\n\
                 </SubscribeEvent>\n"
            ),
            Self::Bare => "<SubscribeEvent/>".to_owned(),
            Self::Json => {
                #[derive(Serialize)]
                #[serde(rename_all = "camelCase")]
                struct Event {
                    #[serde(rename = "type")]
                    kind: &'static str,
                    #[serde(rename = "pictureURLType")]
                    pictures: &'static str,
                }
                #[derive(Serialize)]
                #[serde(rename_all = "camelCase")]
                struct Wishes {
                    heartbeat: u32,
                    event_mode: &'static str,
                    #[serde(rename = "EventList")]
                    events: [Event; 1],
                }
                #[derive(Serialize)]
                #[serde(rename_all = "PascalCase")]
                struct Body {
                    subscribe_event: Wishes,
                }
                encode_json(&Body {
                    subscribe_event: Wishes {
                        heartbeat,
                        event_mode: "all",
                        events: [Event {
                            kind: ACCESS,
                            pictures: "localURL",
                        }],
                    },
                })
            }
        }
    }
}
