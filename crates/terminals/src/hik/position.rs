//! How far a terminal has been read. Opaque outside: JSON of this version, or nothing.

use hik_proto::EventTime;
use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::PEOPLE_AGE;
use super::log::{Collected, Start};
use crate::ReadPosition;

/// Serial numbers read again below the last one, in case the terminal wrote a row late. Also finds the last row itself, which
/// proves that the log is still the same.
pub(super) const OVERLAP: u64 = 5;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Position {
    pub(super) last: Option<LastRow>,
    /// The rows already read among the last few, so that an unchanged log gives nothing again.
    pub(super) seen: Vec<u64>,
    /// The terminal ignores serial numbers in a search, or sends none.
    pub(super) by_time: bool,
    /// The terminal's day of the last long re-read, which a search by time needs because clocks jump.
    reread_on: Option<Date>,
    page: Option<Page>,
    people: Option<People>,
}

/// The row with the highest serial number, or the last row where there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastRow {
    pub(super) serial: Option<u64>,
    /// As the terminal wrote it, readable or not.
    pub(super) time: String,
}

impl LastRow {
    /// Whether a row is this one. A serial number alone is not enough: they start again when a log is cleared.
    pub(super) fn is(&self, serial: Option<u64>, time: &str) -> bool {
        let same_time = match (self.time.parse::<EventTime>(), time.parse::<EventTime>()) {
            (Ok(ours), Ok(theirs)) => ours.same_moment(&theirs),
            _ => self.time == time,
        };
        self.serial == serial && same_time
    }

    /// Where a search by time finds this row and what came after: ten minutes earlier for small steps of the clock, and an hour
    /// for the change to winter time; earlier still where the clock has been put back since. Everything where the time of the
    /// row cannot be read.
    pub(super) fn time_before(&self, now: EventTime) -> DateTime {
        match self.time.parse::<EventTime>() {
            Ok(time) => time.clock.min(now.clock).saturating_sub(70.minutes()),
            Err(_) => DateTime::MIN,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Page {
    rows: u32,
    /// The firmware that said so.
    firmware: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct People {
    count: Option<u32>,
    /// Unix seconds.
    read_at: i64,
}

impl Position {
    /// What cannot be read is the empty position: everything is read again, which is safe.
    pub(super) fn decode(position: &ReadPosition) -> Self {
        serde_json::from_str(&position.0).unwrap_or_default()
    }

    pub(super) fn encode(&self) -> ReadPosition {
        ReadPosition(serde_json::to_string(self).expect("texts and numbers always serialize"))
    }

    pub(super) fn people_may_have_changed(&self, count: Option<u32>, now: Timestamp) -> bool {
        self.people.as_ref().is_none_or(|people| {
            let age = now.as_second() - people.read_at;
            people.count != count || !(0..PEOPLE_AGE.as_secs() as i64).contains(&age)
        })
    }

    /// A list that came out shorter than announced is read again at the next poll.
    pub(super) fn people_read(&mut self, complete: bool, count: Option<u32>, now: Timestamp) {
        self.people = complete.then(|| People {
            count,
            read_at: now.as_second(),
        });
    }

    pub(super) fn page_size(&self, firmware: &str) -> Option<u32> {
        let page = self.page.as_ref()?;
        (page.firmware == firmware && page.rows > 0).then_some(page.rows)
    }

    pub(super) fn page_discovered(&mut self, rows: u32, firmware: &str) {
        self.page = Some(Page {
            rows,
            firmware: firmware.to_owned(),
        });
    }

    /// Where to search from, `now` being the terminal's clock.
    pub(super) fn start(&self, now: EventTime) -> Start {
        let Some(last) = &self.last else {
            return Start::Everything;
        };
        match last.serial {
            Some(serial) if !self.by_time => Start::Serial(serial.saturating_sub(OVERLAP).max(1)),
            _ => Start::Time(self.start_time(last, now)),
        }
    }

    /// Once a day a search by time goes back two whole days, for rows stamped while the clock was wrong.
    fn start_time(&self, last: &LastRow, now: EventTime) -> DateTime {
        let start = last.time_before(now);
        if self.reread_on == Some(now.clock.date()) {
            start
        } else {
            start.min(now.clock.saturating_sub(48.hours()))
        }
    }

    /// Moves past what was read.
    pub(super) fn advance(&mut self, log: &Collected, now: EventTime) {
        if let Some(newest) = &log.newest {
            self.by_time |= newest.serial.is_none();
            let from = newest.serial.unwrap_or(0).saturating_sub(OVERLAP).max(1);
            self.seen = log.contents_from(from);
            self.last = Some(newest.clone());
        }
        self.reread_on = self.by_time.then(|| now.clock.date());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        text.parse().expect("a time")
    }

    fn position(serial: Option<u64>, time: &str) -> Position {
        Position {
            last: Some(LastRow {
                serial,
                time: time.to_owned(),
            }),
            ..Position::default()
        }
    }

    #[test]
    fn nonsense_is_the_empty_position() {
        for text in ["", "{", "[]", "{\"last\":7}"] {
            let position = Position::decode(&ReadPosition(text.to_owned()));
            assert_eq!(position, Position::default(), "{text}");
        }
        let position = position(Some(7), "2026-09-01T08:00:00+05:00");
        assert_eq!(Position::decode(&position.encode()), position);
    }

    #[test]
    fn a_search_starts_a_little_before_the_last_row() {
        let now = at("2026-09-01T12:00:00+05:00");
        let mut position = position(Some(100), "2026-09-01T08:00:00+05:00");
        assert_eq!(position.start(now), Start::Serial(95));
        position.by_time = true;
        let time = |text: &str| Start::Time(at(text).clock);
        assert_eq!(position.start(now), time("2026-08-30T12:00:00"));
        position.reread_on = Some(now.clock.date());
        assert_eq!(position.start(now), time("2026-09-01T06:50:00"));
        // The clock was put back behind the last row.
        let now = at("2026-09-01T07:00:00+05:00");
        assert_eq!(position.start(now), time("2026-09-01T05:50:00"));
        assert_eq!(Position::default().start(now), Start::Everything);
    }

    #[test]
    fn the_last_row_is_known_by_serial_and_time() {
        let last = LastRow {
            serial: Some(9),
            time: "2026-09-01T08:00:00+05:00".to_owned(),
        };
        assert!(last.is(Some(9), "2026-09-01T08:00:00+05:00"));
        assert!(
            last.is(Some(9), "2026-09-01T09:00:00+06:00"),
            "zone changed"
        );
        assert!(
            !last.is(Some(9), "2026-09-02T08:00:00+05:00"),
            "log cleared"
        );
        assert!(!last.is(Some(8), "2026-09-01T08:00:00+05:00"));
    }

    #[test]
    fn people_are_read_when_they_may_have_changed() {
        let at = |second| Timestamp::from_second(second).expect("an instant");
        let mut position = Position::default();
        assert!(
            position.people_may_have_changed(Some(7), at(0)),
            "never read"
        );
        position.people_read(true, Some(7), at(0));
        assert!(!position.people_may_have_changed(Some(7), at(3599)));
        assert!(
            position.people_may_have_changed(Some(7), at(3600)),
            "an hour old"
        );
        assert!(
            position.people_may_have_changed(Some(8), at(10)),
            "one more"
        );
        assert!(
            position.people_may_have_changed(Some(7), at(-5)),
            "clock put back"
        );
        position.people_read(false, Some(7), at(0));
        assert!(
            position.people_may_have_changed(Some(7), at(10)),
            "cut short"
        );
    }
}
