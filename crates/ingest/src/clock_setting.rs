//! Setting the clock of a terminal: when it may be done, and doing it on a connection that is open.
//!
//! A clock that is set back shows some minutes twice. Punches in them could not be told apart, so it waits until they are over.

use attendance::{AccountId, DeviceId, SiteId};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use store::entities::devices;
use store::{Author, ReadTx, Store, StoreError};
use terminals::{Terminal, TerminalError};

use crate::{Clock, IngestError, evidence};

/// How far a terminal's clock may be off.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// Who wants a clock to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// A person at this moment.
    Person(Option<AccountId>),
    /// The device is one whose clock is set when it is off.
    Itself,
}

/// What decides whether a clock is set by itself.
#[derive(Clone, Copy, Debug)]
pub struct ClockFacts<'a> {
    pub now: Timestamp,
    /// What the clock shows.
    pub shows: Timestamp,
    /// When people are expected to come or go, in no order.
    pub windows: &'a [(Timestamp, Timestamp)],
    /// The latest punch in the time that the clock would show again.
    pub last_punch: Option<Timestamp>,
}

/// Why a clock is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSet {
    #[error("it is right within 30 s")]
    Right,
    #[error("people are expected at this time: it is not set before {until}")]
    InShift { until: Timestamp },
    #[error("it would go back over a punch that is dated {until}: set it after that")]
    OverPunch { until: Timestamp },
    #[error(
        "a time server or platform sets it: correct that one, or set it yourself, which ends that"
    )]
    FromOutside,
}

/// Whether a clock is to be set by itself.
pub fn may_set(facts: &ClockFacts<'_>) -> Result<(), NotSet> {
    if facts.shows.duration_since(facts.now).abs() <= CLOCK_TOLERANCE {
        return Err(NotSet::Right);
    }
    may_go_back(facts)?;
    let mut free = facts.now;
    // Windows overlap, so the end of one may lie in another.
    while let Some(until) = facts
        .windows
        .iter()
        .filter(|(from, to)| *from <= free && free < *to)
        .map(|(_, to)| *to)
        .max()
    {
        free = until;
    }
    match free > facts.now {
        true => Err(NotSet::InShift { until: free }),
        false => Ok(()),
    }
}

/// Whether a clock may be set to now at all.
fn may_go_back(facts: &ClockFacts<'_>) -> Result<(), NotSet> {
    match facts.last_punch {
        Some(until) if until > facts.now => Err(NotSet::OverPunch { until }),
        _ => Ok(()),
    }
}

/// A clock that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockChange {
    /// How far it was ahead before, and is now, in seconds.
    pub before_s: i64,
    pub after_s: i64,
    /// A time server or platform set it until now.
    pub left_time_server: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SetClockError {
    #[error(transparent)]
    NotSet(#[from] NotSet),
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Plans(#[from] IngestError),
}

/// Sets the clock of a device on a connection that is open, if it may be done, and keeps that it was.
///
/// # Errors
/// [`SetClockError::NotSet`] says why and until when it is left alone; [`SetClockError::Terminal`] also when the terminal said
/// "done" and shows another time.
pub async fn set_clock(
    store: &Store,
    clock: &Clock,
    terminal: &mut Terminal,
    row: &devices::Model,
    by: SetBy,
) -> Result<ClockChange, SetClockError> {
    let device = DeviceId(row.id);
    let showed = terminal.clock().await?;
    let now = clock.now();
    let tx = store.begin_read().await?;
    let zones = tx.device_zones(device).await?;
    let (_, zone) = zones.at(DateTime::MAX);
    let shows = zone.to_ambiguous_timestamp(showed).compatible();
    let shows = shows.unwrap_or(now);
    let windows = match by {
        SetBy::Person(_) => Vec::new(),
        SetBy::Itself => {
            shift_windows(&tx, SiteId(row.site_id), zone.to_datetime(now).date()).await?
        }
    };
    // What a person sets right is not held up by what the wrong clock dated.
    let believed = by != SetBy::Itself;
    let last_punch = tx.last_punch_ahead(device, now, shows, believed).await?;
    drop(tx);
    let facts = ClockFacts {
        now,
        shows,
        windows: &windows,
        last_punch,
    };
    match by {
        SetBy::Person(_) => may_go_back(&facts)?,
        SetBy::Itself => {
            may_set(&facts)?;
            // It would be set again and again, and nobody would know that two do it.
            if terminal.clock_is_set_from_outside().await? {
                return Err(NotSet::FromOutside.into());
            }
        }
    }

    let wall = || zone.to_datetime(clock.now());
    let set = terminal.set_clock(&wall).await?;
    let change = ClockChange {
        before_s: shows.duration_since(now).as_secs(),
        after_s: set.shows.duration_since(set.should).as_secs(),
        left_time_server: set.left_time_server,
    };
    let author = Author {
        account: match by {
            SetBy::Person(account) => account,
            SetBy::Itself => None,
        },
        at: clock.now(),
    };
    let tx = store.begin_write().await?;
    tx.clock_was_set(device, change.before_s, change.after_s, author)
        .await?;
    tx.commit().await?;
    Ok(change)
}

/// When the people of a site are expected to come or go, around a day.
async fn shift_windows(
    tx: &ReadTx,
    site: SiteId,
    day: Date,
) -> Result<Vec<(Timestamp, Timestamp)>, SetClockError> {
    let people = tx.one_of_each_plan(site, day).await?;
    let days: Vec<_> = people.into_iter().map(|person| (person, day)).collect();
    let evidence = tx.load_evidence(&days).await?;
    Ok(evidence::windows(&evidence, day)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes from now: what the clock shows, shift windows, a punch; and when it may be set.
    #[track_caller]
    fn check(
        shows_s: i64,
        windows: &[(i64, i64)],
        punch: Option<i64>,
        expected: Result<(), NotSet>,
    ) {
        let windows: Vec<_> = windows
            .iter()
            .map(|(from, to)| (minute(*from), minute(*to)))
            .collect();
        let facts = ClockFacts {
            now: minute(0),
            shows: minute(0) + SignedDuration::from_secs(shows_s),
            windows: &windows,
            last_punch: punch.map(minute),
        };
        assert_eq!(may_set(&facts), expected);
    }

    fn minute(minute: i64) -> Timestamp {
        "2026-03-02T22:00:00Z"
            .parse::<Timestamp>()
            .expect("an instant")
            + SignedDuration::from_mins(minute)
    }

    #[test]
    fn a_clock_is_set_when_it_is_off_and_nobody_is_expected() {
        for off in [0, 30, -30] {
            check(off, &[], None, Err(NotSet::Right));
        }
        for off in [31, -31, 86_400] {
            check(off, &[], None, Ok(()));
        }
        check(60, &[(-600, 0), (1, 600)], None, Ok(()));
        let in_shift = |until| {
            Err(NotSet::InShift {
                until: minute(until),
            })
        };
        check(60, &[(-600, 1)], None, in_shift(1));
        check(-60, &[(0, 600)], None, in_shift(600));
        let around_the_clock = [(500, 980), (-10, 470), (460, 500)];
        check(60, &around_the_clock, None, in_shift(980));
    }

    #[test]
    fn a_clock_never_goes_back_over_a_punch() {
        let over = Err(NotSet::OverPunch { until: minute(7) });
        check(600, &[], Some(7), over);
        check(600, &[(-5, 5)], Some(7), over);
        check(600, &[], Some(0), Ok(()));
        check(-600, &[], Some(-3), Ok(()));
    }
}
