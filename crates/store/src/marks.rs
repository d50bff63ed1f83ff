//! Employee-days that wait to be judged, and who judges them.
//!
//! A mark is written in the transaction of the change that caused it, so a crash cannot lose a judgement. It carries a
//! generation: a save removes the mark only where nothing was marked again in between.

use std::collections::{BTreeMap, BTreeSet};

use attendance::{DepartmentId, DeviceId, EmployeeId, SiteId};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::identity::{LONGEST_HISTORY_DAYS, days_after, zone};
use crate::secrets::random_name;
use crate::sql::{self, Column};
use crate::times::day;
use crate::{Store, StoreError, WriteTx};

/// One marked employee-day, as claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub employee: EmployeeId,
    pub workday: Date,
    pub generation: i64,
    /// One lower-case phrase: why it was last marked.
    pub cause: String,
}

/// Employee-days that a judge has taken: all marks between the first and the last of them, but those before `from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Another one for every claim.
    holder: String,
    from: Date,
    /// In order of person and day.
    pub marks: Vec<Mark>,
}

impl Claim {
    /// Days before the recent ones were not asked for.
    pub fn only_recent(&self) -> bool {
        self.from > Date::MIN
    }

    /// As bound: the first day of all, then the first and the last mark; `None` if nothing was claimed.
    fn span(&self) -> Option<[sea_orm::Value; 5]> {
        let (first, last) = (self.marks.first()?, self.marks.last()?);
        Some([
            self.from.to_string().into(),
            first.employee.0.into(),
            first.workday.to_string().into(),
            last.employee.0.into(),
            last.workday.to_string().into(),
        ])
    }
}

/// Of employee-days.
pub(crate) const DAY_COLUMNS: [(&str, Column); 2] =
    [("employee_id", Column::Int), ("workday", Column::Text)];

/// The rows of `marked_days` in a [`Claim::span`].
const IN_SPAN: &str =
    "workday >= $1 AND (employee_id, workday) >= ($2, $3) AND (employee_id, workday) <= ($4, $5)";

/// By whom marks are taken, until when in real time, and how many at most.
#[derive(Clone, Copy)]
struct Lease<'a> {
    owner: &'a str,
    real_now: Timestamp,
    real_until: Timestamp,
    limit: usize,
}

/// Whose days.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    Everybody,
    Site(SiteId),
    Department(DepartmentId),
    Employees(&'a [EmployeeId]),
}

impl WriteTx {
    /// Marks these days for judging. Days may repeat; a day that is marked already gets a new generation.
    pub async fn mark_days(
        &self,
        days: impl IntoIterator<Item = (EmployeeId, Date)>,
        cause: &str,
    ) -> Result<u64, StoreError> {
        // In order, so that two nodes that mark the same days wait for each other instead of locking each other out.
        let days: BTreeSet<(EmployeeId, Date)> = days.into_iter().collect();
        if days.is_empty() {
            return Ok(0);
        }
        let rows: Vec<_> = days
            .iter()
            .map(|(id, day)| (id.0, day.to_string()))
            .collect();
        Ok(sql::run(
            &self.tx,
            &format!(
                "INSERT INTO marked_days (employee_id, workday, generation, cause) \
                 SELECT r.employee_id, r.workday, 1, $2 FROM {} WHERE true {MARK_AGAIN}",
                sql::json_rows(self.backend(), 1, "r", &DAY_COLUMNS)
            ),
            [sql::json(&rows), cause.into()],
        )
        .await?)
    }

