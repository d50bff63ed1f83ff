//! Punches of the attendance families: a line each, positional, from 4 fields in 2008 to 16 in the branch of manual 3.2.0.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::body::{self, BadLine, Fields, LINE_LIMIT, Lines, Reason, number, pin};
use super::{text, time};

/// One punch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// As sent, leading zeros included.
    pub pin: &'a str,
    /// Wall time of the terminal; of [`Self::offset`] where that is known.
    pub time: DateTime,
    /// Which key was pressed; `None` when none was (255).
    pub status: Option<u8>,
    /// How the person was recognised; what it means depends on the generation.
    pub verify: Option<u8>,
    pub work_code: Option<Cow<'a, str>>,
    /// Newest firmware says to which offset the time belongs. A time in Unix seconds comes with offset zero.
    pub offset: Option<Offset>,
    /// As received.
    pub line: &'a [u8],
}

/// The punches of a body. One item per line that is not blank, so their number is what to acknowledge.
pub fn lines(body: &[u8]) -> Records<'_> {
    Records {
        lines: body::lines(body),
    }
}

#[derive(Clone, Debug)]
pub struct Records<'a> {
    lines: Lines<'a>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BadLine<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(record(line).map_err(|reason| BadLine::new(line, reason)))
    }
}

fn record(line: &[u8]) -> Result<Record<'_>, Reason> {
    if line.len() > LINE_LIMIT {
        return Err(Reason::TooLong);
    }
    if line.contains(&0) {
        return Err(Reason::Nul);
    }
    if Fields(line).get("pin").is_some() {
        named(line)
    } else if line.contains(&b'\t') {
        positional(line)
    } else {
        blank_separated(line)
    }
}

fn positional(line: &[u8]) -> Result<Record<'_>, Reason> {
    let mut all = line.split(|byte| *byte == b'\t');
    let mut fields = [&b""[..]; 12];
    let mut count = 0;
    for (place, field) in fields.iter_mut().zip(&mut all) {
        *place = field.trim_ascii();
        count += 1;
    }
    count += all.count();
    let [who, when, status, verify, work_code, .., offset, _] = fields;
    // Fewer are the beginning of a record that was cut.
    if count < 4 {
        return Err(Reason::TooFewFields);
    }
    let who = pin(who)?;
    let clock = time::parse(when)?;
    Ok(Record {
        pin: who,
        time: clock.wall,
        status: status_of(status),
        verify: number(verify),
        work_code: work_code_of(work_code),
        // Branch B has job codes there.
        offset: clock.offset.or_else(|| {
            let may_be = (11..=12).contains(&count);
            may_be.then(|| time::offset_seconds(offset))?
        }),
        line,
    })
}

/// `PIN date time status verify` of old models: nothing else is taken for a record.
fn blank_separated(line: &[u8]) -> Result<Record<'_>, Reason> {
    let mut rest = line;
    let who = word(&mut rest)?;
    let from_date = rest;
    word(&mut rest)?;
    word(&mut rest)?;
    let when = time::parse(&from_date[..from_date.len() - rest.len()])?;
    let (status, verify) = (word(&mut rest)?, word(&mut rest)?);
    let [status, verify] = [status, verify].map(number::<u8>);
    if status.is_none() || verify.is_none() {
        return Err(Reason::Number);
    }
    Ok(Record {
        pin: pin(who)?,
        time: when.wall,
        status: status.filter(|status| *status != NO_STATUS),
        verify,
        work_code: word(&mut rest).ok().and_then(work_code_of),
        offset: when.offset,
        line,
    })
}

fn word<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Reason> {
    let from = rest.trim_ascii_start();
    let end = from.iter().position(u8::is_ascii_whitespace);
    let (word, after) = from.split_at(end.unwrap_or(from.len()));
    *rest = after;
    (!word.is_empty())
        .then_some(word)
        .ok_or(Reason::TooFewFields)
}

