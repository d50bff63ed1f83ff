//! The attendance log: a length, then records of one size that the terminal does not tell.
//!
//! The decoder takes the body as it arrives, finds the record layout in its beginning, and hands out record after record. It
//! holds one sample at the start and one cut record later, never the log.

use std::fmt;

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

use crate::clock::PackedClock;
use crate::text;
use crate::users::UserIndex;

/// How the records of a log are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// 8 bytes: internal number, verify, time, state.
    Plain8,
    /// 8 bytes: internal number, flags (state in bits 0 to 2, verify in bits 3 and 4), time.
    Compressed8,
    /// 16 bytes: numeric user id, time, state, verify, reserved, work code.
    Number16,
    /// 40 bytes and more: number, text user id, verify, time, state. What follows the 40th byte (49 is common: mask and
    /// temperature) is not read.
    Text { size: u8 },
}

impl Layout {
    /// Bytes of one record.
    pub fn size(self) -> usize {
        match self {
            Self::Plain8 | Self::Compressed8 => 8,
            Self::Number16 => 16,
            Self::Text { size } => usize::from(size),
        }
    }

    /// Whether records name users by the terminal's internal number, so that they mean nothing without the user list.
    pub fn needs_users(self) -> bool {
        matches!(self, Self::Plain8 | Self::Compressed8)
    }

    /// Cuts a record, which must have this layout's size, into its fields.
    #[inline]
    fn fields(self, record: &[u8]) -> Fields<'_> {
        let word = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
        let long = |at: usize| u32::from(word(at)) | u32::from(word(at + 2)) << 16;
        match self {
            Self::Plain8 => Fields {
                user: RecordUser::Uid(word(0)),
                verify: record[2],
                time: PackedClock(long(3)),
                state: record[7],
                aligned: true,
            },
            Self::Compressed8 => Fields {
                user: RecordUser::Uid(word(0)),
                verify: record[2] >> 3 & 0b11,
                time: PackedClock(long(4)),
                state: record[2] & 0b111,
                // Bit 5 marks the long form on some models; bits 6 to 15 are unused.
                aligned: word(2) >> 6 == 0,
            },
            // State before verify here, unlike everywhere else: the manual says so, and a capture in which byte 8 turns from
            // 0 to 1 in the afternoon agrees. A widely used client has them the other way round.
            Self::Number16 => Fields {
                user: RecordUser::Number(long(0)),
                verify: record[9],
                time: PackedClock(long(4)),
                state: record[8],
                // A work code has at most eight digits; in 8-byte records taken for this layout a time stands here.
                aligned: long(12) < 100_000_000,
            },
            Self::Text { .. } => {
                let record: &[u8; 32] = record.first_chunk().expect("at least 40 bytes");
                Fields {
                    user: RecordUser::Text(&record[2..26]),
                    verify: record[26],
                    time: PackedClock(u32::from_le_bytes([
                        record[27], record[28], record[29], record[30],
                    ])),
                    state: record[31],
                    aligned: true,
                }
            }
        }
    }
}

enum RecordUser<'a> {
    Uid(u16),
    Number(u32),
    Text(&'a [u8]),
}

struct Fields<'a> {
    user: RecordUser<'a>,
    verify: u8,
    time: PackedClock,
    state: u8,
    /// `false` when bits that are always zero are not.
    aligned: bool,
}

impl Fields<'_> {
    /// Whether everything but the time looks right.
    fn has_shape(&self) -> bool {
        let user = match self.user {
            RecordUser::Uid(uid) => uid != 0 && uid != u16::MAX,
            RecordUser::Number(number) => number != 0 && number != u32::MAX,
            RecordUser::Text(field) => text::user_id(field).is_some(),
        };
        user && self.aligned && (self.state <= 15 || self.state == 255)
    }

    /// Whether a rejected record speaks against the layout. A readable user id stands only where the cut is right, whatever
    /// the date.
    fn is_broken(&self, reason: Rejection) -> bool {
        match (reason, &self.user) {
            (Rejection::UnknownUid(_), _) => false,
            (_, RecordUser::Text(field)) => text::user_id(field).is_none(),
            _ => true,
        }
    }

    /// Whether the time is a real one up to `latest`. Times of the year 2000 are no evidence: zeros, small numbers and times
    /// cut in the middle fall there, punches only where the terminal's clock was reset.
    fn has_time(&self, latest: Option<DateTime>) -> bool {
        const YEAR_2001: PackedClock = PackedClock(12 * 31 * 86_400);
        let real = self.time.unpack().filter(|_| self.time >= YEAR_2001);
        real.is_some_and(|time| latest.is_none_or(|latest| time <= latest))
    }
}

