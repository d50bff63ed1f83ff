//! From when to when a device has been read, and the times it did not record or we did not read. Without coverage nobody is absent.

use std::collections::BTreeSet;

use attendance::DeviceId;
use jiff::Timestamp;

use crate::sql;
use crate::times::instant;
use crate::{StoreError, WriteTx};

/// Why a device has a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapCause {
    /// The live or push contact was lost; a complete read closes it.
    Contact,
    /// The device's clock was wrong, so what it recorded cannot be dated (R31).
    Clock,
    /// The device lost its log, and with it what it recorded since it was read.
    Lost,
}

impl GapCause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Clock => "clock",
            Self::Lost => "lost log",
        }
    }
}

impl WriteTx {
    /// A read brought everything the device recorded up to `to`, and since `from`, its first punch; without one it says nothing
    /// of the time before. What is covered only grows.
    ///
    /// Marks the reports that waited for more than was covered. When the log reaches back further than was known, more days can
    /// be different: returns from when on, for [`WriteTx::mark_devices`].
    pub async fn advance_coverage(
        &self,
        device: DeviceId,
        from: Option<Timestamp>,
        to: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (known_from, known_to) = self.covered(device).await?.unzip();
        let from = from.filter(|from| *from <= to);
        let from = from.or(known_from).unwrap_or(to);
        let reaches_back = known_from.is_none_or(|known| from < known);
        let reaches_on = known_to.is_none_or(|known| known < to);
        if !reaches_back && !reaches_on {
            return Ok(None);
        }
        let from = known_from.map_or(from, |known| known.min(from));
        let to = known_to.map_or(to, |known| known.max(to));
        sql::run(
            &self.tx,
            "INSERT INTO device_coverage (device_id, covered_from_ms, covered_to_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (device_id) DO UPDATE SET covered_from_ms = excluded.covered_from_ms, \
             covered_to_ms = excluded.covered_to_ms",
            [
                device.0.into(),
                from.as_millisecond().into(),
                to.as_millisecond().into(),
            ],
        )
        .await?;
        if reaches_back {
            return Ok(Some(from));
        }
        self.mark_waiting(device, known_to).await?;
        Ok(None)
    }

