//! Backups of fingerprints: the newest of each device and device user, sealed, with the purpose they are kept for.
//!
//! Whether a terminal understands them is for the drivers.

use std::fmt;

use attendance::{DeviceId, DeviceUserId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{EntityTrait, FromQueryResult, QuerySelect, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::audit::Author;
use crate::entities::device_users;
use crate::secrets::{Place, Secret, SecretError};
use crate::{Store, StoreError, WriteTx, sql};

/// One finger with its template.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpFinger {
    /// 0 to 9.
    pub finger: u8,
    /// In the words of the drivers.
    pub kind: String,
    #[serde(serialize_with = "encode", deserialize_with = "decode")]
    pub template: Vec<u8>,
}

impl fmt::Debug for BackedUpFinger {
    /// Without the template: it is biometric data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackedUpFinger")
            .field("finger", &self.finger)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// The fingerprints of one device user, to be kept or as they were kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FingerprintBackup {
    pub user: DeviceUserId,
    /// As the terminal calls it.
    pub algorithm: String,
    pub fingers: Vec<BackedUpFinger>,
}

/// What may be shown of a backup.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct BackupRow {
    pub serial_number: String,
    /// The name of the device.
    pub device: String,
    pub user_id: String,
    /// As the device knows the user; empty when it no longer says.
    pub name: String,
    pub algorithm: String,
    /// How many.
    pub fingers: i64,
    pub purpose: String,
    pub taken_ms: i64,
}

impl WriteTx {
    /// Keeps the fingerprints of a device user in place of those that were kept before.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when there is no key to seal them.
    pub async fn keep_fingerprints(
        &self,
        device: DeviceId,
        backup: &FingerprintBackup,
        purpose: &str,
        author: Author,
    ) -> Result<(), StoreError> {
        let key = self.key().ok_or(SecretError::NoKey)?;
        let kept = sql::one(
            &self.tx,
            "INSERT INTO fingerprint_backups (device_id, user_id, algorithm, fingers, sealed, purpose, taken_ms, author_id) \
             VALUES ($1, $2, $3, $4, '', $5, $6, $7) \
             ON CONFLICT (device_id, user_id) DO UPDATE SET algorithm = excluded.algorithm, fingers = excluded.fingers, \
             purpose = excluded.purpose, taken_ms = excluded.taken_ms, author_id = excluded.author_id RETURNING id",
            [
                device.0.into(),
                backup.user.as_str().into(),
                backup.algorithm.as_str().into(),
                i64::try_from(backup.fingers.len()).unwrap_or(i64::MAX).into(),
                purpose.into(),
                author.at_ms().into(),
                author.account_id().into(),
            ],
        )
        .await?;
        let row: i64 = kept
            .expect("what was inserted or updated is returned")
            .try_get_by_index(0)?;
        let plain = serde_json::to_string(&backup.fingers).expect("plain values are JSON");
        // They are bound to their row, so they are sealed after it exists.
        let sealed = key.seal(place(row), &Secret::new(plain));
        sql::run(
            &self.tx,
            "UPDATE fingerprint_backups SET sealed = $2 WHERE id = $1",
            [row.into(), sealed.into()],
        )
        .await?;
        Ok(())
    }

    /// Deletes the backup of one user of a device, or all of the device; how many there were.
    pub async fn forget_fingerprints(
        &self,
        device: DeviceId,
        user: Option<&DeviceUserId>,
        author: Author,
    ) -> Result<u64, StoreError> {
        let serial = self.device_row(device).await?.serial_number;
        let user = user.map(DeviceUserId::as_str);
        let forgotten = sql::run(
            &self.tx,
            "DELETE FROM fingerprint_backups WHERE device_id = $1 AND ($2 = '' OR user_id = $2)",
            [device.0.into(), user.unwrap_or_default().into()],
        )
        .await?;
        if forgotten > 0 {
            let detail = serde_json::json!({ "user": user, "users": forgotten });
            self.audit(author, "device.fingerprints.forget", &serial, detail)
                .await?;
        }
        Ok(forgotten)
    }
}

