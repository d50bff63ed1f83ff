//! Templates and photos that devices upload, sealed and bounded; only where a setting says that such are kept.

use attendance::{DeviceId, DeviceUserId, EmployeeId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};

use crate::audit::Author;
use crate::entities::kept_uploads;
use crate::secrets::{Place, Secret, SecretError};
use crate::{Store, StoreError, WriteTx, sql};

/// Of each kind so many are kept of one device; of more the oldest are forgotten.
pub const KEPT_PER_DEVICE: i64 = 5000;

/// Something to be kept.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptUpload {
    /// `template`, `photo`, or `picture` of a punch.
    pub kind: &'static str,
    /// Which one of the device it is: a later one of the same name takes its place.
    pub name: String,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for KeptUpload {
    /// Without its bytes: they are somebody's face or finger.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptUpload")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// The name of what belongs to a punch.
pub fn punch_name(user: &DeviceUserId, clock: DateTime) -> String {
    format!("{user} {}", clock.strftime("%Y-%m-%d %H:%M:%S"))
}

/// Which punch something kept belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct KeptOfPunch {
    pub kept_id: i64,
    pub punch_id: i64,
}

impl WriteTx {
    /// Keeps a template or a photo.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when there is no key to seal it.
    pub async fn keep_uploaded(
        &self,
        device: DeviceId,
        kept: &KeptUpload,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = self.key().ok_or(SecretError::NoKey)?;
        let row = sql::one(
            &self.tx,
            "INSERT INTO kept_uploads (device_id, kind, name, sealed, kept_ms) VALUES ($1, $2, $3, '', $4) \
             ON CONFLICT (device_id, kind, name) DO UPDATE SET kept_ms = excluded.kept_ms RETURNING id",
            [
                device.0.into(),
                kept.kind.into(),
                kept.name.as_str().into(),
                at.as_millisecond().into(),
            ],
        )
        .await?;
        let id: i64 = row
            .ok_or_else(|| StoreError::not_found("device", device))?
            .try_get_by_index(0)?;
        let sealed = key.seal(place(id), &Secret::new(STANDARD_NO_PAD.encode(&kept.bytes)));
        sql::run(
            &self.tx,
            "UPDATE kept_uploads SET sealed = $2 WHERE id = $1",
            [id.into(), sealed.into()],
        )
        .await?;
        sql::run(
            &self.tx,
            "DELETE FROM kept_uploads WHERE device_id = $1 AND kind = $2 AND id <= \
             (SELECT id FROM kept_uploads WHERE device_id = $1 AND kind = $2 ORDER BY id DESC LIMIT 1 OFFSET $3)",
            [device.0.into(), kept.kind.into(), KEPT_PER_DEVICE.into()],
        )
        .await?;
        Ok(())
    }

    /// Forgets what was kept of a kind before this instant; how much that was.
    pub async fn forget_kept(&self, kind: &str, before: Timestamp) -> Result<u64, StoreError> {
        Ok(sql::run(
            &self.tx,
            "DELETE FROM kept_uploads WHERE kind = $1 AND kept_ms < $2",
            [kind.into(), before.as_millisecond().into()],
        )
        .await?)
    }

    /// Forgets all templates and photos of a device; how many there were.
    pub async fn forget_uploaded(
        &self,
        device: DeviceId,
        serial_number: &str,
        author: Author,
    ) -> Result<u64, StoreError> {
        let forgotten = sql::run(
            &self.tx,
            "DELETE FROM kept_uploads WHERE device_id = $1",
            [device.0.into()],
        )
        .await?;
        let detail = serde_json::json!({ "forgotten": forgotten });
        self.audit(author, "device.uploads.forget", serial_number, detail)
            .await?;
        Ok(forgotten)
    }
}

impl Store {
    /// What is kept of a device, the newest first, still sealed.
    pub async fn kept_uploads(
        &self,
        device: DeviceId,
    ) -> Result<Vec<kept_uploads::Model>, StoreError> {
        let query = kept_uploads::Entity::find()
            .filter(kept_uploads::Column::DeviceId.eq(device.0))
            .order_by_desc(kept_uploads::Column::Id);
        Ok(query.all(self.read()).await?)
    }

    /// One of a kind, if it is of a punch of this person.
    pub async fn kept_of_person(
        &self,
        kind: &str,
        id: i64,
        employee: EmployeeId,
    ) -> Result<Option<kept_uploads::Model>, StoreError> {
        let query =
            kept_uploads::Entity::find_by_id(id).filter(kept_uploads::Column::Kind.eq(kind));
        let Some(kept) = query.one(self.read()).await? else {
            return Ok(None);
        };
        let of_person = self.kept_of_punches(kind, employee).await?;
        Ok(of_person.iter().any(|of| of.kept_id == id).then_some(kept))
    }

    /// What is kept of a kind under the names of this person's punches, see [`punch_name`].
    pub async fn kept_of_punches(
        &self,
        kind: &str,
        employee: EmployeeId,
    ) -> Result<Vec<KeptOfPunch>, StoreError> {
        let text = "SELECT k.id AS kept_id, p.id AS punch_id FROM kept_uploads k \
             JOIN punches p ON p.device_id = k.device_id AND k.name = p.user_id || ' ' || p.clock \
             WHERE k.kind = $1 AND p.employee_id = $2 ORDER BY k.id";
        Ok(sql::fetch(self.read(), text, [kind.into(), employee.0.into()]).await?)
    }

    /// The bytes of one of them.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when the key does not fit.
    pub fn kept_bytes(&self, kept: &kept_uploads::Model) -> Result<Vec<u8>, StoreError> {
        let opened = self.unseal(place(kept.id), Some(&kept.sealed))?;
        let text = opened.as_ref().map_or("", Secret::expose);
        Ok(STANDARD_NO_PAD.decode(text).unwrap_or_default())
    }
}

pub(crate) fn place(id: i64) -> Place {
    Place {
        table: "kept_uploads",
        row: id,
        column: "bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::secrets::SecretKey;
    use crate::testing::{author, device, site};

    on_both_databases! {
        async fn what_is_kept_is_sealed_replaced_and_forgotten(store: Store) {
            let store = store.with_secret_key(SecretKey::generate());
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let gate = device(&tx, site, "G").await;
            let kept = |name: &str, bytes: &[u8]| KeptUpload { kind: "photo", name: name.to_owned(), bytes: bytes.to_vec() };
            for (name, bytes) in [("a.jpg", b"first".as_slice()), ("b.jpg", b"\xff\xd8"), ("a.jpg", b"second")] {
                tx.keep_uploaded(gate, &kept(name, bytes), Timestamp::UNIX_EPOCH).await.unwrap();
            }
            tx.commit().await.unwrap();
            let rows = store.kept_uploads(gate).await.unwrap();
            let opened: Vec<_> = rows.iter().map(|row| (row.name.as_str(), store.kept_bytes(row).unwrap())).collect();
            assert_eq!(opened, [("b.jpg", b"\xff\xd8".to_vec()), ("a.jpg", b"second".to_vec())]);
            assert!(rows.iter().all(|row| !row.sealed.contains("second")));
            let tx = store.begin_write().await.unwrap();
            assert_eq!(tx.forget_uploaded(gate, "G", author()).await.unwrap(), 2);
            tx.commit().await.unwrap();
            assert_eq!(store.kept_uploads(gate).await.unwrap(), []);
        }
    }
}
