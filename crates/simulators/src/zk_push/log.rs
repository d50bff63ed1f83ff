//! The log of a terminal, and a generator of one.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

/// One punch as the terminal stores it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Punch {
    /// Who; also somebody who is not on the list.
    pub pin: String,
    /// The terminal's wall clock, whole seconds.
    pub clock: DateTime,
    /// 0 check-in, 1 check-out, 2 break-out, 3 break-in, 4 overtime-in, 5 overtime-out, 255 none.
    pub status: u8,
    /// For example 1 finger, 4 card, 15 face.
    pub verify: u8,
    /// May be empty.
    pub work_code: String,
}

impl Punch {
    /// With work code 0.
    pub fn new(pin: impl Into<String>, clock: DateTime, status: u8, verify: u8) -> Self {
        Self {
            pin: pin.into(),
            clock,
            status,
            verify,
            work_code: "0".to_owned(),
        }
    }

    /// With another work code.
    pub fn with_work_code(mut self, code: &str) -> Self {
        self.work_code = code.to_owned();
        self
    }
}

/// A punch and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The punch.
    pub punch: Punch,
    /// Running number in the log, from 1; access-control terminals send it as `index`.
    pub number: u64,
    /// Whether the server ever told the terminal that it has the record.
    pub acknowledged: bool,
    /// How often it was sent.
    pub sent: u32,
    /// Whether it happened while the terminal was connected, and was not sent yet.
    pub(super) live: bool,
}

/// A deterministic log: each of `people`, called `1001` on, comes between 08:30 and 09:30 and goes between 17:30 and 18:30,
/// from the day `from` on, until there are `count` punches.
pub fn history(count: usize, people: usize, from: Date) -> impl Iterator<Item = Punch> + Clone {
    let people = people.max(1);
    (0..count).map(move |n| {
        let (half_day, person) = (n / people, n % people);
        let leaves = half_day % 2;
        let minute = person % 60;
        let hour = 8 + 9 * leaves + (30 + minute) / 60;
        let day = from.saturating_add(((half_day / 2) as i64).days());
        let second = (person / 60 % 60) as i8;
        let clock = day.at(hour as i8, ((30 + minute) % 60) as i8, second, 0);
        Punch::new((1001 + person).to_string(), clock, leaves as u8, 15)
    })
}
