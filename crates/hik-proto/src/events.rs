//! The event search, `POST /ISAPI/AccessControl/AcsEvent?format=json`: its condition and its pages.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body::{DecodeError, Fields, encode_json, lenient_number, lenient_text};
use crate::codes::{EventClass, Means, classify};
use crate::search::{Row, SearchState, SentPage};
use crate::time::EventTime;

/// Access events; the only `major` that can hold punches.
const MAJOR_ACCESS: u32 = 5;

/// A page of access events, every `minor`: exactly one could be asked for, so they are told apart here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSearch {
    /// Fresh for each search, the same for all its pages: some firmware caches the result under it.
    pub id: String,
    /// Row offset, not page number.
    pub position: u64,
    pub max_results: u32,
    /// Both ends are inclusive, to the second, in the terminal's own offset.
    pub start: EventTime,
    pub end: EventTime,
    /// Only events of this serial number and above. Old firmware ignores it.
    pub begin_serial: Option<u64>,
}

impl EventSearch {
    /// The request body.
    pub fn encode(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Condition<'a> {
            #[serde(rename = "searchID")]
            search_id: &'a str,
            search_result_position: u64,
            max_results: u32,
            major: u32,
            minor: u32,
            start_time: String,
            end_time: String,
            /// True is the default, and may turn the answer into a multipart with photographs.
            pic_enable: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            begin_serial_no: Option<u64>,
        }
        let condition = Condition {
            search_id: &self.id,
            search_result_position: self.position,
            max_results: self.max_results,
            major: MAJOR_ACCESS,
            minor: 0,
            start_time: self.start.to_string(),
            end_time: self.end.to_string(),
            pic_enable: false,
            begin_serial_no: self.begin_serial,
        };
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            acs_event_cond: Condition<'a>,
        }
        encode_json(&Body {
            acs_event_cond: condition,
        })
    }
}

/// Asks how many access events lie between two times. Cheap to read, but the terminal counts through its log for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTotal {
    /// Which of them; 0 is all.
    pub minor: u32,
    /// Both ends are inclusive, to the second, in the terminal's own offset.
    pub start: EventTime,
    pub end: EventTime,
}

impl EventTotal {
    /// The request body.
    pub fn encode(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Condition {
            major: u32,
            minor: u32,
            start_time: String,
            end_time: String,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body {
            acs_event_total_num_cond: Condition,
        }
        encode_json(&Body {
            acs_event_total_num_cond: Condition {
                major: MAJOR_ACCESS,
                minor: self.minor,
                start_time: self.start.to_string(),
                end_time: self.end.to_string(),
            },
        })
    }
}

/// The answer to an [`EventTotal`]; some firmware puts the number into no `AcsEventTotalNum`.
///
/// # Errors
/// When the body is neither JSON nor XML, or has no `totalNum`.
pub fn decode_event_total(body: &[u8]) -> Result<u32, DecodeError> {
    Fields::parse(body)?
        .number("totalNum")
        .ok_or(DecodeError::Missing("totalNum"))
}

/// One page of the event log.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    pub state: SearchState,
    /// Rows of the whole search, as far as the terminal says.
    pub total: Option<u64>,
    pub rows: Vec<EventRow>,
}

/// A row and the serial number that can be read even where the rest cannot.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// `serialNo`, 1 to 3,000,000,000; 0 is none. Starts again after a factory reset or when the log is cleared.
    pub serial: Option<u64>,
    /// The time as sent.
    pub time: String,
    pub row: Row<AccessEvent>,
}

/// One event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessEvent {
    pub major: u32,
    pub minor: u32,
    pub time: EventTime,
    /// `None` on door rows, and where the terminal says `""` or `"0"`. Opaque: `007` and `7` are two people.
    pub employee_no: Option<String>,
    pub card_no: Option<String>,
    pub name: String,
    /// `None` also for `undefined`, which every row says while attendance mode is off.
    pub attendance: Option<AttendanceStatus>,
}

/// The key pressed in attendance mode. Compared without case: manuals and terminals differ in `overtimeOut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttendanceStatus {
    CheckIn,
    CheckOut,
    BreakOut,
    BreakIn,
    OvertimeIn,
    OvertimeOut,
}

impl AttendanceStatus {
    /// The name of the punch state, by which punches of all brands go.
    pub fn punch_state(self) -> &'static str {
        match self {
            Self::CheckIn => "in",
            Self::CheckOut => "out",
            Self::BreakOut => "break_out",
            Self::BreakIn => "break_in",
            Self::OvertimeIn => "overtime_in",
            Self::OvertimeOut => "overtime_out",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "checkin" => Some(Self::CheckIn),
            "checkout" => Some(Self::CheckOut),
            "breakout" => Some(Self::BreakOut),
            "breakin" => Some(Self::BreakIn),
            "overtimein" => Some(Self::OvertimeIn),
            "overtimeout" => Some(Self::OvertimeOut),
            _ => None,
        }
    }
}

