//! How far the clocks of terminals were from ours over time, and what happened to them. The present drift is a column of
//! `devices`; when a row is worth noting is decided by whoever talks to the terminal.

use attendance::{DeviceId, EmployeeId, SiteId};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::audit::Author;
use crate::times::instant;
use crate::{ReadTx, StoreError, WriteTx};
use crate::{punches, sql};

/// What happened to a clock between two contacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockEvent {
    /// It ran on.
    #[default]
    None,
    /// We set it.
    Set,
    /// Somebody else set it, or it lost time.
    Jump,
    /// It lost its time.
    Reset,
    /// A person corrected the zone in which it is read; the clock itself ran on.
    Zone,
}

impl ClockEvent {
    pub const ALL: &'static [Self] = &[Self::None, Self::Set, Self::Jump, Self::Reset, Self::Zone];

    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Set => "set",
            Self::Jump => "jump",
            Self::Reset => "reset",
            Self::Zone => "zone",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|event| event.as_str() == name)
    }
}

/// One look at a terminal's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockNote {
    pub at: Timestamp,
    /// Terminal minus server, in seconds.
    pub drift_s: i64,
    pub event: ClockEvent,
}

impl WriteTx {
    /// The newest note of a device's clock.
    pub async fn last_clock_note(&self, device: DeviceId) -> Result<Option<ClockNote>, StoreError> {
        let row = sql::one(
            &self.tx,
            "SELECT at_ms, drift_s, event FROM device_clocks WHERE device_id = $1 ORDER BY at_ms DESC LIMIT 1",
            [device.0.into()],
        )
        .await?;
        row.map(|row| {
            let event: String = row.try_get_by_index(2)?;
            Ok(ClockNote {
                at: instant(row.try_get_by_index(0)?),
                drift_s: row.try_get_by_index(1)?,
                event: ClockEvent::from_name(&event).unwrap_or_default(),
            })
        })
        .transpose()
    }

    /// Keeps a note; of two in the same millisecond the later one.
    pub async fn note_clock(&self, device: DeviceId, note: &ClockNote) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "INSERT INTO device_clocks (device_id, at_ms, drift_s, event) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (device_id, at_ms) DO UPDATE SET drift_s = excluded.drift_s, event = excluded.event",
            [
                device.0.into(),
                note.at.as_millisecond().into(),
                note.drift_s.into(),
                note.event.as_str().into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// A device's clock was set by us: it was `before_s` ahead of ours, and is `after_s` now.
    pub async fn clock_was_set(
        &self,
        device: DeviceId,
        before_s: i64,
        after_s: i64,
        author: Author,
    ) -> Result<(), StoreError> {
        let note = ClockNote {
            at: author.at,
            drift_s: after_s,
            event: ClockEvent::Set,
        };
        self.note_clock(device, &note).await?;
        sql::run(
            &self.tx,
            "UPDATE devices SET clock_drift_s = $2 WHERE id = $1",
            [device.0.into(), after_s.into()],
        )
        .await?;
        let serial = self.device_row(device).await?.serial_number;
        let detail = serde_json::json!({ "before_s": before_s, "after_s": after_s });
        self.audit(author, "device.clock.set", &serial, detail)
            .await
    }

    /// Forgets the notes from before `before`.
    pub async fn forget_clock_notes(&self, before: Timestamp) -> Result<u64, StoreError> {
        Ok(sql::run(
            &self.tx,
            "DELETE FROM device_clocks WHERE at_ms < $1",
            [before.as_millisecond().into()],
        )
        .await?)
    }
}

impl ReadTx {
    /// When a device was last used in the time from `now` on that its clock, which shows `shows`, has already been through.
    pub async fn last_punch_ahead(
        &self,
        device: DeviceId,
        now: Timestamp,
        shows: Timestamp,
        believed: bool,
    ) -> Result<Option<Timestamp>, StoreError> {
        let which = match believed {
            true => punches::believed(),
            false => "true".to_owned(),
        };
        let row = sql::one(
            &self.tx,
            &format!(
                "SELECT max(instant_ms) FROM punches WHERE device_id = $1 AND instant_ms > $2 AND instant_ms <= $3 AND {which}"
            ),
            [
                device.0.into(),
                now.as_millisecond().into(),
                shows.as_millisecond().into(),
            ],
        )
        .await?;
        let last: Option<i64> = row.map_or(Ok(None), |row| row.try_get_by_index(0))?;
        Ok(last.map(instant))
    }

    /// Of the people employed at a site on a day, one for each way in which somebody's work is planned.
    pub async fn one_of_each_plan(
        &self,
        site: SiteId,
        day: Date,
    ) -> Result<Vec<EmployeeId>, StoreError> {
        let rows = sql::all(
            &self.tx,
            "SELECT min(id) FROM employees WHERE site_id = $1 AND (employed_from IS NULL OR employed_from <= $2) \
             AND (employed_to IS NULL OR employed_to >= $2) GROUP BY shift_id, week_pattern_id, weekly_off_id",
            [site.0.into(), day.to_string().into()],
        )
        .await?;
        rows.iter()
            .map(|row| Ok(EmployeeId(row.try_get_by_index(0)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::EntityTrait;

    use super::*;
    use crate::entities::device_clocks;
    use crate::testing::{author, device, site};
    use crate::{Store, on_both_databases};

    on_both_databases! {
        async fn notes_are_kept_and_forgotten(store: Store) {
            let at = |secs| Timestamp::from_second(secs).unwrap();
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            let yard = device(&tx, site, "Y").await;
            assert_eq!(tx.last_clock_note(gate).await.unwrap(), None);
            for (secs, drift_s, event) in [
                (10, 5, ClockEvent::None),
                (20, 900, ClockEvent::Jump),
                (20, 901, ClockEvent::Reset),
            ] {
                tx.note_clock(gate, &ClockNote { at: at(secs), drift_s, event }).await.unwrap();
            }
            assert_eq!(tx.last_clock_note(yard).await.unwrap(), None);
            let last = tx.last_clock_note(gate).await.unwrap().unwrap();
            assert_eq!((last.at, last.drift_s, last.event), (at(20), 901, ClockEvent::Reset));
            assert_eq!(tx.forget_clock_notes(at(20)).await.unwrap(), 1);

            tx.clock_was_set(gate, 901, -1, author()).await.unwrap();
            let last = tx.last_clock_note(gate).await.unwrap().unwrap();
            assert_eq!((last.drift_s, last.event), (-1, ClockEvent::Set));
            assert_eq!(tx.device_row(gate).await.unwrap().clock_drift_s, Some(-1));
            tx.commit().await.unwrap();
            assert_eq!(device_clocks::Entity::find().all(store.read()).await.unwrap().len(), 2);
            let entries = store.audit_entries(None, 1).await.unwrap();
            assert_eq!(entries[0].action, "device.clock.set");
            assert_eq!(entries[0].detail, r#"{"after_s":-1,"before_s":901}"#);
        }
    }
}
