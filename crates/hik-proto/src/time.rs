//! Times as terminals write them: wall time, usually with an offset, and the POSIX zone of the clock.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::body::{DecodeError, Fields};
use crate::paths::TIME;
use crate::request::{NAMESPACE, Request, XML_HEAD, escaped};

/// A wall time and the offset written beside it, e.g. `2026-09-01T17:27:53-04:00`.
///
/// The wall time is the fact; some units write `+00:00` beside local wall time, so the offset never moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// Whole seconds.
    pub clock: DateTime,
    pub offset: Option<Offset>,
}

/// A text that is no time, e.g. 30 February.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("impossible time {0:?}")]
pub struct TimeError(pub String);

impl EventTime {
    /// Whether both name the same event of one log: the same wall time, or the same instant written after the terminal's zone
    /// was changed.
    pub fn same_moment(&self, other: &Self) -> bool {
        let instant = |time: &Self| Some(time.offset?.to_timestamp(time.clock).ok()?.as_second());
        self.clock == other.clock || instant(self).is_some_and(|one| instant(other) == Some(one))
    }
}

impl FromStr for EventTime {
    type Err = TimeError;

    /// Reads `YYYY-MM-DDThh:mm:ss` (or a blank for `T`), an optional fraction, which is dropped, and an optional `Z`, `±hh`,
    /// `±hhmm` or `±hh:mm`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).ok_or_else(|| TimeError(text.to_owned()))
    }
}

impl std::fmt::Display for EventTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.clock.strftime("%Y-%m-%dT%H:%M:%S"))?;
        match self.offset {
            None => Ok(()),
            Some(offset) => {
                let minutes = offset.seconds() / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.abs();
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

fn parse(text: &str) -> Option<EventTime> {
    let (wall, rest) = (text.get(..19)?, text.get(19..)?);
    let clock = DateTime::strptime("%Y-%m-%d %H:%M:%S", wall.replacen('T', " ", 1)).ok()?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let offset = match zone {
        "" => None,
        "Z" | "z" => Some(Offset::UTC),
        _ => Some(parse_offset(zone)?),
    };
    Some(EventTime { clock, offset })
}

fn parse_offset(text: &str) -> Option<Offset> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text[1..].replacen(':', "", 1);
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = digits
        .get(2..)
        .filter(|m| !m.is_empty())
        .map_or(Some(0), |m| m.parse().ok())?;
    if hours > 15 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// The answer of `/ISAPI/System/time`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceTime {
    /// The wall clock. Its offset is the written one, else the standard offset of `timeZone`.
    pub local: EventTime,
    /// `NTP`, `manual` and others, as sent.
    pub mode: Option<String>,
    /// As sent: POSIX with the sign reversed, and the rules of summer time where there are any.
    pub zone: Option<String>,
}

impl DeviceTime {
    /// # Errors
    /// When the body is neither XML nor JSON, or has no readable `localTime`.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let fields = Fields::parse(body)?;
        let text = fields
            .text("localTime")
            .ok_or(DecodeError::Missing("localTime"))?;
        let mut local: EventTime = text.parse().map_err(|_| DecodeError::Field {
            field: "localTime",
            found: text.to_owned(),
            expected: "time",
        })?;
        if local.offset.is_none() {
            local.offset = fields.text("timeZone").and_then(posix_offset);
        }
        Ok(Self {
            local,
            mode: fields.text("timeMode").map(str::to_owned),
            zone: fields.text("timeZone").map(str::to_owned),
        })
    }

    /// Whether the clock is set by somebody else: a time server, a satellite, a platform.
    pub fn is_set_from_outside(&self) -> bool {
        let by_hand = |mode: &String| ["manual", "none"].contains(&&*mode.to_ascii_lowercase());
        self.mode.as_ref().is_some_and(|mode| !by_hand(mode))
    }

    /// Sets the clock by hand to this wall time. The zone stays as the terminal wrote it; a wall time with an offset, or one
    /// in UTC, has moved clocks by hours.
    pub fn set_to(&self, clock: DateTime) -> Request {
        let zone = match &self.zone {
            Some(zone) => format!("<timeZone>{}</timeZone>\n", escaped(zone)),
            None => String::new(),
        };
        let wall = clock.strftime("%Y-%m-%dT%H:%M:%S");
        let body = format!(
            "{XML_HEAD}<Time version=\"2.0\" xmlns=\"{NAMESPACE}\">\n<timeMode>manual</timeMode>\n\
             <localTime>{wall}</localTime>\n{zone}</Time>\n"
        );
        Request::xml(TIME, body)
    }
}

/// The standard offset of a POSIX zone such as `CST-5:00:00` or `CST+4`; the sign is reversed, the letters are always `CST`.
/// Summer time rules behind it are not applied.
fn posix_offset(zone: &str) -> Option<Offset> {
    let start = zone.find(['+', '-'])?;
    let sign = if zone[start..].starts_with('-') {
        1
    } else {
        -1
    };
    let digits = &zone[start + 1..];
    let end = digits
        .find(|c: char| !c.is_ascii_digit() && c != ':')
        .unwrap_or(digits.len());
    let mut seconds = 0;
    for (part, unit) in digits[..end].split(':').zip([3600, 60, 1]) {
        seconds += part.parse::<i32>().ok().filter(|part| *part < 60)? * unit;
    }
    Offset::from_seconds(sign * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let time: EventTime = text.parse().expect("a readable time");
        assert_eq!(time.to_string(), expected);
    }

    #[test]
    fn wall_time_and_offset_are_kept_apart() {
        check("2026-09-01T17:27:53-04:00", "2026-09-01T17:27:53-04:00");
        check("2026-09-01 17:27:53", "2026-09-01T17:27:53");
        check("2026-09-01T17:27:53Z", "2026-09-01T17:27:53+00:00");
        check("2026-09-01T17:27:53.250+0530", "2026-09-01T17:27:53+05:30");
        check("2026-09-01T17:27:53+13", "2026-09-01T17:27:53+13:00");
    }

    #[test]
    fn impossible_times_are_errors() {
        for text in [
            "",
            "2026-02-30T10:00:00+05:00",
            "0000-00-00T00:00:00",
            "2026-09-01T25:00:00",
            "2026-09-01T17:27:53+99:00",
            "2026-09-01T17:27:53 nonsense",
            "2026-09-01T17:27:5é",
        ] {
            assert_eq!(text.parse::<EventTime>(), Err(TimeError(text.to_owned())));
        }
    }

    #[test]
    fn one_moment_written_in_two_zones() {
        let time = |text: &str| text.parse::<EventTime>().expect("a readable time");
        let written = time("2026-09-01T17:27:53-04:00");
        assert!(written.same_moment(&time("2026-09-01T17:27:53-05:00")));
        assert!(written.same_moment(&time("2026-09-01T21:27:53+00:00")));
        assert!(!written.same_moment(&time("2026-09-01T17:27:54-04:00")));
        assert!(!time("2026-09-01T17:27:53").same_moment(&time("2026-09-01T21:27:53")));
    }

    #[test]
    fn posix_zones_have_the_sign_reversed() {
        let hours = |zone| posix_offset(zone).map(|offset| offset.seconds() as f32 / 3600.0);
        assert_eq!(hours("CST-8:00:00"), Some(8.0));
        assert_eq!(hours("CST-5:30:00"), Some(5.5));
        assert_eq!(hours("CST+4"), Some(-4.0));
        assert_eq!(
            hours("CST-8:00:00DST00:30:00,M4.1.0/02:00:00,M10.5.0/02:00:00"),
            Some(8.0)
        );
        assert_eq!(hours("UTC"), None);
    }
}
