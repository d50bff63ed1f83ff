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
    let clock = time::parse(when);
    let who = pin(who)?;
    let clock = clock?;
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
