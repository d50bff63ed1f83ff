//! Settings of the whole installation: a name and a text each.

use std::collections::BTreeMap;

use attendance::{Policy, PolicyOverrides};
use jiff::SignedDuration;
use sea_orm::EntityTrait;

use crate::audit::Author;
use crate::entities::settings;
use crate::marks::Whose;
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

impl Store {
    /// The general policy; what cannot be understood of it is as if it had not been set.
    pub(crate) async fn policy(&self) -> Result<Policy, StoreError> {
        stored_policy(self.read()).await
    }
}

impl WriteTx {
    pub(crate) async fn policy(&self) -> Result<Policy, StoreError> {
        stored_policy(&self.tx).await
    }

    /// How far from ours a terminal's clock may be before nothing is concluded from what it does not record: where the policy
    /// puts punches in quarantine earlier, that is too far already.
    pub async fn clock_tolerance(&self) -> Result<SignedDuration, StoreError> {
        let limit = self.policy().await?.future_limit_min;
        let limit = SignedDuration::from_mins(limit.into());
        Ok(limit.min(CLOCK_TOLERANCE))
    }

    /// Sets a setting, or removes it with `None`. The general policy (`policy`) decides every report.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a policy that is none.
    pub async fn set_setting(
        &self,
        key: &str,
        value: Option<&str>,
        author: Author,
    ) -> Result<(), StoreError> {
        if key == POLICY {
            if let Some(json) = value {
                policy(json).map_err(StoreError::Invalid)?;
            }
            self.mark_reports(Whose::Everybody, None, None, "policy")
                .await?;
        }
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

const POLICY: &str = "policy";

async fn stored_policy<C: sea_orm::ConnectionTrait>(db: &C) -> Result<Policy, StoreError> {
    let query = "SELECT value FROM settings WHERE key = $1";
    let row = sql::one(db, query, [POLICY.into()]).await?;
    let stored: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(stored
        .and_then(|json| policy(&json).ok())
        .unwrap_or_default())
}

/// The general policy with what was stored of it.
fn policy(json: &str) -> Result<Policy, String> {
    let overrides: PolicyOverrides =
        serde_json::from_str(json).map_err(|error| format!("policy: {error}"))?;
    let policy = Policy::default().with(&overrides);
    policy.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, employee, report, site};

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

        async fn another_policy_is_checked_and_judges_everybody_again(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let person = employee(&tx, site, "1").await;
            report(&tx, person, "2026-03-02").await;
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            for wrong in ["", "[]", r#"{"debounce": 5}"#, r#"{"debounce_s": "long"}"#] {
                let error = tx.set_setting("policy", Some(wrong), author()).await.unwrap_err();
                assert!(matches!(error, StoreError::Invalid(_)), "{wrong}: {error}");
            }
            let minutes = |minutes| SignedDuration::from_mins(minutes);
            assert_eq!(tx.clock_tolerance().await.unwrap(), minutes(75));
            for (policy, tolerance) in [(Some(r#"{"future_limit_min":20}"#), 20), (None, 75)] {
                sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
                tx.set_setting("policy", policy, author()).await.unwrap();
                assert_eq!(tx.clock_tolerance().await.unwrap(), minutes(tolerance));
                assert_eq!(sql::all(&tx.tx, "SELECT 1 FROM marked_days", []).await.unwrap().len(), 1);
            }
        }
    }
}
