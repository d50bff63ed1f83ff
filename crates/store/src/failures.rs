//! Outages of devices: one row from going away to coming back.

use attendance::DeviceId;
use jiff::Timestamp;

use crate::sql;
use crate::times::instant;
use crate::{StoreError, WriteTx};

/// Whether a failure began an outage or belongs to one that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    Began,
    /// Known since then.
    GoesOn {
        since: Timestamp,
    },
}

impl WriteTx {
    /// Counts a failure. An outage keeps the latest step and message, because that is what has to be mended now.
    pub async fn record_failure(
        &self,
        device: DeviceId,
        at: Timestamp,
        step: &str,
        message: &str,
    ) -> Result<Outage, StoreError> {
        let open = sql::all(
            &self.tx,
            "UPDATE device_failures SET count = count + 1, step = $2, message = $3 \
             WHERE device_id = $1 AND ended_ms IS NULL RETURNING began_ms",
            [device.0.into(), step.into(), message.into()],
        )
        .await?;
        if let Some(row) = open.first() {
            return Ok(Outage::GoesOn {
                since: instant(row.try_get_by_index(0)?),
            });
        }
        sql::run(
            &self.tx,
            "INSERT INTO device_failures (device_id, began_ms, step, message, count) VALUES ($1, $2, $3, $4, 1)",
            [
                device.0.into(),
                at.as_millisecond().into(),
                step.into(),
                message.into(),
            ],
        )
        .await?;
        Ok(Outage::Began)
    }

    /// Ends the outage, if there is one; returns when it began.
    pub async fn end_outage(
        &self,
        device: DeviceId,
        at: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let ended = sql::all(
            &self.tx,
            "UPDATE device_failures SET ended_ms = $2 WHERE device_id = $1 AND ended_ms IS NULL RETURNING began_ms",
            [device.0.into(), at.as_millisecond().into()],
        )
        .await?;
        Ok(match ended.first() {
            Some(row) => Some(instant(row.try_get_by_index(0)?)),
            None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::device_failures;
    use crate::testing::{device, site};
    use crate::{Store, on_both_databases};
    use sea_orm::EntityTrait as _;

    on_both_databases! {
        async fn an_outage_is_one_row_with_its_latest_reason(store: Store) {
            let at = |secs| Timestamp::from_second(secs).unwrap();
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            assert_eq!(tx.end_outage(gate, at(1)).await.unwrap(), None);
            assert_eq!(tx.record_failure(gate, at(10), "connect", "refused").await.unwrap(), Outage::Began);
            let known = Outage::GoesOn { since: at(10) };
            assert_eq!(tx.record_failure(gate, at(20), "identify", "another serial").await.unwrap(), known);
            assert_eq!(tx.end_outage(gate, at(30)).await.unwrap(), Some(at(10)));
            assert_eq!(tx.record_failure(gate, at(40), "connect", "refused").await.unwrap(), Outage::Began);
            tx.commit().await.unwrap();
            let rows = device_failures::Entity::find().all(store.read()).await.unwrap();
            let told: Vec<_> = rows.iter().map(|row| (row.began_ms, row.ended_ms, row.step.as_str(), row.count)).collect();
            assert_eq!(told, [(10_000, Some(30_000), "identify", 2), (40_000, None, "connect", 1)]);
        }
    }
}