impl Store {
    /// What is kept of one device, or of all, by device and user.
    pub async fn fingerprint_backups(
        &self,
        device: Option<DeviceId>,
    ) -> Result<Vec<BackupRow>, StoreError> {
        let (only, values): (_, Vec<Value>) = match device {
            Some(device) => ("WHERE b.device_id = $1", vec![device.0.into()]),
            None => ("", Vec::new()),
        };
        let query = format!(
            "SELECT d.serial_number, d.name AS device, b.user_id, COALESCE(u.name, '') AS name, b.algorithm, b.fingers, \
             b.purpose, b.taken_ms FROM fingerprint_backups b JOIN devices d ON d.id = b.device_id \
             LEFT JOIN device_users u ON u.device_id = b.device_id AND u.user_id = b.user_id {only} \
             ORDER BY d.name, d.id, b.user_id"
        );
        Ok(sql::fetch(self.read(), &query, values).await?)
    }

    /// The newest backup of a device user, opened.
    ///
    /// # Errors
    /// [`StoreError::Secret`] when the key does not fit or the backup is damaged.
    pub async fn fingerprint_backup(
        &self,
        device: DeviceId,
        user: &DeviceUserId,
    ) -> Result<Option<FingerprintBackup>, StoreError> {
        let row = sql::one(
            self.read(),
            "SELECT id, algorithm, sealed FROM fingerprint_backups WHERE device_id = $1 AND user_id = $2",
            [device.0.into(), user.as_str().into()],
        )
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let sealed: String = row.try_get_by_index(2)?;
        let opened = self.unseal(place(row.try_get_by_index(0)?), Some(&sealed))?;
        let plain = opened.as_ref().map_or("[]", Secret::expose);
        Ok(Some(FingerprintBackup {
            user: user.clone(),
            algorithm: row.try_get_by_index(1)?,
            fingers: serde_json::from_str(plain).map_err(|source| StoreError::Corrupt {
                what: "backup of fingerprints",
                source,
            })?,
        }))
    }

    /// A person as a device knows them.
    pub async fn device_user(
        &self,
        device: DeviceId,
        user: &DeviceUserId,
    ) -> Result<Option<device_users::Model>, StoreError> {
        let key = (device.0, user.as_str().to_owned());
        Ok(device_users::Entity::find_by_id(key)
            .limit(1)
            .one(self.read())
            .await?)
    }
}

pub(crate) fn place(row: i64) -> Place {
    Place {
        table: "fingerprint_backups",
        row,
        column: "templates",
    }
}