    /// Marks the days in `from..=to` that have a report. For changes of shifts, calendars and rules, which make no day exist
    /// that did not exist before.
    pub async fn mark_reports(
        &self,
        whose: Whose<'_>,
        from: Option<Date>,
        to: Option<Date>,
        cause: &str,
    ) -> Result<u64, StoreError> {
        if matches!(whose, Whose::Employees([])) {
            return Ok(0);
        }
        let (filter, value) = match whose {
            Whose::Everybody => ("$4 = $4".to_owned(), 0.into()),
            Whose::Site(site) => (
                "employee_id IN (SELECT id FROM employees WHERE site_id = $4)".to_owned(),
                site.0.into(),
            ),
            Whose::Department(department) => (
                "employee_id IN (SELECT id FROM employees WHERE department_id = $4)".to_owned(),
                department.0.into(),
            ),
            Whose::Employees(ids) => (
                format!("employee_id IN {}", sql::in_ids(self.backend(), 4)),
                sql::json(ids),
            ),
        };
        self.mark_claimed_again().await?;
        Ok(sql::run(
            &self.tx,
            &format!(
                "INSERT INTO marked_days (employee_id, workday, generation, cause) \
                 SELECT employee_id, workday, 1, $1 FROM attendance_reports \
                 WHERE workday >= $2 AND workday <= $3 AND {filter} ORDER BY employee_id, workday {MARK_AGAIN}"
            ),
            [
                cause.into(),
                from.unwrap_or(Date::MIN).to_string().into(),
                to.unwrap_or(Date::MAX).to_string().into(),
                value,
            ],
        )
        .await?)
    }

    /// Marks the reports in these spans of days, both inclusive, of these people.
    pub async fn mark_report_spans(
        &self,
        spans: &[(EmployeeId, Date, Date)],
        cause: &str,
    ) -> Result<u64, StoreError> {
        if spans.is_empty() {
            return Ok(0);
        }
        let rows: Vec<_> = merged(spans)
            .into_iter()
            .map(|(id, from, to)| (id.0, from.to_string(), to.to_string()))
            .collect();
        self.mark_claimed_again().await?;
        Ok(sql::run(
            &self.tx,
            &format!(
                "INSERT INTO marked_days (employee_id, workday, generation, cause) \
                 SELECT a.employee_id, a.workday, 1, $2 FROM {} CROSS JOIN attendance_reports a \
                 WHERE a.employee_id = r.employee_id AND a.workday >= r.from_day AND a.workday <= r.to_day {MARK_AGAIN}",
                sql::json_rows(
                    self.backend(),
                    1,
                    "r",
                    &[
                        ("employee_id", Column::Int),
                        ("from_day", Column::Text),
                        ("to_day", Column::Text),
                    ]
                )
            ),
            [sql::json(&rows), cause.into()],
        )
        .await?)
    }

    /// Marks the reports from the day before `since` on that a device can concern.
    pub(crate) async fn mark_device(
        &self,
        device: DeviceId,
        since: Timestamp,
        cause: &str,
    ) -> Result<u64, StoreError> {
        self.mark_devices(&BTreeMap::from([(device, since)]), cause)
            .await
    }

    /// The same for several, each since another instant: the reports of its site, and of everybody whom its users could be.
    pub async fn mark_devices(
        &self,
        since: &BTreeMap<DeviceId, Timestamp>,
        cause: &str,
    ) -> Result<u64, StoreError> {
        if since.is_empty() {
            return Ok(0);
        }
        let rows: Vec<_> = since
            .iter()
            .map(|(device, since)| {
                let from = TimeZone::UTC.to_datetime(*since).date();
                (device.0, days_after(from, -2).to_string())
            })
            .collect();
        let table = sql::json_rows(
            self.backend(),
            1,
            "r",
            &[("device_id", Column::Int), ("from_day", Column::Text)],
        );
        let named = |column: &str| {
            format!(
                "SELECT e.id, r.from_day FROM {table} CROSS JOIN device_users u JOIN employees e ON e.{column} = u.user_id \
                 WHERE u.device_id = r.device_id"
            )
        };
        self.mark_claimed_again().await?;
        Ok(sql::run(
            &self.tx,
            &format!(
                "INSERT INTO marked_days (employee_id, workday, generation, cause) \
                 SELECT a.employee_id, a.workday, 1, $2 FROM (SELECT employee_id, min(from_day) AS from_day FROM (\
                 SELECT e.id AS employee_id, r.from_day FROM {table} CROSS JOIN devices d JOIN employees e ON e.site_id = d.site_id \
                 WHERE d.id = r.device_id UNION ALL \
                 SELECT l.employee_id, r.from_day FROM {table} CROSS JOIN identity_links l WHERE l.device_id = r.device_id \
                 UNION ALL {} UNION ALL {} UNION ALL {}) AS concerned GROUP BY employee_id) AS first \
                 CROSS JOIN attendance_reports a WHERE a.employee_id = first.employee_id AND a.workday >= first.from_day \
                 ORDER BY a.employee_id, a.workday {MARK_AGAIN}",
                named("device_id"),
                named("code"),
                named("username"),
            ),
            [sql::json(&rows), cause.into()],
        )
        .await?)
    }

