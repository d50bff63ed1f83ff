//! What sheets and exports are made of: people in order, and the reports and punches of some of them over some days.
//!
//! In a reading transaction, because a sheet is read in parts that must agree with each other.

use std::collections::HashMap;

use attendance::Status;
use sea_orm::FromQueryResult;
use serde::Deserialize;

use super::board::full_name;
use super::exceptions::UNDECIDED;
use crate::{ReadTx, StoreError, sql};

/// Whose reports. Empty is everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub site_id: Option<i64>,
    pub department_id: Option<i64>,
}

impl Scope {
    /// Site and department, `0` for all, and two days.
    pub(super) fn spanning(&self, from: &str, to: &str) -> [sea_orm::Value; 4] {
        [
            self.site_id.unwrap_or(0).into(),
            self.department_id.unwrap_or(0).into(),
            from.into(),
            to.into(),
        ]
    }
}

/// The department of somebody without one is the default one of the site.
const DEPARTMENT: &str = "LEFT JOIN departments d ON d.id = COALESCE(e.department_id, \
     (SELECT x.id FROM departments x WHERE x.site_id = e.site_id AND x.is_default))";

/// One line of a sheet.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct SheetPerson {
    pub id: i64,
    pub code: String,
    pub first_name: String,
    pub last_name: String,
    pub email: Option<String>,
    pub site: String,
    pub department_id: Option<i64>,
    pub department: Option<String>,
    /// Dates `YYYY-MM-DD`, both inclusive.
    pub employed_from: Option<String>,
    pub employed_to: Option<String>,
}

impl SheetPerson {
    pub fn name(&self) -> String {
        full_name(&self.first_name, &self.last_name)
    }

    /// Whether that date `YYYY-MM-DD` is within the employment.
    pub fn is_employed_on(&self, day: &str) -> bool {
        self.employed_from.as_deref().is_none_or(|from| from <= day)
            && self.employed_to.as_deref().is_none_or(|to| day <= to)
    }
}

const PERSON: &str = "SELECT e.id, e.code, e.first_name, e.last_name, e.email, s.name AS site, d.id AS department_id,
       d.name AS department, e.employed_from, e.employed_to
     FROM employees e JOIN sites s ON s.id = e.site_id";

/// Everybody of the scope who is employed on one of the days from one to another, by department, then name.
pub async fn people(
    tx: &ReadTx,
    scope: &Scope,
    from: &str,
    to: &str,
) -> Result<Vec<SheetPerson>, StoreError> {
    let text = format!(
        "{PERSON} {DEPARTMENT}
         WHERE ($1 = 0 OR e.site_id = $1) AND ($2 = 0 OR d.id = $2) AND (e.employed_from IS NULL OR e.employed_from <= $4)
           AND (e.employed_to IS NULL OR e.employed_to >= $3)
         ORDER BY d.name, d.id, e.first_name, e.last_name, e.code"
    );
    Ok(sql::fetch(&tx.tx, &text, scope.spanning(from, to)).await?)
}

/// The person with that code.
pub async fn person(tx: &ReadTx, code: &str) -> Result<Option<SheetPerson>, StoreError> {
    let text = format!("{PERSON} {DEPARTMENT} WHERE e.code = $1");
    let found: Vec<SheetPerson> = sql::fetch(&tx.tx, &text, [code.into()]).await?;
    Ok(found.into_iter().next())
}

/// A stored report.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SheetReport {
    pub employee_id: i64,
    /// `YYYY-MM-DD`.
    pub workday: String,
    pub status: Status,
    pub stage: String,
    pub reason: String,
    pub shift: String,
    /// Site wall time `YYYY-MM-DD HH:MM:SS`.
    pub first_in: Option<String>,
    pub last_out: Option<String>,
    pub planned_min: i64,
    pub worked_min: i64,
    pub late_min: i64,
    pub early_min: i64,
    pub overtime_min: i64,
    pub night_min: i64,
    /// Minutes as a JSON array; empty without levels.
    pub overtime_levels: String,
    /// Names with commas between.
    pub exceptions: String,
    pub pending: String,
    pub leave_part: String,
    /// R121.
    pub letter: String,
}

