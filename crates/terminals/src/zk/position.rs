//! How far a ZKTeco log has been read: what must be unchanged for the log to be unchanged.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zk_proto::{Counters, Layout, UserIndex};

use crate::ReadPosition;

/// The user list is read again after this time even if no counter moved: renaming somebody moves none.
const USERS_FRESH_FOR: SignedDuration = SignedDuration::from_hours(1);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The record counter.
    pub(super) records: Option<u32>,
    /// Users, fingerprints, administrators, passwords, faces.
    pub(super) people: [Option<u32>; 5],
    /// Size of the log's body in bytes.
    pub(super) size: u32,
    /// Records in it.
    pub(super) held: u64,
    /// How they are laid out; `None` when there are none.
    pub(super) layout: Option<Layout>,
    /// The last record as it came, in hex.
    pub(super) last: String,
    /// The terminal was seen to ignore where the log is to be read from, so it is always read whole.
    pub(super) whole_only: bool,
    /// When the user list was read, and what the terminal's clock showed then.
    pub(super) users_read_ms: i64,
    pub(super) users_read_at: DateTime,
    /// Whose internal number is whose, and was; empty unless the log needs it.
    pub(super) numbers: UserIndex,
}

impl Position {
    /// `None` for the empty position and for one that was written in another form: both mean "read everything".
    pub(super) fn parse(position: &ReadPosition) -> Option<Self> {
        serde_json::from_str(&position.0).ok()
    }

    pub(super) fn store(&self) -> ReadPosition {
        ReadPosition(serde_json::to_string(self).expect("numbers and texts are JSON"))
    }

    /// Whether the user list must be read before the log.
    pub(super) fn users_due(&self, counters: &Counters, now: Timestamp) -> bool {
        let read = Timestamp::from_millisecond(self.users_read_ms).unwrap_or(Timestamp::MIN);
        let age = now.duration_since(read);
        self.people != people(counters)
            || self.needs_users() && self.records != counters.records
            || age >= USERS_FRESH_FOR
            || age.is_negative()
    }

    /// The log names users by internal number.
    pub(super) fn needs_users(&self) -> bool {
        self.layout.is_some_and(Layout::needs_users)
    }

    /// Bytes of a record.
    pub(super) fn record_size(&self) -> u32 {
        self.last.len() as u32 / 2
    }

    /// Whether a log of `size` bytes can be the one that was read and what was added since, as far as the counters tell.
    ///
    /// In a full log the newest punch replaces the oldest: neither the counter nor the size moves, and nothing says where
    /// the newest stands. So a log that is full, or of which nothing tells whether it is, is always read.
    pub(super) fn may_go_on(&self, counters: &Counters, size: u32) -> bool {
        // A new user may be the one whom a parked record names by internal number.
        let same_people = !self.needs_users() || self.people == people(counters);
        if self.last.is_empty() {
            return size == self.size && self.records == counters.records;
        }
        let capacity = counters.record_capacity.filter(|capacity| *capacity > 0);
        // Some models count 0 whatever they hold.
        let held = counters.records.unwrap_or(0).max(size / self.record_size());
        let full = capacity.is_none_or(|capacity| held >= capacity);
        let counted = match size == self.size {
            true => counters.records == self.records,
            false => counters.records >= self.records,
        };
        let added = size.checked_sub(self.size);
        let whole = added.is_some_and(|added| added.is_multiple_of(self.record_size()));
        self.size >= self.record_size() && !full && whole && counted && same_people
    }
}

pub(super) fn people(counters: &Counters) -> [Option<u32>; 5] {
    [
        counters.users,
        counters.fingerprints,
        counters.administrators,
        counters.passwords,
        counters.faces,
    ]
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(records: u32) -> Counters {
        Counters {
            users: Some(2),
            records: Some(records),
            record_capacity: Some(100),
            ..Counters::default()
        }
    }

    fn position(needs_users: bool) -> Position {
        Position {
            records: Some(7),
            people: people(&counters(7)),
            size: 18,
            held: 7,
            layout: Some(match needs_users {
                true => Layout::Plain8,
                false => Layout::Number16,
            }),
            last: hex(&[0, 0xab]),
            whole_only: false,
            users_read_ms: 0,
            users_read_at: DateTime::default(),
            numbers: UserIndex::default(),
        }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_position_survives_storage_and_others_mean_everything() {
        let position = position(true);
        assert_eq!(Position::parse(&position.store()), Some(position));
        assert_eq!(Position::parse(&ReadPosition::default()), None);
        assert_eq!(Position::parse(&ReadPosition("{\"v\":0}".into())), None);
    }

    #[test]
    fn users_are_read_when_they_may_have_changed() {
        let position = position(false);
        assert!(!position.users_due(&counters(7), at(59)));
        assert!(!position.users_due(&counters(8), at(59)));
        assert!(position.users_due(&counters(7), at(60)));
        assert!(position.users_due(&counters(7), at(-1))); // our clock was set back
        let joined = Counters {
            users: Some(3),
            ..counters(7)
        };
        assert!(position.users_due(&joined, at(1)));
    }

    #[test]
    fn a_log_by_internal_number_is_never_read_with_an_old_user_list() {
        assert!(!position(true).users_due(&counters(7), at(1)));
        assert!(position(true).users_due(&counters(8), at(1)));
    }

    #[test]
    fn a_full_log_never_goes_on() {
        let full = Position {
            records: Some(100),
            ..position(false)
        };
        assert!(position(false).may_go_on(&counters(7), 18));
        assert!(!position(false).may_go_on(&counters(8), 18));
        assert!(!full.may_go_on(&counters(100), 18));
        // A model that counts 0: its log has 142 records of two bytes.
        let uncounted = Position {
            records: Some(0),
            size: 284,
            ..position(false)
        };
        assert!(!uncounted.may_go_on(&counters(0), 284));
        let small = Position {
            size: 18,
            ..uncounted
        };
        assert!(small.may_go_on(&counters(0), 18));
        let untold = Counters {
            record_capacity: None,
            ..counters(0)
        };
        assert!(!small.may_go_on(&untold, 18));
    }

    #[test]
    fn a_log_goes_on_by_whole_records_only() {
        let position = position(false);
        assert!(position.may_go_on(&counters(9), 22));
        assert!(
            position.may_go_on(&counters(7), 20),
            "one came after the counters"
        );
        assert!(!position.may_go_on(&counters(9), 21));
        assert!(!position.may_go_on(&counters(6), 22), "it was cleared");
        assert!(!position.may_go_on(&counters(6), 16));
        assert!(
            !position.may_go_on(&counters(99), 216),
            "it may have begun again"
        );
        let none = Position {
            last: String::new(),
            layout: None,
            ..position
        };
        assert!(!none.may_go_on(&counters(7), 20));
    }
}
