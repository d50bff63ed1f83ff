//! Times as the push protocol writes them: wall time, packed, Unix seconds, and offsets in four spellings.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{Timestamp, Zoned};

use super::body::{Reason, number};
pub use crate::clock::PackedClock;

/// A time of an upload: wall time of the terminal, and the offset it belongs to where the terminal said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub wall: DateTime,
    /// Fixes the instant. Unix seconds come as wall time at offset zero.
    pub offset: Option<Offset>,
}

/// `YYYY-MM-DD hh:mm:ss`, with `T` or blanks between, perhaps a fraction and an offset behind; or Unix seconds.
///
/// # Errors
/// [`Reason::Time`] for anything else, [`Reason::NoSuchTime`] for 30 February and the like.
pub fn parse(text: &[u8]) -> Result<Clock, Reason> {
    let text = text.trim_ascii();
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        return unix(text).ok_or(Reason::Time);
    }
    let mut rest = text;
    let year = digits(&mut rest, 4, 4)?;
    let month = after(&mut rest, b"-")?;
    let day = after(&mut rest, b"-")?;
    let between = rest.len();
    rest = rest
        .strip_prefix(b"T")
        .unwrap_or_else(|| rest.trim_ascii_start());
    if rest.len() == between {
        return Err(Reason::Time);
    }
    let hour = digits(&mut rest, 1, 2)?;
    let minute = after(&mut rest, b":")?;
    let second = after(&mut rest, b":")?;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let end = fraction.iter().position(|byte| !byte.is_ascii_digit());
        rest = &fraction[end.unwrap_or(fraction.len())..];
    }
    let offset = match rest.trim_ascii() {
        b"" => None,
        suffix => Some(offset_suffix(suffix).ok_or(Reason::Time)?),
    };
    // At most four digits and at most two, so nothing is cut here.
    let part = |value: u16| value as i8;
    let wall = DateTime::new(
        year as i16,
        part(month),
        part(day),
        part(hour),
        part(minute),
        part(second),
        0,
    );
    let wall = wall.ok().filter(|wall| wall.year() > 0);
    Ok(Clock {
        wall: wall.ok_or(Reason::NoSuchTime)?,
        offset,
    })
}

/// Wall time, or the packed number that old firmware writes.
///
/// # Errors
/// See [`parse`].
pub fn parse_or_packed(text: &[u8]) -> Result<Clock, Reason> {
    match number(text) {
        Some(raw) => {
            let wall = PackedClock(raw).unpack().ok_or(Reason::NoSuchTime)?;
            Ok(Clock { wall, offset: None })
        }
        None => parse(text),
    }
}

fn unix(text: &[u8]) -> Option<Clock> {
    // Of the year 2000, below which a number is something else: terminals begin there.
    const EARLIEST: i64 = 946_684_800;
    let seconds: i64 = number(text)?;
    let timestamp = Timestamp::from_second(seconds).ok()?;
    (seconds >= EARLIEST).then(|| Clock {
        wall: Offset::UTC.to_datetime(timestamp),
        offset: Some(Offset::UTC),
    })
}

