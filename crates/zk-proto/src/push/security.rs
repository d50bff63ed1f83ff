//! What only the security family sends and is answered: events as they happen and from its log, the state of doors, registration.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::body::{self, BadLine, Fields, LINE_LIMIT, Lines, Reason};
use super::operlog::card;
use super::request::Query;
use super::time::{self, PackedClock};

/// An event of the terminal, as it happens (`rtlog`) or from its log (`transaction`). Not every event is a punch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Wall time.
    pub time: DateTime,
    /// `None` when nobody was recognised: empty or `0`.
    pub pin: Option<&'a str>,
    pub card: Option<u64>,
    /// See [`event_name`].
    pub event: u16,
    pub door: Option<u16>,
    /// 0 entry, 1 exit, others neither.
    pub in_out: Option<u8>,
    /// As a number, where the terminal does not write a string of bits.
    pub verify: Option<u16>,
    /// The terminal's own number of the record: with the time the best key to know it again by.
    pub index: Option<u64>,
    /// As received.
    pub line: &'a [u8],
}

impl Event<'_> {
    /// Somebody known who was let through, or whose coming or going was recorded. The rest is for an access log.
    pub fn is_punch(&self) -> bool {
        const PUNCHES: [u16; 19] = [
            0, 1, 2, 3, 4, 14, 15, 16, 17, 18, 19, 203, 207, 208, 215, 216, 218, 222, 232,
        ];
        self.pin.is_some() && PUNCHES.contains(&self.event)
    }
}

/// The events of an `rtlog` body or of rows of `transaction`. One item per line that is not blank.
pub fn events(body: &[u8]) -> Events<'_> {
    Events {
        lines: body::lines(body),
    }
}

#[derive(Clone, Debug)]
pub struct Events<'a> {
    lines: Lines<'a>,
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<Event<'a>, BadLine<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(event(line).map_err(|reason| BadLine::new(line, reason)))
    }
}

fn event(line: &[u8]) -> Result<Event<'_>, Reason> {
    if line.len() > LINE_LIMIT {
        return Err(Reason::TooLong);
    }
    if line.contains(&0) {
        return Err(Reason::Nul);
    }
    let fields = without_word(line);
    let when = fields.any(&["time", "time_second"]);
    let when = time::parse_or_packed(when.ok_or(Reason::TooFewFields)?)?;
    let kind = fields.any(&["event", "eventtype"]);
    let kind = kind.ok_or(Reason::TooFewFields)?;
    let pin = match fields.pin() {
        Ok("0") | Err(Reason::NoUser) => None,
        pin => Some(pin?),
    };
    Ok(Event {
        time: when.wall,
        pin,
        card: fields.get("cardno").and_then(card),
        event: body::number(kind).ok_or(Reason::Number)?,
        door: fields.number(&["eventaddr", "doorid"]),
        in_out: fields.number(&["inoutstatus", "inoutstate"]),
        verify: fields.number(&["verifytype", "verified"]),
        index: fields.number(&["index"]),
        line,
    })
}

/// The fields of a row, whose first may follow the name of its table.
fn without_word(line: &[u8]) -> Fields<'_> {
    let end = line
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | b'='));
    match end {
        Some(end) if line[end] == b' ' => Fields(&line[end + 1..]),
        _ => Fields(line),
    }
}

/// What an event is, in plain words.
pub fn event_name(event: u16) -> Option<&'static str> {
    Some(match event {
        0..=3 | 14..=19 => "door opened",
        20 => "too soon after the last time",
        21 | 22 => "outside the permitted hours",
        23 => "no right to enter",
        27 => "not registered",
        29 => "no longer valid",
        41 => "recognised by other means than required",
        61 => "repeated",
        68 => "temperature too high",
        69 => "no mask",
        100 => "tampering",
        101 => "opened under duress",
        102 => "door forced open",
        105 => "network lost",
        107 => "mains power lost",
        200 => "door is open",
        201 => "door is closed",
        202 => "exit button",
        206 => "terminal started",
        207 => "opened by password",
        208 => "opened by a super user",
        214 => "connected to the server",
        222 => "admitted by the server",
        232 => "passed",
        255 => "state of the door",
        4000..=4999 => "another normal event",
        5000..=5999 => "another abnormal event",
        6000..=6999 => "another alarm",
        _ => return None,
    })
}

