//! The clock of a terminal and how it is written.

use std::sync::Arc;

use jiff::tz::{Dst, Offset, TimeZone};
use jiff::{Timestamp, Zoned, civil};

/// Wall time and zone of a terminal at the moment of the call. Virtual terminals never read the system clock.
pub type Clock = Arc<dyn Fn() -> Zoned + Send + Sync>;

/// A clock that always shows the same time.
pub fn stopped(at: Zoned) -> Clock {
    Arc::new(move || at.clone())
}

/// When an event happened: a wall time, read in the terminal's zone, or an instant that brings its own offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    wall: civil::DateTime,
    offset: Option<Offset>,
}

impl Moment {
    /// Instant and offset, in whole seconds. A wall time that does not exist, or exists twice, is resolved as
    /// `jiff` does by default: forward over a gap, first of a repeated hour.
    pub(super) fn resolve(self, zone: &TimeZone) -> (Timestamp, Offset) {
        let wall = self
            .wall
            .with()
            .subsec_nanosecond(0)
            .build()
            .unwrap_or(self.wall);
        let offset = self.offset.or_else(|| {
            let zoned = zone.to_ambiguous_zoned(wall).compatible().ok()?;
            Some(zoned.offset())
        });
        let offset = offset.unwrap_or(Offset::UTC);
        (
            offset.to_timestamp(wall).unwrap_or(Timestamp::UNIX_EPOCH),
            offset,
        )
    }
}

impl From<civil::DateTime> for Moment {
    fn from(wall: civil::DateTime) -> Self {
        Self { wall, offset: None }
    }
}

impl From<&Zoned> for Moment {
    fn from(zoned: &Zoned) -> Self {
        Self {
            wall: zoned.datetime(),
            offset: Some(zoned.offset()),
        }
    }
}

impl From<Zoned> for Moment {
    fn from(zoned: Zoned) -> Self {
        Self::from(&zoned)
    }
}

/// How event times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeNotation {
    /// `2026-09-01T17:27:53-04:00`, as documented.
    Offset,
    /// `2026-09-01T17:27:53`: some firmware sends no zone.
    Bare,
    /// `2026-09-01T17:27:53+00:00` where 17:27:53 is wall time: some OEM firmware. Only `/System/time` tells the
    /// real offset. Search windows are then compared by wall time, whatever offset they carry.
    WallMarkedUtc,
}

impl TimeNotation {
    pub(super) fn write(self, wall: civil::DateTime, offset: Offset) -> String {
        let wall = wall.strftime("%Y-%m-%dT%H:%M:%S");
        match self {
            Self::Offset => format!("{wall}{}", iso_offset(offset)),
            Self::Bare => wall.to_string(),
            Self::WallMarkedUtc => format!("{wall}+00:00"),
        }
    }
}

/// How `/System/time` writes the zone. The sign is that of POSIX, so reversed, and the letters are always `CST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneNotation {
    /// `CST-8:00:00`, with the rule of daylight saving time where the zone has one:
    /// `CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00`.
    Full,
    /// `CST-8`, `CST-5:30`: the present offset and no rule.
    Short,
}

impl ZoneNotation {
    pub(super) fn write(self, now: &Zoned) -> String {
        match self {
            Self::Short => {
                let (sign, hours, minutes, _) = posix_parts(now.offset());
                match minutes {
                    0 => format!("CST{sign}{hours}"),
                    _ => format!("CST{sign}{hours}:{minutes:02}"),
                }
            }
            Self::Full => {
                let summer = SummerTime::around(now);
                let standard = summer.as_ref().map_or(now.offset(), |rule| rule.standard);
                let (sign, hours, minutes, seconds) = posix_parts(standard);
                let rule = summer.map_or_else(String::new, |rule| rule.write());
                format!("CST{sign}{hours}:{minutes:02}:{seconds:02}{rule}")
            }
        }
    }
}

/// A zone from either notation; `None` for what is neither.
pub(super) fn read_zone(text: &str) -> Option<TimeZone> {
    let Some((standard, summer)) = text.split_once("DST") else {
        return TimeZone::posix(text).ok();
    };
    // POSIX gives the offset of the summer, terminals by how much it differs.
    let (shift, rule) = summer.split_once(',')?;
    let mut parts = shift.split(':').map(|part| part.parse::<i32>().ok());
    let mut next = || parts.next().unwrap_or(Some(0));
    let shift = next()? * 3600 + next()? * 60 + next()?;
    let offset = TimeZone::posix(standard)
        .ok()?
        .to_offset(Timestamp::UNIX_EPOCH);
    let summer = Offset::from_seconds(offset.seconds().checked_add(shift)?).ok()?;
    let (sign, hours, minutes, seconds) = posix_parts(summer);
    let posix = format!("{standard}DST{sign}{hours}:{minutes:02}:{seconds:02},{rule}");
    TimeZone::posix(&posix).ok()
}

