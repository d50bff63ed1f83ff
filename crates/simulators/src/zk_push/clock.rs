//! The wall clock of a terminal, and how times and zones are written.

use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

/// The wall clock of a terminal: local time without zone.
pub type Clock = Arc<dyn Fn() -> DateTime + Send + Sync>;

/// A clock that always shows the same time.
pub fn stopped(at: DateTime) -> Clock {
    Arc::new(move || at)
}

/// Where a clock starts whose battery is empty.
pub(super) const MILLENNIUM: DateTime = date(2000, 1, 1).at(0, 0, 0, 0);

/// Seconds since 2000 in a calendar where every month has 31 days.
pub fn pack_clock(clock: DateTime) -> u32 {
    let days = (i64::from(clock.year()) - 2000) * 372
        + (i64::from(clock.month()) - 1) * 31
        + (i64::from(clock.day()) - 1);
    let seconds = days * 86_400
        + i64::from(clock.hour()) * 3600
        + i64::from(clock.minute()) * 60
        + i64::from(clock.second());
    u32::try_from(seconds).unwrap_or(0)
}

/// `None` for packings that are no date.
pub(super) fn unpack_clock(packed: u32) -> Option<DateTime> {
    let (days, second) = (packed / 86_400, packed % 86_400);
    DateTime::new(
        2000 + (days / 372) as i16,
        (days / 31 % 12) as i8 + 1,
        (days % 31) as i8 + 1,
        (second / 3600) as i8,
        (second / 60 % 60) as i8,
        (second % 60) as i8,
        0,
    )
    .ok()
}

pub(super) fn text(clock: DateTime) -> String {
    clock.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time in a command; the branch of manual 3.2.0 writes `T` between date and time.
pub(super) fn parse(text: &str) -> Option<DateTime> {
    text.trim().parse().ok()
}

/// The option `TimeZone` as firmware reads it: `8` are hours, `330` are minutes, `-05:00` is both.
pub(super) fn parse_zone(text: &str) -> Option<SignedDuration> {
    let text = text.trim();
    let minutes = match text.split_once(':') {
        Some((hours, minutes)) => {
            let sign = if hours.starts_with('-') { -1 } else { 1 };
            hours.parse::<i64>().ok()? * 60 + sign * minutes.parse::<i64>().ok()?
        }
        None => match text.parse::<i64>().ok()? {
            hours @ -14..=14 => hours * 60,
            minutes => minutes,
        },
    };
    (minutes.abs() <= 14 * 60).then(|| SignedDuration::from_mins(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packed_times_of_the_document() {
        check("2018-02-22T14:54:54", 583_080_894);
        check("2018-02-22T06:36:30", 583_050_990);
        check("2009-01-03T17:37:33", 289_503_453);
        check("2026-11-22T11:49:32", 864_301_772);
    }

    #[track_caller]
    fn check(clock: &str, packed: u32) {
        let clock: DateTime = clock.parse().unwrap();
        assert_eq!(pack_clock(clock), packed);
        assert_eq!(unpack_clock(packed), Some(clock));
    }

    #[test]
    fn zones_are_hours_or_minutes() {
        for (text, minutes) in [
            ("8", 480),
            ("-3", -180),
            ("330", 330),
            ("345", 345),
            ("-05:00", -300),
            ("-03:30", -210),
            ("+05:30", 330),
        ] {
            let zone = parse_zone(text);
            assert_eq!(zone, Some(SignedDuration::from_mins(minutes)), "{text}");
        }
        for text in ["", "5.5", "Asia/Kolkata", "9999"] {
            assert_eq!(parse_zone(text), None, "{text}");
        }
    }
}
