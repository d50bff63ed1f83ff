//! Settings of the whole installation: a name and a text each.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use sea_orm::EntityTrait;

use crate::audit::Author;
use crate::entities::settings;
use crate::punches::CLOCK_TOLERANCE;
use crate::{Store, StoreError, WriteTx, sql};

impl Store {
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let row = settings::Entity::find_by_id(key).one(self.read()).await?;
        Ok(row.map(|row| row.value))
    }

    pub async fn settings(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = settings::Entity::find().all(self.read()).await?;
        Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
    }
}

impl WriteTx {
    /// How far from ours a terminal's clock may be before nothing is concluded from what it does not record: where the policy
    /// puts punches in quarantine earlier, that is too far already.
    pub async fn clock_tolerance(&self) -> Result<SignedDuration, StoreError> {
        let limit = self.company_policy().await?.future_limit_min;
        let limit = SignedDuration::from_mins(limit.into());
        Ok(limit.min(CLOCK_TOLERANCE))
    }

    /// Sets a setting, or removes it with `None`.
    pub async fn set_setting(
        &self,
        key: &str,
        value: Option<&str>,
        author: Author,
    ) -> Result<(), StoreError> {
        match value {
            Some(value) => {
                sql::run(
                    &self.tx,
                    "INSERT INTO settings (key, value) VALUES ($1, $2) \
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key.into(), value.into()],
                )
                .await?;
            }
            None => {
                sql::run(
                    &self.tx,
                    "DELETE FROM settings WHERE key = $1",
                    [key.into()],
                )
                .await?;
            }
        }
        let detail = serde_json::json!({ "value": value });
        self.audit(author, "setting.set", key, detail).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::author;

    on_both_databases! {
        async fn a_setting_is_replaced_removed_and_audited(store: Store) {
            for value in [Some("a"), Some("b")] {
                let tx = store.begin_write().await.unwrap();
                tx.set_setting("company", value, author()).await.unwrap();
                tx.commit().await.unwrap();
                assert_eq!(store.setting("company").await.unwrap().as_deref(), value);
            }
            assert_eq!(store.settings().await.unwrap().len(), 1);
            let tx = store.begin_write().await.unwrap();
            tx.set_setting("company", None, author()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(store.setting("company").await.unwrap(), None);

            let entries = store.audit_entries(None, 2).await.unwrap();
            let details: Vec<_> = entries.iter().map(|entry| entry.detail.as_str()).collect();
            assert_eq!(details, [r#"{"value":null}"#, r#"{"value":"b"}"#]);
            let older = store.audit_entries(Some(entries[1].id), 9).await.unwrap();
            assert_eq!(older.len(), 1);
            assert_eq!(older[0].at_ms, author().at.as_millisecond());
        }
    }
}
