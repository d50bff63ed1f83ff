//! The attendance log of a virtual terminal: records, the layouts in which terminals deliver them, and a generator.

use std::sync::{Arc, OnceLock};

use jiff::civil::{Date, DateTime};

use super::users::{User, UserId, UserTable};
use super::wire::pack_clock;

/// One punch as the terminal stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Internal index of the user, 0 for somebody who is not on the list. All that the 8-byte layouts keep of the person.
    pub uid: u16,
    /// What the other layouts keep.
    pub user_id: UserId,
    /// The terminal's wall clock, whole seconds.
    pub clock: DateTime,
    /// 0 check-in, 1 check-out, 2 break-out, 3 break-in, 4 overtime-in, 5 overtime-out, 255 none.
    pub state: u8,
    /// For example 1 finger, 3 password, 4 card, 15 face.
    pub verify: u8,
}

impl Record {
    /// # Panics
    ///
    /// As [`UserId::new`].
    pub fn new(
        uid: u16,
        user_id: impl Into<UserId>,
        clock: DateTime,
        state: u8,
        verify: u8,
    ) -> Self {
        Self {
            uid,
            user_id: user_id.into(),
            clock,
            state,
            verify,
        }
    }
}

/// How a terminal lays out a record of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLayout {
    /// 8 bytes, variant P: internal index, verify, time, state.
    Packed8,
    /// 8 bytes, variant C: internal index, flag word, time. `marked` sets the long-form bit, which some models leave out.
    /// Only two bits of verify and three of state are kept.
    Compressed8 {
        /// Whether bit 5 of the flag word is set, as on a ZEM500; an MA300 leaves it clear.
        marked: bool,
    },
    /// 16 bytes: user id as a number, time, state, verify, work code.
    Sixteen,
    /// 40 bytes, most colour models: internal index, user id as text, verify, time, state.
    Forty,
    /// 40 bytes whose first word is a running record number instead of the internal index.
    FortyNumbered,
    /// 49 bytes, firmware of about 2020 on: 40 bytes and a tail "mask and temperature not measured".
    FortyNine,
}

impl LogLayout {
    /// Bytes of one record.
    pub fn size(self) -> usize {
        match self {
            Self::Packed8 | Self::Compressed8 { .. } => 8,
            Self::Sixteen => 16,
            Self::Forty | Self::FortyNumbered => 40,
            Self::FortyNine => 49,
        }
    }

    /// Where a record keeps its packed time.
    pub(super) fn time_offset(self) -> usize {
        match self {
            Self::Packed8 => 3,
            Self::Compressed8 { .. } | Self::Sixteen => 4,
            Self::Forty | Self::FortyNumbered | Self::FortyNine => 27,
        }
    }

    /// Appends `record`, the `number`th of its log. An id that is no number becomes the `uid` in the 16-byte form.
    fn encode(self, record: &Record, number: usize, out: &mut Vec<u8>) {
        let time = pack_clock(record.clock).to_le_bytes();
        match self {
            Self::Packed8 => {
                out.extend_from_slice(&record.uid.to_le_bytes());
                out.push(record.verify);
                out.extend_from_slice(&time);
                out.push(record.state);
            }
            Self::Compressed8 { marked } => {
                let flags = u16::from(record.state & 7)
                    | u16::from(record.verify & 3) << 3
                    | u16::from(marked) << 5;
                out.extend_from_slice(&record.uid.to_le_bytes());
                out.extend_from_slice(&flags.to_le_bytes());
                out.extend_from_slice(&time);
            }
            Self::Sixteen => {
                let id = record.user_id.number().unwrap_or(u32::from(record.uid));
                out.extend_from_slice(&id.to_le_bytes());
                out.extend_from_slice(&time);
                out.extend_from_slice(&[record.state, record.verify]);
                out.extend_from_slice(&[0; 6]);
            }
            Self::Forty | Self::FortyNumbered | Self::FortyNine => {
                let first = match self {
                    Self::FortyNumbered => number as u16,
                    _ => record.uid,
                };
                out.extend_from_slice(&first.to_le_bytes());
                out.extend_from_slice(record.user_id.field());
                out.push(record.verify);
                out.extend_from_slice(&time);
                out.push(record.state);
                out.extend_from_slice(&[0, 0, 0, 0, 0xff, 0, 0, 0]);
                if self == Self::FortyNine {
                    out.extend_from_slice(b"\xff255\0\0\0\0\0");
                }
            }
        }
    }
}

/// A log in the bytes of its layout. Cloning is cheap: terminals that start with the same log share the bytes until one
/// of them gets a punch of its own.
#[derive(Debug, Clone)]
pub struct Log {
    layout: LogLayout,
    body: Body,
    len: usize,
    /// How many records there ever were; numbers them.
    taken: usize,
    /// Which of a log that is overwritten in place is the oldest.
    oldest: usize,
    last: Option<Record>,
}

/// Body of a bulk read: the size of the records, then the records.
#[derive(Debug, Clone)]
enum Body {
    Made(Arc<Vec<u8>>),
    /// Made when first read, for all clones at once.
    Later(Arc<Generated>),
}

#[derive(Debug)]
struct Generated {
    records: Records,
    body: OnceLock<Arc<Vec<u8>>>,
}