/// Decodes a page of the event search. A row that cannot be understood is an error of its own, not of the page.
///
/// # Errors
/// When the body is no JSON or has no `AcsEvent`.
pub fn decode_event_page(body: &[u8]) -> Result<EventPage, DecodeError> {
    let page = SentPage::decode(body, "AcsEvent")?;
    Ok(EventPage {
        state: page.state,
        total: page.total,
        rows: page.rows.iter().map(|row| decode_row(row)).collect(),
    })
}

fn decode_row(raw: &RawValue) -> EventRow {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Known {
        #[serde(deserialize_with = "lenient_number")]
        serial_no: Option<u64>,
        #[serde(deserialize_with = "lenient_text")]
        time: Option<String>,
    }
    let known: Known = serde_json::from_str(raw.get()).unwrap_or_default();
    let time = known.time.unwrap_or_default();
    EventRow {
        serial: known.serial_no.filter(|serial| *serial > 0),
        row: Row {
            json: raw.get().to_owned(),
            value: decode_event(raw.get(), &time),
        },
        time,
    }
}

fn decode_event(json: &str, time: &str) -> Result<AccessEvent, String> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Fields {
        #[serde(deserialize_with = "lenient_number")]
        major: Option<u64>,
        #[serde(deserialize_with = "lenient_number")]
        minor: Option<u64>,
        #[serde(deserialize_with = "lenient_text")]
        employee_no_string: Option<String>,
        #[serde(deserialize_with = "lenient_text")]
        employee_no: Option<String>,
        #[serde(deserialize_with = "lenient_text")]
        card_no: Option<String>,
        #[serde(deserialize_with = "lenient_text")]
        name: Option<String>,
        #[serde(deserialize_with = "lenient_text")]
        attendance_status: Option<String>,
    }
    let fields: Fields =
        serde_json::from_str(json).map_err(|error| format!("unreadable event row: {error}"))?;
    AccessEvent::from_sent(&Sent {
        major: fields.major,
        minor: fields.minor,
        time,
        employee_no_string: fields.employee_no_string.as_deref(),
        employee_no: fields.employee_no.as_deref(),
        card_no: fields.card_no.as_deref(),
        name: fields.name.as_deref(),
        attendance_status: fields.attendance_status.as_deref(),
    })
}

/// What an event of any form says, before it is understood.
#[derive(Default)]
pub(crate) struct Sent<'a> {
    pub(crate) major: Option<u64>,
    pub(crate) minor: Option<u64>,
    pub(crate) time: &'a str,
    pub(crate) employee_no_string: Option<&'a str>,
    pub(crate) employee_no: Option<&'a str>,
    pub(crate) card_no: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) attendance_status: Option<&'a str>,
}

impl AccessEvent {
    pub(crate) fn from_sent(sent: &Sent<'_>) -> Result<Self, String> {
        let code = |name: &str, value: Option<u64>| {
            value
                .and_then(|value| u32::try_from(value).ok())
                .ok_or_else(|| format!("event row without a {name} code"))
        };
        let named = |text: Option<&str>| {
            text.map(str::trim)
                .filter(|text| !text.is_empty() && *text != "0")
                .map(str::to_owned)
        };
        Ok(Self {
            major: code("major", sent.major)?,
            minor: code("minor", sent.minor)?,
            time: sent
                .time
                .parse()
                .map_err(|_| format!("impossible time {:?}", sent.time))?,
            employee_no: named(sent.employee_no_string).or_else(|| named(sent.employee_no)),
            card_no: named(sent.card_no),
            name: sent.name.unwrap_or_default().trim().to_owned(),
            attendance: sent.attendance_status.and_then(AttendanceStatus::from_text),
        })
    }

    /// What the event is to attendance, whichever way it came. An error says why it has to wait for a later version of us.
    ///
    /// # Errors
    /// When it may be a punch, of a means or a person that cannot be told.
    pub fn says(&self) -> Result<Says<'_>, String> {
        let means = match classify(self.major, self.minor) {
            EventClass::Authenticated(means) => means,
            EventClass::Refused => return Ok(Says::Refused),
            EventClass::Unknown if self.employee_no.is_some() => {
                let (major, minor) = (self.major, self.minor);
                return Err(format!("unknown access event {major}/{minor} of a person"));
            }
            EventClass::Unknown | EventClass::Noise => return Ok(Says::Noise),
        };
        match (&self.employee_no, &self.card_no) {
            (Some(employee_no), _) => Ok(Says::Punch { employee_no, means }),
            (None, Some(card)) => Ok(Says::OfCard { card, means }),
            (None, None) => Ok(Says::Noise),
        }
    }
}

/// What an event is to attendance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says<'a> {
    Punch {
        employee_no: &'a str,
        means: Means,
    },
    /// A punch of whoever has the card, which the terminal knows.
    OfCard {
        card: &'a str,
        means: Means,
    },
    /// Somebody was not let in.
    Refused,
    /// Doors, buttons, alarms, and authentications of nobody.
    Noise,
}
