//! Payroll profiles, and what was exported by them. What the texts in them mean is `exports`' business.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Set,
};
use serde::Deserialize;

use crate::entities::{payroll_exports, payroll_profiles};
use crate::{Author, ReadTx, Store, StoreError, WriteTx, sql};

/// What was handed over. See the columns of `payroll_exports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayrollExport {
    pub profile_id: i64,
    pub from_day: String,
    pub to_day: String,
    pub headings: String,
    pub lines: String,
    pub line_count: i64,
    pub hash: String,
    pub waiver: Option<Waiver>,
}

/// Somebody exports although days are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    pub by: String,
    pub because: String,
    /// Each of the open days, for the audit trail.
    pub days: Vec<String>,
}

impl WriteTx {
    /// Stores a profile under its name, over the one that had it; its id.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an empty name.
    pub async fn save_payroll_profile(
        &self,
        name: &str,
        definition: &serde_json::Value,
        author: Author,
    ) -> Result<i64, StoreError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(StoreError::Invalid(
                "a payroll profile needs a name".to_owned(),
            ));
        }
        let before = payroll_profiles::Entity::find()
            .filter(payroll_profiles::Column::Name.eq(name))
            .one(&self.tx)
            .await?;
        let mut row = payroll_profiles::ActiveModel {
            name: Set(name.to_owned()),
            definition: Set(definition.to_string()),
            made_ms: Set(author.at_ms()),
            author_id: Set(author.account_id()),
            ..Default::default()
        };
        let id = match before {
            Some(before) => {
                row.id = Set(before.id);
                row.update(&self.tx).await?.id
            }
            None => {
                payroll_profiles::Entity::insert(row)
                    .exec(&self.tx)
                    .await
                    .map_err(|error| StoreError::duplicate(error, "a payroll profile named", name))?
                    .last_insert_id
            }
        };
        self.audit(author, "payroll.profile", name, definition.clone())
            .await?;
        Ok(id)
    }

    /// Keeps what was handed over; its id. The waiver is in the audit trail with every day it covers.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the profile, [`StoreError::Invalid`] for a waiver without name or reason.
    pub async fn add_payroll_export(
        &self,
        new: &NewPayrollExport,
        author: Author,
    ) -> Result<i64, StoreError> {
        let profile = payroll_profiles::Entity::find_by_id(new.profile_id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("payroll profile", new.profile_id))?;
        let mut detail = serde_json::json!({
            "from": new.from_day, "to": new.to_day, "lines": new.line_count, "sha256": new.hash,
        });
        let (mut waived, mut by, mut because) = (0, "", "");
        if let Some(waiver) = &new.waiver {
            (by, because) = (waiver.by.trim(), waiver.because.trim());
            if by.is_empty() || because.is_empty() {
                return Err(StoreError::Invalid(
                    "open days are waived by somebody with a name and for a reason".to_owned(),
                ));
            }
            waived = i64::try_from(waiver.days.len()).unwrap_or(i64::MAX);
            detail["waived_by"] = by.into();
            detail["waived_because"] = because.into();
            detail["waived"] = waiver.days.clone().into();
        }
        let row = payroll_exports::ActiveModel {
            profile_id: Set(new.profile_id),
            from_day: Set(new.from_day.clone()),
            to_day: Set(new.to_day.clone()),
            headings: Set(new.headings.clone()),
            lines: Set(new.lines.clone()),
            line_count: Set(new.line_count),
            hash: Set(new.hash.clone()),
            made_ms: Set(author.at_ms()),
            author_id: Set(author.account_id()),
            waived: Set(waived),
            waived_by: Set(by.to_owned()),
            waived_because: Set(because.to_owned()),
            ..Default::default()
        };
        let id = payroll_exports::Entity::insert(row)
            .exec(&self.tx)
            .await?
            .last_insert_id;
        self.audit(author, "payroll.export", &profile.name, detail)
            .await?;
        Ok(id)
    }
}