fn digits(rest: &mut &[u8], least: usize, most: usize) -> Result<u16, Reason> {
    let len = rest.iter().take(most).take_while(|b| b.is_ascii_digit());
    let len = len.count();
    if len < least {
        return Err(Reason::Time);
    }
    let (number, after) = rest.split_at(len);
    *rest = after;
    Ok(number
        .iter()
        .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
}

fn after(rest: &mut &[u8], separator: &[u8]) -> Result<u16, Reason> {
    *rest = rest.strip_prefix(separator).ok_or(Reason::Time)?;
    digits(rest, 1, 2)
}

/// `Z`, `+05:30`, `+0530` or `+05`.
fn offset_suffix(suffix: &[u8]) -> Option<Offset> {
    let (sign, mut rest) = match suffix {
        b"Z" | b"z" => return Some(Offset::UTC),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let hours = digits(&mut rest, 2, 2).ok()?;
    rest = rest.strip_prefix(b":").unwrap_or(rest);
    let minutes = match rest {
        b"" => 0,
        _ => digits(&mut rest, 2, 2).ok()?,
    };
    let fits = rest.is_empty() && minutes < 60;
    let seconds = sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60);
    fits.then(|| Offset::from_seconds(seconds).ok())?
}

/// The offset of a record in seconds, such as `+19800`. A plain `0` is an unused field, not Greenwich; offsets are quarters of an
/// hour.
pub(super) fn offset_seconds(field: &[u8]) -> Option<Offset> {
    let field = field.trim_ascii();
    if field == b"0" {
        return None;
    }
    let seconds: i32 = number(field)?;
    let is_offset = seconds % 900 == 0 && (-12 * 3600..=14 * 3600).contains(&seconds);
    is_offset.then(|| Offset::from_seconds(seconds).ok())?
}

/// `YYYY-MM-DD hh:mm:ss`.
pub fn text(wall: DateTime) -> String {
    wall.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `YYYY-MM-DDThh:mm:ss`, as branch B has it.
pub fn iso(wall: DateTime) -> String {
    wall.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The answer to `type=time` of branch B.
pub fn manual_answer(now: &Zoned) -> String {
    now.strftime("Time=%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// `+0530`, for the security family.
pub fn compact_offset(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// `-05:00`, for branch B.
pub fn colon_offset(offset: Offset) -> String {
    let mut text = compact_offset(offset);
    text.insert(3, ':');
    text
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings() {
        let check = |text: &str, offset: Option<i32>| {
            let wall = date(2026, 11, 2).at(8, 3, 4, 0);
            let offset = offset.map(|seconds| Offset::from_seconds(seconds).expect("an offset"));
            assert_eq!(parse(text.as_bytes()), Ok(Clock { wall, offset }), "{text}");
        };
        check("2026-11-02 08:03:04", None);
        check("2026-11-02T08:03:04", None);
        check(" 2026-11-2  8:3:4 ", None);
        check("2026-11-02 08:03:04.123", None);
        check("2026-11-02T08:03:04Z", Some(0));
        check("2026-11-02T08:03:04+05:30", Some(19_800));
        check("2026-11-02T08:03:04.5-0500", Some(-18_000));
        check("1793606584", Some(0));
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "26-11-02 08:03:04",
            "2026-11-02",
            "2026-11-0208:03:04",
            "2026-11-02 08:03",
            "2026-11-02 08:03:04 x",
            "2026-11-02T08:03:04+5",
            "2026/11/02 08:03:04",
            "12",
            "99999999999999999999",
            "2026-11-02 08:03:04+05:99",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Reason::Time), "{text}");
        }
        for text in [
            "2026-02-29 08:00:00",
            "2026-13-01 08:00:00",
            "0000-00-00 00:00:00",
            "2026-11-02 08:60:00",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(Reason::NoSuchTime), "{text}");
        }
    }

    #[test]
    fn packed_times_of_the_manuals() {
        let check = |packed: &str, text: &str| {
            let wall = parse_or_packed(packed.as_bytes()).expect("a time").wall;
            assert_eq!(time_text(wall), text);
            let read = parse_or_packed(text.as_bytes()).expect("a time").wall;
            let packed = packed.parse().expect("a number");
            assert_eq!(PackedClock::pack(read), Some(PackedClock(packed)));
        };
        check("583080894", "2018-02-22 14:54:54");
        check("583050990", "2018-02-22 06:36:30");
        check("289503453", "2009-01-03 17:37:33");
        check("864301772", "2026-11-22 11:49:32");
        check("864277203", "2026-11-22 05:00:03");
    }

    fn time_text(wall: DateTime) -> String {
        text(wall)
    }

    #[test]
    fn offsets_as_they_are_written() {
        let offset = |seconds| Offset::from_seconds(seconds).expect("an offset");
        assert_eq!(compact_offset(offset(19_800)), "+0530");
        assert_eq!(compact_offset(offset(-12_600)), "-0330");
        assert_eq!(colon_offset(offset(-18_000)), "-05:00");
        assert_eq!(colon_offset(Offset::UTC), "+00:00");
        let zone = TimeZone::fixed(offset(19_800));
        let now = date(2026, 11, 22).at(10, 30, 3, 0).to_zoned(zone);
        let now = now.expect("a time of a fixed zone");
        assert_eq!(manual_answer(&now), "Time=2026-11-22T10:30:03+05:30");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(year in 1i16..=9999, month in 1i8..=12, day in 1i8..=28, second in 0i32..86_400) {
            let wall = date(year, month, day).at(0, 0, 0, 0).saturating_add(jiff::Span::new().seconds(second));
            for text in [text(wall), iso(wall)] {
                prop_assert_eq!(parse(text.as_bytes()), Ok(Clock { wall, offset: None }));
            }
        }

        #[test]
        fn no_input_panics(text in "[0-9TZ:. +-]{0,30}", bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = parse_or_packed(text.as_bytes());
            let _ = parse_or_packed(&bytes);
            let _ = offset_seconds(text.as_bytes());
        }
    }
}
