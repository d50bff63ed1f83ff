//! Bytes that cannot be understood: kept, counted, visible, bounded per device.

use attendance::{DeviceId, Way};
use jiff::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Value};
use sha2::{Digest as _, Sha256};

use crate::entities::parked;
use crate::sql;
use crate::{Store, StoreError, WriteTx};

/// A record nobody could understand.
#[derive(Clone, Copy, Debug)]
pub struct Unreadable<'a> {
    pub bytes: &'a [u8],
    /// One lower-case phrase for people.
    pub reason: &'a str,
}

/// So many different records are kept of one device. What comes on top is counted in one row of its own.
pub const PARKED_PER_DEVICE: u64 = 1000;
/// Longer records are cut: their beginning tells what they are.
const LONGEST_BYTES: usize = 4096;
const OVERFLOW: &str = "more than can be kept";

impl WriteTx {
    /// Keeps the records that are not kept yet and counts the others.
    pub async fn park(
        &self,
        device: DeviceId,
        way: Way,
        records: &[Unreadable<'_>],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let count = sql::one(
            &self.tx,
            "SELECT count(*) FROM parked WHERE device_id = $1",
            [device.0.into()],
        )
        .await?;
        let mut kept = match count {
            Some(row) => row.try_get_by_index::<i64>(0)?.unsigned_abs(),
            None => 0,
        };
        for record in records {
            let hash = hex(&Sha256::digest(record.bytes));
            let known = sql::run(
                &self.tx,
                "UPDATE parked SET count = count + 1, last_ms = $3 WHERE device_id = $1 AND hash = $2",
                [device.0.into(), hash.as_str().into(), at.as_millisecond().into()],
            )
            .await?;
            if known > 0 {
                continue;
            }
            let full = kept >= PARKED_PER_DEVICE;
            let (hash, reason) = if full {
                (OVERFLOW, OVERFLOW)
            } else {
                kept += 1;
                (hash.as_str(), record.reason)
            };
            let bytes = &record.bytes[..record.bytes.len().min(LONGEST_BYTES)];
            sql::run(
                &self.tx,
                "INSERT INTO parked (device_id, way, hash, bytes, reason, first_ms, last_ms, count) \
                 VALUES ($1, $2, $3, $4, $5, $6, $6, 1) ON CONFLICT (COALESCE(device_id, 0), hash) \
                 DO UPDATE SET count = parked.count + 1, last_ms = excluded.last_ms, bytes = excluded.bytes",
                [
                    device.0.into(),
                    way.as_str().into(),
                    hash.into(),
                    Value::Bytes(Some(bytes.to_vec())),
                    reason.into(),
                    at.as_millisecond().into(),
                ],
            )
            .await?;
        }
        Ok(())
    }
}

impl WriteTx {
    /// These records were understood after all.
    pub async fn forget_parked(&self, ids: &[i64]) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            &format!(
                "DELETE FROM parked WHERE id IN {}",
                sql::in_ids(self.backend(), 1)
            ),
            [sql::json(ids)],
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// What is parked of a device, the oldest first.
    pub async fn parked_of(&self, device: DeviceId) -> Result<Vec<parked::Model>, StoreError> {
        let query = parked::Entity::find()
            .filter(parked::Column::DeviceId.eq(device.0))
            .order_by_asc(parked::Column::Id);
        Ok(query.all(self.read()).await?)
    }

    /// How many of these records of a device are not kept, or not whole.
    pub async fn unkept_records(
        &self,
        device: DeviceId,
        records: &[&[u8]],
    ) -> Result<usize, StoreError> {
        let mut unkept = 0;
        for bytes in records {
            let kept = sql::one(
                self.read(),
                "SELECT 1 FROM parked WHERE device_id = $1 AND hash = $2 AND bytes = $3",
                [
                    device.0.into(),
                    hex(&Sha256::digest(bytes)).into(),
                    Value::Bytes(Some(bytes.to_vec())),
                ],
            )
            .await?;
            unkept += usize::from(kept.is_none());
        }
        Ok(unkept)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{count_rows, device, site};

    on_both_databases! {
        async fn a_device_cannot_fill_the_disk(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let device = device(&tx, site, "G").await;
            let bytes: Vec<_> = (0..PARKED_PER_DEVICE + 5).map(|n| n.to_be_bytes()).collect();
            let records: Vec<_> = bytes.iter().map(|bytes| Unreadable { bytes, reason: "noise" }).collect();
            tx.park(device, Way::Push, &records, Timestamp::UNIX_EPOCH).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(count_rows(&store, "parked").await, PARKED_PER_DEVICE + 1);
            let row = sql::one(store.read(), "SELECT count FROM parked WHERE reason = $1", [OVERFLOW.into()]).await.unwrap();
            assert_eq!(row.unwrap().try_get_by_index::<i64>(0).unwrap(), 5, "the rest is counted");
        }
    }
}