    /// Up to when what a device recorded has been read.
    pub async fn covered_to(&self, device: DeviceId) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.covered(device).await?.map(|(_, to)| to))
    }

    async fn covered(
        &self,
        device: DeviceId,
    ) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let row = sql::one(
            &self.tx,
            "SELECT covered_from_ms, covered_to_ms FROM device_coverage WHERE device_id = $1",
            [device.0.into()],
        )
        .await?;
        row.map(|row| {
            Ok((
                instant(row.try_get_by_index(0)?),
                instant(row.try_get_by_index(1)?),
            ))
        })
        .transpose()
    }

    /// Notes a time the device did not record, or we could not read. `to` is open when `None`. The same gap twice is one, as
    /// long as the longer one.
    pub async fn add_gap(
        &self,
        device: DeviceId,
        from: Timestamp,
        to: Option<Timestamp>,
        cause: GapCause,
    ) -> Result<(), StoreError> {
        let gap = || -> [sea_orm::Value; 4] {
            [
                device.0.into(),
                from.as_millisecond().into(),
                to.map(Timestamp::as_millisecond).into(),
                cause.as_str().into(),
            ]
        };
        let extended = sql::run(
            &self.tx,
            "UPDATE device_gaps SET to_ms = $3 WHERE device_id = $1 AND from_ms = $2 AND cause = $4 \
             AND to_ms IS NOT NULL AND ($3 IS NULL OR to_ms < $3)",
            gap(),
        )
        .await?;
        let added = sql::run(
            &self.tx,
            "INSERT INTO device_gaps (device_id, from_ms, to_ms, cause) SELECT $1, $2, $3, $4 WHERE NOT EXISTS \
             (SELECT 1 FROM device_gaps WHERE device_id = $1 AND from_ms = $2 AND cause = $4)",
            gap(),
        )
        .await?;
        if extended + added > 0 {
            self.mark_device(device, from, "gap").await?;
        }
        Ok(())
    }

    /// A device's clock was seen to be wrong: what it records cannot be dated from when it was last read with a right one until
    /// [`WriteTx::close_clock_gap`]. What is stored after `stored` is set aside.
    pub async fn open_clock_gap(
        &self,
        device: DeviceId,
        seen: Timestamp,
        stored: Timestamp,
    ) -> Result<(), StoreError> {
        if self.wrong_clock_seen(device).await?.is_some() {
            return Ok(());
        }
        let from = self.covered(device).await?.map_or(seen, |(_, to)| to);
        self.add_gap(device, from, None, GapCause::Clock).await?;
        sql::run(
            &self.tx,
            "UPDATE device_gaps SET set_aside_from_ms = $3 WHERE device_id = $1 AND cause = $2 AND to_ms IS NULL",
            [
                device.0.into(),
                GapCause::Clock.as_str().into(),
                stored.as_millisecond().into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// Since when what a device brings is set aside: its clock was seen to be wrong then, and not to be right since.
    pub async fn wrong_clock_seen(
        &self,
        device: DeviceId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let row = sql::one(
            &self.tx,
            "SELECT COALESCE(set_aside_from_ms, from_ms) FROM device_gaps WHERE device_id = $1 AND cause = $2 AND to_ms IS NULL",
            [device.0.into(), GapCause::Clock.as_str().into()],
        )
        .await?;
        row.map(|row| Ok(instant(row.try_get_by_index(0)?)))
            .transpose()
    }

    /// Those of these devices of which [`WriteTx::wrong_clock_seen`] tells something.
    pub async fn wrong_clocks_seen(
        &self,
        devices: &[DeviceId],
    ) -> Result<BTreeSet<DeviceId>, StoreError> {
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT device_id FROM device_gaps WHERE cause = $2 AND to_ms IS NULL AND device_id IN {}",
                sql::in_ids(self.backend(), 1)
            ),
            [sql::json(devices), GapCause::Clock.as_str().into()],
        )
        .await?;
        rows.iter()
            .map(|row| Ok(DeviceId(row.try_get_by_index(0)?)))
            .collect()
    }

    /// A device's clock was seen to be right again.
    pub async fn close_clock_gap(
        &self,
        device: DeviceId,
        seen: Timestamp,
    ) -> Result<(), StoreError> {
        let closed = sql::all(
            &self.tx,
            "UPDATE device_gaps SET to_ms = $3 WHERE device_id = $1 AND cause = $2 AND to_ms IS NULL RETURNING from_ms",
            [
                device.0.into(),
                GapCause::Clock.as_str().into(),
                seen.as_millisecond().into(),
            ],
        )
        .await?;
        self.mark_gaps(device, &closed).await
    }

    /// A device's clock was perhaps never wrong.
    pub(crate) async fn forget_open_clock_gap(&self, device: DeviceId) -> Result<(), StoreError> {
        let forgotten = sql::all(
            &self.tx,
            "DELETE FROM device_gaps WHERE device_id = $1 AND cause = $2 AND to_ms IS NULL RETURNING from_ms",
            [device.0.into(), GapCause::Clock.as_str().into()],
        )
        .await?;
        self.mark_gaps(device, &forgotten).await
    }

    /// A complete read brought what a lost contact had missed.
    pub async fn close_contact_gaps(&self, device: DeviceId) -> Result<(), StoreError> {
        let closed = sql::all(
            &self.tx,
            "DELETE FROM device_gaps WHERE device_id = $1 AND cause = $2 RETURNING from_ms",
            [device.0.into(), GapCause::Contact.as_str().into()],
        )
        .await?;
        self.mark_gaps(device, &closed).await
    }

    /// A contact that was lost is back, and nothing was missed: what is open is closed. Gaps with an end stay.
    pub async fn close_open_contact_gaps(&self, device: DeviceId) -> Result<(), StoreError> {
        let closed = sql::all(
            &self.tx,
            "DELETE FROM device_gaps WHERE device_id = $1 AND cause = $2 AND to_ms IS NULL RETURNING from_ms",
            [device.0.into(), GapCause::Contact.as_str().into()],
        )
        .await?;
        self.mark_gaps(device, &closed).await
    }

    /// Marks what gaps that are no more, given by their beginnings, had concerned.
    async fn mark_gaps(
        &self,
        device: DeviceId,
        closed: &[sea_orm::QueryResult],
    ) -> Result<(), StoreError> {
        let mut earliest: Option<i64> = None;
        for row in closed {
            let from: i64 = row.try_get_by_index(0)?;
            earliest = Some(earliest.map_or(from, |earliest| earliest.min(from)));
        }
        if let Some(from) = earliest {
            self.mark_device(device, instant(from), "gap closed")
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::{device_coverage, device_gaps};
    use crate::testing::{count_rows, device, employee, marked_days, report, site};
    use crate::{Store, on_both_databases};
    use sea_orm::EntityTrait as _;

    on_both_databases! {
        async fn coverage_only_grows(store: Store) {
            let at = |secs| Timestamp::from_second(secs).unwrap();
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            for (from, to, expected) in [
                (Some(50), 100, (50, 100)),
                (Some(80), 90, (50, 100)),
                (Some(70), 120, (50, 120)),
                (None, 40, (50, 120)),
                (Some(45), 40, (50, 120)), // dated after what was read
                (Some(20), 60, (20, 120)),
            ] {
                tx.advance_coverage(gate, from.map(at), at(to)).await.unwrap();
                let row = device_coverage::Entity::find_by_id(gate.0).one(&tx.tx).await.unwrap().unwrap();
                assert_eq!((row.covered_from_ms / 1000, row.covered_to_ms / 1000), expected);
            }
        }

        async fn a_gap_marks_its_days_and_a_read_closes_lost_contacts_only(store: Store) {
            let at: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let person = employee(&tx, site, "1").await;
            let gate = device(&tx, site, "G").await;
            for day in ["2026-02-01", "2026-03-02"] {
                report(&tx, person, day).await;
            }
            let clear = async |tx: &WriteTx| sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            clear(&tx).await;
            for cause in [GapCause::Contact, GapCause::Clock, GapCause::Contact] {
                tx.add_gap(gate, at, None, cause).await.unwrap();
            }
            tx.commit().await.unwrap();
            assert_eq!(count_rows(&store, "device_gaps").await, 2);
            assert_eq!(marked_days(&store, person).await, ["2026-03-02".parse().unwrap()]);

            let tx = store.begin_write().await.unwrap();
            clear(&tx).await;
            tx.close_contact_gaps(gate).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(count_rows(&store, "device_gaps").await, 1);
            assert_eq!(marked_days(&store, person).await, ["2026-03-02".parse().unwrap()]);
        }

        async fn a_gap_grows_and_never_shrinks(store: Store) {
            let at = |minute: i64| Timestamp::from_second(1_772_438_400 + minute * 60).unwrap();
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let person = employee(&tx, site, "1").await;
            let gate = device(&tx, site, "G").await;
            report(&tx, person, "2026-03-02").await;
            for (to, ends, marks) in [
                (Some(30), Some(30), 1),
                (Some(20), Some(30), 0),
                (Some(60), Some(60), 1),
                (None, None, 1),
                (Some(90), None, 0),
            ] {
                sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
                tx.add_gap(gate, at(0), to.map(at), GapCause::Clock).await.unwrap();
                let gaps = device_gaps::Entity::find().all(&tx.tx).await.unwrap();
                let found: Vec<_> = gaps.iter().map(|gap| gap.to_ms).collect();
                assert_eq!(found, [ends.map(|ends| at(ends).as_millisecond())]);
                let marked = sql::all(&tx.tx, "SELECT 1 FROM marked_days", []).await.unwrap();
                assert_eq!(marked.len(), marks, "{to:?}");
            }
        }
    }
}
