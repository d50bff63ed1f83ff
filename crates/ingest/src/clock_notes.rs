//! Which looks at a terminal's clock are worth a note, and what they say happened to it.
//!
//! A clock that runs on is noted once an hour, so that a year of one is a few thousand rows and a contact usually writes none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use attendance::DeviceId;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use store::clocks::{ClockEvent, ClockNote};
use store::punches::CLOCK_MIN;
use store::{StoreError, WriteTx};

/// A drift that moved by so much is noted; less is the clock's own second.
const STEP_S: u64 = 2;
const AT_LEAST_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// No clock runs away by more between two contacts.
const JUMP_S: u64 = 30;
/// Back by more than that is no setting of the clock.
const RESET_S: i64 = 24 * 60 * 60;

/// The newest notes, as far as this process knows: enough to see that nothing is new. The database has the truth.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockNotes(Arc<Mutex<HashMap<DeviceId, ClockNote>>>);

impl ClockNotes {
    /// Notes in the transaction of a contact how far the clock is off, if that is news; the newest note then, for
    /// [`ClockNotes::know`] after the commit.
    pub(crate) async fn note(
        &self,
        tx: &WriteTx,
        device: DeviceId,
        seen: &ClockNote,
    ) -> Result<ClockNote, StoreError> {
        let known = self.lock().get(&device).copied();
        if let Some(known) = known
            && !is_news(&known, seen)
        {
            return Ok(known);
        }
        // Another node may have noted more, or the clock was set.
        let last = tx.last_clock_note(device).await?;
        if let Some(last) = last
            && !is_news(&last, seen)
        {
            return Ok(last);
        }
        let note = ClockNote {
            event: event(last.as_ref(), seen),
            ..*seen
        };
        tx.note_clock(device, &note).await?;
        Ok(note)
    }

    pub(crate) fn know(&self, device: DeviceId, newest: ClockNote) {
        self.lock().insert(device, newest);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, ClockNote>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_news(last: &ClockNote, seen: &ClockNote) -> bool {
    seen.drift_s.abs_diff(last.drift_s) >= STEP_S
        || seen.at.duration_since(last.at).abs() >= AT_LEAST_EVERY
}

fn event(last: Option<&ClockNote>, seen: &ClockNote) -> ClockEvent {
    let moved = last.map_or(0, |last| seen.drift_s.saturating_sub(last.drift_s));
    let has_lost_its_time = shows_impossible(seen) && !last.is_some_and(shows_impossible);
    if has_lost_its_time || moved < -RESET_S {
        ClockEvent::Reset
    } else if moved.unsigned_abs() > JUMP_S {
        ClockEvent::Jump
    } else {
        ClockEvent::None
    }
}

fn shows_impossible(note: &ClockNote) -> bool {
    let shows = note
        .at
        .checked_add(SignedDuration::from_secs(note.drift_s))
        .unwrap_or(Timestamp::MIN);
    TimeZone::UTC.to_datetime(shows).date() < CLOCK_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = RESET_S;

    fn at(minute: i64, drift_s: i64) -> ClockNote {
        ClockNote {
            at: "2026-03-02T08:00:00Z"
                .parse::<Timestamp>()
                .expect("an instant")
                + SignedDuration::from_mins(minute),
            drift_s,
            event: ClockEvent::None,
        }
    }

    #[test]
    fn a_clock_that_runs_on_is_noted_once_an_hour() {
        let last = at(0, 5);
        for (minute, drift_s, expected) in [
            (5, 5, false),
            (5, 6, false),
            (59, 4, false),
            (60, 5, true),
            (5, 7, true),
            (5, 3, true),
            (-60, 5, true), // our own clock was set back
        ] {
            let seen = at(minute, drift_s);
            assert_eq!(is_news(&last, &seen), expected, "{minute} min, {drift_s} s");
        }
    }

    #[test]
    fn what_happened_to_a_clock() {
        let years = -26 * 366 * DAY;
        for (before, now, expected) in [
            (None, 48, ClockEvent::None),
            (None, years, ClockEvent::Reset),
            (Some(48), 78, ClockEvent::None),
            (Some(48), 79, ClockEvent::Jump),
            (Some(48), 17, ClockEvent::Jump),
            (Some(0), -DAY, ClockEvent::Jump),
            (Some(0), -DAY - 1, ClockEvent::Reset),
            (Some(0), 3 * DAY, ClockEvent::Jump),
            (Some(0), years, ClockEvent::Reset),
            (Some(years), years - 20, ClockEvent::None), // it stays so
            (Some(years), 0, ClockEvent::Jump),          // set right
        ] {
            let last = before.map(|drift_s| at(0, drift_s));
            let found = event(last.as_ref(), &at(5, now));
            assert_eq!(found, expected, "from {before:?} to {now}");
        }
    }
}