/// The reports of these people from one day to another, both inclusive, by person and day.
pub async fn reports(
    tx: &ReadTx,
    employees: &[i64],
    from: &str,
    to: &str,
) -> Result<Vec<SheetReport>, StoreError> {
    let columns = "r.employee_id, r.workday, r.status, r.stage, r.reason, r.shift, r.first_in, r.last_out, r.planned_min, \
                   r.worked_min, r.late_min, r.early_min, r.overtime_min, r.night_min, r.overtime_levels, r.exceptions, r.pending, \
                   r.leave_part, r.letter";
    let rest = format!(
        "FROM attendance_reports r WHERE r.employee_id IN {} AND r.workday >= $2 AND r.workday <= $3",
        sql::in_ids(tx.backend(), 1)
    );
    let values = [sql::json(employees), from.into(), to.into()];
    let mut reports: Vec<SheetReport> = sql::list(&tx.tx, columns, &rest, values).await?;
    reports.sort_by(|a, b| (a.employee_id, &a.workday).cmp(&(b.employee_id, &b.workday)));
    Ok(reports)
}

/// A part of one device's log, and where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PunchSpan {
    pub device_id: i64,
    /// Instants, the second not included.
    pub from_ms: i64,
    pub to_ms: i64,
    /// Instant and id of the last punch of the part before.
    pub after: Option<(i64, i64)>,
    pub limit: i64,
}

/// A punch as the device recorded it, with whose it is.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct SheetPunch {
    pub id: i64,
    pub user_id: String,
    /// Device wall time `YYYY-MM-DD HH:MM:SS`.
    pub clock: String,
    pub zone: String,
    pub instant_ms: i64,
    pub received_ms: i64,
    pub source: String,
    pub state: String,
    pub verify: String,
    pub suspect: bool,
    /// The wall time that holds instead of `clock`, because a person has shifted it.
    pub shifted: Option<String>,
    pub code: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

/// The next punches of a device, in order of instant, then id; with a department only those of its people.
pub async fn punches(
    tx: &ReadTx,
    span: &PunchSpan,
    department_id: Option<i64>,
) -> Result<Vec<SheetPunch>, StoreError> {
    let text = format!(
        "SELECT p.id, p.user_id, p.clock, p.zone, p.instant_ms, p.received_ms, p.source, p.state, p.verify, p.suspect, p.shifted,
           e.code, e.first_name, e.last_name
         FROM punches p LEFT JOIN employees e ON e.id = p.employee_id {DEPARTMENT}
         WHERE p.device_id = $1 AND p.instant_ms >= $2 AND p.instant_ms < $3
           AND (p.instant_ms > $2 OR p.id > $4) AND ($5 = 0 OR d.id = $5)
         ORDER BY p.instant_ms, p.id LIMIT $6"
    );
    let (from_ms, after_id) = span.after.unwrap_or((span.from_ms, 0));
    let values = [
        span.device_id.into(),
        from_ms.into(),
        span.to_ms.into(),
        after_id.into(),
        department_id.unwrap_or(0).into(),
        span.limit.into(),
    ];
    Ok(sql::fetch(&tx.tx, &text, values).await?)
}

/// A device and the zone of its site, which says when a day begins there.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct SheetDevice {
    pub id: i64,
    pub serial_number: String,
    pub name: String,
    pub zone: String,
}

/// The devices of a site, or of all, also those that are retired, in order of serial number.
pub async fn devices(tx: &ReadTx, site_id: Option<i64>) -> Result<Vec<SheetDevice>, StoreError> {
    let text = "SELECT v.id, v.serial_number, v.name, s.zone FROM devices v JOIN sites s ON s.id = v.site_id
         WHERE ($1 = 0 OR v.site_id = $1) ORDER BY v.serial_number";
    Ok(sql::fetch(&tx.tx, text, [site_id.unwrap_or(0).into()]).await?)
}

/// A name to filter by.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ScopeName {
    pub id: i64,
    pub name: String,
}

/// Sites in order of name.
pub async fn sites(tx: &ReadTx) -> Result<Vec<ScopeName>, StoreError> {
    let text = "SELECT id, name FROM sites ORDER BY name, id";
    Ok(sql::fetch(&tx.tx, text, []).await?)
}

/// The departments of a site, or of all, in order of name.
pub async fn departments(tx: &ReadTx, site_id: Option<i64>) -> Result<Vec<ScopeName>, StoreError> {
    let text = "SELECT id, name FROM departments WHERE ($1 = 0 OR site_id = $1) ORDER BY name, id";
    Ok(sql::fetch(&tx.tx, text, [site_id.unwrap_or(0).into()]).await?)
}

/// How far the closing of a month is, over the departments and days of a scope that have a sheet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct Closing {
    pub sheets: i64,
    pub locked: i64,
    /// When the last of them was locked.
    pub locked_ms: Option<i64>,
}