/// One entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Zero-based place in the log.
    pub index: u64,
    /// As in the user list; printable ASCII.
    pub user_id: &'a [u8],
    pub clock: DateTime,
    /// 0 check-in, 1 check-out, 2 break-out, 3 break-in, 4 overtime-in, 5 overtime-out, 255 none.
    pub state: u8,
    /// Numbers differ between platforms; see `docs/devices/zkteco.md`.
    pub verify: u8,
}

/// What the decoder hands out, in the order of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    Record(Record<'a>),
    /// A record that cannot be understood, with its bytes. The others are not affected.
    Rejected {
        index: u64,
        bytes: &'a [u8],
        reason: Rejection,
    },
}

/// Why a record is not understood. Displays as a lower-case phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    ImpossibleDate(PackedClock),
    /// Empty, or with bytes no user id has.
    NoUserId,
    /// The user list has no user of this internal number. It is no user id: taken for one it would credit somebody else.
    UnknownUid(u16),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImpossibleDate(clock) => write!(f, "impossible date {clock}"),
            Self::NoUserId => f.write_str("no readable user id"),
            Self::UnknownUid(uid) => write!(f, "unknown internal number {uid}"),
        }
    }
}

/// What is known about a log before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogHints<'a> {
    /// The terminal's record counter. It may be off by punches made since, or be 0 for a full log.
    pub count: Option<u32>,
    /// No punch is later than this (the terminal's clock and a day); later ones are taken for a sign of a wrong layout
    /// while the layout is looked for, and handed out all the same.
    pub latest: Option<DateTime>,
    /// Needed by the 8-byte layouts only.
    pub users: Option<&'a UserIndex>,
}

/// What a whole log was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSummary {
    /// `None` when the log is empty.
    pub layout: Option<Layout>,
    /// Records in the log, also those before a tail.
    pub records: u64,
    /// How many of the records that were read were rejected.
    pub rejected: u64,
    /// The bytes of the last record; empty when the log is.
    pub last: Vec<u8>,
}

/// Why a log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("the log announces {announced} bytes and has {received}")]
    Length { announced: u32, received: u64 },
    #[error(
        "no record layout fits the log of {total} bytes ({count:?} records counted), it begins {start:02x?}"
    )]
    Layout {
        total: u32,
        count: Option<u32>,
        /// Its first bytes, up to 128.
        start: Vec<u8>,
    },
    /// Nothing has been handed out yet: read the user list and begin again.
    #[error("the log names users by internal number, which needs the user list")]
    UsersNeeded,
    #[error(
        "{rejected} of {records} records cannot be understood, so the layout is wrong, the log begins {start:02x?}"
    )]
    Misaligned {
        rejected: u64,
        records: u64,
        start: Vec<u8>,
    },
}

/// The body of a log in, entries out.
#[derive(Debug)]
pub struct LogDecoder<'a> {
    hints: LogHints<'a>,
    total: Option<u32>,
    received: u64,
    layout: Option<Layout>,
    /// Until the layout is known: everything so far. Then: the beginning of a record whose rest has not come.
    held: Vec<u8>,
    start: Vec<u8>,
    last: Vec<u8>,
    /// The day of the last record and its date, if it is one.
    day: (u32, Option<Date>),
    index: u64,
    /// Where in the log it began: 0, or the place of a tail.
    first: u64,
    /// Records that speak against the layout.
    broken: u64,
    rejected: u64,
}

/// How much of the log is looked at to find its layout: 400 records of 40 bytes.
const SAMPLE: usize = 16 * 1024;
const START: usize = 128;

impl<'a> LogDecoder<'a> {
    pub fn new(hints: LogHints<'a>) -> Self {
        Self {
            hints,
            total: None,
            received: 0,
            layout: None,
            held: Vec::new(),
            start: Vec::new(),
            last: Vec::new(),
            day: (0, PackedClock(0).date()),
            index: 0,
            first: 0,
            broken: 0,
            rejected: 0,
        }
    }

    /// For the `length` bytes that a log whose layout is known has from its record `first` on.
    pub fn tail(hints: LogHints<'a>, layout: Layout, first: u64, length: u32) -> Self {
        Self {
            total: Some(length),
            layout: Some(layout),
            index: first,
            first,
            ..Self::new(hints)
        }
    }