/// `PIN=..<HT>DateTime=..`, as some bridges write it.
fn named(line: &[u8]) -> Result<Record<'_>, Reason> {
    let fields = Fields(line);
    let when = fields.any(&["DateTime", "Time", "time_second"]);
    let who = fields.pin()?;
    let when = time::parse(when.ok_or(Reason::TooFewFields)?)?;
    let status = fields.any(&["Status", "State", "InOutStatus"]);
    let work_code = fields.any(&["WorkCode", "Workcode"]);
    Ok(Record {
        pin: who,
        time: when.wall,
        status: status.and_then(status_of),
        verify: fields.number(&["Verify", "VerifyType", "Verified"]),
        work_code: work_code.and_then(work_code_of),
        offset: when.offset,
        line,
    })
}

const NO_STATUS: u8 = 255;

/// A status that is no number says as much as none: the punch is one by its user and its time.
fn status_of(field: &[u8]) -> Option<u8> {
    number(field).filter(|status| *status != NO_STATUS)
}

fn work_code_of(field: &[u8]) -> Option<Cow<'_, str>> {
    (!field.is_empty() && field != b"0").then(|| text::decode(field))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn only(line: &[u8]) -> Result<Record<'_>, Reason> {
        let mut records = lines(line);
        let record = records.next().expect("a line");
        assert_eq!(records.next(), None, "one line");
        record.map_err(|bad| {
            assert_eq!(bad.bytes, line);
            bad.reason
        })
    }

    #[track_caller]
    fn good(line: &str) -> Record<'_> {
        only(line.as_bytes()).expect("a record")
    }

    #[track_caller]
    fn bad(line: &[u8], reason: Reason) {
        assert_eq!(only(line), Err(reason), "{}", line.escape_ascii());
    }

    const MORNING: DateTime = date(2026, 11, 22).at(8, 0, 0, 0);

    #[test]
    fn every_number_of_fields() {
        for fields in 4..=20 {
            let line = format!(
                "1001\t2026-11-22 08:00:00\t1\t15{}",
                "\t".repeat(fields - 4)
            );
            let record = good(&line);
            assert_eq!((record.pin, record.time), ("1001", MORNING));
            assert_eq!((record.status, record.verify), (Some(1), Some(15)));
            assert_eq!((record.work_code, record.offset), (None, None));
        }
        for line in [
            "1001",
            "1001\t2026-11-22 08:00:00",
            "1001\t2026-11-22 08:00:00\t1",
        ] {
            bad(line.as_bytes(), Reason::TooFewFields);
        }
    }

    #[test]
    fn what_the_fields_say() {
        let line = "0007\t2026-11-22T08:00:00\t255\t1\t12\t0\t0";
        let record = good(line);
        assert_eq!(
            (record.pin, record.time, record.status),
            ("0007", MORNING, None)
        );
        assert_eq!(record.work_code.as_deref(), Some("12"));
        assert_eq!(record.line, line.as_bytes());
        // No number, no statement; the punch stays one.
        let record = good("7\t2026-11-22 08:00:00\tx\t-1");
        assert_eq!((record.status, record.verify), (None, None));
    }

    #[test]
    fn offsets_are_read_where_they_can_be_one() {
        let check = |fields: usize, value: &str, expected: Option<i32>| {
            let after = "\t".repeat(fields - 11);
            let line = format!("7\t2026-11-22 08:00:00\t0\t1\t\t\t\t\t\t\t{value}{after}");
            let seconds = good(&line).offset.map(Offset::seconds);
            assert_eq!(seconds, expected, "{line:?}");
        };
        check(11, "+19800", Some(19_800));
        check(12, "-28800", Some(-28_800));
        check(12, "+0", Some(0));
        check(12, "", None);
        check(12, "0", None); // an unused field
        check(12, "1", None);
        check(12, "+90000", None);
        check(12, "x", None);
        check(16, "+19800", None); // a job code of branch B
    }

    #[test]
    fn unix_seconds_fix_the_instant() {
        let record = good("7\t1795334400\t0\t1");
        assert_eq!(record.time, MORNING);
        assert_eq!(record.offset, Some(Offset::UTC));
        bad(b"7\t864301772\t0\t1", Reason::Time);
    }

    #[test]
    fn lines_with_blanks_of_old_models() {
        for line in [
            "1001 2026-11-22 08:00:00 0 1",
            " 1001   2026-11-22  08:00:00 0 1 ",
            "1001 2026-11-22 08:00:00 0 1 12 0",
        ] {
            let record = good(line);
            assert_eq!((record.pin, record.time), ("1001", MORNING));
            assert_eq!((record.status, record.verify), (Some(0), Some(1)));
        }
        bad(b"1001 2026-11-22 08:00:00 0", Reason::TooFewFields);
        bad(b"1001 2026-11-22 08:00:00 in finger", Reason::Number);
        bad(b"Dear sir or madam, hello", Reason::Time);
    }

    #[test]
    fn lines_with_names() {
        let record = good("PIN=1001\tDateTime=2026-11-22 08:00:00\tStatus=1\tVerify=4");
        assert_eq!((record.pin, record.time), ("1001", MORNING));
        assert_eq!((record.status, record.verify), (Some(1), Some(4)));
        bad(b"PIN=1001\tStatus=1", Reason::TooFewFields);
        bad(b"PIN=\tDateTime=2026-11-22 08:00:00", Reason::NoUser);
    }

    /// B8 to B11 of the reference: what is parked.
    #[test]
    fn lines_that_are_parked() {
        let with_pin = |pin: &str| format!("{pin}\t2026-11-22 08:00:00\t0\t1").into_bytes();
        bad(&with_pin(""), Reason::NoUser);
        bad(&with_pin("  "), Reason::NoUser);
        bad(&with_pin("1 2"), Reason::User);
        bad(&with_pin("J\u{f6}rg"), Reason::User);
        bad(&with_pin(&"1".repeat(200)), Reason::UserTooLong);
        assert_eq!(only(&with_pin("0")).map(|record| record.pin), Ok("0"));
        assert_eq!(only(&with_pin(" 12 ")).map(|record| record.pin), Ok("12"));

        let with_time = |time: &str| format!("7\t{time}\t0\t1").into_bytes();
        bad(&with_time("0000-00-00 00:00:00"), Reason::NoSuchTime);
        bad(&with_time("2026-02-30 08:00:00"), Reason::NoSuchTime);
        bad(&with_time("2026-11-22 24:00:00"), Reason::NoSuchTime);
        bad(&with_time("2026-11-22"), Reason::Time);
        bad(&with_time(""), Reason::Time);
        for year in [2000, 2099] {
            let line = with_time(&format!("{year}-01-01 00:00:10"));
            let time = only(&line).map(|record| record.time);
            assert_eq!(time, Ok(date(year, 1, 1).at(0, 0, 10, 0)));
        }

        bad(b"7\t2026-11-22 08:00:00\t0\t1\0\t0", Reason::Nul);
        bad(&vec![b'x'; 1 << 20], Reason::TooLong);
    }

    #[test]
    fn lines_are_counted_but_for_blank_ones() {
        let body = b"\xef\xbb\xbf7\t2026-11-22 08:00:00\t0\t1\r\n\r\n \t\r\n\0\ngarbage\n8\t2026-11-22 08:00:00\t0\t1\0";
        let found: Vec<_> = lines(body)
            .map(|line| line.map(|record| record.pin))
            .collect();
        assert_eq!(found.len(), 3);
        assert_eq!((&found[0], &found[2]), (&Ok("7"), &Ok("8")));
        assert_eq!(lines(b"").count(), 0);
        let large = b"7\t2026-11-22 08:00:00\t0\t1\n".repeat(100_000);
        assert_eq!(lines(&large).filter(Result::is_ok).count(), 100_000);
    }

    proptest! {
        #[test]
        fn line_ends_do_not_matter(
            pins in proptest::collection::vec("[ -~]{0,12}", 0..8), crlf: bool, last: bool,
        ) {
            let written: Vec<String> = pins
                .iter()
                .map(|pin| format!("{pin}\t2026-11-22 08:00:00\t0\t1"))
                .collect();
            let plain = written.join("\n");
            let mut other = written.join(if crlf { "\r\n" } else { "\n" });
            if last {
                other.push('\n');
            }
            let read = |body: &str| lines(body.as_bytes()).map(|line| format!("{line:?}")).collect::<Vec<_>>();
            prop_assert_eq!(read(&plain), read(&other));
            prop_assert_eq!(read(&plain).len(), pins.len());
        }

        #[test]
        fn no_input_panics_and_every_line_is_accounted_for(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(lines(&body).count(), body::lines(&body).count());
        }
    }
}