/// The sheets from one day to another, both inclusive.
pub async fn closing(
    tx: &ReadTx,
    scope: &Scope,
    from: &str,
    to: &str,
) -> Result<Closing, StoreError> {
    let text = "SELECT COUNT(*) AS sheets, COUNT(a.locked_ms) AS locked, MAX(a.locked_ms) AS locked_ms
         FROM attendances a JOIN departments d ON d.id = a.department_id
         WHERE ($1 = 0 OR d.site_id = $1) AND ($2 = 0 OR d.id = $2) AND a.workday >= $3 AND a.workday <= $4";
    let found: Vec<Closing> = sql::fetch(&tx.tx, text, scope.spanning(from, to)).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

/// How many closed reports the evidence no longer agrees with.
pub async fn changes_after_close(
    tx: &ReadTx,
    employees: &[i64],
    from: &str,
    to: &str,
) -> Result<i64, StoreError> {
    let text = format!(
        "SELECT COUNT(*) FROM attendance_reports
         WHERE employee_id IN {} AND workday >= $2 AND workday <= $3 AND changes_after_close <> ''",
        sql::in_ids(tx.backend(), 1)
    );
    let values = [sql::json(employees), from.into(), to.into()];
    match sql::one(&tx.tx, &text, values).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Ok(0),
    }
}

/// Whose reports from one day to another wait for a person, as of `today`, and on how many days. What is closed does not wait any
/// more.
pub async fn waiting_days(
    tx: &ReadTx,
    employees: &[i64],
    from: &str,
    to: &str,
    today: &str,
) -> Result<HashMap<i64, i64>, StoreError> {
    let rest = format!(
        "FROM (SELECT r.employee_id, COUNT(*) AS days FROM attendance_reports r
           WHERE r.employee_id IN {} AND r.workday >= $3 AND r.workday <= $4 AND {UNDECIDED} GROUP BY r.employee_id) w",
        sql::in_ids(tx.backend(), 2)
    );
    let values = [today.into(), sql::json(employees), from.into(), to.into()];
    let found: Vec<(i64, i64)> = sql::list(&tx.tx, "w.employee_id, w.days", &rest, values).await?;
    Ok(found.into_iter().collect())
}

