//! Closing days, and opening them again: R110 to R112.
//!
//! The lock is at the sheets of departments. What a closed day says is the latest version judged until it was closed; whoever
//! was entered later had none, and is not locked.

use attendance::{DepartmentId, EmployeeId, SiteId};
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::audit::Author;
use crate::corrections::reasoned;
use crate::entities::periods;
use crate::identity::zone;
use crate::sql::{self, Column};
use crate::{Store, StoreError, WriteTx};

/// Days to close, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    pub from: Date,
    pub to: Date,
    pub of: Part,
}

/// Whose sheets are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Everybody,
    Site(SiteId),
    Department(DepartmentId),
}

impl Part {
    /// Site and department, as the columns of `periods` have them.
    fn columns(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Everybody => (None, None),
            Self::Site(site) => (Some(site.0), None),
            Self::Department(department) => (None, Some(department.0)),
        }
    }

    fn of_columns(site: Option<i64>, department: Option<i64>) -> Self {
        match (site, department) {
            (_, Some(department)) => Self::Department(DepartmentId(department)),
            (Some(site), None) => Self::Site(SiteId(site)),
            (None, None) => Self::Everybody,
        }
    }
}

const LONGEST_PERIOD_DAYS: i32 = 366;

/// What stands in the way of closing days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Employed workdays that wait to be judged. They cannot be waived: it takes a moment.
    pub unjudged: u64,
    /// Employed workdays that nobody has ever asked to be judged, as of a person who was entered later (R112). They cannot be
    /// waived either: [`WriteTx::judge_unreported`].
    pub unreported: u64,
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

/// How the sheets of [`Days`] are found; `$1` to `$4` are [`Days::values`].
const IN_DAYS: &str = "s.workday >= $1 AND s.workday <= $2 AND ($3 = 0 OR s.department_id = $3) \
     AND ($4 = 0 OR s.department_id IN (SELECT d.id FROM departments d WHERE d.site_id = $4))";

/// And the people on them. Who has no department stands on the sheet of the default one of the site.
const OF_PEOPLE: &str = "($4 = 0 OR e.site_id = $4) AND ($3 = 0 OR $3 = COALESCE(e.department_id, \
     (SELECT d.id FROM departments d WHERE d.site_id = e.site_id AND d.is_default)))";

impl Days {
    fn values(&self) -> [sea_orm::Value; 4] {
        let (site, department) = self.of.columns();
        [
            self.from.to_string().into(),
            self.to.to_string().into(),
            department.unwrap_or(0).into(),
            site.unwrap_or(0).into(),
        ]
    }

    /// [`Days::values`] and, as `$5`, each day.
    fn values_and_each(&self) -> impl Iterator<Item = sea_orm::Value> {
        let each = self.from.series(Span::new().days(1));
        let each: Vec<_> = each.take_while(|day| *day <= self.to).collect();
        let each: Vec<_> = each.iter().map(|day| (day.to_string(),)).collect();
        self.values().into_iter().chain([sql::json(&each)])
    }
}

impl WriteTx {
    /// What stands in the way of closing these days.
    pub async fn open_in(&self, days: Days) -> Result<Open, StoreError> {
        let people = format!("SELECT e.id FROM employees e WHERE {OF_PEOPLE}");
        let reports = format!(
            "SELECT count(*) FROM attendance_reports r JOIN attendances s ON s.id = r.attendance_id \
             WHERE {IN_DAYS} AND r.stage <> 'locked'"
        );
        let marks = format!(
            "SELECT count(*) FROM marked_days m WHERE m.workday >= $1 AND m.workday <= $2 AND m.employee_id IN ({people})"
        );
        let requests = format!(
            "SELECT count(*) FROM requests q WHERE q.state = 'open' AND q.employee_id IN ({people}) \
             AND q.from_day <= $2 AND q.to_day >= $1"
        );
        let unreported = format!("SELECT count(*) FROM ({}) AS u", self.unreported());
        let count = async |text: &str| self.count(text, days.values()).await;
        Ok(Open {
            unjudged: count(&marks).await?,
            unreported: self.count(&unreported, days.values_and_each()).await?,
            provisional: count(&format!("{reports} AND r.stage = 'provisional'")).await?,
            exceptions: count(&format!("{reports} AND r.exceptions <> ''")).await?,
            requests: count(&requests).await?,
        })
    }

    async fn count(
        &self,
        text: &str,
        values: impl IntoIterator<Item = sea_orm::Value>,
    ) -> Result<u64, StoreError> {
        let row = sql::one(&self.tx, text, values).await?;
        let counted: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(counted.unwrap_or_default().try_into().unwrap_or_default())
    }

