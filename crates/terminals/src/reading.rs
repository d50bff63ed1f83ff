//! What one whole read of a terminal brings.

use attendance::{DeviceUserId, Punch};
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::Transport;

/// Who a terminal says it is, and how full it is. Counts are `None` where the terminal does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The serial number, trimmed. The identity of the device.
    pub serial: String,
    pub model: String,
    pub firmware: String,
    pub users: Option<u32>,
    /// Attendance records the terminal holds, and can hold.
    pub records: Option<u32>,
    pub record_capacity: Option<u32>,
}

/// How full a log is, in percent, once that matters: from 80 on. A full log overwrites its oldest punches, or hangs.
pub fn log_fullness(records: u32, capacity: u32) -> Option<u32> {
    let percent = (u64::from(records) * 100).checked_div(u64::from(capacity))?;
    (percent >= 80).then(|| u32::try_from(percent).unwrap_or(u32::MAX))
}

/// A person in the terminal's own list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceUser {
    pub id: DeviceUserId,
    /// As stored there; may be empty.
    pub name: String,
    pub admin: bool,
    pub card: Option<String>,
}

/// Bytes that cannot be understood, kept so that a later version can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRecord {
    pub bytes: Vec<u8>,
    /// One lower-case phrase for people, e.g. `impossible date 2024-02-31`.
    pub reason: String,
}

/// How far a device has been read, in the driver's own words. Opaque to everybody else, who only store it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReadPosition(pub String);

/// The result of a read. One that failed is an error and brings nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub identity: Identity,
    /// By which the terminal answered, where that had to be found out.
    pub transport: Option<Transport>,
    /// The terminal's wall clock at the start of the read, and our instant when we saw it.
    pub clock: DateTime,
    pub seen_at: Timestamp,
    /// The terminal's whole user list; `None` when it was known to be unchanged and therefore not read.
    pub users: Option<Vec<DeviceUser>>,
    /// In the order of the terminal's log. Punches already read before may be among them.
    pub punches: Vec<Punch>,
    /// What cannot be understood: the first of it with its bytes, and how much it is.
    pub parked: Vec<ParkedRecord>,
    pub rejected: u64,
    /// So many more records the terminal counts than it sent, also when asked again: nobody is absent by such a read.
    pub missing: u64,
    /// Everything in the log at the start of the read is in it or was read before. Otherwise the deadline came near, and what
    /// was read is good and the oldest of what is new: read on from `position`.
    pub complete: bool,
    /// The log is another one than at the last read, or has been overwritten past its end: what was recorded in between may be
    /// gone. Everything there is now is read again.
    pub log_lost: bool,
    /// Store it together with the punches, or not at all.
    pub position: ReadPosition,
}

/// What a terminal tells while it happens. A hint: the log has it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    /// Its place in the log is not known.
    Punch(Punch),
    /// A punch that cannot be understood; reading the log tells.
    Unclear(ParkedRecord),
    /// The picture of a punch that was told before, where pictures are wanted. May be missing.
    Picture(Picture),
}

/// What the camera of a terminal saw at a punch.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub user: DeviceUserId,
    pub clock: DateTime,
    pub jpeg: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    /// Without its bytes: they are somebody's face.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("user", &self.user)
            .field("clock", &self.clock)
            .field("len", &self.jpeg.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_worth_a_word_from_80_percent_on() {
        let check = |records, capacity, expected| {
            assert_eq!(log_fullness(records, capacity), expected);
        };
        check(79_999, 100_000, None);
        check(80_000, 100_000, Some(80));
        check(u32::MAX, u32::MAX, Some(100));
        check(100, 0, None); // not told
    }
}