fn posix_parts(offset: Offset) -> (char, i32, i32, i32) {
    let seconds = offset.seconds();
    let sign = if seconds >= 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    (sign, seconds / 3600, seconds / 60 % 60, seconds % 60)
}

pub(super) fn iso_offset(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Daylight saving time as the two changes nearest to an instant show it.
struct SummerTime {
    standard: Offset,
    summer: Offset,
    /// Wall times before the change.
    starts: civil::DateTime,
    ends: civil::DateTime,
}

impl SummerTime {
    fn around(now: &Zoned) -> Option<Self> {
        let zone = now.time_zone();
        let before = zone.to_offset_info(now.timestamp());
        let mut changes = zone.following(now.timestamp());
        let (first, second) = (changes.next()?, changes.next()?);
        // `first` leaves what holds now, `second` comes back to it.
        let wall = |instant: Timestamp, offset: Offset| offset.to_datetime(instant);
        match (before.dst(), first.dst()) {
            (Dst::No, Dst::Yes) => Some(Self {
                standard: before.offset(),
                summer: first.offset(),
                starts: wall(first.timestamp(), before.offset()),
                ends: wall(second.timestamp(), first.offset()),
            }),
            (Dst::Yes, Dst::No) => Some(Self {
                standard: first.offset(),
                summer: before.offset(),
                starts: wall(second.timestamp(), first.offset()),
                ends: wall(first.timestamp(), before.offset()),
            }),
            _ => None,
        }
    }

    fn write(&self) -> String {
        let shift = self.summer.seconds() - self.standard.seconds();
        format!(
            "DST{:02}:{:02}:{:02},{},{}",
            shift / 3600,
            shift / 60 % 60,
            shift % 60,
            month_rule(self.starts),
            month_rule(self.ends)
        )
    }
}

/// `M3.5.0/02:00:00`; week 5 is the last one.
fn month_rule(wall: civil::DateTime) -> String {
    let week = if wall.day() + 7 > wall.days_in_month() {
        5
    } else {
        (wall.day() - 1) / 7 + 1
    };
    let weekday = wall.weekday().to_sunday_zero_offset();
    format!(
        "M{}.{week}.{weekday}/{}",
        wall.month(),
        wall.strftime("%H:%M:%S")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(now: &str, full: &str, short: &str) {
        let now: Zoned = now.parse().unwrap();
        assert_eq!(ZoneNotation::Full.write(&now), full);
        for text in [full, short] {
            let zone = read_zone(text).unwrap();
            let read = now.with_time_zone(zone);
            assert_eq!(read.offset(), now.offset(), "{text}");
            let written = match text == full {
                true => ZoneNotation::Full.write(&read),
                false => ZoneNotation::Short.write(&read),
            };
            assert_eq!(written, text);
        }
        assert_eq!(ZoneNotation::Short.write(&now), short);
    }

    #[test]
    fn the_zone_is_written_with_the_sign_of_posix() {
        check("2026-03-02T09:00[Asia/Shanghai]", "CST-8:00:00", "CST-8");
        check("2026-03-02T09:00[Asia/Kolkata]", "CST-5:30:00", "CST-5:30");
        check("2026-03-02T09:00-04[-04]", "CST+4:00:00", "CST+4");
        check("2026-03-02T09:00[UTC]", "CST-0:00:00", "CST-0");
    }

    #[test]
    fn daylight_saving_time_is_written_as_a_rule_all_year() {
        let berlin = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00";
        check("2026-01-15T12:00[Europe/Berlin]", berlin, "CST-1");
        check("2026-07-15T12:00[Europe/Berlin]", berlin, "CST-2");
        let new_york = "CST+5:00:00DST01:00:00,M3.2.0/02:00:00,M11.1.0/02:00:00";
        check("2026-07-15T12:00[America/New_York]", new_york, "CST+4");
        let lord_howe = "CST-10:30:00DST00:30:00,M10.1.0/02:00:00,M4.1.0/02:00:00";
        check("2026-01-15T12:00[Australia/Lord_Howe]", lord_howe, "CST-11");
    }

    #[test]
    fn a_moment_is_read_in_the_terminals_zone_unless_it_brings_an_offset() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let wall = civil::date(2026, 10, 25).at(2, 30, 0, 999);
        let (first, offset) = Moment::from(wall).resolve(&berlin);
        assert_eq!(
            TimeNotation::Offset.write(offset.to_datetime(first), offset),
            "2026-10-25T02:30:00+02:00"
        );
        let second: Zoned = "2026-10-25T02:30:00+01:00[Europe/Berlin]".parse().unwrap();
        let (second, offset) = Moment::from(second).resolve(&berlin);
        assert_eq!(second.duration_since(first).as_hours(), 1);
        let wall = offset.to_datetime(second);
        assert_eq!(
            TimeNotation::Bare.write(wall, offset),
            "2026-10-25T02:30:00"
        );
        assert_eq!(
            TimeNotation::WallMarkedUtc.write(wall, offset),
            "2026-10-25T02:30:00+00:00"
        );
    }
}