fn encode<S: Serializer>(template: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&URL_SAFE_NO_PAD.encode(template))
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    // The error of the decoder would show a letter of it.
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| de::Error::custom("a template is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::secrets::SecretKey;
    use crate::testing::{author, count_rows, device, site};

    fn user(id: &str) -> DeviceUserId {
        DeviceUserId::parse(id).expect("an id")
    }

    fn finger(finger: u8, template: &[u8]) -> BackedUpFinger {
        BackedUpFinger {
            finger,
            kind: "valid".to_owned(),
            template: template.to_vec(),
        }
    }

    fn backup(id: &str, fingers: &[BackedUpFinger]) -> FingerprintBackup {
        FingerprintBackup {
            user: user(id),
            algorithm: "10".to_owned(),
            fingers: fingers.to_vec(),
        }
    }

    async fn keep(store: &Store, device: DeviceId, backup: &FingerprintBackup, purpose: &str) {
        let tx = store.begin_write().await.unwrap();
        tx.keep_fingerprints(device, backup, purpose, author())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn sealed(store: &Store) -> Vec<(i64, String)> {
        let rows = sql::all(
            store.read(),
            "SELECT id, sealed FROM fingerprint_backups ORDER BY user_id",
            [],
        );
        let rows = rows.await.unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.try_get_by_index(0).unwrap(),
                    row.try_get_by_index(1).unwrap(),
                )
            })
            .collect()
    }

    /// A database with two devices and a key.
    async fn office(store: Store) -> (Store, [DeviceId; 2]) {
        let store = store.with_secret_key(SecretKey::generate());
        let tx = store.begin_write().await.unwrap();
        let site = site(&tx).await;
        let devices = [device(&tx, site, "A1").await, device(&tx, site, "B2").await];
        tx.commit().await.unwrap();
        (store, devices)
    }

    on_both_databases! {
        async fn the_newest_backup_is_kept_and_can_be_forgotten(store: Store) {
            let (store, [a, b]) = office(store).await;
            keep(&store, a, &backup("1002", &[finger(1, b"old")]), "replacements").await;
            let newer = backup("1002", &[finger(1, b"new"), finger(6, &[0, 255, 7])]);
            keep(&store, a, &newer, "a second gate").await;
            keep(&store, a, &backup("1001", &[finger(0, b"x")]), "a second gate").await;
            keep(&store, b, &backup("1002", &[finger(2, b"y")]), "a second gate").await;
            assert_eq!(store.fingerprint_backup(a, &user("1002")).await.unwrap(), Some(newer));
            assert_eq!(store.fingerprint_backup(b, &user("1001")).await.unwrap(), None);
            let listed = store.fingerprint_backups(Some(a)).await.unwrap();
            assert_eq!(listed.len(), 2);
            assert_eq!(listed[1], BackupRow {
                serial_number: "A1".to_owned(),
                device: "Gate A1".to_owned(),
                user_id: "1002".to_owned(),
                name: String::new(),
                algorithm: "10".to_owned(),
                fingers: 2,
                purpose: "a second gate".to_owned(),
                taken_ms: author().at_ms(),
            });
            assert_eq!(store.fingerprint_backups(None).await.unwrap().len(), 3);

            let tx = store.begin_write().await.unwrap();
            assert_eq!(tx.forget_fingerprints(a, Some(&user("7")), author()).await.unwrap(), 0);
            assert_eq!(tx.forget_fingerprints(a, Some(&user("1002")), author()).await.unwrap(), 1);
            tx.commit().await.unwrap();
            assert_eq!(store.fingerprint_backup(a, &user("1002")).await.unwrap(), None);
            let audit = store.audit_entries(None, 1).await.unwrap();
            assert_eq!((&*audit[0].action, &*audit[0].subject), ("device.fingerprints.forget", "A1"));
            let tx = store.begin_write().await.unwrap();
            assert_eq!(tx.forget_fingerprints(a, None, author()).await.unwrap(), 1);
            tx.commit().await.unwrap();
            assert_eq!(count_rows(&store, "fingerprint_backups").await, 1, "that of the other device stays");
        }

        async fn a_template_is_unreadable_without_its_key_and_outside_its_row(store: Store) {
            let (store, [a, _]) = office(store).await;
            let template = b"SS21 ridge ending, ridge ending, bifurcation";
            let one = backup("1001", &[finger(1, template)]);
            keep(&store, a, &one, "replacements").await;
            keep(&store, a, &backup("1002", &[finger(1, b"other")]), "replacements").await;
            let rows = sealed(&store).await;
            for readable in [&template[..], URL_SAFE_NO_PAD.encode(template).as_bytes(), b"valid", b"finger"] {
                let found = rows[0].1.as_bytes().windows(readable.len()).any(|part| part == readable);
                assert!(!found, "{}", rows[0].1);
            }
            assert!(!format!("{one:?}").contains("83"), "{one:?}"); // S
            for entry in store.audit_entries(None, 99).await.unwrap() {
                assert!(!entry.detail.contains("SS21"), "{}", entry.detail);
            }

            let swap = "UPDATE fingerprint_backups SET sealed = $2 WHERE id = $1";
            let tx = store.begin_write().await.unwrap();
            for (row, other) in [(0, 1), (1, 0)] {
                let values = [rows[row].0.into(), rows[other].1.as_str().into()];
                sql::run(&tx.tx, swap, values).await.unwrap();
            }
            tx.commit().await.unwrap();
            for id in ["1001", "1002"] {
                let error = store.fingerprint_backup(a, &user(id)).await.unwrap_err();
                assert!(matches!(error, StoreError::Secret(SecretError::Damaged { .. })), "{error}");
            }
        }

        async fn fingerprints_of_another_key_are_noticed(store: Store) {
            let keyless = store.clone();
            let (store, [a, _]) = office(store).await;
            store.check_secret_key().await.unwrap();
            keep(&store, a, &backup("1001", &[finger(1, b"x")]), "replacements").await;
            store.check_secret_key().await.unwrap();
            let without = keyless.check_secret_key().await.unwrap_err();
            assert!(matches!(without, StoreError::Secret(SecretError::NoKey)));
            let other = keyless.clone().with_secret_key(SecretKey::generate());
            for error in [
                other.check_secret_key().await.unwrap_err(),
                other.fingerprint_backup(a, &user("1001")).await.unwrap_err(),
            ] {
                assert!(matches!(error, StoreError::Secret(SecretError::WrongKey { .. })), "{error}");
            }
            let tx = keyless.begin_write().await.unwrap();
            let unsealable = tx.keep_fingerprints(a, &backup("1", &[]), "replacements", author()).await;
            assert!(matches!(unsealable.unwrap_err(), StoreError::Secret(SecretError::NoKey)));
        }
    }
}