impl Store {
    /// All profiles, in order of name.
    pub async fn payroll_profiles(&self) -> Result<Vec<payroll_profiles::Model>, StoreError> {
        let query = payroll_profiles::Entity::find().order_by_asc(payroll_profiles::Column::Name);
        Ok(query.all(self.read()).await?)
    }

    pub async fn payroll_profile(
        &self,
        name: &str,
    ) -> Result<Option<payroll_profiles::Model>, StoreError> {
        let query =
            payroll_profiles::Entity::find().filter(payroll_profiles::Column::Name.eq(name));
        Ok(query.one(self.read()).await?)
    }

    /// The newest exports of a profile, or of all, newest first.
    pub async fn payroll_exports(
        &self,
        profile_id: Option<i64>,
        limit: u64,
    ) -> Result<Vec<HandedOver>, StoreError> {
        let text =
            format!("{HANDED_OVER} WHERE ($1 = 0 OR profile_id = $1) ORDER BY id DESC LIMIT $2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [profile_id.unwrap_or(0).into(), limit.into()];
        Ok(sql::fetch(self.read(), &text, values).await?)
    }

    pub async fn payroll_export(
        &self,
        id: i64,
    ) -> Result<Option<payroll_exports::Model>, StoreError> {
        Ok(payroll_exports::Entity::find_by_id(id)
            .one(self.read())
            .await?)
    }

    /// The last export of a period by a profile.
    pub async fn last_payroll_export(
        &self,
        profile_id: i64,
        from_day: &str,
        to_day: &str,
    ) -> Result<Option<payroll_exports::Model>, StoreError> {
        let query = payroll_exports::Entity::find()
            .filter(payroll_exports::Column::ProfileId.eq(profile_id))
            .filter(payroll_exports::Column::FromDay.eq(from_day))
            .filter(payroll_exports::Column::ToDay.eq(to_day))
            .order_by_desc(payroll_exports::Column::Id);
        Ok(query.one(self.read()).await?)
    }

    /// The export of the same profile and period before one.
    pub async fn payroll_export_before(
        &self,
        export: &payroll_exports::Model,
    ) -> Result<Option<payroll_exports::Model>, StoreError> {
        let query = payroll_exports::Entity::find()
            .filter(payroll_exports::Column::ProfileId.eq(export.profile_id))
            .filter(payroll_exports::Column::FromDay.eq(&*export.from_day))
            .filter(payroll_exports::Column::ToDay.eq(&*export.to_day))
            .filter(payroll_exports::Column::Id.lt(export.id))
            .order_by_desc(payroll_exports::Column::Id);
        Ok(query.one(self.read()).await?)
    }

    /// The last export whose period ends within a span of days, by whatever profile.
    pub async fn last_payroll_export_between(
        &self,
        from_day: &str,
        to_day: &str,
    ) -> Result<Option<HandedOver>, StoreError> {
        let text =
            format!("{HANDED_OVER} WHERE to_day >= $1 AND to_day <= $2 ORDER BY id DESC LIMIT 1");
        let found: Vec<HandedOver> =
            sql::fetch(self.read(), &text, [from_day.into(), to_day.into()]).await?;
        Ok(found.into_iter().next())
    }
}

/// An export without its lines, of which there may be many thousand.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct HandedOver {
    pub id: i64,
    pub profile_id: i64,
    pub from_day: String,
    pub to_day: String,
    pub line_count: i64,
    pub hash: String,
    pub made_ms: i64,
    pub author_id: Option<i64>,
    pub waived: i64,
    pub waived_by: String,
    pub waived_because: String,
}

const HANDED_OVER: &str = "SELECT id, profile_id, from_day, to_day, line_count, hash, made_ms, author_id, waived, waived_by, waived_because
     FROM payroll_exports";

