//! Device clocks: wall time without zone or daylight-saving flag, packed in four or six bytes.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};

const SECONDS_PER_DAY: u32 = 86_400;

/// A packed device clock that may or may not be a date.
///
/// The number counts seconds since 2000-01-01 in a calendar where every month has 31 days:
/// `((((y - 2000) * 12 + m - 1) * 31 + d - 1) * 24 + h) * 3600 + min * 60 + s`. 864289815 is 2026-11-22 08:30:15.
/// Order is kept, differences are not seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackedClock(pub u32);

impl PackedClock {
    /// `None` for years outside 2000 to 2099, which the packing cannot tell from those.
    pub fn pack(clock: DateTime) -> Option<Self> {
        let year = u32::try_from(clock.year() - 2000)
            .ok()
            .filter(|y| *y < 100)?;
        let part = |value: i8| value as u32; // months to seconds are never negative
        let days = (year * 12 + part(clock.month()) - 1) * 31 + part(clock.day()) - 1;
        let minutes = (days * 24 + part(clock.hour())) * 60 + part(clock.minute());
        Some(Self(minutes * 60 + part(clock.second())))
    }

    /// `None` for packings that are no date, such as 30 February: the usual sign of records cut at the wrong places.
    #[inline]
    pub fn unpack(self) -> Option<DateTime> {
        Some(self.date()?.to_datetime(self.time()))
    }

    /// The day without the time of day; see [`Self::unpack`].
    pub(crate) fn date(self) -> Option<Date> {
        let [year, month, day, ..] = self.fields();
        // Every field fits by construction: the largest year is 2133, the rest are remainders.
        Date::new(year as i16, month as i8, day as i8).ok()
    }

    #[inline]
    pub(crate) fn time(self) -> Time {
        let second = self.0 % SECONDS_PER_DAY;
        let part = |value: u32| value as i8;
        Time::constant(
            part(second / 3600),
            part(second / 60 % 60),
            part(second % 60),
            0,
        )
    }

    /// Counts days, with gaps after short months.
    #[inline]
    pub(crate) fn day_number(self) -> u32 {
        self.0 / SECONDS_PER_DAY
    }

    fn fields(self) -> [u32; 6] {
        let Self(raw) = self;
        let (minutes, second) = (raw / 60, raw % 60);
        let (hours, minute) = (minutes / 60, minutes % 60);
        let (days, hour) = (hours / 24, hours % 24);
        let (months, day) = (days / 31, days % 31);
        [
            2000 + months / 12,
            months % 12 + 1,
            day + 1,
            hour,
            minute,
            second,
        ]
    }
}

impl fmt::Display for PackedClock {
    /// As `YYYY-MM-DD HH:MM:SS`, also where that is no date.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day, hour, minute, second] = self.fields();
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        )
    }
}

/// The form that events carry: year - 2000, month, day, hour, minute, second. `None` when that is no date.
pub fn from_six_bytes(bytes: [u8; 6]) -> Option<DateTime> {
    let [year, month, day, hour, minute, second] = bytes;
    let part = |value: u8| i8::try_from(value).ok();
    DateTime::new(
        2000 + i16::from(year),
        part(month)?,
        part(day)?,
        part(hour)?,
        part(minute)?,
        part(second)?,
        0,
    )
    .ok()
}

/// `None` for years outside 2000 to 2255.
pub fn to_six_bytes(clock: DateTime) -> Option<[u8; 6]> {
    Some([
        u8::try_from(clock.year() - 2000).ok()?,
        clock.month() as u8,
        clock.day() as u8,
        clock.hour() as u8,
        clock.minute() as u8,
        clock.second() as u8,
    ])
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::testdata::{hex, vectors};

    #[test]
    fn golden_clocks() {
        let mut seen = 0;
        for vector in vectors(include_str!("../testdata/clocks.txt")) {
            let [clock, decimal, wire] = vector.as_slice() else {
                panic!("a line of clocks.txt has three fields: {vector:?}");
            };
            let raw = u32::from_le_bytes(hex(wire).try_into().expect("four bytes"));
            assert_eq!(raw.to_string(), *decimal);
            assert_eq!(PackedClock(raw).to_string(), *clock);
            let clock: DateTime = clock.parse().expect("a date");
            assert_eq!(PackedClock(raw).unpack(), Some(clock));
            assert_eq!(PackedClock::pack(clock), Some(PackedClock(raw)));
            seen += 1;
        }
        assert_eq!(seen, 8);
    }

    #[test]
    fn impossible_dates_are_none_and_can_be_shown() {
        let clock = PackedClock(0x3035_0234);
        assert_eq!(clock.unpack(), None);
        assert_eq!(clock.to_string(), "2025-02-30 21:12:20");
    }

    #[test]
    fn years_the_packing_cannot_hold() {
        assert_eq!(PackedClock::pack(date(1999, 12, 31).at(0, 0, 0, 0)), None);
        assert_eq!(PackedClock::pack(date(2100, 1, 1).at(0, 0, 0, 0)), None);
    }

    #[test]
    fn six_byte_form() {
        let clock = date(2018, 6, 25).at(17, 41, 5, 0);
        let bytes = [0x12, 0x06, 0x19, 0x11, 0x29, 0x05];
        assert_eq!(from_six_bytes(bytes), Some(clock));
        assert_eq!(to_six_bytes(clock), Some(bytes));
        assert_eq!(from_six_bytes([26, 2, 30, 0, 0, 0]), None);
        assert_eq!(from_six_bytes([26, 255, 1, 0, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn what_unpacks_packs_to_the_same(raw: u32) {
            if let Some(clock) = PackedClock(raw).unpack().filter(|clock| clock.year() < 2100) {
                prop_assert_eq!(PackedClock::pack(clock), Some(PackedClock(raw)));
            }
        }

        #[test]
        fn six_bytes_never_panic(bytes: [u8; 6]) {
            if let Some(clock) = from_six_bytes(bytes) {
                prop_assert_eq!(to_six_bytes(clock), Some(bytes));
            }
        }
    }
}
