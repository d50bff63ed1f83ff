//! Closing days, and opening them again: R110 to R112.
//!
//! The lock is at the sheets of departments. What a closed day says is the latest version judged until it was closed; whoever
//! was entered later had none, and is not locked.

use attendance::{DepartmentId, EmployeeId};
use jiff::civil::Date;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::corrections::reasoned;
use crate::entities::periods;
use crate::{Store, StoreError, WriteTx, sql};

/// Days to close, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    pub from: Date,
    pub to: Date,
    /// `None`: every department.
    pub department: Option<DepartmentId>,
}

/// What stands in the way of closing days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Employed workdays that wait to be judged. They cannot be waived: it takes a moment.
    pub unjudged: u64,
    /// Days that may still change by time or by what a device has not told yet.
    pub provisional: u64,
    /// Days with an exception that nobody has decided.
    pub exceptions: u64,
    /// Requests for these days that nobody has answered.
    pub requests: u64,
}

impl Open {
    /// What a person may waive by name.
    pub fn waivable(self) -> u64 {
        self.provisional + self.exceptions + self.requests
    }
}

/// How the sheets of [`Days`] are found; `$1` to `$3` are [`Days::values`].
const IN_DAYS: &str = "s.workday >= $1 AND s.workday <= $2 AND ($3 = 0 OR s.department_id = $3)";

impl Days {
    fn values(&self) -> [sea_orm::Value; 3] {
        [
            self.from.to_string().into(),
            self.to.to_string().into(),
            self.department.map_or(0, |id| id.0).into(),
        ]
    }
}

impl WriteTx {
    /// What stands in the way of closing these days.
    pub async fn open_in(&self, days: Days) -> Result<Open, StoreError> {
        let count = async |text: &str| -> Result<u64, StoreError> {
            let row = sql::one(&self.tx, text, days.values()).await?;
            let counted: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
            Ok(counted.unwrap_or_default().try_into().unwrap_or_default())
        };
        let people = "SELECT e.id FROM employees e WHERE $3 = 0 OR e.department_id = $3";
        let reports = format!(
            "SELECT count(*) FROM attendance_reports r JOIN attendances s ON s.id = r.attendance_id WHERE {IN_DAYS}"
        );
        Ok(Open {
            unjudged: count(&format!(
                "SELECT count(*) FROM marked_days m WHERE m.workday >= $1 AND m.workday <= $2 AND m.employee_id IN ({people})"
            ))
            .await?,
            provisional: count(&format!("{reports} AND r.stage = 'provisional'")).await?,
            exceptions: count(&format!("{reports} AND r.exceptions <> ''")).await?,
            requests: count(&format!(
                "SELECT count(*) FROM requests q WHERE q.state = 'open' AND q.employee_id IN ({people}) \
                 AND q.from_day <= $2 AND q.to_day >= $1"
            ))
            .await?,
        })
    }

    /// Closes days: their reports stay as they are, and what comes later is listed beside them. `waiver` is why, where something
    /// is open. Employed workdays without a report are marked to be judged first.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the days end before they begin, wait to be judged, or have something open and no waiver.
    pub async fn close_days(
        &self,
        days: Days,
        waiver: Option<&str>,
        author: Author,
    ) -> Result<i64, StoreError> {
        if days.to < days.from {
            return Err(StoreError::Invalid(format!(
                "{} is before {}",
                days.to, days.from
            )));
        }
        let open = self.open_in(days).await?;
        if open.unjudged > 0 {
            return Err(StoreError::Invalid(format!(
                "{} days are being judged: try again in a moment",
                open.unjudged
            )));
        }
        let waiver = match (open.waivable(), waiver) {
            (0, _) => String::new(),
            (_, Some(waiver)) => reasoned(waiver)?,
            (open, None) => {
                return Err(StoreError::Invalid(format!(
                    "{open} things are open: decide them, or close with a written waiver"
                )));
            }
        };
        sql::run(
            &self.tx,
            &format!(
                "UPDATE attendances AS s SET locked_ms = $4, locked_by = $5 WHERE {IN_DAYS} AND s.locked_ms IS NULL"
            ),
            days.values()
                .into_iter()
                .chain([author.at_ms().into(), author.account_id().into()]),
        )
        .await?;
        let row = periods::ActiveModel {
            from_day: Set(days.from.to_string()),
            to_day: Set(days.to.to_string()),
            department_id: Set(days.department.map(|id| id.0)),
            closed_ms: Set(author.at_ms()),
            closed_by: Set(author.account_id()),
            waiver: Set(waiver.clone()),
            open_exceptions: Set(open.waivable().try_into().unwrap_or(i64::MAX)),
            ..Default::default()
        };
        let id = periods::Entity::insert(row)
            .exec(&self.tx)
            .await?
            .last_insert_id;
        self.mark_sheets(days, "closed").await?;
        let detail = serde_json::json!({
            "from": days.from, "to": days.to, "department": days.department, "waiver": waiver, "open": open.waivable(),
        });
        self.audit(author, "period.close", &id.to_string(), detail)
            .await?;
        Ok(id)
    }