/// How many reports from one day to another were judged differently after an instant, so that what was exported then is no
/// longer what is stored.
pub async fn changed_since(
    tx: &ReadTx,
    employees: &[i64],
    from: &str,
    to: &str,
    since_ms: i64,
) -> Result<i64, StoreError> {
    let text = format!(
        "SELECT COUNT(*) FROM attendance_reports r
         WHERE r.employee_id IN {} AND r.workday >= $2 AND r.workday <= $3 AND r.since_ms > $4",
        sql::in_ids(tx.backend(), 1)
    );
    let values = [
        sql::json(employees),
        from.into(),
        to.into(),
        since_ms.into(),
    ];
    match sql::one(&tx.tx, &text, values).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{author, device, employee_fields, report_saying, site};
    use crate::{Store, on_both_databases};

    on_both_databases! {
        async fn people_and_their_reports_come_in_order(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let weaving = tx.add_department(berlin, "Weaving", author()).await.unwrap();
            let mut zoe = employee_fields(berlin, "1");
            zoe.first_name = "Zoe".to_owned();
            zoe.department = Some(weaving);
            let zoe = tx.add_employee(&zoe, author()).await.unwrap();
            let mut ada = employee_fields(berlin, "2");
            ada.first_name = "Ada".to_owned();
            ada.department = Some(weaving);
            ada.employed_to = Some("2026-05-05".parse().unwrap());
            let ada = tx.add_employee(&ada, author()).await.unwrap();
            let other = tx.add_employee(&employee_fields(berlin, "3"), author()).await.unwrap();
            for (who, day) in [(zoe, "2026-05-02"), (zoe, "2026-05-01"), (ada, "2026-05-01"), (other, "2026-06-01")] {
                report_saying(&tx, who, day, "present", Some(&format!("{day} 09:00:00")), 0).await;
            }
            tx.commit().await.unwrap();

            let read = store.begin_read().await.unwrap();
            let scope = Scope { site_id: Some(berlin.0), department_id: Some(weaving.0) };
            let found = people(&read, &scope, "2026-05-01", "2026-05-31").await.unwrap();
            let codes: Vec<_> = found.iter().map(|person| &*person.code).collect();
            assert_eq!(codes, ["2", "1"], "by name within the department");
            assert!(found[0].is_employed_on("2026-05-05") && !found[0].is_employed_on("2026-05-06"));
            let all = people(&read, &Scope::default(), "2026-05-06", "2026-05-31").await.unwrap();
            let codes: Vec<_> = all.iter().map(|person| &*person.code).collect();
            assert_eq!(codes, ["3", "1"], "who has left is not in it, and the default department comes by its name");
            let rows = reports(&read, &[zoe.0, ada.0, other.0], "2026-05-01", "2026-05-31").await.unwrap();
            let days: Vec<_> = rows.iter().map(|row| (row.employee_id, &*row.workday)).collect();
            assert_eq!(days, [(zoe.0, "2026-05-01"), (zoe.0, "2026-05-02"), (ada.0, "2026-05-01")]);
            assert_eq!(rows[0].status, Status::Present);
            assert_eq!(rows[0].first_in.as_deref(), Some("2026-05-01 09:00:00"));
            assert_eq!(person(&read, "3").await.unwrap().unwrap().id, other.0);
            assert_eq!(departments(&read, Some(berlin.0)).await.unwrap().len(), 2);
            assert_eq!(sites(&read).await.unwrap().len(), 1);
        }

        async fn a_log_comes_in_parts_without_a_hole(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let gate = device(&tx, berlin, "A1").await;
            // Two at the same instant: the id decides.
            for (id, ms) in [(1, 1000), (2, 3000), (3, 2000), (4, 2000), (5, 9000)] {
                sql::run(
                    &tx.tx,
                    "INSERT INTO punches (device_id, user_id, clock, zone, instant_ms, received_ms, source, state, verify) \
                     VALUES ($1, $2, '2026-05-12 08:58:30', 'Europe/Berlin', $3, $3, 'poll', 'none', 'finger')",
                    [gate.0.into(), i64::to_string(&id).into(), i64::from(ms).into()],
                )
                .await
                .unwrap();
            }
            tx.commit().await.unwrap();
            let read = store.begin_read().await.unwrap();
            let mut span = PunchSpan { device_id: gate.0, from_ms: 1000, to_ms: 9000, after: None, limit: 2 };
            let mut seen = Vec::new();
            loop {
                let part = punches(&read, &span, None).await.unwrap();
                let Some(last) = part.last() else { break };
                span.after = Some((last.instant_ms, last.id));
                seen.extend(part.into_iter().map(|punch| punch.user_id));
            }
            assert_eq!(seen, ["1", "3", "4", "2"]);
            assert_eq!(punches(&read, &PunchSpan { after: None, ..span }, Some(7)).await.unwrap(), []);
            let known = devices(&read, Some(berlin.0)).await.unwrap();
            assert_eq!((known.len(), &*known[0].zone), (1, "Europe/Berlin"));
        }

        async fn closing_and_later_changes_are_counted(store: Store) {
            let tx = store.begin_write().await.unwrap();
            let berlin = site(&tx).await;
            let ada = tx.add_employee(&employee_fields(berlin, "1"), author()).await.unwrap();
            for day in ["2026-05-01", "2026-05-02", "2026-05-03"] {
                report_saying(&tx, ada, day, "present", None, 0).await;
            }
            for text in [
                "UPDATE attendances SET locked_ms = 5 WHERE workday = '2026-05-01'",
                "UPDATE attendance_reports SET status = 'unknown' WHERE workday = '2026-05-03'",
                "UPDATE attendance_reports SET judged_at_ms = 20",
                "UPDATE attendance_reports SET exceptions = 'off_shift', stage = 'locked', changes_after_close = 'status' WHERE workday = '2026-05-01'",
                "UPDATE attendance_reports SET exceptions = 'off_shift' WHERE workday = '2026-05-02'",
                "UPDATE attendance_reports SET since_ms = 10 WHERE workday = '2026-05-01'",
            ] {
                sql::run(&tx.tx, text, []).await.unwrap();
            }
            tx.commit().await.unwrap();
            let read = store.begin_read().await.unwrap();
            let closed = closing(&read, &Scope::default(), "2026-05-01", "2026-05-31").await.unwrap();
            assert_eq!(closed, Closing { sheets: 3, locked: 1, locked_ms: Some(5) });
            let since = async |ms| changed_since(&read, &[ada.0], "2026-05-01", "2026-05-31", ms).await.unwrap();
            let waiting = async |today| waiting_days(&read, &[ada.0], "2026-05-01", "2026-05-31", today).await.unwrap();
            assert_eq!(changes_after_close(&read, &[ada.0], "2026-05-01", "2026-05-31").await.unwrap(), 1);
            assert_eq!(waiting("2026-05-02").await, HashMap::from([(ada.0, 1)]), "what is unknown today may settle by itself");
            assert_eq!(waiting("2026-05-04").await, HashMap::from([(ada.0, 2)]));
            assert_eq!((since(9).await, since(10).await), (1, 0), "judged again without another result is no change");
        }
    }
}