    /// Takes the next bytes of the body, cut anywhere, and hands out the entries they complete.
    ///
    /// # Errors
    /// `Length` when there is more than was announced; `Layout` and `UsersNeeded` before any entry was handed out.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        mut on_entry: impl FnMut(Entry<'_>),
    ) -> Result<(), LogError> {
        let bytes = self.after_head(bytes)?;
        let Some(total) = self.total else {
            return Ok(());
        };
        self.received += bytes.len() as u64;
        if self.received > u64::from(total) {
            return Err(self.length_error(total));
        }
        if let Some(layout) = self.layout {
            self.records(layout, bytes, &mut on_entry);
            return Ok(());
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() >= SAMPLE.min(total as usize) && total > 0 {
            let layout = self.find_layout(total)?;
            self.layout = Some(layout);
            self.start = self.held[..self.held.len().min(START)].to_vec();
            let sample = std::mem::take(&mut self.held);
            self.records(layout, &sample, &mut on_entry);
        }
        Ok(())
    }

    /// Takes the length off the front of the body; what is left are records.
    fn after_head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], LogError> {
        if self.total.is_some() {
            return Ok(bytes);
        }
        let taken = bytes.len().min(4 - self.held.len());
        self.held.extend_from_slice(&bytes[..taken]);
        if let Ok(head) = <[u8; 4]>::try_from(self.held.as_slice()) {
            self.total = Some(u32::from_le_bytes(head));
            self.held.clear();
        }
        Ok(&bytes[taken..])
    }

    #[inline]
    fn records(&mut self, layout: Layout, mut bytes: &[u8], on_entry: &mut impl FnMut(Entry<'_>)) {
        let size = layout.size();
        if !self.held.is_empty() {
            let taken = bytes.len().min(size - self.held.len());
            self.held.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.held.len() < size {
                return;
            }
            let mut whole = std::mem::take(&mut self.held);
            self.entry(layout, &whole, on_entry);
            self.remember(&whole);
            whole.clear();
            self.held = whole;
        }
        let mut records = bytes.chunks_exact(size);
        let mut last = None;
        for record in &mut records {
            self.entry(layout, record, on_entry);
            last = Some(record);
        }
        if let Some(last) = last {
            self.remember(last);
        }
        self.held.extend_from_slice(records.remainder());
    }

    fn remember(&mut self, record: &[u8]) {
        self.last.clear();
        self.last.extend_from_slice(record);
    }

    #[inline]
    fn entry(&mut self, layout: Layout, record: &[u8], on_entry: &mut impl FnMut(Entry<'_>)) {
        let index = self.index;
        self.index += 1;
        let fields = layout.fields(record);
        let number;
        // The date first: it is what tells a wrong cut, whoever the record seems to name.
        let understood = match self.clock(fields.time) {
            None => Err(Rejection::ImpossibleDate(fields.time)),
            Some(clock) => match fields.user {
                RecordUser::Text(field) => text::user_id(field).ok_or(Rejection::NoUserId),
                RecordUser::Number(0) => Err(Rejection::NoUserId),
                RecordUser::Number(value) => {
                    number = Decimal::of(value);
                    Ok(number.as_bytes())
                }
                RecordUser::Uid(uid) => {
                    let users = self.hints.users;
                    let holder = users.and_then(|users| users.id(uid, clock));
                    let holder = holder.ok_or(Rejection::UnknownUid(uid));
                    holder.map(str::as_bytes)
                }
            }
            .map(|user_id| (clock, user_id)),
        };
        match understood {
            Ok((clock, user_id)) => on_entry(Entry::Record(Record {
                index,
                user_id,
                clock,
                state: fields.state,
                verify: fields.verify,
            })),
            Err(reason) => {
                self.rejected += 1;
                self.broken += u64::from(fields.is_broken(reason));
                on_entry(Entry::Rejected {
                    index,
                    bytes: record,
                    reason,
                });
            }
        }
    }

    /// Unpacks a time. Neighbours in a log mostly share their day, and checking the day is the dear part.
    #[inline]
    fn clock(&mut self, packed: PackedClock) -> Option<DateTime> {
        let day = packed.day_number();
        if self.day.0 != day {
            self.day = (day, packed.date());
        }
        let (_, date) = self.day;
        Some(date?.to_datetime(packed.time()))
    }

    /// Ends the log.
    ///
    /// # Errors
    /// `Length` when it is shorter than announced; `Misaligned` when so many records were rejected that the layout found in
    /// the beginning cannot be right. Then nothing that was handed out may be used.
    pub fn finish(self) -> Result<LogSummary, LogError> {
        let total = match self.total {
            Some(total) => total,
            // An empty answer is how some terminals say that there is no log.
            None if self.held.is_empty() => return Ok(LogSummary::default()),
            None => 0,
        };
        if self.total.is_none() || self.received < u64::from(total) {
            return Err(self.length_error(total));
        }
        let records = self.index - self.first;
        let good = records - self.broken;
        let exact = self
            .hints
            .count
            .is_some_and(|count| u64::from(count) == self.index);
        // With an exact counter a few broken records are just that; they credit nobody.
        let excused = exact && (good >= self.broken || self.broken <= 2);
        if !tolerable(good, records) && !excused {
            return Err(LogError::Misaligned {
                rejected: self.broken,
                records,
                start: self.start,
            });
        }
        Ok(LogSummary {
            layout: self.layout,
            records: self.index,
            rejected: self.rejected,
            last: self.last,
        })
    }

    fn length_error(&self, announced: u32) -> LogError {
        LogError::Length {
            announced,
            received: self.received,
        }
    }

    /// Finds the layout by content, because total / counter is wrong as soon as somebody punches between the two reads.
    fn find_layout(&self, total: u32) -> Result<Layout, LogError> {
        let hints = &self.hints;
        let found = best_layout(&KNOWN, &self.held, total, hints)
            .or_else(|| {
                // A size nobody has described yet, with the fields where the 40-byte record has them. Not two or three
                // records of a known size taken for one: half the log would be lost, and look right.
                let sizes = 41..=128_u8;
                let several = |size: &u8| size.is_multiple_of(40) || size.is_multiple_of(49);
                let unknown = sizes.filter(|size| !several(size));
                let unknown: Vec<_> = unknown.map(|size| Layout::Text { size }).collect();
                best_layout(&unknown, &self.held, total, hints)
            })
            .ok_or_else(|| LogError::Layout {
                total,
                count: hints.count,
                start: self.held[..self.held.len().min(START)].to_vec(),
            })?;
        if found.needs_users() && hints.users.is_none() {
            return Err(LogError::UsersNeeded);
        }
        Ok(found)
    }
}

/// From the smallest to the largest.
const KNOWN: [Layout; 5] = [
    Layout::Plain8,
    Layout::Compressed8,
    Layout::Number16,
    Layout::Text { size: 40 },
    Layout::Text { size: 49 },
];

struct Score {
    layout: Layout,
    records: u64,
    /// Records in which everything but the time looks right.
    shaped: u64,
    /// Records in which the time does too.
    good: u64,
    /// The counter gives exactly this size.
    exact: bool,
}

/// The layout among `candidates`, ordered by size, that the sample speaks for.
///
/// Larger records never look right when cut smaller, because of the zeros and texts inside them; smaller ones can look right
/// when taken two at a time. So the smallest plausible size wins, unless the counter is exact for another one; and a counter
/// below 3 is not believed, because one punch more turns "one of 16 bytes" into "two of 8".
fn best_layout(
    candidates: &[Layout],
    sample: &[u8],
    total: u32,
    hints: &LogHints<'_>,
) -> Option<Layout> {
    let scores: Vec<Score> = candidates
        .iter()
        .filter(|layout| (total as usize).is_multiple_of(layout.size()))
        .map(|layout| score(*layout, sample, total, hints))
        .collect();
    // Among layouts of one size the better one; the first when they are equal.
    let best_of = |fits: &dyn Fn(&Score) -> bool| {
        let size = scores.iter().find(|score| fits(score))?.layout.size();
        scores
            .iter()
            .rev()
            .filter(|score| score.layout.size() == size && fits(score))
            .max_by_key(|score| (score.good, score.shaped))
            .map(|score| score.layout)
    };
    let plausible = |score: &Score| tolerable(score.good, score.records);
    let counted = |score: &Score| score.exact && hints.count >= Some(3);
    let found = best_of(&|score| plausible(score) && counted(score))
        .or_else(|| best_of(&plausible))
        // Wrong clocks: the counter and everything but the times agree.
        .or_else(|| best_of(&|score| counted(score) && score.shaped * 2 >= score.records))
        // Wrong clocks and no counter: ids are read where ids stand.
        .or_else(|| {
            let text = |score: &Score| matches!(score.layout, Layout::Text { .. });
            best_of(&|score| text(score) && tolerable(score.shaped, score.records))
        });
    match found {
        // A compressed log of a terminal whose clock was reset has dates of 2000, and read the other way real ones of any
        // year. But a plain log never has a zero in the same byte of every record.
        Some(Layout::Plain8) => {
            let compressed = |score: &&Score| score.layout == Layout::Compressed8;
            let aligned =
                |score: &Score| score.records > 2 && tolerable(score.shaped, score.records);
            Some(match scores.iter().find(compressed).is_some_and(aligned) {
                true => Layout::Compressed8,
                false => Layout::Plain8,
            })
        }
        found => found,
    }
}

fn score(layout: Layout, sample: &[u8], total: u32, hints: &LogHints<'_>) -> Score {
    let mut score = Score {
        layout,
        records: 0,
        shaped: 0,
        good: 0,
        exact: hints
            .count
            .is_some_and(|count| u64::from(count) * layout.size() as u64 == u64::from(total)),
    };
    for record in sample.chunks_exact(layout.size()) {
        let fields = layout.fields(record);
        let shaped = fields.has_shape();
        score.records += 1;
        score.shaped += u64::from(shaped);
        score.good += u64::from(shaped && fields.has_time(hints.latest));
    }
    score
}

/// At most 5 % bad, or two in a short log as long as most are good.
fn tolerable(good: u64, records: u64) -> bool {
    let bad = records - good;
    bad <= (records / 20).max(2) && (bad == 0 || bad * 2 < good)
}

/// A number as text, without an allocation per record.
struct Decimal {
    digits: [u8; 10],
    start: usize,
}

impl Decimal {
    fn of(mut value: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                return Self { digits, start };
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::testdata::{hex, vectors};
    use crate::users;

    fn golden(name: &str) -> Vec<u8> {
        let vector = vectors(include_str!("../testdata/attlog.txt"))
            .into_iter()
            .find(|vector| vector[0] == name)
            .unwrap_or_else(|| panic!("a line named {name}"));
        hex(&vector[1])
    }

    fn body(records: &[u8]) -> Vec<u8> {
        let mut body = (records.len() as u32).to_le_bytes().to_vec();
        body.extend_from_slice(records);
        body
    }

    /// Users 38 (id 90210) and 7 (id 0042).
    fn index() -> UserIndex {
        let user = |uid: u8, id: &[u8]| {
            let mut record = [0; 72];
            record[0] = uid;
            record[48..48 + id.len()].copy_from_slice(id);
            record
        };
        let list = [user(38, b"90210"), user(7, b"0042"), user(5, b"5")].concat();
        UserIndex::of(&users::decode(&body(&list), Some(3)).expect("users").users)
    }

    /// Entries as text, one line each.
    fn read_cut(
        body: &[u8],
        hints: LogHints<'_>,
        cut: usize,
    ) -> Result<(Vec<String>, LogSummary), LogError> {
        decode_cut(LogDecoder::new(hints), body, cut)
    }

    fn decode_cut(
        mut decoder: LogDecoder<'_>,
        body: &[u8],
        cut: usize,
    ) -> Result<(Vec<String>, LogSummary), LogError> {
        let mut lines = Vec::new();
        for bytes in body.chunks(cut.max(1)) {
            decoder.feed(bytes, |entry| {
                lines.push(match entry {
                    Entry::Record(record) => format!(
                        "{} {} {} state {} verify {}",
                        record.index,
                        record.user_id.escape_ascii(),
                        record.clock,
                        record.state,
                        record.verify
                    ),
                    Entry::Rejected { index, reason, .. } => format!("{index} rejected: {reason}"),
                });
            })?;
        }
        Ok((lines, decoder.finish()?))
    }

    const LATEST: DateTime = date(2026, 11, 23).at(9, 0, 0, 0);

    #[track_caller]
    fn check(records: &[u8], count: Option<u32>, layout: Layout, first: &str) {
        let users = index();
        let hints = LogHints {
            count,
            latest: Some(LATEST),
            users: Some(&users),
        };
        let (lines, summary) = read_cut(&body(records), hints, 1 << 20).expect("a log");
        assert_eq!(summary.layout, Some(layout));
        assert_eq!(summary.records as usize, records.len() / layout.size());
        assert_eq!(summary.last, records[records.len() - layout.size()..]);
        assert_eq!(lines[0], format!("0 {first}"));
    }

    const TEXT40: Layout = Layout::Text { size: 40 };
    const TEXT49: Layout = Layout::Text { size: 49 };

    #[test]
    fn golden_records() {
        let same = "90210 2026-11-22T08:30:15 state 0 verify 1";
        check(&golden("plain8"), Some(1), Layout::Plain8, same);
        check(&golden("compressed8"), Some(1), Layout::Compressed8, same);
        check(
            &golden("compressed8_long"),
            Some(1),
            Layout::Compressed8,
            "90210 2026-11-22T08:30:15 state 1 verify 1",
        );
        check(
            &golden("zem500"),
            Some(1),
            Layout::Compressed8,
            "0042 2016-01-01T19:02:00 state 0 verify 1",
        );
        check(
            &golden("ma300"),
            Some(1),
            Layout::Compressed8,
            "90210 2020-06-17T10:58:21 state 0 verify 1",
        );
        check(
            &golden("pyzk56"),
            Some(1),
            Layout::Compressed8,
            "5 2019-09-30T11:01:51 state 0 verify 1",
        );
        check(
            &golden("number16"),
            Some(1),
            Layout::Number16,
            "90210 2026-11-22T08:30:15 state 0 verify 1",
        );
        check(&golden("text40"), Some(1), TEXT40, same);
        check(
            &golden("f19"),
            Some(1),
            TEXT40,
            "999111333 2018-06-25T17:50:35 state 0 verify 1",
        );
        check(
            &golden("face40"),
            Some(1),
            TEXT40,
            "10036 2021-10-24T13:42:16 state 0 verify 15",
        );
        check(&golden("text49"), Some(1), TEXT49, same);
    }

    #[test]
    fn three_records_inline() {
        let (lines, _) = read_cut(&golden("inline_body"), LogHints::default(), 7).expect("a log");
        assert_eq!(
            lines,
            [
                "0 1000 2026-01-01T00:00:00 state 0 verify 1",
                "1 1001 2026-01-01T00:01:01 state 1 verify 1",
                "2 1000 2026-01-01T00:02:02 state 0 verify 1",
            ]
        );
    }

    /// `count` records of a layout, a minute apart, with varying users and states.
    fn log(layout: Layout, count: u32) -> Vec<u8> {
        let uids = [38u16, 7, 5];
        let ids = [&b"90210"[..], b"0042", b"5"];
        let mut log = Vec::new();
        for index in 0..count {
            let who = index as usize % 3;
            let state = (index % 6) as u8;
            let clock = date(2026, 11, 22).at(8, 30, 15, 0)
                - jiff::SignedDuration::from_mins(i64::from(count - index));
            let time = PackedClock::pack(clock)
                .expect("a year in range")
                .0
                .to_le_bytes();
            match layout {
                Layout::Plain8 => {
                    log.extend(uids[who].to_le_bytes());
                    log.push(1);
                    log.extend(time);
                    log.push(state);
                }
                Layout::Compressed8 => {
                    log.extend(uids[who].to_le_bytes());
                    log.extend([state | 1 << 3, 0]);
                    log.extend(time);
                }
                Layout::Number16 => {
                    log.extend([90210u32, 42, 5][who].to_le_bytes());
                    log.extend(time);
                    log.extend([state, 1, 0, 0]);
                    log.extend((index % 2 * 12).to_le_bytes());
                }
                Layout::Text { size } => {
                    let start = log.len();
                    log.extend((index as u16).to_le_bytes());
                    log.extend(ids[who]);
                    log.resize(start + 26, 0);
                    log.push(1);
                    log.extend(time);
                    log.push(state);
                    log.extend([0, 0, 0, 0, 0xff, 0, 0, 0]);
                    log.extend(b"\xff255");
                    log.resize(start + usize::from(size), 0);
                }
            }
        }
        log
    }

    /// The counter and the log are read one after the other; a punch in between must not change what the records mean.
    #[test]
    fn the_layout_does_not_depend_on_an_exact_counter() {
        let users = index();
        for layout in KNOWN.into_iter().chain([Layout::Text { size: 52 }]) {
            for count in [1, 2, 3, 4, 5, 10, 16, 40, 41, 80, 98, 245, 2000] {
                let log = log(layout, count);
                for counter in [
                    None,
                    Some(0),
                    Some(count - 1),
                    Some(count),
                    Some(count + 1),
                    Some(count + 2),
                ] {
                    let hints = LogHints {
                        count: counter,
                        latest: Some(LATEST),
                        users: Some(&users),
                    };
                    let (lines, summary) =
                        read_cut(&body(&log), hints, 9999).unwrap_or_else(|error| {
                            panic!("{layout:?} x {count}, counter {counter:?}: {error}")
                        });
                    assert_eq!(
                        (summary.layout, summary.records, summary.rejected),
                        (Some(layout), u64::from(count), 0),
                        "counter {counter:?}"
                    );
                    assert_eq!(lines.len(), count as usize);
                }
            }
        }
    }

    #[test]
    fn a_record_with_an_impossible_date_is_rejected_alone() {
        for layout in KNOWN {
            for count in [4, 100] {
                let users = index();
                let mut log = log(layout, count);
                let at = match layout {
                    Layout::Plain8 => 3,
                    Layout::Compressed8 | Layout::Number16 => 4,
                    Layout::Text { .. } => 27,
                };
                let second = layout.size() + at;
                log[second..second + 4].copy_from_slice(&0x3035_0234u32.to_le_bytes());
                let hints = LogHints {
                    count: Some(count),
                    latest: Some(LATEST),
                    users: Some(&users),
                };
                let (lines, summary) = read_cut(&body(&log), hints, 13).expect("a log");
                assert_eq!(lines[1], "1 rejected: impossible date 2025-02-30 21:12:20");
                assert_eq!((summary.records, summary.rejected), (u64::from(count), 1));
            }
        }
    }

    /// A clock that was reset, a race with the counter, and records that cannot be understood, all at once: nothing may be
    /// skipped in silence.
    #[test]
    fn bad_dates_and_a_counter_that_is_off_do_not_hide_records() {
        let users = index();
        for layout in KNOWN {
            for (count, bad) in [
                (2, 1..2),
                (3, 1..2),
                (60, 11..16),
                (100, 20..27),
                (1000, 101..118),
            ] {
                if count < 3 && layout.size() < 40 {
                    continue; // two records of 8 bytes can be one of 16
                }
                for time in [0x3035_0234_u32, 86_400 * 3 + 28_800] {
                    let at = match layout {
                        Layout::Plain8 => 3,
                        Layout::Compressed8 | Layout::Number16 => 4,
                        Layout::Text { .. } => 27,
                    };
                    let mut log = log(layout, count);
                    for record in bad.clone() {
                        let start = record as usize * layout.size() + at;
                        log[start..start + 4].copy_from_slice(&time.to_le_bytes());
                    }
                    for counter in [None, Some(0), Some(count - 1), Some(count)] {
                        let hints = LogHints {
                            count: counter,
                            latest: Some(LATEST),
                            users: Some(&users),
                        };
                        let case =
                            format!("{layout:?} x {count}, {bad:?} at {time}, counter {counter:?}");
                        match read_cut(&body(&log), hints, 9999) {
                            Ok((lines, summary)) => {
                                assert_eq!(summary.layout, Some(layout), "{case}");
                                assert_eq!(lines.len(), count as usize, "{case}");
                            }
                            // Without ids of text nothing but dates tells a layout; refusing loses nothing.
                            Err(_) => assert!(layout.size() < 40, "{case}"),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_compressed_log_of_january_2000_is_not_read_as_a_plain_one() {
        let users = index();
        for count in [3_u32, 300] {
            let mut log = Vec::new();
            for n in 0..count {
                let hour =
                    date(2000, 1, 11).at(0, 0, 0, 0) + jiff::SignedDuration::from_hours(n.into());
                log.extend([38, 0, 8, 0]);
                log.extend(
                    PackedClock::pack(hour)
                        .expect("a year in range")
                        .0
                        .to_le_bytes(),
                );
            }
            for counter in [None, Some(count)] {
                let hints = LogHints {
                    count: counter,
                    latest: Some(LATEST),
                    users: Some(&users),
                };
                let (lines, _) = read_cut(&body(&log), hints, 9999).expect("a log");
                assert_eq!(lines[2], "2 90210 2000-01-11T02:00:00 state 0 verify 1");
            }
        }
    }

    #[test]
    fn a_number_that_passed_on_keeps_its_old_records() {
        let user = |uid: u8, id: &[u8]| {
            let mut record = [0; 72];
            record[0] = uid;
            record[48..48 + id.len()].copy_from_slice(id);
            users::decode(&body(&record), Some(1)).expect("users").users
        };
        let noon = date(2026, 11, 22).at(12, 0, 0, 0);
        let evening = date(2026, 11, 22).at(18, 0, 0, 0);
        let index = UserIndex::of(&user(3, b"1003"))
            .renewed(&user(3, b"1003"), noon)
            .renewed(&user(3, b"1050"), noon)
            .renewed(&user(4, b"1051"), evening);
        assert_eq!(
            index.id(3, date(2026, 11, 21).at(12, 0, 0, 0)),
            Some("1003")
        );
        assert_eq!(index.id(3, noon), Some("1050"));
        assert_eq!(index.id(4, noon), Some("1051"), "it was nobody else's");
    }

    #[test]
    fn a_log_of_one_impossible_date_is_a_log() {
        let mut log = log(TEXT40, 1);
        log[27..31].copy_from_slice(&0x3035_0234u32.to_le_bytes());
        let hints = LogHints {
            count: Some(1),
            latest: Some(LATEST),
            users: None,
        };
        let (lines, _) = read_cut(&body(&log), hints, 44).expect("a log");
        assert_eq!(lines, ["0 rejected: impossible date 2025-02-30 21:12:20"]);
    }

    #[test]
    fn unknown_internal_numbers_are_rejected_and_never_used_as_ids() {
        let users = index();
        let mut log = log(Layout::Plain8, 4);
        log[16..18].copy_from_slice(&99u16.to_le_bytes());
        let hints = LogHints {
            users: Some(&users),
            ..LogHints::default()
        };
        let (lines, _) = read_cut(&body(&log), hints, 5).expect("a log");
        assert_eq!(lines[2], "2 rejected: unknown internal number 99");
        assert!(lines[3].starts_with("3 90210 "));
    }

    #[test]
    fn a_log_by_internal_number_asks_for_the_user_list_first() {
        let result = read_cut(
            &body(&log(Layout::Compressed8, 4)),
            LogHints::default(),
            100,
        );
        assert_eq!(result.map(|_| ()), Err(LogError::UsersNeeded));
    }

    #[test]
    fn a_terminal_with_a_wrong_clock_is_read_all_the_same() {
        let hints = LogHints {
            count: Some(20),
            latest: Some(date(2000, 1, 2).at(0, 0, 0, 0)),
            users: None,
        };
        let (lines, summary) = read_cut(&body(&log(TEXT49, 20)), hints, 64).expect("a log");
        assert_eq!((lines.len(), summary.rejected), (20, 0));
    }

    #[test]
    fn logs_that_are_none() {
        let read = |body: &[u8]| read_cut(body, LogHints::default(), 3).map(|(_, summary)| summary);
        assert_eq!(read(&[]), Ok(LogSummary::default()));
        assert_eq!(read(&[0; 4]), Ok(LogSummary::default()));
        assert!(matches!(read(&[1, 0]), Err(LogError::Length { .. })));
        let whole = body(&log(TEXT40, 3));
        assert!(matches!(
            read(&whole[..whole.len() - 1]),
            Err(LogError::Length {
                announced: 120,
                received: 119
            })
        ));
        let longer = [whole.as_slice(), b"x"].concat();
        assert!(matches!(read(&longer), Err(LogError::Length { .. })));
        assert!(matches!(
            read(&body(&[0xff; 400])),
            Err(LogError::Layout { total: 400, .. })
        ));
    }

    #[test]
    fn a_layout_that_stops_fitting_is_an_error() {
        let mut records = log(TEXT40, 500);
        records.extend(log(TEXT49, 400));
        let result = read_cut(&body(&records), LogHints::default(), 1000);
        assert!(matches!(
            result.map(|_| ()),
            Err(LogError::Misaligned { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_records(
            kind in 0usize..5, count in 0u32..600, cut in 1usize..3000,
        ) {
            let users = index();
            let hints = LogHints { count: Some(count), latest: Some(LATEST), users: Some(&users) };
            let body = body(&log(KNOWN[kind], count));
            prop_assert_eq!(
                read_cut(&body, hints, cut).expect("a log"),
                read_cut(&body, hints, usize::MAX).expect("a log")
            );
        }

        #[test]
        fn a_tail_gives_the_records_of_the_end(
            kind in 0usize..5, count in 3u32..600, before in 0u32..600, cut in 1usize..3000,
        ) {
            let users = index();
            let hints = LogHints { count: Some(count), latest: Some(LATEST), users: Some(&users) };
            let records = log(KNOWN[kind], count);
            let before = before.min(count);
            let (whole, summary) = read_cut(&body(&records), hints, cut).expect("a log");
            let tail = &records[before as usize * KNOWN[kind].size()..];
            let decoder = LogDecoder::tail(hints, KNOWN[kind], before.into(), tail.len() as u32);
            let (end, end_summary) = decode_cut(decoder, tail, cut).expect("a tail");
            prop_assert_eq!(&end[..], &whole[before as usize..]);
            prop_assert_eq!(end_summary.records, summary.records);
        }

        #[test]
        fn no_input_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            count: Option<u32>, cut in 1usize..300,
        ) {
            let users = index();
            let hints = LogHints { count, latest: Some(LATEST), users: Some(&users) };
            let _ = read_cut(&bytes, hints, cut);
            let _ = read_cut(&body(&bytes), hints, cut);
        }

        #[test]
        fn decimals(value: u32) {
            let decimal = Decimal::of(value);
            let digits = value.to_string();
            prop_assert_eq!(decimal.as_bytes(), digits.as_bytes());
        }
    }
}