    /// A day that is being judged at this moment may have been loaded before the change, and may have no report yet by which
    /// the statements above would find it.
    async fn mark_claimed_again(&self) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "UPDATE claimed_days SET renewed = true WHERE NOT renewed",
            [],
        )
        .await?;
        Ok(())
    }

    /// Marks the reports that could differ by `now` without any new data (their `recheck_at_ms`), unless they are marked.
    pub async fn mark_due(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(sql::run(
            &self.tx,
            "INSERT INTO marked_days (employee_id, workday, generation, cause) \
             SELECT employee_id, workday, 1, 'time passed' FROM attendance_reports \
             WHERE recheck_at_ms <= $1 ORDER BY employee_id, workday ON CONFLICT DO NOTHING",
            [now.as_millisecond().into()],
        )
        .await?)
    }

    /// A device has been read further than `from`: marks the reports that wait for it to be covered beyond that.
    pub async fn mark_waiting(
        &self,
        device: DeviceId,
        from: Option<Timestamp>,
    ) -> Result<u64, StoreError> {
        Ok(sql::run(
            &self.tx,
            &format!(
                "INSERT INTO marked_days (employee_id, workday, generation, cause) \
                 SELECT employee_id, workday, 1, 'coverage' FROM attendance_reports \
                 WHERE waits_for_device_id = $2 AND waits_below_ms > $1 ORDER BY employee_id, workday {MARK_AGAIN}"
            ),
            [
                from.map_or(i64::MIN, Timestamp::as_millisecond).into(),
                device.0.into(),
            ],
        )
        .await?)
    }

    /// Marks the days up to `today` that were not opened yet, for everybody of a site who is employed then and has no report of
    /// them. The first time that is today alone. Device users who become somebody's or nobody's with these days are matched
    /// again.
    pub async fn open_days(
        &self,
        site: SiteId,
        today: Date,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let key = format!("opened_to.{site}");
        let opened = sql::one(
            &self.tx,
            "SELECT value FROM settings WHERE key = $1",
            [key.as_str().into()],
        )
        .await?;
        let opened: Option<String> = opened.map(|row| row.try_get_by_index(0)).transpose()?;
        let first = match opened {
            Some(opened) => {
                days_after(day(&opened), 1).max(days_after(today, -LONGEST_HISTORY_DAYS))
            }
            None => today,
        };
        self.resolve_changing(site, first, today, now).await?;
        let mut marked = 0;
        for workday in first
            .series(Span::new().days(1))
            .take_while(|day| *day <= today)
        {
            marked += sql::run(
                &self.tx,
                "INSERT INTO marked_days (employee_id, workday, generation, cause) \
                 SELECT e.id, $2, 1, 'day opened' FROM employees e WHERE e.site_id = $1 \
                 AND (e.employed_from IS NULL OR e.employed_from <= $2) AND (e.employed_to IS NULL OR e.employed_to >= $2) \
                 AND NOT EXISTS (SELECT 1 FROM attendance_reports r WHERE r.employee_id = e.id AND r.workday = $2) \
                 ORDER BY e.id ON CONFLICT DO NOTHING",
                [site.0.into(), workday.to_string().into()],
            )
            .await?;
        }
        sql::run(
            &self.tx,
            "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [key.into(), today.to_string().into()],
        )
        .await?;
        Ok(marked)
    }

    /// The earliest day on which each of these people has a report or a mark; people without any are left out.
    pub async fn first_known_days(
        &self,
        employees: &[EmployeeId],
    ) -> Result<Vec<(EmployeeId, Date)>, StoreError> {
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT e.id, (SELECT min(r.workday) FROM attendance_reports r WHERE r.employee_id = e.id), \
                 (SELECT min(m.workday) FROM marked_days m WHERE m.employee_id = e.id) \
                 FROM employees e WHERE e.id IN {}",
                sql::in_ids(self.backend(), 1)
            ),
            [sql::json(employees)],
        )
        .await?;
        let mut known = Vec::new();
        for row in &rows {
            let reported: Option<String> = row.try_get_by_index(1)?;
            let marked: Option<String> = row.try_get_by_index(2)?;
            if let Some(first) = reported.iter().chain(&marked).min() {
                known.push((EmployeeId(row.try_get_by_index(0)?), day(first)));
            }
        }
        Ok(known)
    }

    /// The latest marked days of these people, held or not.
    pub async fn marked_days_of(
        &self,
        employees: &[EmployeeId],
        limit: usize,
    ) -> Result<Vec<(EmployeeId, Date)>, StoreError> {
        let rows = sql::all(
            &self.tx,
            &format!(
                "SELECT employee_id, workday FROM marked_days WHERE employee_id IN {} \
                 ORDER BY workday DESC, employee_id LIMIT $2",
                sql::in_ids(self.backend(), 1)
            ),
            [sql::json(employees), (limit as i64).into()],
        )
        .await?;
        employee_days(&rows)
    }

    /// Takes up to `limit` marked days that nobody holds, those from `recent` on before all others.
    ///
    /// The lease is in real time: another judge may take the days over after `real_until`. Older days come employee by employee,
    /// because neighbouring days are judged from the same punches; those behind `after` first, the days claimed last:
    /// PostgreSQL keeps for a while what was judged, and would look at all of it again for every claim.
    pub async fn claim_marked_days(
        &self,
        owner: &str,
        real_now: Timestamp,
        real_until: Timestamp,
        recent: Option<Date>,
        after: Option<(EmployeeId, Date)>,
        limit: usize,
    ) -> Result<Claim, StoreError> {
        let lease = Lease {
            owner,
            real_now,
            real_until,
            limit,
        };
        if let Some(recent) = recent {
            let claim = self.claim(lease, Some(recent), None).await?;
            if !claim.marks.is_empty() {
                return Ok(claim);
            }
        }
        if after.is_some() {
            let claim = self.claim(lease, None, after).await?;
            if !claim.marks.is_empty() {
                return Ok(claim);
            }
        }
        self.claim(lease, None, None).await
    }

    /// The same, only days from `from` on.
    pub async fn claim_from(
        &self,
        owner: &str,
        real_now: Timestamp,
        real_until: Timestamp,
        from: Date,
        limit: usize,
    ) -> Result<Claim, StoreError> {
        let lease = Lease {
            owner,
            real_now,
            real_until,
            limit,
        };
        self.claim(lease, Some(from), None).await
    }

    async fn claim(
        &self,
        lease: Lease<'_>,
        from: Option<Date>,
        after: Option<(EmployeeId, Date)>,
    ) -> Result<Claim, StoreError> {
        sql::run(
            &self.tx,
            "DELETE FROM claimed_days WHERE lease_until_ms <= $1",
            [lease.real_now.as_millisecond().into()],
        )
        .await?;
        let mut values: Vec<sea_orm::Value> = vec![(lease.limit as i64).into()];
        let mut which = String::new();
        if let Some((employee, workday)) = after {
            which += "(employee_id, workday) > ($2, $3) AND ";
            values.extend([employee.0.into(), workday.to_string().into()]);
        }
        if let Some(from) = from {
            values.push(from.to_string().into());
            which += &format!("workday >= ${} AND ", values.len());
        }
        let columns = "employee_id, workday, generation, cause";
        let marks = sql::list::<(i64, String, i64, String), _>(
            &self.tx,
            columns,
            &format!(
                "FROM (SELECT {columns} FROM marked_days WHERE {which} NOT {CLAIMED} ORDER BY employee_id, workday LIMIT $1) AS free"
            ),
            values,
        )
        .await?;
        let mut marks: Vec<Mark> = marks
            .into_iter()
            .map(|(employee, workday, generation, cause)| Mark {
                employee: EmployeeId(employee),
                workday: day(&workday),
                generation,
                cause,
            })
            .collect();
        marks.sort_unstable_by_key(|mark| (mark.employee, mark.workday));
        let claim = Claim {
            holder: random_name(),
            from: from.unwrap_or(Date::MIN),
            marks,
        };
        if let Some(span) = claim.span() {
            let mut values: Vec<sea_orm::Value> = span.into();
            values.extend([
                claim.holder.as_str().into(),
                lease.owner.into(),
                lease.real_until.as_millisecond().into(),
            ]);
            sql::run(
                &self.tx,
                "INSERT INTO claimed_days (from_day, first_employee_id, first_workday, last_employee_id, last_workday, holder, \
                 lease_owner, lease_until_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                values,
            )
            .await?;
        }
        Ok(claim)
    }

    /// Gives a claim up and removes its marks but for those that were renewed meanwhile. `false` if it had run out and was
    /// taken from its holder: then nothing may be saved.
    pub(crate) async fn finish_claim(&self, claim: &Claim) -> Result<bool, StoreError> {
        let held = sql::one(
            &self.tx,
            "DELETE FROM claimed_days WHERE holder = $1 RETURNING renewed",
            [claim.holder.as_str().into()],
        )
        .await?;
        let Some(held) = held else {
            return Ok(false);
        };
        let renewed: bool = held.try_get_by_index(0)?;
        if !renewed {
            self.remove_judged(claim).await?;
        }
        Ok(true)
    }

    async fn remove_judged(&self, claim: &Claim) -> Result<(), StoreError> {
        let Some(span) = claim.span() else {
            return Ok(());
        };
        let now = sql::one(
            &self.tx,
            &format!("SELECT count(*), COALESCE(CAST(sum(generation) AS bigint), 0) FROM marked_days WHERE {IN_SPAN}"),
            span.clone(),
        )
        .await?;
        let now: (i64, i64) = match now {
            Some(row) => (row.try_get_by_index(0)?, row.try_get_by_index(1)?),
            None => (0, 0),
        };
        // While it is claimed no mark goes, and no generation falls.
        let generations = claim.marks.iter().map(|mark| mark.generation);
        if now == (claim.marks.len() as i64, generations.sum()) {
            let text = format!("DELETE FROM marked_days WHERE {IN_SPAN}");
            sql::run(&self.tx, &text, span).await?;
            return Ok(());
        }
        let judged: Vec<_> = claim
            .marks
            .iter()
            .map(|mark| (mark.employee.0, mark.workday.to_string(), mark.generation))
            .collect();
        sql::run(
            &self.tx,
            &format!(
                "DELETE FROM marked_days WHERE (employee_id, workday, generation) IN \
                 (SELECT r.employee_id, r.workday, r.generation FROM {})",
                sql::json_rows(
                    self.backend(),
                    1,
                    "r",
                    &[
                        ("employee_id", Column::Int),
                        ("workday", Column::Text),
                        ("generation", Column::Int)
                    ]
                )
            ),
            [sql::json(&judged)],
        )
        .await?;
        Ok(())
    }

    /// Gives up every claim of `owner`, for a judge that stops.
    pub async fn release_claims(&self, owner: &str) -> Result<(), StoreError> {
        sql::run(
            &self.tx,
            "DELETE FROM claimed_days WHERE lease_owner = $1",
            [owner.into()],
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// How many employee-days wait to be judged.
    pub async fn marked_day_count(&self) -> Result<u64, StoreError> {
        let row = sql::one(self.read(), "SELECT count(*) FROM marked_days", []).await?;
        Ok(match row {
            Some(row) => row.try_get_by_index::<i64>(0)?.unsigned_abs(),
            None => 0,
        })
    }

    /// Every site with its zone.
    pub async fn site_zones(&self) -> Result<Vec<(SiteId, TimeZone)>, StoreError> {
        let rows = sql::all(self.read(), "SELECT id, zone FROM sites ORDER BY id", []).await?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get_by_index(1)?;
                Ok((SiteId(row.try_get_by_index(0)?), zone(&name)))
            })
            .collect()
    }

    /// Whether [`WriteTx::mark_due`] has something to mark.
    pub async fn has_due_reports(&self, now: Timestamp) -> Result<bool, StoreError> {
        let row = sql::one(
            self.read(),
            "SELECT 1 FROM attendance_reports r WHERE r.recheck_at_ms <= $1 AND NOT EXISTS (SELECT 1 FROM marked_days m \
             WHERE m.employee_id = r.employee_id AND m.workday = r.workday) LIMIT 1",
            [now.as_millisecond().into()],
        )
        .await?;
        Ok(row.is_some())
    }
}