/// Approved leave of somebody, both days inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LeaveSpan {
    pub employee_id: i64,
    /// The code of its type; without one `leave`, and `on_duty` for duty elsewhere.
    pub kind: String,
    pub from_day: String,
    pub to_day: String,
    pub part: String,
}

/// The leave of these people that touches the days from one to another, in order of its beginning.
pub async fn leave_of(
    tx: &ReadTx,
    employees: &[i64],
    from: &str,
    to: &str,
) -> Result<Vec<LeaveSpan>, StoreError> {
    let columns = "l.employee_id, COALESCE(t.code, l.kind), l.from_day, l.to_day, l.part";
    let rest = format!(
        "FROM leave l LEFT JOIN leave_types t ON t.id = l.type_id
         WHERE l.employee_id IN {} AND l.to_day >= $2 AND l.from_day <= $3",
        sql::in_ids(tx.backend(), 1)
    );
    let values = [sql::json(employees), from.into(), to.into()];
    let mut found: Vec<LeaveSpan> = sql::list(&tx.tx, columns, &rest, values).await?;
    found.sort_by(|a, b| {
        let key = |leave: &LeaveSpan| {
            (
                leave.employee_id,
                leave.from_day.clone(),
                leave.kind.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::author;

    fn export(profile_id: i64, waiver: Option<Waiver>) -> NewPayrollExport {
        NewPayrollExport {
            profile_id,
            from_day: "2026-05-01".to_owned(),
            to_day: "2026-05-31".to_owned(),
            headings: r#"["No"]"#.to_owned(),
            lines: "[]".to_owned(),
            line_count: 0,
            hash: "00".to_owned(),
            waiver,
        }
    }

    on_both_databases! {
        async fn a_profile_is_changed_under_its_name_and_keeps_its_exports(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let id = tx.save_payroll_profile(" Payroll ", &serde_json::json!({"a": 1}), author()).await.unwrap();
            tx.add_payroll_export(&export(id, None), author()).await.unwrap();
            let again = tx.save_payroll_profile("Payroll", &serde_json::json!({"a": 2}), author()).await.unwrap();
            assert_eq!(id, again);
            assert!(tx.save_payroll_profile(" ", &serde_json::json!({}), author()).await.is_err());
            tx.commit().await.unwrap();
            let kept = store.payroll_profile("Payroll").await.unwrap().unwrap();
            assert_eq!(kept.definition, r#"{"a":2}"#);
            let last = store.last_payroll_export(id, "2026-05-01", "2026-05-31").await.unwrap().unwrap();
            assert_eq!((last.hash.as_str(), last.waived), ("00", 0));
            assert!(store.last_payroll_export(id, "2026-05-02", "2026-05-31").await.unwrap().is_none());
            let between = store.last_payroll_export_between("2026-05-01", "2026-05-31").await.unwrap().unwrap();
            assert_eq!((between.id, store.payroll_export_before(&last).await.unwrap()), (last.id, None));
        }

        async fn a_waiver_has_a_name_and_a_reason_and_is_audited(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let id = tx.save_payroll_profile("Payroll", &serde_json::json!({}), author()).await.unwrap();
            let waiver = |because: &str| Waiver {
                by: "Marta".to_owned(),
                because: because.to_owned(),
                days: vec!["7 2026-05-12 missing_out".to_owned()],
            };
            let refused = tx.add_payroll_export(&export(id, Some(waiver(" "))), author()).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))));
            tx.add_payroll_export(&export(id, Some(waiver("bank day"))), author()).await.unwrap();
            tx.commit().await.unwrap();
            let entry = &store.audit_entries(None, 1).await.unwrap()[0];
            assert_eq!(entry.action, "payroll.export");
            for word in ["Marta", "bank day", "7 2026-05-12 missing_out"] {
                assert!(entry.detail.contains(word), "{}", entry.detail);
            }
            let kept = &store.payroll_exports(Some(id), 10).await.unwrap()[0];
            assert_eq!((kept.waived, kept.waived_by.as_str()), (1, "Marta"));
        }
    }
}