    /// The employed workdays of [`Days`] with neither a report nor a mark; for [`Days::values_and_each`].
    fn unreported(&self) -> String {
        let each = sql::json_rows(self.backend(), 5, "x", &[("workday", Column::Text)]);
        format!(
            "SELECT e.id, x.workday FROM {each} CROSS JOIN employees e \
             WHERE x.workday >= $1 AND x.workday <= $2 AND {OF_PEOPLE} \
             AND (e.employed_from IS NULL OR e.employed_from <= x.workday) \
             AND (e.employed_to IS NULL OR e.employed_to >= x.workday) \
             AND NOT EXISTS (SELECT 1 FROM attendance_reports r WHERE r.employee_id = e.id AND r.workday = x.workday) \
             AND NOT EXISTS (SELECT 1 FROM marked_days m WHERE m.employee_id = e.id AND m.workday = x.workday)"
        )
    }

    /// Marks the employed workdays that have no report, so that closing can store one for each (R112); how many there were.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for days that cannot be closed at `now`.
    pub async fn judge_unreported(&self, days: Days, now: Timestamp) -> Result<u64, StoreError> {
        self.ensure_past(days, now).await?;
        let text = format!(
            "INSERT INTO marked_days (employee_id, workday, generation, cause) \
             SELECT u.id, u.workday, 1, 'before the close' FROM ({}) AS u WHERE true ORDER BY u.id, u.workday \
             ON CONFLICT DO NOTHING",
            self.unreported()
        );
        Ok(sql::run(&self.tx, &text, days.values_and_each()).await?)
    }

    /// Only days that have begun everywhere can be closed, and only so many at a time.
    async fn ensure_past(&self, days: Days, now: Timestamp) -> Result<(), StoreError> {
        let Days { from, to, .. } = days;
        if to < from {
            return Err(StoreError::Invalid(format!("{to} is before {from}")));
        }
        if (to - from).get_days() >= LONGEST_PERIOD_DAYS {
            let long = format!("{from} to {to} is more than a year: close it in parts");
            return Err(StoreError::Invalid(long));
        }
        let zones = sql::all(&self.tx, "SELECT DISTINCT zone FROM sites", []).await?;
        for row in &zones {
            let name: String = row.try_get_by_index(0)?;
            if zone(&name).to_datetime(now).date() < to {
                let to_come = format!("{to} is still to come in {name}");
                return Err(StoreError::Invalid(to_come));
            }
        }
        Ok(())
    }