/// The same days, each once.
fn merged(spans: &[(EmployeeId, Date, Date)]) -> Vec<(EmployeeId, Date, Date)> {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    let mut apart: Vec<(EmployeeId, Date, Date)> = Vec::new();
    for (id, from, to) in spans {
        match apart.last_mut() {
            Some(last) if last.0 == id && from <= last.2 => last.2 = to.max(last.2),
            _ => apart.push((id, from, to)),
        }
    }
    apart
}

/// Rows of a person and a workday.
pub(crate) fn employee_days(
    rows: &[sea_orm::QueryResult],
) -> Result<Vec<(EmployeeId, Date)>, StoreError> {
    rows.iter()
        .map(|row| {
            let workday: String = row.try_get_by_index(1)?;
            Ok((EmployeeId(row.try_get_by_index(0)?), day(&workday)))
        })
        .collect()
}

macro_rules! claimed {
    () => {
        "EXISTS (SELECT 1 FROM claimed_days c WHERE marked_days.workday >= c.from_day \
         AND (marked_days.employee_id, marked_days.workday) >= (c.first_employee_id, c.first_workday) \
         AND (marked_days.employee_id, marked_days.workday) <= (c.last_employee_id, c.last_workday))"
    };
}

/// Whether a row of `marked_days` lies in a claim.
const CLAIMED: &str = claimed!();