/// The state of the doors of a terminal; nobody's punch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorState<'a> {
    pub time: Option<DateTime>,
    /// Hex digits, two bits a door, as sent.
    pub sensor: &'a str,
    pub relay: &'a str,
    pub alarm: &'a str,
}

/// The states of an `rtstate` body; what is unreadable in them is empty.
pub fn door_states(body: &[u8]) -> impl Iterator<Item = DoorState<'_>> {
    body::lines(body).map(|line| {
        let fields = Fields(line);
        let text = |key| {
            let value = fields.get(key).unwrap_or_default();
            std::str::from_utf8(value).unwrap_or_default()
        };
        let clock = fields
            .get("time")
            .and_then(|time| time::parse_or_packed(time).ok());
        DoorState {
            time: clock.map(|clock| clock.wall),
            sensor: text("sensor"),
            relay: text("relay"),
            alarm: text("alarm"),
        }
    })
}

/// What is asked for in `querydata`: a part of the answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryData {
    pub kind: QueryKind,
    /// Of the command that asked.
    pub command: Option<u64>,
    pub table: String,
    /// Of the rows in this packet, or all rows where only they were counted.
    pub count: Option<u64>,
    pub packets: u64,
    /// From 1.
    pub packet: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    Count,
    Rows,
    Options,
    Other,
}

impl QueryData {
    pub fn of(query: &Query<'_>) -> Self {
        let kind = query.get("type").unwrap_or_default();
        let number = |key| query.number(key);
        Self {
            kind: match kind.to_ascii_lowercase().as_str() {
                "count" => QueryKind::Count,
                "tabledata" => QueryKind::Rows,
                "options" => QueryKind::Options,
                _ => QueryKind::Other,
            },
            command: number("cmdid"),
            table: query.get("tablename").unwrap_or_default().to_owned(),
            count: number("count"),
            packets: number("packcnt").unwrap_or(1),
            packet: number("packidx").unwrap_or(1),
        }
    }

    /// No packet follows. Some firmware announces 0 of 0 where it has nothing.
    pub fn is_last(&self) -> bool {
        self.packet >= self.packets
    }

    /// The answer: `OK` for options, else the table and its rows.
    pub fn answer(&self, count: usize) -> String {
        match self.kind {
            QueryKind::Options => super::OK.to_owned(),
            _ => counted(&self.table, count),
        }
    }
}

/// The answer to rows of a table: `user=1`. The table is named as the terminal named it.
pub fn counted(table: &str, count: usize) -> String {
    let table: String = table.chars().filter(|c| !c.is_control()).collect();
    format!("{table}={count}")
}

/// What a terminal is known by after registration.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryCode(String);

impl RegistryCode {
    /// 1 to 32 letters and digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one =
            (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        is_one.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The answer to a registration.
    pub fn answer(&self) -> String {
        format!("RegistryCode={}", self.0)
    }
}

impl fmt::Debug for RegistryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistryCode")
    }
}

/// The answer to `rtdata?type=time`: the time in UTC, and what to add to it. `None` outside 2000 to 2099.
pub fn time_answer(utc: DateTime, offset: Offset) -> Option<String> {
    let PackedClock(packed) = PackedClock::pack(utc)?;
    let zone = time::compact_offset(offset);
    Some(format!("DateTime={packed},ServerTZ={zone}"))
}

/// The token in a `Cookie` header. How it is made is not known well enough to refuse anybody for it.
pub fn token(cookie: &str) -> Option<&str> {
    let mut pairs = cookie.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key.trim() == "token").then(|| value.trim()))
}