    /// Closes days: their reports stay as they are, and what comes later is listed beside them. `waiver` is why, where something
    /// is open.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the days end before they begin or have not begun, when one of them has no report or waits to
    /// be judged, and when something is open and there is no waiver.
    pub async fn close_days(
        &self,
        days: Days,
        waiver: Option<&str>,
        author: Author,
    ) -> Result<i64, StoreError> {
        self.ensure_past(days, author.at).await?;
        let open = self.open_in(days).await?;
        if open.unjudged + open.unreported > 0 {
            return Err(StoreError::Invalid(format!(
                "{} days wait to be judged: try again in a moment",
                open.unjudged + open.unreported
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
                "UPDATE attendances AS s SET locked_ms = $5, locked_by = $6 WHERE {IN_DAYS} AND s.locked_ms IS NULL"
            ),
            days.values()
                .into_iter()
                .chain([author.at_ms().into(), author.account_id().into()]),
        )
        .await?;
        let (site_id, department_id) = days.of.columns();
        let row = periods::ActiveModel {
            from_day: Set(days.from.to_string()),
            to_day: Set(days.to.to_string()),
            site_id: Set(site_id),
            department_id: Set(department_id),
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
            "from": days.from, "to": days.to, "site": site_id, "department": department_id, "waiver": waiver,
            "open": open.waivable(),
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
            of: Part::of_columns(period.site_id, period.department_id),
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
                 AND (p.department_id IS NULL OR p.department_id = s.department_id) AND (p.site_id IS NULL \
                 OR p.site_id = (SELECT d.site_id FROM departments d WHERE d.id = s.department_id)))"
            ),
            days.values(),
        )
        .await?;
        let detail = serde_json::json!({
            "from": days.from, "to": days.to, "site": period.site_id, "department": period.department_id, "reason": reason,
        });
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

    /// How many closed reports there are of a day, at one site or at all.
    pub(crate) async fn closed_reports(
        &self,
        site: Option<SiteId>,
        day: Date,
    ) -> Result<u64, StoreError> {
        let text = "SELECT count(*) FROM attendance_reports r JOIN employees e ON e.id = r.employee_id \
                    WHERE r.workday = $1 AND r.stage = 'locked' AND ($2 = 0 OR e.site_id = $2)";
        let values = [day.to_string().into(), site.map_or(0, |id| id.0).into()];
        self.count(text, values).await
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
                 AND (r.since_ms <= s.locked_ms OR EXISTS (SELECT 1 FROM report_versions v \
                 WHERE v.employee_id = r.employee_id AND v.workday = r.workday AND v.judged_at_ms <= s.locked_ms))",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, employee_fields, marked_days, report_saying, site};

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// Somebody without a department at each of these sites, with a report of 7 April and nothing to judge.
    async fn two_sites(tx: &WriteTx) -> [(SiteId, EmployeeId); 2] {
        let mut made = Vec::new();
        for site in [
            site(tx).await,
            tx.add_site("Apia", "Pacific/Apia", author()).await.unwrap(),
        ] {
            let mut fields = employee_fields(site, &format!("E{site}"));
            fields.employed_from = Some(day("2026-04-07"));
            let id = tx.add_employee(&fields, author()).await.unwrap();
            report_saying(tx, id, "2026-04-07", "present", None, 0).await;
            made.push((site, id));
        }
        sql::run(&tx.tx, "DELETE FROM marked_days", [])
            .await
            .unwrap();
        made.try_into().unwrap()
    }

    async fn locked(tx: &WriteTx) -> Vec<i64> {
        let text = "SELECT d.site_id FROM attendances s JOIN departments d ON d.id = s.department_id \
                    WHERE s.locked_ms IS NOT NULL ORDER BY d.site_id";
        let rows = sql::all(&tx.tx, text, []).await.unwrap();
        rows.iter()
            .map(|row| row.try_get_by_index(0).unwrap())
            .collect()
    }

    on_both_databases! {
        async fn a_site_is_closed_by_itself_and_stays_so_while_a_period_says_so(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let [(berlin, _), (apia, bo)] = two_sites(&tx).await;
            let on = |of| Days { from: day("2026-04-07"), to: day("2026-04-07"), of };
            let of_site = tx.close_days(on(Part::Site(apia)), None, author()).await.unwrap();
            assert_eq!(locked(&tx).await, [apia.0]);
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let of_all = tx.close_days(on(Part::Everybody), None, author()).await.unwrap();
            assert_eq!(locked(&tx).await, [berlin.0, apia.0]);
            tx.reopen_period(of_all, "one site was early", author()).await.unwrap();
            assert_eq!(locked(&tx).await, [apia.0], "the site's own period still closes it");
            tx.reopen_period(of_site, "so was the other", author()).await.unwrap();
            assert_eq!(locked(&tx).await, Vec::<i64>::new());
            tx.commit().await.unwrap();
            assert_eq!(marked_days(&store, bo).await, [day("2026-04-07")]);
            let audited = &store.audit_entries(None, 10).await.unwrap();
            let close = audited.iter().find(|entry| entry.subject == of_site.to_string() && entry.action == "period.close");
            let site = format!("\"site\":{}", apia.0);
            assert!(close.unwrap().detail.contains(&site), "{:?}", close.unwrap());
        }

        async fn employed_days_without_a_report_are_open_until_they_are_judged(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let [(berlin, ada), (apia, bo)] = two_sites(&tx).await;
            let days = |of| Days { from: day("2026-04-06"), to: day("2026-04-08"), of };
            let unreported = async |of| tx.open_in(days(of)).await.unwrap().unreported;
            // Each is employed from the 7th on, and has a report of that day alone.
            assert_eq!(unreported(Part::Everybody).await, 2);
            assert_eq!(unreported(Part::Site(berlin)).await, 1);
            let text = "SELECT id FROM departments WHERE site_id = $1";
            let row = sql::one(&tx.tx, text, [apia.0.into()]).await.unwrap().unwrap();
            let department = DepartmentId(row.try_get_by_index(0).unwrap());
            assert_eq!(unreported(Part::Department(department)).await, 1);
            sql::run(&tx.tx, "UPDATE employees SET department_id = NULL", []).await.unwrap();
            assert_eq!(unreported(Part::Department(department)).await, 1, "it is the default one of the site");
            let error = tx.close_days(days(Part::Site(apia)), Some("never mind"), author()).await.unwrap_err();
            assert!(error.to_string().starts_with("1 days wait to be judged"), "{error}");

            let now = author().at;
            assert_eq!(tx.judge_unreported(days(Part::Site(apia)), now).await.unwrap(), 1);
            assert_eq!(tx.judge_unreported(days(Part::Site(apia)), now).await.unwrap(), 0, "it is marked");
            let open = tx.open_in(days(Part::Everybody)).await.unwrap();
            assert_eq!((open.unreported, open.unjudged), (1, 1));
            tx.commit().await.unwrap();
            assert_eq!(marked_days(&store, bo).await, [day("2026-04-08")]);
            assert_eq!(marked_days(&store, ada).await, []);
        }

        async fn days_to_come_and_endless_periods_are_refused(store: Store) {
            let tx = store.begin_write().await.unwrap();
            two_sites(&tx).await;
            // It is the 6th of May in Berlin, and in Apia as well.
            for (from, to, expected) in [
                ("2026-05-06", "2026-05-05", "2026-05-05 is before 2026-05-06"),
                ("2026-05-07", "2026-05-07", "2026-05-07 is still to come in"),
                ("2025-05-04", "2026-05-05", "is more than a year"),
            ] {
                let days = Days { from: day(from), to: day(to), of: Part::Everybody };
                for error in [
                    tx.close_days(days, Some("why not"), author()).await.unwrap_err(),
                    tx.judge_unreported(days, author().at).await.unwrap_err(),
                ] {
                    assert!(error.to_string().contains(expected), "{error}");
                }
            }
        }
    }
}