/// The generation of a mark is read by its claim, so one that nobody holds need not be written again: the first reading of a
/// log touches most days many times.
const MARK_AGAIN: &str = concat!(
    "ON CONFLICT (employee_id, workday) \
     DO UPDATE SET generation = marked_days.generation + 1, cause = excluded.cause WHERE ",
    claimed!()
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_both_databases;
    use crate::testing::{author, device, employee, employee_fields, marked_days, report, site};

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    on_both_databases! {
        async fn recent_days_are_claimed_first_and_each_once(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let (a, b) = (employee(&tx, site, "1").await, employee(&tx, site, "2").await);
            let days = [(a, "2026-01-02"), (a, "2026-03-02"), (b, "2026-01-01"), (b, "2026-03-02")];
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.mark_days(days.map(|(id, day)| (id, date(day))), "test").await.unwrap();
            let claim = async |owner: &str, limit| {
                let recent = Some(date("2026-03-01"));
                let claimed = tx.claim_marked_days(owner, at(100), at(200), recent, None, limit).await.unwrap();
                claimed.marks.into_iter().map(|mark| (mark.employee, mark.workday)).collect::<Vec<_>>()
            };
            let recent = [(a, date("2026-03-02")), (b, date("2026-03-02"))];
            assert_eq!(claim("first", 9).await, recent);
            assert_eq!(claim("second", 1).await, [(a, date("2026-01-02"))]);
            assert_eq!(claim("third", 9).await, [(b, date("2026-01-01"))]);
            assert_eq!(claim("fourth", 9).await, []);
            // The lease of the first is over.
            let late = tx.claim_marked_days("fifth", at(200), at(300), None, None, 2).await.unwrap();
            assert_eq!(late.marks.len(), 2);
        }

        async fn reports_are_marked_by_person_site_and_days(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let here = site(&tx).await;
            let there = tx.add_site("Lahore", "Asia/Karachi", author()).await.unwrap();
            let a = employee(&tx, here, "1").await;
            let b = tx.add_employee(&employee_fields(there, "2"), author()).await.unwrap();
            for day in ["2026-03-01", "2026-03-02", "2026-03-03"] {
                report(&tx, a, day).await;
                report(&tx, b, day).await;
            }
            let clear = async || sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            clear().await;
            assert_eq!(tx.mark_reports(Whose::Everybody, None, None, "test").await.unwrap(), 6);
            clear().await;
            let (from, to) = (Some(date("2026-03-02")), Some(date("2026-03-02")));
            assert_eq!(tx.mark_reports(Whose::Site(there), from, to, "test").await.unwrap(), 1);
            assert_eq!(tx.mark_reports(Whose::Employees(&[a]), from, None, "test").await.unwrap(), 2);
            assert_eq!(tx.mark_reports(Whose::Employees(&[]), None, None, "test").await.unwrap(), 0);
            tx.commit().await.unwrap();
            assert_eq!(marked_days(&store, a).await, [date("2026-03-02"), date("2026-03-03")]);
            assert_eq!(marked_days(&store, b).await, [date("2026-03-02")]);
        }

        async fn due_reports_are_marked_once(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let a = employee(&tx, site, "1").await;
            report(&tx, a, "2026-03-02").await;
            sql::run(&tx.tx, "UPDATE attendance_reports SET recheck_at_ms = 5000", []).await.unwrap();
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.commit().await.unwrap();
            assert!(!store.has_due_reports(at(4)).await.unwrap());
            assert!(store.has_due_reports(at(5)).await.unwrap());
            let tx = store.begin_write().await.unwrap();
            assert_eq!(tx.mark_due(at(4)).await.unwrap(), 0);
            assert_eq!(tx.mark_due(at(5)).await.unwrap(), 1);
            assert_eq!(tx.mark_due(at(6)).await.unwrap(), 0, "it waits already");
            tx.commit().await.unwrap();
            assert!(!store.has_due_reports(at(6)).await.unwrap());
        }

        async fn a_judge_that_stops_frees_what_it_holds_and_nothing_else(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let a = employee(&tx, site, "1").await;
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let days = ["2026-03-01", "2026-03-02", "2026-03-03"];
            tx.mark_days(days.map(|day| (a, date(day))), "test").await.unwrap();
            let claim = async |owner: &str, limit| {
                let claim = tx.claim_from(owner, at(100), at(200), Date::MIN, limit).await.unwrap();
                claim.marks.into_iter().map(|mark| mark.workday).collect::<Vec<_>>()
            };
            assert_eq!(claim("stops", 1).await, [date(days[0])]);
            assert_eq!(claim("goes on", 1).await, [date(days[1])]);
            assert_eq!(claim("stops", 1).await, [date(days[2])]);
            tx.release_claims("stops").await.unwrap();
            assert_eq!(claim("another", 9).await, [date(days[0]), date(days[2])]);
            tx.end_all_leases().await.unwrap();
            assert_eq!(claim("alone", 9).await, days.map(date), "a server that is alone takes everything over");
        }

        async fn spans_that_overlap_mark_each_report_once(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let (a, b) = (employee(&tx, site, "1").await, employee(&tx, site, "2").await);
            for day in ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-09"] {
                report(&tx, a, day).await;
                report(&tx, b, day).await;
            }
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let spans = [
                (a, date("2026-03-02"), Date::MAX),
                (a, date("2026-03-01"), date("2026-03-02")),
                (a, date("2026-03-03"), date("2026-03-05")),
                (b, date("2026-03-03"), date("2026-03-04")),
            ];
            assert_eq!(tx.mark_report_spans(&spans, "test").await.unwrap(), 5);
            tx.commit().await.unwrap();
            let days = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-09"].map(date);
            assert_eq!(marked_days(&store, a).await, days);
            assert_eq!(marked_days(&store, b).await, [date("2026-03-03")]);
        }

        async fn devices_mark_the_reports_of_their_sites_each_since_its_own_day(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let here = site(&tx).await;
            let there = tx.add_site("Lahore", "Asia/Karachi", author()).await.unwrap();
            let (gate, back, far) = (device(&tx, here, "G").await, device(&tx, here, "B").await, device(&tx, there, "F").await);
            let a = employee(&tx, here, "1").await;
            let b = tx.add_employee(&employee_fields(there, "2"), author()).await.unwrap();
            for day in ["2026-03-01", "2026-03-10", "2026-03-20"] {
                report(&tx, a, day).await;
                report(&tx, b, day).await;
            }
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            let noon = |day: &str| format!("{day}T12:00:00Z").parse::<Timestamp>().unwrap();
            let since = [(gate, "2026-03-20"), (back, "2026-03-11"), (far, "2026-03-20")];
            let since = since.map(|(device, day)| (device, noon(day))).into();
            assert_eq!(tx.mark_devices(&since, "test").await.unwrap(), 3);
            assert_eq!(tx.mark_devices(&BTreeMap::new(), "test").await.unwrap(), 0);
            tx.commit().await.unwrap();
            assert_eq!(marked_days(&store, a).await, [date("2026-03-10"), date("2026-03-20")]);
            assert_eq!(marked_days(&store, b).await, [date("2026-03-20")]);
        }

        async fn what_is_being_judged_is_marked_again_by_every_transaction_that_marks(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let a = employee(&tx, site, "1").await;
            sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
            tx.mark_days([(a, date("2026-03-02"))], "test").await.unwrap();
            let claim = async |tx: &WriteTx| tx.claim_from("judge", at(100), at(200), Date::MIN, 9).await.unwrap();
            let first = claim(&tx).await;
            assert_eq!(first.marks.len(), 1);
            // There is no report yet, so only what is claimed can be renewed; also by the transaction that claimed it.
            tx.mark_reports(Whose::Everybody, None, None, "test").await.unwrap();
            assert!(tx.finish_claim(&first).await.unwrap());
            let second = claim(&tx).await;
            assert_eq!(second.marks.len(), 1, "it was marked again");
            tx.commit().await.unwrap();
            let tx = store.begin_write().await.unwrap();
            for _ in 0..2 {
                tx.mark_reports(Whose::Everybody, None, None, "test").await.unwrap();
            }
            tx.commit().await.unwrap();
            let tx = store.begin_write().await.unwrap();
            tx.finish_claim(&second).await.unwrap();
            assert_eq!(claim(&tx).await.marks.len(), 1, "and again");
        }

        async fn a_judged_claim_removes_its_marks_and_no_others(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let (a, b) = (employee(&tx, site, "1").await, employee(&tx, site, "2").await);
            let fresh = async |days: &[(EmployeeId, &str)]| {
                sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
                tx.mark_days(days.iter().map(|(id, day)| (*id, date(day))), "test").await.unwrap();
            };
            let left = async |id| tx.marked_days_of(&[id], 9).await.unwrap().into_iter().map(|(_, day)| day).collect::<Vec<_>>();
            let claim = async || tx.claim_from("judge", at(100), at(200), date("2026-03-01"), 9).await.unwrap();

            let days = [(a, "2026-02-01"), (a, "2026-03-02"), (b, "2026-02-01"), (b, "2026-03-02")];
            fresh(&days).await;
            let claimed = claim().await;
            assert_eq!(claimed.marks.len(), 2);
            assert!(tx.finish_claim(&claimed).await.unwrap());
            assert_eq!((left(a).await, left(b).await), (vec![date("2026-02-01")], vec![date("2026-02-01")]), "older than it asked for");
            assert!(!tx.finish_claim(&claimed).await.unwrap(), "it is nobody's any more");

            // One more day between its first and its last, and one of them again.
            fresh(&days).await;
            let claimed = claim().await;
            tx.mark_days([(a, date("2026-03-05")), (b, date("2026-03-02"))], "test").await.unwrap();
            assert_eq!(claim().await.marks, [], "nobody else gets the day in between");
            assert!(tx.finish_claim(&claimed).await.unwrap());
            assert_eq!(left(a).await, [date("2026-03-05"), date("2026-02-01")]);
            assert_eq!(left(b).await, [date("2026-03-02"), date("2026-02-01")]);
            assert_eq!(claim().await.marks.len(), 2);
        }

        async fn coverage_marks_what_waits_for_it_and_only_where_it_matters(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let site = site(&tx).await;
            let (gate, back) = (device(&tx, site, "G").await, device(&tx, site, "B").await);
            for (code, waits_for) in [("1", Some(gate)), ("2", Some(back)), ("3", None)] {
                let person = employee(&tx, site, code).await;
                report(&tx, person, "2026-03-02").await;
                sql::run(
                    &tx.tx,
                    "UPDATE attendance_reports SET waits_for_device_id = $2, waits_below_ms = 5000 WHERE employee_id = $1",
                    [person.0.into(), waits_for.map(|device| device.0).into()],
                ).await.unwrap();
            }
            let marked = async |from| {
                sql::run(&tx.tx, "DELETE FROM marked_days", []).await.unwrap();
                tx.mark_waiting(gate, from).await.unwrap()
            };
            assert_eq!(marked(Some(at(3))).await, 1, "the first");
            assert_eq!(marked(None).await, 1);
            assert_eq!(marked(Some(at(5))).await, 0, "nothing waits beyond that");
        }
    }
}