impl Log {
    /// A log that takes no memory until it is first read or changed.
    pub fn generated(layout: LogLayout, records: Records) -> Self {
        Self {
            layout,
            len: records.len(),
            taken: records.len(),
            oldest: 0,
            last: records.clone().last(),
            body: Body::Later(Arc::new(Generated {
                records,
                body: OnceLock::new(),
            })),
        }
    }

    /// Lays out the records in the order given, which is the order a client reads them in.
    pub fn new(layout: LogLayout, records: impl IntoIterator<Item = Record>) -> Self {
        let records = records.into_iter();
        let mut body = Vec::with_capacity(4 + records.size_hint().0 * layout.size());
        body.extend_from_slice(&[0; 4]);
        let mut log = Self {
            layout,
            body: Body::Made(Arc::new(body)),
            len: 0,
            taken: 0,
            oldest: 0,
            last: None,
        };
        for record in records {
            log.push(record);
        }
        log
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The layout of the bytes.
    pub fn layout(&self) -> LogLayout {
        self.layout
    }

    pub(super) fn last(&self) -> Option<Record> {
        self.last
    }

    pub(super) fn body(&self) -> Arc<Vec<u8>> {
        match &self.body {
            Body::Made(body) => body.clone(),
            Body::Later(generated) => (generated.body)
                .get_or_init(|| Self::new(self.layout, generated.records.clone()).body())
                .clone(),
        }
    }

    fn body_mut(&mut self) -> &mut Vec<u8> {
        if let Body::Later(_) = self.body {
            self.body = Body::Made(self.body());
        }
        match &mut self.body {
            Body::Made(body) => Arc::make_mut(body),
            Body::Later(_) => unreachable!("made above"),
        }
    }

    #[cfg(test)]
    pub(super) fn is_made(&self) -> bool {
        match &self.body {
            Body::Made(_) => true,
            Body::Later(generated) => generated.body.get().is_some(),
        }
    }

    pub(super) fn push(&mut self, record: Record) {
        let (layout, number) = (self.layout, self.taken);
        let body = self.body_mut();
        layout.encode(&record, number, body);
        let total = (body.len() - 4) as u32;
        body[..4].copy_from_slice(&total.to_le_bytes());
        self.len += 1;
        self.taken += 1;
        self.last = Some(record);
    }

    /// The record goes to the end, and all others move up over the first.
    pub(super) fn drop_oldest(&mut self, record: Record) {
        if self.len > 0 {
            let size = self.layout.size();
            self.body_mut().drain(4..4 + size);
            self.len -= 1;
            self.push(record);
        }
    }

    /// The record takes the place of the oldest, so that the log is no longer in order.
    pub(super) fn overwrite_oldest(&mut self, record: Record) {
        if self.len == 0 {
            return;
        }
        let mut bytes = Vec::with_capacity(self.layout.size());
        self.layout.encode(&record, self.taken, &mut bytes);
        let at = 4 + self.oldest * self.layout.size();
        self.body_mut()[at..at + bytes.len()].copy_from_slice(&bytes);
        self.oldest = (self.oldest + 1) % self.len;
        self.taken += 1;
        self.last = Some(record);
    }
}

/// A deterministic log for tests and benchmarks: every person checks in between 08:30 and 09:30 and out between 17:30
/// and 18:30 on every day, in the order of time, until there are enough records.
///
/// Person `n` of `1..=users` has the internal index `n` and the user id `1000 + n`, so that the two cannot be mixed up
/// unnoticed. No person has two records at the same second.
#[derive(Debug, Clone)]
pub struct Records {
    next: usize,
    count: usize,
    users: usize,
    from: Date,
}

impl Records {
    /// `count` records of `users` people, the first on `from`.
    ///
    /// # Panics
    ///
    /// When `users` is 0 or above 60,000.
    pub fn new(count: usize, users: usize, from: Date) -> Self {
        assert!(
            (1..=60_000).contains(&users),
            "1 to 60,000 users, not {users}"
        );
        Self {
            next: 0,
            count,
            users,
            from,
        }
    }

    /// The people of these records, named "User 1001" and so on.
    pub fn user_table(&self) -> UserTable {
        (1..=self.users)
            .map(|n| {
                let id = (1000 + n).to_string();
                User::new(n as u16, id.as_str()).named(format!("User {id}"))
            })
            .collect()
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.next == self.count {
            return None;
        }
        self.next += 1;
        Some(self.record(self.next - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.count - self.next;
        (rest, Some(rest))
    }

    fn last(self) -> Option<Record> {
        (self.next < self.count).then(|| self.record(self.count - 1))
    }
}

impl Records {
    fn record(&self, index: usize) -> Record {
        let (half_day, turn) = (index / self.users, index % self.users);
        let (day, state) = (half_day / 2, half_day % 2);
        // The order of people turns a little from day to day.
        let user = (turn + day * 7 + state * 3) % self.users + 1;
        let start = if state == 0 { 8 * 3600 } else { 17 * 3600 } + 1800;
        let second = start + turn * 3600 / self.users;
        let clock = (self.from)
            .saturating_add(jiff::Span::new().days(day as i64))
            .at(
                (second / 3600) as i8,
                (second / 60 % 60) as i8,
                (second % 60) as i8,
                0,
            );
        let verify = if user.is_multiple_of(3) { 15 } else { 1 };
        let id = (1000 + user).to_string();
        Record::new(user as u16, id.as_str(), clock, state as u8, verify)
    }
}

impl ExactSizeIterator for Records {}