    /// Opens closed days again, with a reason; every version of their reports is kept. Days that another period closes too stay
    /// closed.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without a reason, or when it is open already.
    pub async fn reopen_period(
        &self,
        id: i64,
        reason: &str,
        author: Author,
    ) -> Result<(), StoreError> {
        let reason = reasoned(reason)?;
        let period = periods::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("period", id))?;
        if period.reopened_ms.is_some() {
            return Err(StoreError::Invalid("it is open again already".to_owned()));
        }
        let days = Days {
            from: crate::times::day(&period.from_day),
            to: crate::times::day(&period.to_day),
            department: period.department_id.map(DepartmentId),
        };
        sql::run(
            &self.tx,
            "UPDATE periods SET reopened_ms = $2, reopened_by = $3, reopen_reason = $4 WHERE id = $1",
            [
                id.into(),
                author.at_ms().into(),
                author.account_id().into(),
                reason.as_str().into(),
            ],
        )
        .await?;
        // Marked while they are still found as closed: the marks are kept, whatever becomes of the lock.
        self.mark_sheets(days, "opened again").await?;
        sql::run(
            &self.tx,
            &format!(
                "UPDATE attendances AS s SET locked_ms = NULL, locked_by = NULL WHERE {IN_DAYS} AND NOT EXISTS \
                 (SELECT 1 FROM periods p WHERE p.reopened_ms IS NULL AND p.from_day <= s.workday AND p.to_day >= s.workday \
                 AND (p.department_id IS NULL OR p.department_id = s.department_id))"
            ),
            days.values(),
        )
        .await?;
        let detail = serde_json::json!({ "from": days.from, "to": days.to, "department": days.department, "reason": reason });
        self.audit(author, "period.reopen", &id.to_string(), detail)
            .await
    }

    async fn mark_sheets(&self, days: Days, cause: &str) -> Result<(), StoreError> {
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT r.employee_id, r.workday FROM attendance_reports r JOIN attendances s ON s.id = r.attendance_id \
                 WHERE {IN_DAYS}"
            ),
            days.values(),
        )
        .await?;
        self.mark_days(crate::marks::employee_days(&rows)?, cause)
            .await?;
        Ok(())
    }

    /// Refuses a change of days that are closed for one of these people.
    pub(crate) async fn refuse_closed(
        &self,
        employees: &[EmployeeId],
        from: Date,
        to: Date,
    ) -> Result<(), StoreError> {
        let row = sql::one(
            &self.tx,
            &format!(
                "SELECT min(s.workday) FROM attendance_reports r JOIN attendances s ON s.id = r.attendance_id \
                 WHERE r.employee_id IN {} AND r.workday >= $2 AND r.workday <= $3 AND s.locked_ms IS NOT NULL \
                 AND EXISTS (SELECT 1 FROM report_versions v WHERE v.employee_id = r.employee_id \
                 AND v.workday = r.workday AND v.judged_at_ms <= s.locked_ms)",
                sql::in_ids(self.backend(), 1)
            ),
            [
                sql::json(employees),
                from.to_string().into(),
                to.to_string().into(),
            ],
        )
        .await?;
        let closed: Option<String> = row
            .map(|row| row.try_get_by_index(0))
            .transpose()?
            .flatten();
        match closed {
            Some(workday) => Err(StoreError::Closed { workday }),
            None => Ok(()),
        }
    }
}

impl Store {
    /// The periods that touch these days, the latest closed first; opened again ones too.
    pub async fn periods(&self, from: Date, to: Date) -> Result<Vec<periods::Model>, StoreError> {
        let query = periods::Entity::find()
            .filter(periods::Column::FromDay.lte(to.to_string()))
            .filter(periods::Column::ToDay.gte(from.to_string()))
            .order_by_desc(periods::Column::Id);
        Ok(query.all(self.read()).await?)
    }
}
