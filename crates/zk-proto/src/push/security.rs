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

    /// The rows of [`QueryKind::Count`], which the body says: `transaction=41`. In the query there may be those of the packet.
    pub fn counted(&self, body: &[u8]) -> Option<u64> {
        let said = std::str::from_utf8(body).ok();
        let said = said.and_then(|text| text.trim().split_once('='));
        match said.map(|(_, rows)| rows.trim().parse()) {
            Some(Ok(rows)) => Some(rows),
            _ => self.count,
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

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn only(line: &[u8]) -> Result<Event<'_>, Reason> {
        let mut found = events(line);
        let event = found.next().expect("a line");
        assert!(found.next().is_none(), "one line");
        event.map_err(|bad| bad.reason)
    }

    #[test]
    fn which_events_are_punches() {
        let check = |pin: &str, event: u16, expected: bool| {
            let line = format!("time=2026-11-22 08:00:00\tpin={pin}\tevent={event}");
            let found = only(line.as_bytes()).expect("an event");
            assert_eq!(found.is_punch(), expected, "{line}");
        };
        let punches = [
            0, 1, 2, 3, 4, 14, 15, 16, 17, 18, 19, 203, 207, 208, 215, 216, 218, 222, 232,
        ];
        for event in 0..=6999 {
            check("7", event, punches.contains(&event));
        }
        check("0", 0, false);
        check("", 0, false);
    }

    #[test]
    fn verification_may_be_bits() {
        let line =
            b"time=2026-11-22 08:00:00\tpin=7\tevent=0\tverifytype=0000000000000010\tindex=21";
        let event = only(line).expect("an event");
        assert_eq!(event.index, Some(21));
        let line = b"time=2026-11-22 08:00:00\tpin=7\tevent=0\tverifytype=1000000000000010";
        assert_eq!(only(line).expect("an event").verify, None);
    }

    #[test]
    fn events_that_are_bad() {
        let check = |line: &[u8], reason: Reason| {
            assert_eq!(only(line), Err(reason), "{}", line.escape_ascii());
        };
        check(b"pin=7\tevent=0", Reason::TooFewFields);
        check(b"time=2026-11-22 08:00:00\tpin=7", Reason::TooFewFields);
        check(b"time=2026-11-22 08:00:00\tpin=7\tevent=x", Reason::Number);
        check(
            b"time=2026-02-30 08:00:00\tpin=7\tevent=0",
            Reason::NoSuchTime,
        );
        check(b"time=2026-11-22 08:00:00\tpin=1 2\tevent=0", Reason::User);
        check(b"time=2026-11-22 08:00:00\tpin=7\tevent=0\0\t", Reason::Nul);
        check(
            b"transaction pin=7\ttime_second=808780340\teventtype=0",
            Reason::NoSuchTime,
        );
        check(
            &[b"time=", "x".repeat(20_000).as_bytes()].concat(),
            Reason::TooLong,
        );
    }

    #[test]
    fn states_of_doors() {
        let body =
            b"time=2026-11-22 08:00:00\tsensor=0101\trelay=01\talarm=0000000000000000\r\nnothing";
        let states: Vec<_> = door_states(body).collect();
        let [state, nothing] = states.as_slice() else {
            panic!("two lines");
        };
        assert_eq!(state.time, Some(date(2026, 11, 22).at(8, 0, 0, 0)));
        assert_eq!((state.sensor, state.relay), ("0101", "01"));
        assert_eq!((nothing.time, nothing.alarm), (None, ""));
    }

    #[test]
    fn packets_of_an_answer() {
        let check = |query: &str, last: bool, answer: &str| {
            let data = QueryData::of(&Query::parse(query));
            assert_eq!(
                (data.is_last(), data.answer(2).as_str()),
                (last, answer),
                "{query}"
            );
        };
        check(
            "type=tabledata&cmdid=4&tablename=user&count=2&packcnt=2&packidx=1",
            false,
            "user=2",
        );
        check(
            "type=tabledata&cmdid=4&tablename=user&count=2&packcnt=2&packidx=2",
            true,
            "user=2",
        );
        check(
            "type=tabledata&cmdid=4&tablename=photo&count=0&packcnt=0",
            true,
            "photo=2",
        );
        check("type=options&cmdid=4&tablename=options", true, "OK");
        let count = QueryData::of(&Query::parse("type=count&cmdid=4&tablename=user&count=17"));
        assert_eq!(
            (count.kind, count.count, count.command),
            (QueryKind::Count, Some(17), Some(4))
        );
    }

    #[test]
    fn small_things() {
        assert_eq!(counted("user\r\nSet-Cookie: a", 1), "userSet-Cookie: a=1");
        assert!(RegistryCode::parse(&"a".repeat(33)).is_none());
        assert!(RegistryCode::parse("a\nb").is_none() && RegistryCode::parse("").is_none());
        assert_eq!(token("a=b; token=9d41; c"), Some("9d41"));
        assert_eq!(token("atoken=9d41"), None);
        assert_eq!(
            time_answer(date(1999, 1, 1).at(0, 0, 0, 0), Offset::UTC),
            None
        );
        assert_eq!(event_name(23), Some("no right to enter"));
    }

    proptest! {
        #[test]
        fn no_input_panics_and_every_line_is_accounted_for(
            start in "(time=2026-11-22 08:00:00\tevent=0\t)?(pin=)?", body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let body = [start.as_bytes(), &body].concat();
            let expected = body::lines(&body).count();
            prop_assert_eq!(events(&body).count(), expected);
            prop_assert_eq!(door_states(&body).count(), expected);
        }
    }
}
